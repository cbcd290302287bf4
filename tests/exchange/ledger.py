"""The books of the test exchange: accounts, orders, executions, and the arithmetic that moves money.

The arithmetic, so that a reader can follow it by hand (all amounts are decimal, nothing is a float):

  CUT(x)  x with eight decimals, what lies beyond them cut off (towards zero).

  Spot, an execution of quantity q at price p; r is the fee rate (0.001 for takers and makers alike)
    paid      = CUT(q * p)                          quote currency
    buy:   fee = CUT(q * r)      in base;   base  += q - fee;      quote -= paid
    sell:  fee = CUT(paid * r)   in quote;  quote += paid - fee;   base  -= q
  An open order locks what it may need: a sale its open quantity, a purchase CUT(open quantity * price), where a
  stop without a limit counts at its stop price. Locked money is paid first; what is left of it when the order ends
  is free again. Total = free + locked.

  USD-M futures, one position per symbol, amount a (below zero when short), entry price e; r is 0.0004
    notional  = q * p
    fee       = CUT(notional * r)                   USDT, always out of the wallet
    adding:    e' = (|a| * e + q * p) / (|a| + q), rounded half to even at twelve decimals
    reducing:  c = min(q, |a|);  realized = CUT((p - e) * c) for a long, CUT((e - p) * c) for a short;
               what exceeds |a| opens the other side at p
    wallet   += realized - fee
    funding at rate f and price p:  income = -CUT(a * p * f);  wallet += income
    unrealized = CUT((p - e) * a);  initial margin = CUT(|a| * p / leverage) + CUT(open quantity * price / leverage)
    of each open order that does not only reduce;  available = wallet + unrealized - initial margin
  There is no liquidation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any

from exchange.wire import EIGHT, ZERO, plain

SPOT = "spot"
LINEAR = "linear"
SPOT_FEE = Decimal("0.001")
LINEAR_FEE = Decimal("0.0004")
ENTRY_STEP = Decimal("0.000000000001")
OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})
DEFAULT_LEVERAGE = 20


def cut(value: Decimal) -> Decimal:
    return value.quantize(EIGHT, rounding=ROUND_DOWN)


@dataclass(slots=True)
class Order:
    """One order in a matching engine. `order_id` is unique within its market and symbol only, as at Binance."""

    market: str
    symbol: str
    order_id: int
    client_id: str
    account: str
    side: str
    kind: str
    quantity: Decimal
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    quote_quantity: Decimal = ZERO
    time_in_force: str = "GTC"
    status: str = "NEW"
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    created: int = 0
    updated: int = 0
    worked: int = 0
    """When it came into the book; 0 while a stop waits for its trigger."""
    reduce_only: bool = False
    algo_id: int | None = None
    locked: Decimal = ZERO
    arrival: int = 0

    @property
    def open(self) -> bool:
        return self.status in OPEN

    @property
    def left(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        return self.paid / self.filled if self.filled else ZERO

    @property
    def buys(self) -> bool:
        return self.side == "BUY"

    def told(self) -> dict[str, Any]:
        return {
            "market": self.market,
            "symbol": self.symbol,
            "order_id": self.order_id,
            "client_id": self.client_id,
            "side": self.side,
            "type": self.kind,
            "quantity": plain(self.quantity),
            "price": plain(self.price),
            "stop_price": plain(self.stop_price),
            "time_in_force": self.time_in_force,
            "status": self.status,
            "filled": plain(self.filled),
            "paid": plain(self.paid),
            "reduce_only": self.reduce_only,
            "algo_id": self.algo_id,
            "created": self.created,
            "updated": self.updated,
        }


@dataclass(slots=True)
class AlgoOrder:
    """A conditional futures order before its trigger; afterwards `actual_order_id` names the order it became."""

    algo_id: int
    client_id: str
    account: str
    symbol: str
    side: str
    kind: str
    quantity: Decimal
    trigger_price: Decimal
    price: Decimal = ZERO
    time_in_force: str = "GTC"
    status: str = "NEW"
    reduce_only: bool = False
    close_position: bool = False
    working_type: str = "CONTRACT_PRICE"
    created: int = 0
    updated: int = 0
    triggered: int = 0
    actual_order_id: int | None = None
    reason: str = ""
    arrival: int = 0

    def told(self) -> dict[str, Any]:
        return {
            "market": LINEAR,
            "symbol": self.symbol,
            "algo_id": self.algo_id,
            "client_id": self.client_id,
            "side": self.side,
            "type": self.kind,
            "quantity": plain(self.quantity),
            "price": plain(self.price),
            "stop_price": plain(self.trigger_price),
            "status": self.status,
            "reduce_only": self.reduce_only,
            "close_position": self.close_position,
            "actual_order_id": self.actual_order_id,
            "reason": self.reason,
            "created": self.created,
            "updated": self.updated,
            "triggered": self.triggered,
        }


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution. `trade_id` is unique within its market and symbol only, as at Binance."""

    market: str
    symbol: str
    trade_id: int
    order_id: int
    client_id: str
    side: str
    quantity: Decimal
    price: Decimal
    paid: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    time: int
    realized: Decimal = ZERO

    def told(self) -> dict[str, Any]:
        return {
            "market": self.market,
            "symbol": self.symbol,
            "trade_id": self.trade_id,
            "order_id": self.order_id,
            "client_id": self.client_id,
            "side": self.side,
            "quantity": plain(self.quantity),
            "price": plain(self.price),
            "paid": plain(self.paid),
            "fee": plain(self.fee),
            "fee_asset": self.fee_asset,
            "maker": self.maker,
            "time": self.time,
            "realized": plain(self.realized),
        }


@dataclass(slots=True)
class Position:
    amount: Decimal = ZERO
    entry: Decimal = ZERO
    updated: int = 0

    def apply(self, side: str, quantity: Decimal, price: Decimal) -> Decimal:
        """Take an execution in; returns the profit that it realized, before the fee."""
        signed = quantity if side == "BUY" else -quantity
        if self.amount * signed >= 0:
            size = abs(self.amount)
            entry = (size * self.entry + quantity * price) / (size + quantity)
            self.entry = entry.quantize(ENTRY_STEP, rounding=ROUND_HALF_EVEN)
            self.amount += signed
            return ZERO
        closed = min(quantity, abs(self.amount))
        gain = price - self.entry if self.amount > 0 else self.entry - price
        realized = cut(gain * closed)
        left = self.amount + signed
        if left == 0:
            self.entry = ZERO
        elif left * self.amount < 0:
            self.entry = price
        self.amount = left
        return realized

    def unrealized(self, price: Decimal) -> Decimal:
        return cut((price - self.entry) * self.amount)


@dataclass(frozen=True, slots=True)
class Income:
    """Money that moved in the futures wallet, and why, in Binance's words."""

    tran_id: int
    kind: str
    symbol: str
    amount: Decimal
    time: int
    trade_id: str = ""

    def told(self) -> dict[str, Any]:
        return {
            "tran_id": self.tran_id,
            "type": self.kind,
            "symbol": self.symbol,
            "amount": plain(self.amount),
            "time": self.time,
            "trade_id": self.trade_id,
        }


@dataclass(slots=True)
class Balance:
    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


@dataclass(slots=True)
class Account:
    """One customer: a spot wallet, a futures wallet in USDT, and everything that ever happened in them."""

    name: str
    spot: dict[str, Balance] = field(default_factory=dict)
    wallet: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    margin_type: dict[str, str] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    algos: list[AlgoOrder] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    incomes: list[Income] = field(default_factory=list)
    wiped: int = 0
    """How often it was reset, as testnets are; what was before is kept in `past`."""
    past: list[dict[str, Any]] = field(default_factory=list)
    _sorted: int = field(default=0, repr=False, compare=False)
    """How many of the trades lie in `_traded` too."""
    _traded: dict[tuple[str, str], list[Trade]] = field(default_factory=dict, repr=False, compare=False)

    def traded(self, market: str, symbol: str) -> Sequence[Trade]:
        """The trades of one symbol, oldest first."""
        for trade in self.trades[self._sorted :]:
            self._traded.setdefault((trade.market, trade.symbol), []).append(trade)
        self._sorted = len(self.trades)
        return self._traded.get((market, symbol), [])

    def balance(self, asset: str) -> Balance:
        return self.spot.setdefault(asset, Balance())

    def position(self, symbol: str) -> Position:
        return self.positions.setdefault(symbol, Position())

    def leverage_of(self, symbol: str) -> int:
        return self.leverage.get(symbol, DEFAULT_LEVERAGE)

    def told(self) -> dict[str, Any]:
        return {
            "orders": [order.told() for order in self.orders],
            "algo_orders": [algo.told() for algo in self.algos],
            "trades": [trade.told() for trade in self.trades],
            "balances": {
                asset: {"free": plain(held.free), "locked": plain(held.locked)}
                for asset, held in sorted(self.spot.items())
            },
            "wallet": plain(self.wallet),
            "positions": {
                symbol: {"amount": plain(position.amount), "entry": plain(position.entry)}
                for symbol, position in sorted(self.positions.items())
                if position.amount
            },
            "incomes": [income.told() for income in self.incomes],
            "wiped": self.wiped,
            "past": self.past,
        }
