"""Words for tests of the books: decisions, intents and what a venue may tell of them, without any venue."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from trading_rig import COIN, HOUR, START, decision_on

from brokers.protocol import BrokerEvent, EventKind
from domain.decisions import Decision
from domain.orders import Approval, Fill, Intent, Leg, Order, Side
from domain.records import CashEvent, CashKind
from journal.batch import Batch
from risk.limits import Limits
from trading.books import Books
from trading.intents import Wording
from trading.trades import Changes

WORDING = Wording(account="main", limits=Limits())


class Teller:
    """One account's books, with a venue that tells whatever a test wants it to."""

    def __init__(self) -> None:
        self.books = Books("main", "USD")
        self.now = START + HOUR
        self.batches: list[Batch] = []
        self._count = 0
        self._cursor = 0

    def wait(self, span: timedelta = HOUR) -> datetime:
        self.now += span
        return self.now

    # -- what we mean -----------------------------------------------------------------------------------------

    def enter(self, side: Side = Side.BUY, quantity: str | Decimal = "10", symbol: str = COIN) -> Order:
        """A decision with its pending entry."""
        self._count += 1
        decision = self.decision(side, Decimal(quantity), symbol)
        batch = Batch()
        batch.add(decision)
        self.books.open_trade(decision)
        leave = Approval(
            instrument=symbol,
            side=side,
            quantity=decision.quantity,
            reduce_only=False,
            granted_at=self.now,
            expires_at=self.now + timedelta(minutes=1),
            rules=("a test",),
            limits_digest="none",
        )
        intent = WORDING.entry(decision, leave, expires_at=self.now + 2 * HOUR)
        self.books.intend(intent, batch)
        self.batches.append(batch)
        return self.books.orders[intent.client_order_id]

    def decision(self, side: Side, quantity: Decimal, symbol: str = COIN) -> Decision:
        return decision_on(
            symbol,
            self.now - HOUR + timedelta(seconds=self._count),
            self.now + timedelta(seconds=self._count),
            side=side,
            quantity=quantity,
            entry=100.0,
            stop=100.0 - 5 * side.sign,
            target=100.0 + 15 * side.sign,
        )

    def mean(self, *intents: Intent) -> None:
        batch = Batch()
        for intent in intents:
            self.books.intend(intent, batch)
        self.batches.append(batch)

    # -- what the venue tells -----------------------------------------------------------------------------------

    def tell(self, *events: BrokerEvent) -> Changes:
        self._cursor += len(events)
        changes = self.books.apply(events, str(self._cursor))
        self.batches.append(changes.batch)
        return changes

    def said(self, kind: EventKind, order: Order | str, *, intent: Intent | None = None, **rest: Any) -> BrokerEvent:
        name = order if isinstance(order, str) else order.client_order_id
        return BrokerEvent(
            kind=kind,
            at=self.now,
            client_order_id=name,
            intent_id=name if intent is None else intent.client_order_id,
            venue_order_id=f"v-{name}",
            **rest,
        )

    def filled(
        self, order: Order, quantity: str | Decimal, price: str = "100", *, number: int = 1, fee: str = "0"
    ) -> BrokerEvent:
        fill = Fill(
            venue="paper",
            trade_id=f"{order.client_order_id}-{number}",
            client_order_id=order.client_order_id,
            instrument=order.intent.instrument,
            side=order.intent.side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            fee=Decimal(fee),
            fx_rate=Decimal(1),
            at=self.now,
        )
        return self.said(EventKind.FILLED, order, fill=fill)

    def paid(self, amount: str, kind: CashKind = CashKind.SWAP, *, number: int = 1) -> BrokerEvent:
        cash = CashEvent(event_id=f"{kind}-{number}", kind=kind, at=self.now, amount=Decimal(amount), instrument=COIN)
        return BrokerEvent(kind=EventKind.CASH, at=self.now, client_order_id=None, intent_id=None, cash=cash)

    # -- what tests look at -------------------------------------------------------------------------------------

    def order(self, order: Order) -> Order:
        return self.books.orders[order.client_order_id]

    def open_position(self, side: Side = Side.BUY, quantity: str = "10") -> Order:
        """An entry, accepted and filled."""
        entry = self.enter(side, quantity)
        self.tell(self.said(EventKind.ACCEPTED, entry), self.filled(entry, quantity))
        return self.order(entry)

    def protective(self, entry: Order, leg: Leg, quantity: str = "10", *, attempt: int = 1) -> Order:
        """A pending stop or target of an entry's trade."""
        sign = entry.intent.side.sign
        intent = WORDING.protective(
            entry.intent.position_id,
            entry.intent.instrument,
            leg,
            side=entry.intent.side.opposite,
            quantity=Decimal(quantity),
            price=Decimal(100 - 5 * sign if leg is Leg.STOP else 100 + 15 * sign),
            attempt=attempt,
            now=self.now,
        )
        self.mean(intent)
        return self.books.orders[intent.client_order_id]
