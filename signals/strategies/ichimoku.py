"""Ichimoku: the close leaves the cloud, or the lines cross beyond it."""

from __future__ import annotations

from typing import ClassVar

from signals.settings import SignalSettings
from signals.strategies.base import Columns, Fired, Strategy, crossed_above, crossed_below, fired


class Ichimoku(Strategy):
    """The cloud of a bar was drawn 26 bars before it: nothing here knows the future."""

    name: ClassVar[str] = "ichimoku"
    long_reason: ClassVar[str] = "close above the Ichimoku cloud with the conversion line above the base line"
    short_reason: ClassVar[str] = "close below the Ichimoku cloud with the conversion line below the base line"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        del settings
        position, tenkan, kijun = columns["ichimoku_position"], columns["ichimoku_tenkan"], columns["ichimoku_kijun"]
        left_up = crossed_above(position, 0.5) & (tenkan > kijun)
        left_down = crossed_below(position, -0.5) & (tenkan < kijun)
        turned_up = crossed_above(tenkan - kijun, 0.0) & (position > 0)
        turned_down = crossed_below(tenkan - kijun, 0.0) & (position < 0)
        span_a, span_b, move = columns["ichimoku_span_a"], columns["ichimoku_span_b"], columns["momentum_20"]
        return fired(
            left_up | turned_up,
            left_down | turned_down,
            0.5 + 0.2 * (span_a > span_b) + 0.15 * (move > 0) + 0.15 * (columns["regime_trend"] > 0),
            0.5 + 0.2 * (span_a < span_b) + 0.15 * (move < 0) + 0.15 * (columns["regime_trend"] < 0),
        )
