"""What the breakers are told: one frozen record an event, valid at birth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from domain.clock import require_utc
from domain.errors import InvalidRecord
from domain.numbers import ZERO
from domain.orders import Side


@dataclass(frozen=True, kw_only=True, slots=True)
class EquityMarked:
    """Equity (balance plus floating profit) in account currency, once per scan.

    `previous` is the equity of the mark before, from which a new day or week starts; None where it is not known.
    """

    at: datetime
    equity: Decimal
    previous: Decimal | None = None

    def __post_init__(self) -> None:
        _require_valid(self.at, self.equity)
        if self.previous is not None:
            _require_valid(self.at, self.previous)


@dataclass(frozen=True, kw_only=True, slots=True)
class MarginMarked:
    """The margin that the open positions need, beside the equity that covers it, both in account currency.

    `close_out` is the share of `required` below which the account's rules demand that positions are closed. Made by
    `risk.margin.margin_mark`.
    """

    at: datetime
    equity: Decimal
    required: Decimal
    close_out: Decimal

    def __post_init__(self) -> None:
        _require_valid(self.at, self.equity)
        for name in ("required", "close_out"):
            value: Decimal = getattr(self, name)
            _require_valid(self.at, value)
            if value < ZERO:
                raise InvalidRecord(f"a margin mark with {name} {value} at {self.at.isoformat()} is not one")


@dataclass(frozen=True, kw_only=True, slots=True)
class CashMoved:
    """A deposit (above 0) or withdrawal (below 0). Fees, swaps, funding and dividends are profit or loss: not this."""

    at: datetime
    amount: Decimal

    def __post_init__(self) -> None:
        _require_valid(self.at, self.amount)


@dataclass(frozen=True, kw_only=True, slots=True)
class TradeClosed:
    """A position closed. `profit` in account currency net of fees; `r_net` in multiples of its initial risk."""

    at: datetime
    instrument: str
    profit: Decimal
    r_net: float

    def __post_init__(self) -> None:
        _require_valid(self.at, self.profit)


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderSent:
    """One message to the venue. `entry` False is a stop, target, exit, replacement or cancel: a message, but no
    execution that may repeat."""

    at: datetime
    instrument: str
    side: Side
    entry: bool = True
    decision_id: str = ""

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRejected:
    """The venue's definite no to one entry."""

    at: datetime
    instrument: str

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """One execution of a market order. `slippage` is how much worse than the market's price at that moment it was, as
    a fraction of that price (below 0: better), spread left out; `modelled` is what the cost model expects of it."""

    at: datetime
    instrument: str
    slippage: Decimal
    modelled: Decimal

    def __post_init__(self) -> None:
        _require_valid(self.at, self.slippage)
        _require_valid(self.at, self.modelled)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """A person (or the declared simulated operator) resumed: the peak starts anew at `equity`, and no loss counts."""

    at: datetime
    equity: Decimal

    def __post_init__(self) -> None:
        _require_valid(self.at, self.equity)
        if self.equity <= 0:
            raise InvalidRecord(f"an account with equity {self.equity} cannot resume; it needs a deposit first")


Event: TypeAlias = EquityMarked | MarginMarked | CashMoved | TradeClosed | OrderSent | OrderRejected | Filled | Resumed


def _require_valid(at: datetime, amount: Decimal) -> None:
    require_utc(at, "at")
    if not amount.is_finite():
        raise InvalidRecord(f"an amount of {amount} at {at.isoformat()} is not money")
