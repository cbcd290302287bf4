"""An account behind our own port, in memory, with a ledger of its own and faults that tests switch on.

It stands in for a venue where a story needs thousands of them. `test_ccxt_link_contract.py` holds it and the real link
to the same behaviour.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.clock import Clock
from domain.errors import RatchetError, VenueRejected, VenueUnavailable
from domain.orders import OrderKind, OrderState, Side
from venues.link import Abilities
from venues.records import (
    Holdings,
    KeyRights,
    MarketKind,
    OrderRequest,
    Payment,
    VenueMarket,
    VenueOrder,
    VenueTrade,
)

ZERO = Decimal(0)
WINDOW = timedelta(seconds=5)
FEES = {MarketKind.SPOT: Decimal("0.001"), MarketKind.LINEAR: Decimal("0.0004")}
NO_ANSWER = VenueUnavailable("no answer")


@dataclass
class Faults:
    """What goes wrong at the venue. Counted faults happen that often and then no more."""

    lost_on_the_way: int = 0
    """New orders that never arrive and are not answered."""
    late: list[timedelta] = field(default_factory=list)
    """New orders that arrive so much later and are not answered."""
    answers_lost: int = 0
    """New orders and cancels that arrive, and whose answer is lost."""
    refusal: RatchetError | None = None
    """What every new order and cancel is answered."""
    silent: int = 0
    """Questions that are not answered."""
    trades_hidden: int = 0
    """How many of the latest executions are not listed yet."""
    disorder: int = 0
    """A seed: executions are listed twice and in no order. 0 for none."""
    stale_list: bool = False
    """The list of open orders is the one that was given last."""
    nothing_held: bool = False
    """Holdings are answered with nothing in them."""
    nameless: bool = False
    """No order is found by the venue's own id."""


@dataclass
class Account:
    """The venue's own ledger of one account."""

    clock: Clock
    kind: MarketKind
    totals: dict[str, Decimal]
    bases: Mapping[str, str]
    quote: str = "USDT"
    skew: timedelta = timedelta(0)
    fee_asset: str | None = None
    price: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, VenueOrder] = field(default_factory=dict)
    requests: dict[str, OrderRequest] = field(default_factory=dict)
    trades: list[VenueTrade] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    positions: dict[str, Decimal] = field(default_factory=dict)
    entries: dict[str, Decimal] = field(default_factory=dict)
    arriving: list[tuple[datetime, OrderRequest]] = field(default_factory=list)
    placed: list[str] = field(default_factory=list)
    """Ids of every new order that arrived, doubled ones twice."""
    most: Decimal | None = None
    next_id: int = 1000

    def now(self) -> datetime:
        return self.clock.now() + self.skew

    def catch_up(self) -> None:
        for due, request in sorted(self.arriving, key=lambda each: each[0]):
            if due <= self.now():
                self.arriving.remove((due, request))
                self._try(request)

    def take(self, request: OrderRequest) -> VenueOrder:
        self.placed.append(request.client_order_id)
        self.next_id += 1
        self._demand_funds(request)
        order = VenueOrder(
            symbol=request.symbol,
            venue_order_id=str(self.next_id),
            client_order_id=request.client_order_id,
            side=request.side,
            state=OrderState.ACCEPTED,
            quantity=request.quantity,
            filled=ZERO,
            at=self.now(),
            reduce_only=request.reduce_only,
        )
        self.orders[order.venue_order_id], self.requests[order.venue_order_id] = order, request
        if request.kind is OrderKind.MARKET or request.at_once:
            if self._crosses(request):
                self._execute(order, self.price[request.symbol])
            self._end_if_open(order.venue_order_id, OrderState.EXPIRED)
        return self.orders[order.venue_order_id]

    def trade_at(self, symbol: str, price: str, most: Decimal | None = None) -> None:
        self.catch_up()
        self.price[symbol], self.most = Decimal(price), most
        for order in list(self.orders.values()):
            request = self.requests[order.venue_order_id]
            if order.symbol == symbol and not order.state.terminal and self._crosses(request):
                limited = request.limit_price if request.kind is OrderKind.LIMIT else None
                self._execute(order, limited or self.price[symbol])

    def cancel(self, venue_order_id: str) -> None:
        self._end_if_open(venue_order_id, OrderState.CANCELLED)

    def by_client_id(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        found = [o for o in self.orders.values() if (o.symbol, o.client_order_id) == (symbol, client_order_id)]
        return found[-1] if found else None

    def open(self) -> list[VenueOrder]:
        return [order for order in self.orders.values() if not order.state.terminal]

    def wipe(self, **totals: str) -> None:
        self.orders.clear()
        self.trades.clear()
        self.positions.clear()
        self.totals = {asset: Decimal(amount) for asset, amount in totals.items()}

    def _try(self, request: OrderRequest) -> None:
        try:
            self.take(request)
        except VenueRejected:
            return  # nobody hears the refusal of an order whose sender is gone

    def _end_if_open(self, venue_order_id: str, state: OrderState) -> None:
        order = self.orders[venue_order_id]
        if not order.state.terminal:
            self.orders[venue_order_id] = replace(order, state=state)

    def _crosses(self, request: OrderRequest) -> bool:
        price = self.price[request.symbol]
        if request.kind is OrderKind.LIMIT and request.limit_price is not None:
            return request.side.sign * (request.limit_price - price) >= 0
        if request.kind is OrderKind.STOP and request.stop_price is not None:
            return request.side.sign * (price - request.stop_price) >= 0
        return True

    def _demand_funds(self, request: OrderRequest) -> None:
        price = request.limit_price or request.stop_price or self.price[request.symbol]
        if self.kind is MarketKind.SPOT and request.side is Side.SELL:
            enough = self.totals.get(self.bases[request.symbol], ZERO) >= request.quantity
        else:
            reach = self.totals[self.quote] * (1 if self.kind is MarketKind.SPOT else 20)
            enough = request.reduce_only or request.quantity * price <= reach
        if request.reduce_only and -request.side.sign * self.positions.get(request.symbol, ZERO) <= 0:
            raise VenueRejected("reduce-only, and there is nothing to reduce")
        if not enough:
            raise VenueRejected("the balance does not suffice")

    def _execute(self, order: VenueOrder, price: Decimal) -> None:
        quantity = order.quantity - order.filled
        quantity = quantity if self.most is None else min(quantity, self.most)
        if order.reduce_only:
            quantity = min(quantity, max(ZERO, -order.side.sign * self.positions.get(order.symbol, ZERO)))
        if quantity <= 0:
            self._end_if_open(order.venue_order_id, OrderState.EXPIRED)
            return
        fee, asset = self._fee(order, quantity, price)
        self._move(order, quantity, price)
        self.totals[asset] = self.totals.get(asset, ZERO) - fee
        filled = order.filled + quantity
        state = OrderState.FILLED if filled == order.quantity else OrderState.PARTIALLY_FILLED
        self.orders[order.venue_order_id] = replace(order, filled=filled, state=state)
        self.trades.append(
            VenueTrade(
                trade_id=f"{order.symbol}-{1 + sum(trade.symbol == order.symbol for trade in self.trades)}",
                venue_order_id=order.venue_order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=quantity,
                price=price,
                fee=fee,
                fee_currency=asset,
                at=self.now(),
            )
        )

    def _fee(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> tuple[Decimal, str]:
        rate = FEES[self.kind]
        if self.fee_asset is not None:
            return rate * quantity * price / 500, self.fee_asset
        if self.kind is MarketKind.SPOT and order.side is Side.BUY:
            return rate * quantity, self.bases[order.symbol]
        return rate * quantity * price, self.quote

    def _move(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> None:
        signed = order.side.sign * quantity
        if self.kind is MarketKind.SPOT:
            base = self.bases[order.symbol]
            self.totals[base] = self.totals.get(base, ZERO) + signed
            self.totals[self.quote] -= signed * price
            return
        held, entry = self.positions.get(order.symbol, ZERO), self.entries.get(order.symbol, ZERO)
        if held * signed < 0:
            closed = min(abs(signed), abs(held))
            self.totals[self.quote] += (price - entry) * closed * (1 if held > 0 else -1)
            if abs(signed) > abs(held):
                self.entries[order.symbol] = price
        else:
            self.entries[order.symbol] = (entry * abs(held) + price * quantity) / (abs(held) + quantity)
        self.positions[order.symbol] = held + signed


class MemoryLink:
    """The port to an `Account`. `asked` names every question in order."""

    def __init__(self, account: Account, faults: Faults) -> None:
        self.account = account
        self.faults = faults
        self.asked: list[str] = []
        self.ring: Callable[[], None] | None = None
        self.closed = False
        self._skew = timedelta(0)
        self._listed: list[VenueOrder] = []

    @property
    def abilities(self) -> Abilities:
        spot = self.account.kind is MarketKind.SPOT
        return Abilities(
            venue="memory",
            market=self.account.kind,
            kinds=frozenset({OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP}),
            shorts=not spot,
            reduce_only=not spot,
            stacks_exits=not spot,
            rejects_duplicates=False,
            receive_window=WINDOW,
        )

    @property
    def proof(self) -> str:
        return "The account is a few lines of a test."

    @property
    def markets(self) -> Mapping[str, VenueMarket]:
        return {
            symbol: VenueMarket(
                symbol=symbol,
                vendor_symbol=f"{base}/{self.account.quote}",
                base=base,
                quote=self.account.quote,
                tick=Decimal("0.01"),
                lot=Decimal("0.001"),
                min_quantity=Decimal("0.001"),
                min_notional=Decimal(5),
                taker_fee=FEES[self.account.kind],
                maker_fee=FEES[self.account.kind],
            )
            for symbol, base in self.account.bases.items()
        }

    @property
    def skew(self) -> timedelta:
        return self._skew

    async def measure_clock(self) -> timedelta:
        with self._question("clock"):
            self._skew = self.account.skew
            return self._skew

    async def place(self, request: OrderRequest) -> VenueOrder:
        self.asked.append("place")
        self.account.catch_up()
        if self.faults.refusal is not None:
            raise self.faults.refusal
        if self.faults.late:
            self.account.arriving.append((self.account.now() + self.faults.late.pop(0), request))
            raise NO_ANSWER
        if self.faults.lost_on_the_way > 0:
            self.faults.lost_on_the_way -= 1
            raise NO_ANSWER
        order = self.account.take(request)
        self._lose()
        return order

    async def cancel(self, symbol: str, client_order_id: str) -> bool:
        self.asked.append("cancel")
        self.account.catch_up()
        if self.faults.refusal is not None:
            raise self.faults.refusal
        found = self.account.by_client_id(symbol, client_order_id)
        if found is None or found.state.terminal:
            return False
        self.account.cancel(found.venue_order_id)
        self._lose()
        return True

    async def order(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        with self._question("order"):
            return self.account.by_client_id(symbol, client_order_id)

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueOrder | None:
        with self._question("order_by_venue_id"):
            return None if self.faults.nameless else self.account.orders.get(venue_order_id)

    async def open_orders(self) -> Sequence[VenueOrder]:
        with self._question("open_orders"):
            if not self.faults.stale_list:
                self._listed = self.account.open()
            return self._listed

    async def trades(self, symbol: str, since: datetime) -> Sequence[VenueTrade]:
        with self._question("trades"):
            shown = self.account.trades[: len(self.account.trades) - self.faults.trades_hidden]
            told = [trade for trade in shown if trade.symbol == symbol and trade.at >= since]
            if self.faults.disorder:
                told = told + told[::2]
                random.Random(self.faults.disorder).shuffle(told)  # noqa: S311 - a fixed disorder, not a secret
            return told

    async def payments(self, since: datetime) -> Sequence[Payment]:
        with self._question("payments"):
            return [payment for payment in self.account.payments if payment.at >= since]

    async def holdings(self) -> Holdings:
        with self._question("holdings"):
            nothing = self.faults.nothing_held
            return Holdings(
                at=self.account.now(),
                totals={} if nothing else dict(self.account.totals),
                positions={} if nothing else {symbol: q for symbol, q in self.account.positions.items() if q},
            )

    async def rights(self) -> KeyRights:
        return KeyRights(trade=True, withdraw=False, transfer=False, said_by="a few lines of a test")

    def listen(self, ring: Callable[[], None]) -> None:
        self.ring = ring

    async def close(self) -> None:
        self.closed = True

    @contextmanager
    def _question(self, name: str) -> Iterator[None]:
        self.asked.append(name)
        self.account.catch_up()
        if self.faults.silent > 0:
            self.faults.silent -= 1
            raise NO_ANSWER
        yield

    def _lose(self) -> None:
        if self.faults.answers_lost > 0:
            self.faults.answers_lost -= 1
            raise NO_ANSWER
