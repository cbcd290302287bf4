"""At start and daily: how complete each instrument's recent bars are, as one journaled line."""

from __future__ import annotations

from datetime import datetime, timedelta

from daemon.wiring import Trading
from domain.clock import to_epoch

LOOK_BACK = timedelta(days=7)


class DataQuality:
    """Counts the bars of the last week that are missing although the market was open."""

    def __init__(self, trading: Trading) -> None:
        self._trading = trading

    async def run(self, at: datetime) -> str:
        """The finding, in one sentence."""
        view = self._trading.session.view
        missing: dict[str, int] = {}
        seen = 0
        for symbol in view.tradable:
            index = view.closed.get(symbol)
            if index is None:
                continue
            bars = view.bars(symbol)
            since = to_epoch(at - LOOK_BACK)
            while index > 0 and bars.opened[index - 1] >= since:
                seen += 1
                for expected in range(bars.opened[index - 1] + bars.seconds, bars.opened[index], bars.seconds):
                    if view.bar_expected(symbol, expected):
                        missing[symbol] = missing.get(symbol, 0) + 1
                index -= 1
        worst = ", ".join(f"{symbol} {count}" for symbol, count in sorted(missing.items(), key=lambda each: -each[1]))
        return f"{seen} bars in 7 days, {sum(missing.values())} missing" + (f": {worst}" if worst else "")
