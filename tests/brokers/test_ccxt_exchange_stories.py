"""Through the real vendor library, with the exchange failing and the broker killed: facts equal the ledger."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from ccxt_exchange_story import ExchangeStory

from brokers.protocol import EventKind
from venues.records import MarketKind

SEEDS = 12


@pytest.mark.parametrize("market", list(MarketKind))
def test_on_the_test_exchange_any_story_ends_with_its_ledger_told_once(market):
    kinds: Counter[EventKind] = Counter()
    kills: Counter[str] = Counter()
    for seed in range(SEEDS):
        with tempfile.TemporaryDirectory() as folder:
            story = ExchangeStory(folder=Path(folder), market=market, seed=seed)
            asyncio.run(story.run(50))
        kinds += Counter(event.kind for event in story.told)
        kills += story.kills
    for kind in (EventKind.ACCEPTED, EventKind.FILLED, EventKind.REJECTED, EventKind.CANCELLED):
        assert kinds[kind] > 3, kind
    assert len(kills) > 5
