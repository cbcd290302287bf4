"""At start and daily: how complete each instrument's recent bars are, as one journaled line."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from daemon.wiring import Trading
from domain.clock import to_epoch

LOOK_BACK = timedelta(days=7)


class DataQuality:
    """Counts the bars of the last week that are missing although the market was open."""

    def __init__(self, trading: Trading) -> None:
        self._trading = trading

    async def run(self, at: datetime) -> str:
        """The finding, in one sentence."""
        counted = {symbol: self._count(symbol, at) for symbol in self._trading.session.view.tradable}
        seen = sum(bars for bars, _ in counted.values())
        missing = {symbol: gone for symbol, (_, gone) in counted.items() if gone}
        worst = ", ".join(f"{symbol} {count}" for symbol, count in sorted(missing.items(), key=lambda each: -each[1]))
        return f"{seen} bars in 7 days, {sum(missing.values())} missing" + (f": {worst}" if worst else "")

    def _count(self, symbol: str, at: datetime) -> tuple[int, int]:
        """How many bars of the week there are, and how many should be there and are not."""
        view = self._trading.session.view
        index = view.closed.get(symbol)
        if index is None:
            return 0, 0
        opened = view.bars(symbol).series.opened[: index + 1]
        week = opened[int(np.searchsorted(opened, to_epoch(at - LOOK_BACK))) :]
        seconds = view.timeframe.seconds
        missing = 0
        for gap in np.flatnonzero(np.diff(week) != seconds).tolist():
            expected = range(int(week[gap]) + seconds, int(week[gap + 1]), seconds)
            missing += sum(view.bar_expected(symbol, opens) for opens in expected)
        return len(week), missing
