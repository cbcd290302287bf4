"""Candles that are none: what the venue says in place of some bars, and what the real gate makes of it.

The daemon is given bars, not candles, so that a thousand seeds do not fetch them; what is not believed is a bar that it
is never told, as the venue's feed has it. The fault runs try the same with a real feed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.bars import Bar, BarSeries
from domain.clock import to_epoch
from domain.errors import InvalidRecord
from market.feed import BarRef
from market.quality import Gatekeeper

WICK = 100
HOWS: Mapping[str, Callable[[Bar, Bar], Sequence[Bar]]] = {
    "missing": lambda _before, _bar: (),
    "repeated": lambda before, _bar: (before, before),
    "no_number": lambda _before, bar: (replace(bar, close=float("nan")),),
    "high_below_low": lambda _before, bar: (replace(bar, high=bar.low, low=bar.high * 2),),
    "of_tomorrow": lambda _before, bar: (replace(bar, opened_at=bar.opened_at + timedelta(days=1)),),
    "wick": lambda _before, bar: (replace(bar, high=bar.high * WICK),),
}
"""What comes instead of a bar, given the one before it. A record that may not exist is not believed either."""


class Candles:
    """Which bars are not told, by instrument and index; the same for every life of the daemon."""

    def __init__(self, history: Mapping[str, BarSeries]) -> None:
        self._history = history
        self.spoiled: dict[tuple[str, int], str] = {}
        self.believed: list[str] = []
        """Every one that the gate took for a bar, which it should not."""

    def spoil(self, symbol: str, first: int, count: int, how: str) -> None:
        """In place of `count` bars from index `first` on there comes what `how` says; some instrument always has its
        bar, for a moment at which nothing closed is none."""
        for index in range(first, min(first + count, len(self._history[symbol]))):
            others = [other for other in self._history if other != symbol and (other, index) not in self.spoiled]
            if others:
                self.spoiled[symbol, index] = how

    def is_told(self, ref: BarRef, at: datetime) -> bool:
        """Whether the bar that closes at `at` becomes one for the daemon."""
        how = self.spoiled.get((ref.symbol, ref.index))
        if how is None:
            return True
        series = self._history[ref.symbol]
        gate = Gatekeeper(series.timeframe)
        before = series.bar(ref.index - 1)
        gate.offer(before, to_epoch(at))
        try:
            kinds = [gate.offer(candle, to_epoch(at)) for candle in HOWS[how](before, series.bar(ref.index))]
        except InvalidRecord:
            kinds = ["none"]
        if None in kinds:
            self.believed.append(f"{how} of {ref.symbol} at {at.isoformat()}")
        return False
