"""Instruments, timeframes and currency rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.clock import require_utc
from domain.errors import InvalidRecord, NoRate
from domain.numbers import above_zero, decimal_of, step_down, step_nearest


class AssetClass(StrEnum):
    CRYPTO = "crypto"
    FOREX = "forex"
    METAL = "metal"
    EQUITY = "equity"
    INDEX = "index"


class Timeframe(StrEnum):
    """Bar lengths. A week is deliberately absent: no venue agrees when it starts."""

    S1 = "1s"
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        return _SECONDS[self.value]

    @property
    def span(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    @property
    def higher(self) -> Timeframe | None:
        """The timeframe consulted for the larger trend; None above the day."""
        name = _HIGHER.get(self.value)
        return None if name is None else Timeframe(name)


_SECONDS = {"1s": 1, "1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14400, "1d": 86400}
_HIGHER = {"1s": "1m", "1m": "15m", "5m": "1h", "15m": "1h", "30m": "4h", "1h": "4h", "4h": "1d"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument:
    """What is traded, and the venue's arithmetic for it.

    `tick` and `lot` are the price and quantity steps; `pip` the conventional price unit in which spreads are
    named; `spread_bps` the modelled full bid-ask spread where data has none, in basis points of the price;
    `max_spread_pips` the widest spread at which an entry is allowed. `min_notional` is in quote currency.
    `swap_*_per_day` is what holding over a night pays, as a fraction of notional: negative is a cost.
    """

    symbol: str
    asset_class: AssetClass
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    pip: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    calendar: str
    spread_bps: Decimal
    max_spread_pips: Decimal
    fee_rate: Decimal
    shortable: bool = True
    max_leverage: Decimal = Decimal(1)
    swap_long_per_day: Decimal = Decimal(0)
    swap_short_per_day: Decimal = Decimal(0)
    benchmark: str | None = None
    market_cap_class: str | None = None
    sector: str | None = None

    def __post_init__(self) -> None:
        for name in ("tick", "lot", "pip", "min_quantity", "max_spread_pips", "max_leverage"):
            if not above_zero(getattr(self, name)):
                raise InvalidRecord(f"{self.symbol}: {name} is {getattr(self, name)}; it must be above 0")
        for name in ("min_notional", "spread_bps", "fee_rate"):
            if not getattr(self, name).is_finite() or getattr(self, name) < 0:
                raise InvalidRecord(f"{self.symbol}: {name} is {getattr(self, name)}; it may not be negative")
        if not self.symbol or not self.base or not self.quote:
            raise InvalidRecord(f"an instrument needs a symbol, a base and a quote, not {self.symbol!r}")

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies whose news moves it: both of a pair, the quote alone of a share."""
        if self.asset_class in (AssetClass.FOREX, AssetClass.METAL, AssetClass.CRYPTO):
            return (self.base, self.quote)
        return (self.quote,)

    def price(self, value: float | Decimal) -> Decimal:
        """`value` as an order price: the nearest tick."""
        return step_nearest(value if isinstance(value, Decimal) else decimal_of(value), self.tick)

    def quantity(self, value: Decimal) -> Decimal:
        """`value` as an order quantity: rounded down to the lot."""
        return step_down(value, self.lot)

    def can_be_ordered(self, quantity: Decimal, price: Decimal) -> bool:
        """Whether the whole lots in `quantity`, at `price`, are enough for an order of their own."""
        whole = self.quantity(quantity)
        return whole >= self.min_quantity and whole * price >= self.min_notional


@dataclass(frozen=True, kw_only=True, slots=True)
class FxRates:
    """How much one unit of a currency is worth in another, as of one moment.

    `rates[(a, b)]` is units of `b` for one unit of `a`; inverses and one intermediate currency are found.
    """

    as_of: datetime
    rates: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_utc(self.as_of, "as_of")
        for (source, target), rate in self.rates.items():
            if not above_zero(rate):
                raise InvalidRecord(f"the rate {source} to {target} is {rate}; it must be above 0")

    def rate(self, source: str, target: str) -> Decimal:
        """Units of `target` for one unit of `source`; raises `NoRate` when no path is known."""
        direct = self._direct(source, target)
        if direct is not None:
            return direct
        for middle in sorted({currency for pair in self.rates for currency in pair}):
            first, second = self._direct(source, middle), self._direct(middle, target)
            if first is not None and second is not None:
                return first * second
        raise NoRate(f"no rate from {source} to {target} is at hand at {self.as_of.isoformat()}")

    def _direct(self, source: str, target: str) -> Decimal | None:
        if source == target:
            return Decimal(1)
        if (source, target) in self.rates:
            return self.rates[(source, target)]
        if (target, source) in self.rates:
            return 1 / self.rates[(target, source)]
        return None
