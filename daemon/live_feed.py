"""The feed of a live run. Until venue feeds are connected it is the simulated market, appearing bar by bar.

The market is told from an anchor that the journal keeps, so indicators start at the same bar after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from daemon.config import Config
from domain.bars import BarSeries
from domain.clock import from_epoch, to_epoch
from domain.errors import ConfigurationRefused
from domain.instruments import Instrument, Timeframe
from domain.records import CalendarEvent, NewsItem
from journal.batch import Batch
from journal.journal import Journal
from market.feed import BarRef, FeedReport, Moment
from market.simulated import SimulatedFeed

ANCHOR_KEY = "feed_anchor"
HISTORY_BARS = 400
"""Bars before the first start: enough for every indicator to be warm when the daemon begins."""

HORIZON_BARS = 3_000
"""Bars told in advance; when fewer than `REACH_BARS` of them are left, as many again are told."""

REACH_BARS = 200


class GrowingMarket:
    """The simulated market as a feed without an end: a longer story continues a shorter one of the same seed."""

    def __init__(self, config: Config, anchor: datetime, now: datetime) -> None:
        self._config = config
        self._anchor = anchor
        self._told = self._tell(now)

    @property
    def name(self) -> str:
        return self._told.name

    @property
    def timeframe(self) -> Timeframe:
        return self._told.timeframe

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._told.instruments

    @property
    def report(self) -> FeedReport:
        return self._told.report

    @property
    def calendar(self) -> tuple[CalendarEvent, ...]:
        """Scheduled events as far as the story is told."""
        return self._told.calendar

    def series(self, symbol: str) -> BarSeries:
        return self._told.series(symbol)

    def higher(self, symbol: str) -> BarSeries | None:
        return self._told.higher(symbol)

    def next_at(self) -> datetime | None:
        return self._told.next_at()

    def take(self) -> Moment:
        return self._told.take()

    def is_last(self, ref: BarRef) -> bool:  # noqa: ARG002 - this story has no end
        return False

    def seek(self, after: datetime) -> None:
        self._told.seek(after)

    def headlines(self, after: datetime, until: datetime) -> Sequence[NewsItem]:
        return self._told.headlines(after, until)

    def grow(self, now: datetime) -> bool:
        """Tell more of the story when its end comes near; True when more was told."""
        left = (self._anchor + self._bars * self.timeframe.span - now) / self.timeframe.span
        if left >= REACH_BARS:
            return False
        next_at = self._told.next_at()
        self._told = self._tell(now)
        if next_at is not None:
            self._told.seek(next_at - timedelta(microseconds=1))
        return True

    def _tell(self, now: datetime) -> SimulatedFeed:
        section = self._config.feed
        self._bars = int((now - self._anchor) / section.timeframe.span) + HORIZON_BARS
        return SimulatedFeed(
            section.seed,
            instruments=len(section.instruments) or 10,
            bars=self._bars,
            timeframe=section.timeframe,
            start=self._anchor,
            edge=0.5 if section.edge is None else section.edge,
        )


def open_live_feed(config: Config, journal: Journal, now: datetime) -> GrowingMarket:
    """The configured feed; raises `ConfigurationRefused` for one that cannot be followed live."""
    if config.feed.kind != "simulated":
        raise ConfigurationRefused(
            "feed.kind is recorded, and recorded candles are no live market; play them with: "
            f"ratchet run --replay {config.feed.path or 'DIR'}"
        )
    stored = journal.read.state(ANCHOR_KEY)
    if stored is not None:
        return GrowingMarket(config, datetime.fromisoformat(json.loads(stored)), now)
    seconds = config.feed.timeframe.seconds
    anchor = from_epoch(to_epoch(now) // seconds * seconds - HISTORY_BARS * seconds)
    batch = Batch()
    batch.put_state(ANCHOR_KEY, json.dumps(anchor.isoformat()))
    journal.commit(batch)
    return GrowingMarket(config, anchor, now)
