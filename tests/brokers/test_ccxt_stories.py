"""Whatever is sent, lost, doubled, reordered or killed: the facts told are the venue's ledger, each once."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from ccxt_story import story
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.ccxt.records import CRASH_POINTS
from venues.records import MarketKind

STEPS = 60


def told(seed: int, kind: MarketKind, steps: int = STEPS):
    with tempfile.TemporaryDirectory() as folder:
        tale = story(Path(folder), seed, kind)
        asyncio.run(tale.run(steps))
        return tale


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(list(MarketKind)), steps=st.integers(1, 120))
def test_any_story_ends_with_the_venues_ledger_told_once(seed, kind, steps):
    told(seed, kind, steps)


def test_the_stories_are_worth_telling_and_kill_at_every_crash_point():
    kills: Counter[str] = Counter()
    events: Counter[str] = Counter()
    absent = 0
    for seed in range(60):
        tale = told(seed, MarketKind.LINEAR if seed % 2 else MarketKind.SPOT, 100)
        kills += tale.kills
        events += Counter(event.kind.value for event in tale.told)
        absent += len(tale.absent)
    founding = {"ccxt.before_founding", "ccxt.after_founding"}
    assert set(CRASH_POINTS) - founding == set(kills)
    assert absent > 20
    for kind in ("accepted", "rejected", "filled", "cancelled", "cancel_rejected"):
        assert events[kind] > 20, kind


def test_the_same_seed_tells_the_same_story():
    first, second = told(7, MarketKind.SPOT), told(7, MarketKind.SPOT)
    assert first.told == second.told
    assert first.cursor == second.cursor


@pytest.mark.parametrize("point", ["ccxt.before_founding", "ccxt.after_founding"])
async def test_killed_while_it_is_founded_an_account_is_founded_once(tmp_path, point):
    tale = story(tmp_path, 0, MarketKind.LINEAR)
    bench = tale.bench

    class Killed(BaseException):
        pass

    def die(reached: str) -> None:
        if reached == point:
            raise Killed

    bench.reach = die
    with pytest.raises(Killed):
        await bench.open()
    bench.reach = None
    await bench.open()
    assert len(await bench.cash()) == 1
    await bench.broker.close()
