"""Momentum: MACD turns in the direction of the last 20 bars' move."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from signals.settings import SignalSettings
from signals.strategies.base import Columns, Fired, Strategy, crossed_above, crossed_below, fired, strength


class Momentum(Strategy):
    """MACD's histogram crosses zero on the side of the 20-bar move, RSI on the same side and not yet extreme."""

    name: ClassVar[str] = "momentum"
    long_reason: ClassVar[str] = "MACD turned up with the 20-bar move up and RSI not overbought"
    short_reason: ClassVar[str] = "MACD turned down with the 20-bar move down and RSI not oversold"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        histogram, move, rsi = columns["macd_histogram"], columns["momentum_20"], columns["rsi"]
        long = crossed_above(histogram, 0.0) & (move > 0) & (rsi > 50) & (rsi < settings.rsi_overbought)
        short = crossed_below(histogram, 0.0) & (move < 0) & (rsi < 50) & (rsi > settings.rsi_oversold)
        volatility = columns["volatility_20"]
        usual = np.where(volatility > 0, volatility, np.nan) * math.sqrt(20)
        sure = 0.5 + 0.3 * strength(np.abs(move) / usual, 0.0, 2.0) + 0.2 * strength(columns["adx"], 15, 40)
        return fired(long, short, sure, sure)
