"""An order's life: durable first, then sent, then whatever the venue says, until nothing more is told.

One path for facts: events are folded into the books, whoever must react adds to the same transaction, the
transaction commits, and only then are the intents it contains sent. A crash between any two lines is answered by
running the same lines again: ids are computed, events sit behind a cursor, and sending a known id does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from brokers.protocol import Broker
from domain.clock import Clock
from domain.errors import Denied, VenueUnavailable
from domain.orders import Action, Intent, Order, OrderState
from journal.batch import Batch
from journal.crashpoints import reach
from journal.writer import Writer
from trading.books import Books, Changes
from trading.observer import Observer
from trading.protection import Protection

CLOCK_KEY = "clock"


def stamp(batch: Batch, clock: Clock) -> None:
    """Note in the transaction what time it was, so that a restarted replay continues at that time."""
    batch.put_state(CLOCK_KEY, f'"{clock.now().isoformat()}"')


class Listener(Protocol):
    """Who turns changes into outcomes, samples and risk state, inside the transaction that records them."""

    def on_changes(self, changes: Changes) -> None: ...

    def on_intent(self, intent: Intent, batch: Batch) -> None: ...


class OrderDesk:
    """Sends what was meant and takes in what happened."""

    def __init__(
        self, *, broker: Broker, books: Books, writer: Writer, clock: Clock, protection: Protection, observer: Observer
    ) -> None:
        self._broker = broker
        self._books = books
        self._writer = writer
        self._clock = clock
        self._protection = protection
        self._observer = observer
        self._sent: set[str] = set()
        self.listener: Listener | None = None

    async def submit(self, intents: Sequence[Intent], batch: Batch) -> None:
        """Make intents durable together with everything else in `batch`, send them, take in the answers."""
        self._intend(intents, batch)
        stamp(batch, self._clock)
        await self._writer.commit(batch)
        await self._send_new()
        await self.pump()

    async def pump(self) -> None:
        """Take in facts and react to them until nothing more is told."""
        while True:
            told = await self._broker.events(self._books.cursor)
            if not told.events:
                return
            changes = self._books.apply(told.events, told.cursor)
            await self._settle(changes)

    async def resolve(self) -> None:
        """Ask the venue about every order whose fate is not known; send again only what it provably never had.

        Called at start and while orders are unknown. `find` answering None is the venue's word that there is no
        such order; one whose approval is still fresh is then sent for the first time, any other is absent.
        """
        await self.pump()
        changes = Changes()
        for intent in self._books.pending():
            if intent.client_order_id in self._sent and not self._is_unknown(intent):
                continue
            if intent.action is not Action.PLACE:
                self._sent.discard(intent.client_order_id)  # changing or cancelling twice is changing once
                continue
            await self._resolve_place(intent, changes)
        await self._settle(changes)

    def _is_unknown(self, intent: Intent) -> bool:
        order = self._books.orders.get(intent.client_order_id)
        return order is not None and order.state is OrderState.UNKNOWN

    async def _resolve_place(self, intent: Intent, changes: Changes) -> None:
        order = self._books.orders[intent.client_order_id]
        now = self._clock.now()
        try:
            report = await self._broker.find(intent.client_order_id)
        except VenueUnavailable as error:
            self._mark_unknown(order, str(error), changes)
            return
        if report is not None:
            self._sent.add(intent.client_order_id)
            if order.state in (OrderState.PENDING, OrderState.UNKNOWN) and report.state is OrderState.ACCEPTED:
                self._books.set_state(order, OrderState.ACCEPTED, now, changes, reason="found by id")
            return
        if order.state is OrderState.PENDING and now <= intent.approval.expires_at:
            self._sent.discard(intent.client_order_id)
            return
        self._books.set_state(order, OrderState.ABSENT, now, changes, reason="the venue has no order of this id")

    def _intend(self, intents: Sequence[Intent], batch: Batch) -> None:
        for intent in intents:
            self._books.intend(intent, batch)
            if self.listener is not None:
                self.listener.on_intent(intent, batch)

    async def _settle(self, changes: Changes) -> None:
        """Let everybody react to changes, make all of it durable, then send what it led to."""
        for order in changes.moved:
            self._observer.order_moved(order)
        for fill, order in changes.fills:
            self._observer.filled(fill, order)
        if self.listener is not None:
            self.listener.on_changes(changes)
        intents = self._protection.after(changes, self._books, self._clock.now())
        self._intend(intents, changes.batch)
        if len(changes.batch):
            stamp(changes.batch, self._clock)
            if intents:
                await self._writer.commit(changes.batch)
            else:
                # Nothing is about to be sent because of these facts, and the venue tells them again after a
                # crash: they may wait for the next commit.
                self._writer.defer(changes.batch)
        await self._send_new()

    async def _send_new(self) -> None:
        failed = Changes()
        for intent in self._books.pending():
            if intent.client_order_id in self._sent:
                continue
            self._sent.add(intent.client_order_id)
            await self._send(intent, failed)
        if failed.moved:
            await self._settle(failed)

    async def _send(self, intent: Intent, failed: Changes) -> None:
        reach("orders.before_send")
        try:
            await self._broker.send(intent)
        except VenueUnavailable as error:
            order = self._books.orders.get(intent.client_order_id)
            if order is not None:
                self._mark_unknown(order, str(error), failed)
        except Denied as error:
            order = self._books.orders.get(intent.client_order_id)
            if order is not None:
                self._books.set_state(
                    order, OrderState.ABSENT, self._clock.now(), failed, reason=f"never sent: {error}"
                )
            else:
                self._books.intents.pop(intent.client_order_id, None)
        reach("orders.after_send")

    def _mark_unknown(self, order: Order, reason: str, changes: Changes) -> None:
        if order.state is not OrderState.UNKNOWN:
            self._books.set_state(order, OrderState.UNKNOWN, self._clock.now(), changes, reason=reason)
