"""The strategy of the tests against the test exchange: a close that jumps by a set amount is an event."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from domain.orders import Side
from signals.settings import SignalSettings
from signals.strategies.base import Columns, Fired, Strategy, fired, previous

LEAST, MOST = 0.003, 0.006
"""A close so far from the one before proposes to go with it; nearer or farther ones say nothing."""
STOP, TARGET = 0.01, 0.03
"""How far stop and target lie from the entry, as fractions of it."""


class Jump(Strategy):
    """Fires on the bar that jumps, whatever came before it."""

    name: ClassVar[str] = "jump"
    long_reason: ClassVar[str] = "jumped up"
    short_reason: ClassVar[str] = "jumped down"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        del settings  # how far a jump must go is written above
        change = columns["close"] / previous(columns["close"]) - 1
        up, down = (change > LEAST) & (change < MOST), (change < -LEAST) & (change > -MOST)
        sure = np.full(change.shape, 0.9)
        return fired(up, down, sure, sure)

    def barriers(self, side: Side, entry: float, atr: float, settings: SignalSettings) -> tuple[float, float]:
        del atr, settings  # the test moves the price, and knows where they lie
        return entry * (1 - side.sign * STOP), entry * (1 + side.sign * TARGET)
