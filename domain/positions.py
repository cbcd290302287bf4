"""Positions are sums of fills, netted: one per instrument and account, never inferred from an order's status."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from domain.errors import InvalidRecord
from domain.numbers import ZERO, money
from domain.orders import Fill, Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """One position from its first fill on. `quantity` is signed base units, prices in quote currency.

    `realized` is profit in account currency before fees, `fees` what the fills cost, both since it opened.
    `entry_price` is the average price of what is held (of what was held last, once it is closed); `entered` the
    base quantity ever entered. `dust` are base units that the closed position left behind because they are too few
    to sell: they stay in the account at what they cost, and count as held no longer. `position_id` is the id of the
    decision that opened it.
    """

    position_id: str
    account: str
    instrument: str
    side: Side
    opened_at: datetime
    updated_at: datetime
    quantity: Decimal = ZERO
    entered: Decimal = ZERO
    entry_price: Decimal = ZERO
    exited: Decimal = ZERO
    exit_price: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    dust: Decimal = ZERO

    @property
    def is_open(self) -> bool:
        return self.quantity != 0

    def after(self, fill: Fill) -> Position:
        """The position after one more fill; raises `InvalidRecord` when the fill would flip its sign."""
        if fill.instrument != self.instrument:
            raise InvalidRecord(f"a fill of {fill.instrument} does not belong to a position in {self.instrument}")
        if self.dust:
            return replace(self, quantity=self.quantity + self.side.sign * self.dust, dust=ZERO).after(fill)
        fees = self.fees + fill.fee
        if fill.side is self.side:
            entered = self.entered + fill.net
            held = abs(self.quantity)
            price = (self.entry_price * held + fill.price * fill.net) / (held + fill.net)
            return replace(
                self,
                quantity=self.quantity + fill.side.sign * fill.net,
                entered=entered,
                entry_price=price,
                fees=fees,
                updated_at=fill.at,
            )
        if fill.quantity > abs(self.quantity):
            raise InvalidRecord(f"fill {fill.trade_id} of {fill.quantity} would flip {self.quantity} {self.instrument}")
        exited = self.exited + fill.quantity
        return replace(
            self,
            quantity=self.quantity + fill.side.sign * fill.quantity,
            exited=exited,
            exit_price=(self.exit_price * self.exited + fill.price * fill.quantity) / exited,
            realized=self.realized + realized_by(self, fill),
            fees=fees,
            updated_at=fill.at,
        )

    def swept(self, at: datetime) -> Position:
        """The position as closed, with what is left of it as dust."""
        return replace(self, quantity=ZERO, dust=self.dust + abs(self.quantity), updated_at=at)

    def floating(self, price: Decimal, fx_rate: Decimal) -> Decimal:
        """Unrealized profit in account currency at `price`."""
        return (price - self.entry_price) * self.quantity * fx_rate


def realized_by(position: Position, fill: Fill) -> Decimal:
    """Profit in account currency, before fees, that a closing fill realizes; ledgers keep eight digits."""
    return money((fill.price - position.entry_price) * fill.quantity * position.side.sign * fill.fx_rate)


def opened_by(fill: Fill, *, position_id: str, account: str) -> Position:
    """The position that a first fill opens."""
    return Position(
        position_id=position_id,
        account=account,
        instrument=fill.instrument,
        side=fill.side,
        opened_at=fill.at,
        updated_at=fill.at,
    ).after(fill)
