"""The port through which a simulated venue is shown the market. Real venues see the market themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.instruments import FxRates

Open = tuple[str, float, float]
"""Symbol, opening mid price, half spread."""

Range = tuple[str, int, float, float, float, float, float, float]
"""Symbol, open time, then open, high, low, close (mid prices), volume (NaN if unknown), half spread."""


class SimulatedVenue(Protocol):
    """What the paper broker offers beside the `Broker` protocol. Being shown the same prices twice does nothing."""

    def market_opens(self, at: datetime, opens: Sequence[Open], rates: FxRates) -> None: ...

    def market_ranges(self, at: datetime, bars: Sequence[Range], rates: FxRates) -> None: ...
