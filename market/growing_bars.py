"""The bars of one instrument while they are still coming: appended in place, read as a `BarSeries` without copying.

What was handed out once never changes: bars are only ever written behind the last one, and where the arrays must
grow the old ones are left to whoever holds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from domain.bars import Bar, BarSeries, Floats, Ints
from domain.clock import to_epoch
from domain.errors import Impossible, InvalidInput
from market.resample import resample

_COLUMNS = ("open", "high", "low", "close", "volume", "half_spread")
_LEAST_ROOM = 256


class GrowingBars:
    """Begins as a copy of `first`, which must hold at least one bar. Each bar's source is kept beside it."""

    __slots__ = ("_coarse", "_opened", "_series", "_size", "_source", "_sources", "_values", "symbol", "timeframe")

    def __init__(self, first: BarSeries, source: str) -> None:
        if not len(first):
            raise InvalidInput(f"{first.symbol} has no bars to go on from; at least one is needed")
        self.symbol = first.symbol
        self.timeframe = first.timeframe
        self._size = len(first)
        room = max(_LEAST_ROOM, 2 * self._size)
        self._opened: Ints = np.zeros(room, dtype=np.int64)
        self._values: Floats = np.zeros((len(_COLUMNS), room), dtype=np.float64)
        self._source = np.zeros(room, dtype=np.int16)
        self._opened[: self._size] = first.opened
        for row, name in enumerate(_COLUMNS):
            self._values[row, : self._size] = getattr(first, name)
        # Every bar of one series is named after the feed's venue; whose it really was is told by `source_of`.
        self._sources = [source]
        if first.source and first.source != source:
            self._source[: self._size] = self._number_of(first.source)
        self._series: BarSeries | None = None
        self._coarse: tuple[int, BarSeries] | None = None

    def __len__(self) -> int:
        return self._size

    @property
    def newest_opened(self) -> int:
        """When the newest bar opened, seconds since 1970 UTC."""
        return int(self._opened[self._size - 1])

    @property
    def newest_closed(self) -> int:
        """When the newest bar closed, seconds since 1970 UTC."""
        return self.newest_opened + self.timeframe.seconds

    @property
    def newest_close(self) -> float:
        """The close of the newest bar."""
        return float(self._values[_COLUMNS.index("close"), self._size - 1])

    def append(self, bar: Bar, half_spread: float, source: str) -> None:
        """Add the next bar; raises `Impossible` for one that does not lie behind the newest."""
        opened = to_epoch(bar.opened_at)
        if opened < self.newest_closed:
            raise Impossible(f"{self.symbol}: a bar of {bar.opened_at.isoformat()} may not follow the newest bar")
        if self._size == self._opened.shape[0]:
            self._grow()
        at = self._size
        volume = np.nan if bar.volume is None else bar.volume
        self._opened[at] = opened
        self._values[:, at] = (bar.open, bar.high, bar.low, bar.close, volume, half_spread)
        self._source[at] = self._number_of(source)
        self._size = at + 1
        self._series = None

    def _number_of(self, source: str) -> int:
        if source not in self._sources:
            self._sources.append(source)
        return self._sources.index(source)

    def _grow(self) -> None:
        room = 2 * self._size
        opened, values, source = self._opened, self._values, self._source
        self._opened = np.zeros(room, dtype=np.int64)
        self._values = np.zeros((len(_COLUMNS), room), dtype=np.float64)
        self._source = np.zeros(room, dtype=np.int16)
        self._opened[: self._size] = opened
        self._values[:, : self._size] = values
        self._source[: self._size] = source

    # -- reading ----------------------------------------------------------------------------------------------

    def series(self) -> BarSeries:
        """All bars at hand, as read-only views; made anew only after a bar was added."""
        if self._series is None:
            self._series = BarSeries(
                symbol=self.symbol,
                timeframe=self.timeframe,
                source=self._sources[0],
                opened=self._opened[: self._size],
                **{name: self._values[row, : self._size] for row, name in enumerate(_COLUMNS)},
            )
        return self._series

    def higher(self) -> BarSeries | None:
        """The bars in the next higher timeframe, made anew only when one more of those has closed; None above 1d."""
        timeframe = self.timeframe.higher
        if timeframe is None:
            return None
        # A coarse bar is given once the fine bars have reached its end, hence when its number changes.
        reached = self.newest_closed // timeframe.seconds
        if self._coarse is None or self._coarse[0] != reached:
            self._coarse = (reached, resample(self.series(), timeframe))
        return self._coarse[1]

    def first_closing_after(self, moment: int) -> int:
        """The index of the first bar that closes after `moment` (seconds since 1970 UTC); the length when none."""
        opened = self._opened[: self._size]
        return int(np.searchsorted(opened, moment - self.timeframe.seconds, side="right"))

    def closed_at(self, index: int) -> int:
        """When the bar at `index` closed, seconds since 1970 UTC."""
        return int(self._opened[index]) + self.timeframe.seconds

    def source_of(self, index: int) -> str:
        """Who gave the bar at `index`."""
        if not 0 <= index < self._size:
            raise InvalidInput(f"{self.symbol} has bars 0 to {self._size - 1}, none at {index}")
        return self._sources[int(self._source[index])]

    def sources(self) -> Mapping[str, int]:
        """How many of the bars at hand each source gave."""
        counts = Counter(self._source[: self._size].tolist())
        return {self._sources[number]: counts[number] for number in sorted(counts)}

    def parts(self, start: int, stop: int) -> Sequence[BarSeries]:
        """The bars `start` up to but not including `stop`, cut where the source changes; each part names its own."""
        if not 0 <= start <= stop <= self._size:
            raise InvalidInput(f"{self.symbol} has {self._size} bars, not {start} to {stop}")
        numbers = self._source[start:stop]
        cuts = (np.flatnonzero(np.diff(numbers)) + 1 + start).tolist()
        edges = [start, *cuts, stop]
        whole = self.series()
        return [
            replace(whole.head(last).tail(last - first), source=self.source_of(first))
            for first, last in pairwise(edges)
            if last > first
        ]
