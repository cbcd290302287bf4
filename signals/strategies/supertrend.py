"""SuperTrend(10, 3): its direction turns."""

from __future__ import annotations

from typing import ClassVar

from signals.settings import SignalSettings
from signals.strategies.base import Columns, Fired, Strategy, crossed_above, crossed_below, fired, strength


class SuperTrend(Strategy):
    """A turn of direction; the first direction after warm-up is no turn."""

    name: ClassVar[str] = "supertrend"
    long_reason: ClassVar[str] = "SuperTrend turned up"
    short_reason: ClassVar[str] = "SuperTrend turned down"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        direction, close = columns["supertrend_direction"], columns["close"]
        trend = columns[f"ma_{settings.trend_ma}"]
        sure = 0.5 + 0.3 * strength(columns["adx"], 15, 40)
        return fired(
            crossed_above(direction, 0.0),
            crossed_below(direction, 0.0),
            sure + 0.2 * (close > trend),
            sure + 0.2 * (close < trend),
        )
