"""What a venue says, after it was checked: every record here is whole, whatever the answer it was read from lacked.

Symbols are ours (BTCUSDT); amounts are Decimal base units, prices Decimal quote units, times aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.clock import require_utc
from domain.errors import InvalidRecord
from domain.numbers import above_zero
from domain.orders import OrderKind, OrderState, Side


class MarketKind(StrEnum):
    SPOT = "spot"
    LINEAR = "linear"
    """Perpetual futures that are settled in what they are quoted in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VenueMarket:
    """One instrument as the venue trades it. `contract_size` is base units in one unit of the venue's quantity, which
    is already allowed for in `lot` and `min_quantity`. `market_lot` is the largest market order, None without bound.
    """

    symbol: str
    vendor_symbol: str
    """The name in the vendor library, such as BTC/USDT or BTC/USDT:USDT."""
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    taker_fee: Decimal
    maker_fee: Decimal
    contract_size: Decimal = Decimal(1)
    max_leverage: Decimal = Decimal(1)
    market_lot: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("tick", "lot", "min_quantity", "contract_size", "max_leverage"):
            if not above_zero(getattr(self, name)):
                raise InvalidRecord(f"{self.symbol}: the venue's {name} is {getattr(self, name)}, not above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRequest:
    """One new order, as it is to be worded for the venue. `at_once` cancels what does not fill immediately."""

    client_order_id: str
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    reduce_only: bool = False
    at_once: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class VenueOrder:
    """One order as the venue reports it. `client_order_id` is None for an order that carries none, hence is not ours.

    `state` is one of ACCEPTED, PARTIALLY_FILLED, FILLED, CANCELLED, EXPIRED, REJECTED.
    """

    symbol: str
    venue_order_id: str
    client_order_id: str | None
    side: Side
    state: OrderState
    quantity: Decimal
    filled: Decimal
    at: datetime
    reduce_only: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not self.venue_order_id or not above_zero(self.quantity) or not 0 <= self.filled <= self.quantity:
            raise InvalidRecord(f"the venue's order {self.venue_order_id!r}: {self.filled} filled of {self.quantity}")


@dataclass(frozen=True, kw_only=True, slots=True)
class VenueTrade:
    """One execution of one of the account's orders. `fee` (0 or more; a rebate is negative) is in `fee_currency`."""

    trade_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    at: datetime

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not self.trade_id or not self.venue_order_id:
            raise InvalidRecord(f"an execution in {self.symbol} carries no id")
        if not above_zero(self.quantity) or not above_zero(self.price) or not self.fee.is_finite():
            raise InvalidRecord(f"execution {self.trade_id}: {self.quantity} at {self.price}, fee {self.fee}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """Money that a margin account was paid (above 0) or charged, such as funding, and what it was for."""

    payment_id: str
    kind: str
    """funding, deposit or other"""
    symbol: str | None
    currency: str
    amount: Decimal
    at: datetime

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdings:
    """The account as the venue reports it: totals by currency, and signed positions by our symbol (margin only)."""

    at: datetime
    totals: Mapping[str, Decimal]
    positions: Mapping[str, Decimal]

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRights:
    """What the account's key may do, as far as the venue says. None means that it does not say."""

    trade: bool | None
    withdraw: bool | None
    transfer: bool | None
    said_by: str
    """The route that was asked, or why none could be."""
