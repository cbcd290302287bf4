"""The paper account while it runs: open orders, holdings, cash, markets, and what changed since the last commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from brokers.paper.ledger import Changes, Contents
from brokers.paper.records import Holding, Market, PaperOrder
from brokers.protocol import BrokerEvent, EventKind
from domain.instruments import Instrument
from domain.numbers import ZERO
from domain.orders import Fill, OrderState
from domain.records import CashEvent

EVENTS_KEPT = 4096
"""How many events stay in memory; older ones are read from the ledger."""

_ENDINGS = {
    OrderState.CANCELLED: EventKind.CANCELLED,
    OrderState.EXPIRED: EventKind.EXPIRED,
    OrderState.REJECTED: EventKind.REJECTED,
}


class Book:
    """State and its primitive changes; each change is noted in `changes` until the ledger took it."""

    __slots__ = (
        "account",
        "balance",
        "changes",
        "currency",
        "holdings",
        "instruments",
        "markets",
        "moved",
        "number",
        "open",
        "recent",
        "recent_after",
        "resting",
        "sequence",
        "timed",
        "told_until",
    )

    def __init__(
        self, *, account: str, currency: str, instruments: Mapping[str, Instrument], contents: Contents
    ) -> None:
        self.account = account
        self.currency = currency
        self.instruments = instruments
        self.balance = contents.balance
        self.sequence = contents.sequence
        self.number = contents.orders_numbered
        self.open: dict[str, PaperOrder] = {}
        self.resting: dict[str, dict[str, PaperOrder]] = {}
        self.timed: dict[str, datetime] = {}
        self.holdings = dict(contents.holdings)
        self.markets: dict[str, Market] = {symbol: Market() for symbol in instruments} | contents.markets
        self.moved: set[str] = set()
        self.told_until = -1.0
        self.recent: list[BrokerEvent] = []
        self.recent_after = contents.sequence
        self.changes = Changes()
        for order in contents.open_orders:
            self._index(order)

    def tell(self, event: BrokerEvent) -> None:
        """Add one fact at the end of the venue's story."""
        self.sequence += 1
        self.changes.events.append((self.sequence, event))
        self.recent.append(event)

    def told(
        self, kind: EventKind, at: datetime, order: PaperOrder, *, intent_id: str | None = None, reason: str = ""
    ) -> None:
        """A fact about `order`, caused by itself or by the intent of `intent_id`."""
        self.tell(
            BrokerEvent(
                kind=kind,
                at=at,
                client_order_id=order.client_order_id,
                intent_id=intent_id or order.client_order_id,
                venue_order_id=order.venue_order_id,
                reason=reason,
            )
        )

    def put(self, order: PaperOrder) -> None:
        """The order as it now is; an ended one leaves the open orders."""
        self.changes.orders[order.client_order_id] = order
        if order.state.terminal:
            self.open.pop(order.client_order_id, None)
            self.timed.pop(order.client_order_id, None)
            resting = self.resting.get(order.instrument)
            if resting is not None:
                resting.pop(order.client_order_id, None)
                if not resting:
                    del self.resting[order.instrument]
        else:
            self._index(order)

    def end(
        self, order: PaperOrder, state: OrderState, at: datetime, reason: str, *, intent_id: str | None = None
    ) -> None:
        """End an order other than by filling it, and say so."""
        self.put(replace(order, state=state))
        self.told(_ENDINGS[state], at, order, intent_id=intent_id, reason=reason)

    def pay(self, amount: Decimal) -> None:
        """Add to (or with a negative amount take from) the balance, in account currency."""
        self.balance += amount
        self.changes.balance = self.balance

    def tell_cash(self, cash: CashEvent) -> None:
        """Money that moved for a reason other than a fill."""
        self.pay(cash.amount)
        self.tell(BrokerEvent(kind=EventKind.CASH, at=cash.at, client_order_id=None, intent_id=None, cash=cash))

    def tell_fill(self, order: PaperOrder, fill: Fill) -> None:
        """One execution of `order`."""
        self.tell(
            BrokerEvent(
                kind=EventKind.FILLED,
                at=fill.at,
                client_order_id=order.client_order_id,
                intent_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                fill=fill,
            )
        )

    def hold(self, symbol: str, holding: Holding | None) -> None:
        """What the account now holds of one instrument; None for nothing."""
        self.changes.holdings[symbol] = holding
        if holding is None:
            self.holdings.pop(symbol, None)
        else:
            self.holdings[symbol] = holding

    def held(self, symbol: str) -> Decimal:
        """The signed quantity held, in base units."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.position.quantity

    def siblings(self, order: PaperOrder) -> Iterator[PaperOrder]:
        """The other open orders of the order's OCO group on its instrument."""
        if order.oco_group is None:
            return
        for other in list(self.resting.get(order.instrument, {}).values()):
            if other.oco_group == order.oco_group and other.client_order_id != order.client_order_id:
                yield other

    def is_reducing(self, order: PaperOrder) -> bool:
        """Whether the order may never take the position past zero."""
        return order.reduce_only or (order.side.sign < 0 and not self.instruments[order.instrument].shortable)

    def reducible(self, order: PaperOrder) -> Decimal:
        """How much of the position stands against the order's side, in base units."""
        return max(ZERO, -order.side.sign * self.held(order.instrument))

    def market(self, symbol: str) -> Market:
        """The market of one instrument, also of one that cannot be traded (a benchmark)."""
        found = self.markets.get(symbol)
        if found is None:
            found = self.markets[symbol] = Market()
        return found

    def committed(self) -> None:
        """The ledger has everything; forget what changed and all but the latest events."""
        self.changes = Changes()
        self.moved.clear()
        if len(self.recent) > 2 * EVENTS_KEPT:
            surplus = len(self.recent) - EVENTS_KEPT
            del self.recent[:surplus]
            self.recent_after += surplus

    def _index(self, order: PaperOrder) -> None:
        self.open[order.client_order_id] = order
        self.resting.setdefault(order.instrument, {})[order.client_order_id] = order
        if order.expires_at is not None:
            self.timed[order.client_order_id] = order.expires_at
