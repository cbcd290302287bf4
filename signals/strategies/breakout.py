"""Breakout: the close leaves the range of the bars before it."""

from __future__ import annotations

from typing import ClassVar

from signals.settings import SignalSettings
from signals.strategies.base import Columns, Fired, Strategy, crossed_above, crossed_below, fired, strength


class Breakout(Strategy):
    """Fast: beyond the 20-bar Donchian channel by `fast_clearance`; slow: beyond the 55-bar one by
    `slow_clearance` (fractions of the price). Eligible only beyond the trend average."""

    name: ClassVar[str] = "breakout"
    long_reason: ClassVar[str] = "close broke above the highest high of the bars before"
    short_reason: ClassVar[str] = "close broke below the lowest low of the bars before"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        close, atr, trend = columns["close"], columns["atr"], columns[f"ma_{settings.trend_ma}"]
        upper, lower = columns["donchian_upper"], columns["donchian_lower"]
        slow_up = crossed_above(close, columns["donchian_slow_upper"] * (1 + settings.slow_clearance))
        slow_down = crossed_below(close, columns["donchian_slow_lower"] * (1 - settings.slow_clearance))
        long = (crossed_above(close, upper * (1 + settings.fast_clearance)) | slow_up) & (close > trend)
        short = (crossed_below(close, lower * (1 - settings.fast_clearance)) | slow_down) & (close < trend)
        sure = 0.5 + 0.15 * strength(columns["volume_ratio"], 1.0, 2.5)
        return fired(
            long,
            short,
            sure + 0.2 * strength((close - upper) / atr, 0.0, 1.0) + 0.15 * slow_up,
            sure + 0.2 * strength((lower - close) / atr, 0.0, 1.0) + 0.15 * slow_down,
        )
