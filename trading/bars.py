"""One instrument's bars as trading reads them: the signal table beside plain lists, found by time or index."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from domain.bars import BarSeries
from domain.clock import EPOCH, to_epoch
from domain.errors import Impossible
from domain.orders import Side
from signals.table import SignalTable

Weekend = Callable[[int], bool]


class Bars:
    """Closed bars of one instrument with their signal columns.

    Lists hold plain floats (prices are mid prices in quote currency) because one value at a time is read from
    them; a NumPy scalar would cost ten times as much. `opened` are whole seconds since 1970 UTC. `tick` is the
    price step of the instrument's orders.
    """

    def __init__(self, series: BarSeries, table: SignalTable, weekend: Weekend, tick: Decimal) -> None:
        self.symbol = series.symbol
        self.tick = tick
        self.series = series
        self.table = table
        self.seconds = series.timeframe.seconds
        self.opened: list[int] = series.opened.tolist()
        self.open: list[float] = series.open.tolist()
        self.high: list[float] = series.high.tolist()
        self.low: list[float] = series.low.tolist()
        self.close: list[float] = series.close.tolist()
        self.volume: list[float] = series.volume.tolist()
        self.half_spread: list[float] = series.half_spread.tolist()
        self.speaks: list[bool] = table.speaks.tolist()
        self._weekend = weekend

    def index_of(self, opened_at: datetime) -> int:
        """The index of the bar that opened at this time; raises `Impossible` when there is none."""
        moment = to_epoch(opened_at)
        index = bisect_left(self.opened, moment)
        if index >= len(self.opened) or self.opened[index] != moment:
            raise Impossible(f"{self.symbol} has no bar that opened at {opened_at.isoformat()}")
        return index

    def weekend_ahead(self, index: int) -> bool:
        """Whether the market closes for the weekend within the bar after `index`."""
        return self._weekend(self.opened[index] + self.seconds)

    def excursion(
        self, since: datetime, until: datetime, side: Side, entry: float, exit_: float
    ) -> tuple[float, float]:
        """The best and the worst mid price for `side` while a position was open, its entry and exit included.

        Whole bars count from the one it was entered in; of the bar it ended in only the exit price counts, since
        what came after the exit inside that bar is not known.
        """
        first = bisect_right(self.opened, to_epoch(since)) - 1
        # Bars that closed before it ended: one it was stopped in closes at that very time, an exit at an open is later.
        ended = -((EPOCH - until) // timedelta(seconds=1))
        last = bisect_left(self.opened, ended - self.seconds)
        highs = [*self.high[max(first, 0) : last], entry, exit_]
        lows = [*self.low[max(first, 0) : last], entry, exit_]
        return (max(highs), min(lows)) if side is Side.BUY else (min(lows), max(highs))

    def count_between(self, since: datetime, until: datetime) -> int:
        """How many bars closed after `since` and not after `until`."""
        closes_from = to_epoch(since) - self.seconds
        closes_to = to_epoch(until) - self.seconds
        return max(0, bisect_right(self.opened, closes_to) - bisect_right(self.opened, closes_from))
