"""Bars: one at a time as a record, many at once as arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from domain.clock import from_epoch, require_utc
from domain.errors import InvalidRecord
from domain.instruments import Timeframe

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One closed bar of mid prices, named by its open time; `half_spread` is half of bid-ask in price units.

    `volume` is None where the source has none: a missing volume is missing, not 0.
    """

    opened_at: datetime
    timeframe: Timeframe
    open: float
    high: float
    low: float
    close: float
    volume: float | None = None
    half_spread: float = 0.0

    def __post_init__(self) -> None:
        require_utc(self.opened_at, "opened_at")
        prices = (self.open, self.high, self.low, self.close)
        if not all(math.isfinite(price) and price > 0 for price in prices):
            raise InvalidRecord(f"the bar of {self.opened_at.isoformat()} has a price that is not above 0: {prices}")
        if self.high < max(self.open, self.close, self.low) or self.low > min(self.open, self.close):
            raise InvalidRecord(f"the bar of {self.opened_at.isoformat()} has a high or low inside its body: {prices}")
        if self.half_spread < 0 or not math.isfinite(self.half_spread):
            raise InvalidRecord(f"the bar of {self.opened_at.isoformat()} has a spread of {2 * self.half_spread}")

    @property
    def closed_at(self) -> datetime:
        return self.opened_at + self.timeframe.span


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """Best bid and ask of one instrument at one moment."""

    symbol: str
    at: datetime
    bid: float
    ask: float

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not (0 < self.bid <= self.ask and math.isfinite(self.ask)):
            raise InvalidRecord(f"{self.symbol}: a quote of {self.bid}/{self.ask} is crossed or not above 0")

    @property
    def mid(self) -> float:
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class BarSeries:
    """Closed bars of one instrument and timeframe as arrays of equal length, oldest first.

    `opened` holds open times as whole seconds since 1970 UTC, strictly increasing. Prices are mid prices.
    `volume` is NaN where the source has none; `half_spread` is in price units. Nothing may be written to.
    """

    symbol: str
    timeframe: Timeframe
    source: str
    opened: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    half_spread: Floats

    def __post_init__(self) -> None:
        size = self.opened.shape[0]
        for name in ("open", "high", "low", "close", "volume", "half_spread"):
            column: Floats = getattr(self, name)
            if column.shape != (size,):
                raise InvalidRecord(f"{self.symbol}: column {name} has shape {column.shape}, open times {size}")
            column.setflags(write=False)
        if size and bool(np.any(np.diff(self.opened) <= 0)):
            raise InvalidRecord(f"{self.symbol}: open times do not strictly increase")
        self.opened.setflags(write=False)

    def __len__(self) -> int:
        return int(self.opened.shape[0])

    @property
    def closed(self) -> Ints:
        """Close times, seconds since 1970 UTC."""
        return self.opened + self.timeframe.seconds

    def bar(self, index: int) -> Bar:
        """The bar at `index` as a record."""
        volume = float(self.volume[index])
        return Bar(
            opened_at=from_epoch(int(self.opened[index])),
            timeframe=self.timeframe,
            open=float(self.open[index]),
            high=float(self.high[index]),
            low=float(self.low[index]),
            close=float(self.close[index]),
            volume=None if math.isnan(volume) else volume,
            half_spread=float(self.half_spread[index]),
        )

    def head(self, count: int) -> BarSeries:
        """The first `count` bars; a view, not a copy."""
        return self._sliced(slice(0, count))

    def tail(self, count: int) -> BarSeries:
        """The last `count` bars; a view, not a copy."""
        return self._sliced(slice(max(0, len(self) - count), len(self)))

    def _sliced(self, part: slice) -> BarSeries:
        return BarSeries(
            symbol=self.symbol,
            timeframe=self.timeframe,
            source=self.source,
            opened=self.opened[part],
            open=self.open[part],
            high=self.high[part],
            low=self.low[part],
            close=self.close[part],
            volume=self.volume[part],
            half_spread=self.half_spread[part],
        )
