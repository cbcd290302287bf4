"""Instruments whose data cannot be trusted right now: silent too long, or just back from a gap."""

from __future__ import annotations

from domain.clock import from_epoch, to_epoch
from domain.holds import Effect, HoldCause, new_hold
from journal.batch import Batch
from market.feed import Moment
from trading.holds import HoldBook
from trading.view import MarketView

STALE_BARS = 2
"""Bars that may be missing before an instrument is held as stale."""

SETTLING_BARS = 3
"""Bars without a gap before an instrument that had one may be entered again."""

LONGEST_LOOK = 200
"""Bars of a silence that are looked at one by one; a weekend of hours is 48."""


class DataWatch:
    """Sets and releases the stale-data and data-quality holds."""

    def __init__(self, view: MarketView, holds: HoldBook) -> None:
        self._view = view
        self._holds = holds
        self._stale: set[str] = set()

    def restore(self) -> None:
        """Remember which instruments are held as stale, after a restart."""
        self._stale = {symbol for symbol in self._view.tradable if self._holds.has(HoldCause.STALE_DATA, symbol)}

    def look(self, moment: Moment, batch: Batch) -> None:
        """Judge every tradable instrument by the bars that closed, or failed to."""
        closed = {ref.symbol for ref in moment.closed}
        for ref in moment.closed:
            if ref.symbol in self._stale:
                self._stale.discard(ref.symbol)
                self._holds.release(HoldCause.STALE_DATA, ref.symbol, moment.at, "a fresh bar closed", batch)
            self._check_gap(ref.symbol, ref.index, moment, batch)
        for symbol in self._view.tradable:
            if symbol not in closed and symbol not in self._stale:
                self._check_stale(symbol, moment, batch)

    def _check_gap(self, symbol: str, index: int, moment: Moment, batch: Batch) -> None:
        if index == 0 or symbol not in self._view.tradable:
            return
        bars = self._view.bars(symbol)
        if bars.opened[index] - bars.opened[index - 1] == bars.seconds:
            return
        missing = self._missing(symbol, bars.opened[index - 1] + bars.seconds, bars.opened[index], bars.seconds)
        if missing < 1:
            return
        self._holds.set(
            new_hold(
                HoldCause.DATA_QUALITY,
                Effect.NO_ENTRIES,
                since=moment.at,
                until=moment.at + SETTLING_BARS * self._view.timeframe.span,
                scope=symbol,
                detail=f"{missing} bars of {symbol} are missing before {from_epoch(bars.opened[index]).isoformat()}",
            ),
            batch,
        )

    def _check_stale(self, symbol: str, moment: Moment, batch: Batch) -> None:
        index = self._view.closed.get(symbol)
        if index is None:
            return
        bars = self._view.bars(symbol)
        last_close = bars.opened[index] + bars.seconds
        silent = to_epoch(moment.at) - last_close
        if silent <= STALE_BARS * bars.seconds:
            return
        if self._missing(symbol, last_close, to_epoch(moment.at), bars.seconds) <= STALE_BARS:
            return
        self._stale.add(symbol)
        self._holds.set(
            new_hold(
                HoldCause.STALE_DATA,
                Effect.NO_ENTRIES,
                since=moment.at,
                condition="a fresh bar closes",
                scope=symbol,
                detail=f"the last bar of {symbol} closed at {from_epoch(last_close).isoformat()}",
            ),
            batch,
        )

    def _missing(self, symbol: str, since: int, until: int, seconds: int) -> int:
        """How many bars should have opened from `since` on and before `until`; a long silence is counted in part."""
        last = min(until, since + LONGEST_LOOK * seconds)
        return sum(self._view.bar_expected(symbol, opens) for opens in range(since, last, seconds))
