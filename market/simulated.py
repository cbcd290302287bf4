"""The embedded simulated market: several invented instruments, so that the whole loop can be seen working offline.

What is planted, and grows with `edge` in [0, 1]:

* drift episodes of 24 to 72 bars, in which the price drifts by 0.4 x edge of a bar's standard deviation per bar:
  something for strategies that follow trends;
* headlines before four of five episodes, whose words point the episode's way with probability (1 + edge) / 2.

At edge 0 there is no drift, and words are the toss of a coin: nothing in prices or texts foretells anything.

What is there whatever the edge: correlated returns (one factor for all, one a class), calm, usual and stormy
volatility regimes, jumps, wider spreads in storms, a few scheduled events after which volatility doubles, texts that
mean nothing, and the weekend of the currency market. Results on this market say nothing about any real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from domain.bars import BarSeries, Ints
from domain.clock import require_utc, to_epoch
from domain.errors import InvalidInput
from domain.instruments import AssetClass, Timeframe
from domain.records import CalendarEvent
from market.feed import FeedReport
from market.headlines import Headlines
from market.series_feed import SeriesFeed
from market.sessions import ALWAYS, Sessions
from market.simulated_news import PlantedText, aliases, write_announcements, write_calendar, write_noise
from market.simulated_prices import episodes, keep, make_series, make_world, stream
from market.simulated_roster import ROSTER, SimulatedName

MOST_INSTRUMENTS = len(ROSTER)
_GROUPS = (AssetClass.CRYPTO.value, AssetClass.FOREX.value, AssetClass.EQUITY.value)


class SimulatedFeed(SeriesFeed):
    """The simulated market as a feed; the same arguments give the same market on every machine.

    A longer horizon (`bars`) continues a shorter one of the same seed; fewer instruments are a part of more.
    """

    def __init__(
        self,
        seed: int,
        *,
        instruments: int = 10,
        bars: int = 2000,
        timeframe: Timeframe = Timeframe.H1,
        start: datetime,
        edge: float = 0.5,
    ) -> None:
        """`bars` counts bars of markets that never close; raises `InvalidInput` for values outside their range."""
        _demand(seed, instruments, bars, edge)
        first = to_epoch(require_utc(start, "start"))
        if first % timeframe.seconds:
            raise InvalidInput(f"a start of {start.isoformat()} is not the beginning of a {timeframe.value} bar")
        names = ROSTER[:instruments]
        opened = first + np.arange(bars, dtype=np.int64) * timeframe.seconds
        end = start + bars * timeframe.span
        self._edge = edge
        self._calendar = write_calendar(stream(seed, 0), start, end)
        self._aliases = aliases(names)
        world = make_world(seed, timeframe, opened, _event_bars(self._calendar, opened, timeframe), _GROUPS)
        sessions = Sessions(start.date(), end.date())
        series: dict[str, BarSeries] = {}
        texts: list[PlantedText] = []
        for number, name in enumerate(names):
            drifts = episodes(stream(seed, 7, number), bars)
            whole = make_series(world, name, seed, number, drifts, edge)
            series[name.instrument.symbol] = _in_hours(whole, name, sessions)
            texts += write_announcements(stream(seed, 8, number), name, opened, drifts, edge)
            texts += write_noise(stream(seed, 10, number), name, opened)
        # A text about an episode beyond the horizon may be dated after it; nobody is there to receive it.
        self._texts = tuple(
            sorted((text for text in texts if text.item.received_at < end), key=lambda text: text.item.received_at)
        )
        super().__init__(
            name=f"simulated:{seed}",
            timeframe=timeframe,
            instruments={name.instrument.symbol: name.instrument for name in names},
            series=series,
            report=FeedReport(notes=(f"a simulated market with a planted edge of {edge:g}",), rejected={}),
            headlines=Headlines(text.item for text in self._texts),
        )

    @property
    def edge(self) -> float:
        """How strong the planted edge is, in [0, 1]."""
        return self._edge

    @property
    def calendar(self) -> tuple[CalendarEvent, ...]:
        """The simulated high-impact events, in order of time."""
        return self._calendar

    @property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        """How headlines call each instrument, by symbol."""
        return self._aliases

    @property
    def planted_texts(self) -> tuple[PlantedText, ...]:
        """Every headline with the direction of its words, in order of time: for tests of what was planted."""
        return self._texts


def _demand(seed: int, instruments: int, bars: int, edge: float) -> None:
    if not 1 <= instruments <= MOST_INSTRUMENTS:
        raise InvalidInput(f"{instruments} simulated instruments; there may be 1 to {MOST_INSTRUMENTS}")
    if bars < 1:
        raise InvalidInput(f"a simulated market of {bars} bars; there must be at least 1")
    if not 0 <= edge <= 1:
        raise InvalidInput(f"a planted edge of {edge}; it must lie in [0, 1]")
    if seed < 0:
        raise InvalidInput(f"a seed of {seed}; it must be 0 or above")


def _event_bars(calendar: tuple[CalendarEvent, ...], opened: Ints, timeframe: Timeframe) -> Ints:
    """Indices of the bars that hold any part of the hour after an event."""
    hour = timedelta(hours=1).total_seconds()
    touched = np.zeros(opened.shape[0], dtype=bool)
    for event in calendar:
        at = to_epoch(event.at)
        touched |= (opened + timeframe.seconds > at) & (opened < at + hour)
    return np.flatnonzero(touched).astype(np.int64)


def _in_hours(series: BarSeries, name: SimulatedName, sessions: Sessions) -> BarSeries:
    """The series without the bars that its market is closed for; the gap is where the price moved on unseen."""
    if name.instrument.calendar == ALWAYS:
        return series
    return keep(series, sessions.open_mask(name.instrument.calendar, series.opened, series.timeframe))
