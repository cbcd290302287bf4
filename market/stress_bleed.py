"""A market that drifts against whatever is held, told bit by bit: each bit is bent once it is known what is held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import numpy as np

from domain.bars import BarSeries
from domain.clock import to_epoch
from domain.instruments import Instrument, Timeframe
from domain.records import NewsItem
from market.feed import BarRef, FeedReport, Moment
from market.resample import resample
from market.series_feed import SeriesFeed
from market.stress import BLEED, LOOK_BACK_BARS
from market.stress_bars import bent, first_after, volatility_before

FEWEST_BARS_A_BIT = 3
MOST_BITS = 200
"""Indicators are made anew for each bit, so a long market is bent in longer ones."""

Held = Callable[[], Mapping[str, float]]
"""What is held now: signed, in any unit, by symbol."""


class BleedingFeed:
    """A feed whose prices drift against the positions from `at` on; moments and indices are those of `calm`.

    Like a live feed it has no more bars at hand than were told, one bit ahead at most, and grows. The drift of a bit is
    set by what is held as its first moment comes: by positions that stand already, never by what is decided then.
    """

    def __init__(self, calm: SeriesFeed, at: datetime, *, drift: float = BLEED) -> None:
        """`drift` is in standard deviations of a bar's log return, as they were before `at`."""
        self.held: Held = dict
        self._calm = calm
        self._series = {symbol: calm.series(symbol) for symbol in calm.instruments}
        self._steps = {
            symbol: drift * volatility_before(bars, first_after(bars, at), LOOK_BACK_BARS)
            for symbol, bars in self._series.items()
        }
        self._levels = dict.fromkeys(self._series, 0.0)
        self._told_until = at
        last = max((int(bars.opened[-1]) for bars in self._series.values() if len(bars)), default=0)
        bars_left = (last - to_epoch(at)) // calm.timeframe.seconds + 1
        self._bit = max(FEWEST_BARS_A_BIT, -(-bars_left // MOST_BITS)) * calm.timeframe.span
        self._higher: dict[str, BarSeries | None] = {}

    @property
    def name(self) -> str:
        return self._calm.name

    @property
    def timeframe(self) -> Timeframe:
        return self._calm.timeframe

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._calm.instruments

    @property
    def report(self) -> FeedReport:
        return self._calm.report

    def series(self, symbol: str) -> BarSeries:
        bars = self._series.get(symbol)
        if bars is None:
            return self._calm.series(symbol)  # which says what there is
        return bars.head(first_after(bars, self._told_until))

    def higher(self, symbol: str) -> BarSeries | None:
        """The series told so far in the next higher timeframe; None above the day."""
        if symbol not in self._higher:
            timeframe = self.timeframe.higher
            self._higher[symbol] = None if timeframe is None else resample(self.series(symbol), timeframe)
        return self._higher[symbol]

    def next_at(self) -> datetime | None:
        return self._calm.next_at()

    def take(self) -> Moment:
        at = self._calm.next_at()
        while at is not None and at >= self._told_until:
            self._tell(self._told_until + self._bit)
        return self._calm.take()

    def is_last(self, ref: BarRef) -> bool:
        return self._calm.is_last(ref)

    def seek(self, after: datetime) -> None:
        self._calm.seek(after)

    def headlines(self, after: datetime, until: datetime) -> Sequence[NewsItem]:
        return self._calm.headlines(after, until)

    def _tell(self, until: datetime) -> None:
        """Bend the bars that open before `until` against what is held now."""
        held = self.held()
        for symbol, bars in self._series.items():
            first, last = first_after(bars, self._told_until), first_after(bars, until)
            position = held.get(symbol, 0.0)
            step = -self._steps[symbol] * float(np.sign(position))
            level, count = self._levels[symbol], last - first
            if count and (step or level):
                self._series[symbol] = bent(bars, first, np.exp(level + step * np.arange(count + 1)))
                self._levels[symbol] = level + step * count
        self._told_until = until
        self._higher.clear()
