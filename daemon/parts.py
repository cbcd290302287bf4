"""Parts of an account's trading that are made from the configuration, the feed and what the journal remembers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from daemon.config import Config
from daemon.settings import blackout_of, online_settings_of
from domain.clock import Clock, from_epoch
from domain.errors import InvalidInput
from domain.records import CalendarEvent
from journal.journal import Journal
from learning.online import OnlineFilter
from learning.strategy_record import StrategyRecord
from market.external import ExternalFeatures
from market.feed import Feed
from market.sessions import Sessions
from sentiment.aggregate import SentimentBook, SentimentSettings
from sentiment.blackout import Blackout
from sentiment.calendar import EventCalendar
from sentiment.lexicon import LexiconScorer
from signals.features import SCHEMA, SCHEMA_HASH, schema_hash
from trading.aftermath import MODEL_KEY, RECORD_KEY
from trading.news import News
from trading.view import MarketView

WEIGHTS_KEY = "ensemble_weights"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What flows in beside bars. None where the user has none; `names` are other names of instruments, a file."""

    events: tuple[CalendarEvent, ...] | None = None
    names: Path | None = None
    calendar_complete: bool = False
    """A made calendar has every event there is: silence in it is no gap."""
    external: ExternalFeatures | None = None
    read_news: bool = True


def sessions_of(feed: Feed, clock: Clock) -> Sessions:
    """Trading hours over everything the feed tells, and for a live run over the year to come."""
    series = [feed.series(symbol) for symbol in feed.instruments]
    first = min(int(each.opened[0]) for each in series if len(each))
    last = max(int(each.closed[-1]) for each in series if len(each))
    return Sessions(from_epoch(first).date(), max(from_epoch(last), clock.now() + timedelta(days=400)).date())


def news_of(config: Config, view: MarketView, sources: Sources) -> News:
    reads = config.sentiment.enabled and sources.read_news
    events = sources.events
    calendar = None if events is None else EventCalendar(events)
    book = SentimentBook(SentimentSettings(), view.tradable.values(), calendar=calendar, own_names=sources.names)
    return News(
        instruments=view.tradable,
        scorer=LexiconScorer() if reads else None,
        book=book if reads else None,
        events=events or (),
        calendar=calendar,
        blackout=None if events is None else Blackout(events, blackout_of(config, complete=sources.calendar_complete)),
    )


def model_of(journal: Journal, config: Config, sources: Sources) -> OnlineFilter:
    settings = online_settings_of(config)
    names = () if sources.external is None else sources.external.names
    schema = schema_hash(SCHEMA, names) if names else SCHEMA_HASH
    stored = journal.read.state(MODEL_KEY)
    if stored is None:
        return OnlineFilter(settings, schema=schema)
    try:
        restored = OnlineFilter.restore(stored, settings, schema=schema)
        if restored.needs_refold:
            restored.refold(journal.read.samples())
        return restored
    except InvalidInput as fault:
        # An upgrade changed the features, say: begin anew from the samples that have the present ones.
        _log.warning("online_model_begun_anew", extra={"reason": str(fault)})
    fresh = OnlineFilter(settings, schema=schema)
    for sample in journal.read.samples():
        fresh.learn(sample)
    return fresh


def record_of(journal: Journal) -> StrategyRecord:
    stored = journal.read.state(RECORD_KEY)
    return StrategyRecord() if stored is None else StrategyRecord.restore(stored)


def stored_weights(journal: Journal, config: Config) -> Mapping[str, float]:
    stored = journal.read.state(WEIGHTS_KEY)
    weights: dict[str, float] = {} if stored is None else json.loads(stored)
    return {**weights, **config.signals.weights}
