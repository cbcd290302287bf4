"""Trend following: the close comes back to the right side of its 20-bar average within a running trend."""

from __future__ import annotations

from typing import ClassVar

from signals.settings import SignalSettings
from signals.strategies.base import Columns, Fired, Strategy, crossed_above, crossed_below, fired, strength


class Trend(Strategy):
    """Eligible only beyond the trend average (20, 50 or 100 bars) and with ADX at `adx_trend` or more."""

    name: ClassVar[str] = "trend"
    long_reason: ClassVar[str] = "close crossed above the 20-bar average in an uptrend that ADX confirms"
    short_reason: ClassVar[str] = "close crossed below the 20-bar average in a downtrend that ADX confirms"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        close, fast, trend = columns["close"], columns["ma_20"], columns[f"ma_{settings.trend_ma}"]
        plus, minus, adx = columns["plus_di"], columns["minus_di"], columns["adx"]
        trending = adx >= settings.adx_trend
        long = crossed_above(close, fast) & (close > trend) & (plus > minus) & trending
        short = crossed_below(close, fast) & (close < trend) & (plus < minus) & trending
        sure = 0.5 + 0.3 * strength(adx, settings.adx_trend, settings.adx_trend + 25)
        regime = columns["regime_trend"]
        return fired(long, short, sure + 0.2 * (regime > 0), sure + 0.2 * (regime < 0))
