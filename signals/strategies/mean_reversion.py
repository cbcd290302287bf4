"""Mean reversion: an exaggeration ends while no strong trend runs."""

from __future__ import annotations

from typing import ClassVar

from signals.settings import SignalSettings
from signals.strategies.base import Columns, Fired, Strategy, crossed_above, crossed_below, fired, previous, strength

STRONG_TREND_ABOVE = 15.0
"""ADX this far above the trend threshold is a trend not to stand against."""


class MeanReversion(Strategy):
    """RSI leaves its extreme zone, or the close comes back inside the Bollinger bands."""

    name: ClassVar[str] = "mean_reversion"
    long_reason: ClassVar[str] = "an oversold market turned back up without a strong downtrend"
    short_reason: ClassVar[str] = "an overbought market turned back down without a strong uptrend"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        close, rsi = columns["close"], columns["rsi"]
        ranging = columns["adx"] < settings.adx_trend + STRONG_TREND_ABOVE
        banded = columns["bollinger_width"] > 0
        rsi_up, rsi_down = crossed_above(rsi, settings.rsi_oversold), crossed_below(rsi, settings.rsi_overbought)
        band_up = crossed_above(close, columns["bollinger_lower"]) & banded
        band_down = crossed_below(close, columns["bollinger_upper"]) & banded
        extreme = previous(rsi)
        return fired(
            (rsi_up | band_up) & ranging,
            (rsi_down | band_down) & ranging,
            0.5 + 0.2 * strength(50 - extreme, 10, 35) + 0.3 * (rsi_up & band_up),
            0.5 + 0.2 * strength(extreme - 50, 10, 35) + 0.3 * (rsi_down & band_down),
        )
