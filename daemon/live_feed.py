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
from market.headlines import Headlines
from market.series_feed import SeriesFeed
from market.simulated import SimulatedFeed
from market.simulated_roster import ROSTER

_ROSTER = tuple(name.instrument.symbol for name in ROSTER)
USUAL_INSTRUMENTS = 10
DEFAULT_EDGE = 0.5
ANCHOR_KEY = "feed_anchor"
HISTORY_BARS = 400
"""Bars before the first start: enough for every indicator to be warm when the daemon begins."""

REACH_BARS = 200
"""When fewer bars than this are left of those told in advance, the story is told anew, as far ahead as at first."""

LEAST_PLAYED = 10
"""Bars that are played at least before the story is told anew, however few are told in advance."""


class GrowingMarket:
    """The simulated market as a feed without an end: a longer story continues a shorter one of the same seed.

    `feed.bars` bars are told in advance; `feed.instruments` chooses among the market's instruments by name.
    """

    def __init__(self, config: Config, anchor: datetime, now: datetime) -> None:
        self._config = config
        self._anchor = anchor
        self._ahead = config.feed.bars
        self._reach = min(REACH_BARS, self._ahead - LEAST_PLAYED)
        self._names = _chosen(config.feed.instruments)
        self._calendar: tuple[CalendarEvent, ...] = ()
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
    def told_until(self) -> datetime:
        """Where the story told so far ends."""
        return self._anchor + self._bars * self.timeframe.span

    @property
    def calendar(self) -> tuple[CalendarEvent, ...]:
        """Scheduled events as far as the story is told."""
        return self._calendar

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
        left = (self.told_until - now) / self.timeframe.span
        if left >= self._reach:
            return False
        next_at = self._told.next_at()
        self._told = self._tell(now)
        if next_at is not None:
            self._told.seek(next_at - timedelta(microseconds=1))
        return True

    def _tell(self, now: datetime) -> SeriesFeed:
        section = self._config.feed
        self._bars = int((now - self._anchor) / section.timeframe.span) + self._ahead
        whole = SimulatedFeed(
            section.seed,
            instruments=1 + max(_ROSTER.index(name) for name in self._names),
            bars=self._bars,
            timeframe=section.timeframe,
            start=self._anchor,
            edge=DEFAULT_EDGE if section.edge is None else section.edge,
        )
        self._calendar = whole.calendar
        if len(whole.instruments) == len(self._names):
            return whole
        return SeriesFeed(
            name=whole.name,
            timeframe=whole.timeframe,
            instruments={name: whole.instruments[name] for name in self._names},
            series={name: whole.series(name) for name in self._names},
            report=whole.report,
            headlines=Headlines(text.item for text in whole.planted_texts),
        )


def _chosen(names: Sequence[str]) -> tuple[str, ...]:
    """The instruments wanted, in the market's order; raises `ConfigurationRefused` for one that it has not."""
    unknown = [name for name in names if name not in _ROSTER]
    if unknown:
        raise ConfigurationRefused(
            f"feed.instruments names {', '.join(unknown)}, which the simulated market has not; "
            f"it has {', '.join(_ROSTER)}"
        )
    return tuple(name for name in _ROSTER if name in names) or _ROSTER[:USUAL_INSTRUMENTS]


def open_live_feed(config: Config, journal: Journal, now: datetime) -> GrowingMarket:
    """The configured feed; raises `ConfigurationRefused` for one that cannot be followed live."""
    if config.feed.kind != "simulated":
        raise ConfigurationRefused(
            "feed.kind is recorded, and recorded candles are no live market; play them with: "
            f"ratchet run --replay {config.feed.path or 'DIR'}"
        )
    story = {"timeframe": config.feed.timeframe.value, "seed": config.feed.seed, "edge": config.feed.edge}
    stored = journal.read.state(ANCHOR_KEY)
    if stored is not None:
        known = json.loads(stored)
        anchor = datetime.fromisoformat(known.pop("at"))
        if known != story:
            raise ConfigurationRefused(
                f"this account has followed the simulated market of {_told(known)}, and the configuration asks for "
                f"that of {_told(story)}: one account follows one market, so give account.name another name"
            )
        return GrowingMarket(config, anchor, now)
    seconds = config.feed.timeframe.seconds
    anchor = from_epoch(to_epoch(now) // seconds * seconds - HISTORY_BARS * seconds)
    market = GrowingMarket(config, anchor, now)
    batch = Batch()
    batch.put_state(ANCHOR_KEY, json.dumps({"at": anchor.isoformat(), **story}, sort_keys=True))
    journal.commit(batch)
    return market


def _told(story: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in story.items() if value is not None)
