"""An order's life: durable first, then sent, then whatever the venue says, until nothing more is told.

One path for facts: events are folded into the books, whoever must react adds to the same transaction, the
transaction commits, and only then are the intents it contains sent. A crash between any two lines is answered by
running the same lines again: ids are computed, events sit behind a cursor, and sending a known id does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from brokers.protocol import Broker
from domain.clock import Clock
from domain.errors import Denied, JournalError, NotAvailable, Refused, VenueBusy, VenueForbids, VenueUnavailable
from domain.orders import Action, Intent, Leg, Order, OrderState
from journal.batch import Batch
from journal.crashpoints import reach
from journal.writer import Writer
from trading.books import Books
from trading.observer import Observer
from trading.protection import Protection
from trading.trades import Changes

CLOCK_KEY = "clock"
_GONE = (OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED)


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
        self,
        *,
        broker: Broker,
        books: Books,
        writer: Writer,
        clock: Clock,
        protection: Protection,
        observer: Observer,
        may_enter: Callable[[str], bool],
    ) -> None:
        """`may_enter` says whether holds let an instrument be entered at this moment."""
        self._broker = broker
        self._books = books
        self._writer = writer
        self._clock = clock
        self._protection = protection
        self._observer = observer
        self._may_enter = may_enter
        self._durable: list[Intent] = []
        self._begun: set[str] = set()
        self._answered: set[str] = set()
        self._unsent: set[str] = set()
        self._stopped: str | None = None
        self.forbidden: str | None = None
        """What the venue said when it refused the account or its key; it stands until a restart."""
        self._turn = asyncio.Lock()
        self.listener: Listener | None = None

    async def submit(self, intents: Sequence[Intent], batch: Batch) -> None:
        """Make intents durable together with everything else in `batch`, send them, take in the answers.

        Raises `JournalError` when they cannot be made durable; then this desk sends nothing any more.
        """
        async with self._turn:
            meant = self._intend(intents, batch)
            stamp(batch, self._clock)
            await self._commit(batch, meant)
            failed = await self._send_durable()
            if failed.touched:
                await self._settle(failed)
            await self._take_in()

    async def pump(self) -> None:
        """Take in facts and react to them until nothing more is told."""
        async with self._turn:
            await self._take_in()

    async def resolve(self) -> None:
        """Ask the venue about every order whose fate is not known; send again only what it provably never had.

        Called at start and while orders are unknown. `find` answering None is proof that there is no such order: it is
        absent. One that certainly never left is sent while its approval is fresh: this process knows that the venue did
        not take it, or the venue refuses an id that it ever had, so that it cannot be doubled.
        """
        async with self._turn:
            await self._take_in()
            self._begun &= self._books.intents.keys()
            self._answered &= self._books.intents.keys()
            self._unsent &= self._books.intents.keys()
            changes = Changes()
            for intent in self._books.pending():
                if intent.client_order_id in self._answered and not self._is_unknown(intent):
                    continue
                if intent.action is Action.PLACE:
                    await self._resolve_place(intent, changes)
                elif self._is_fresh(intent):
                    self._queue(intent)  # changing or cancelling twice is changing once
                else:
                    self._books.drop_change(intent, self._clock.now(), "no answer in time", changes)
            await self._settle(changes)
            await self._take_in()

    async def let_go(self, changes: Changes) -> None:
        """Make durable that everything believed to be at the venue is given up; nothing follows from it there."""
        async with self._turn:
            self._durable.clear()
            if self.listener is not None:
                self.listener.on_changes(changes)
            stamp(changes.batch, self._clock)
            await self._commit(changes.batch, ())

    async def recheck(self, orders: Iterable[Order]) -> None:
        """Ask by id about orders that the venue does not list though we believe they rest; ended ones end here."""
        async with self._turn:
            await self._take_in()
            for known in orders:
                if not self._books.orders[known.client_order_id].state.terminal:
                    await self._recheck(known.client_order_id)
            await self._take_in()

    async def _recheck(self, client_order_id: str) -> None:
        try:
            report = await self._broker.find(self._books.orders[client_order_id].intent)
        except NotAvailable:
            return  # no answer is no evidence; the next comparison asks again
        await self._take_in()
        order = self._books.orders[client_order_id]
        ended = report is None or (report.state in _GONE and report.filled == order.filled)
        if order.state.terminal or not ended:
            return  # told by its own events meanwhile, or executions are still to be told
        changes = Changes()
        state = OrderState.CANCELLED if report is None else report.state
        self._books.set_state(order, state, self._clock.now(), changes, reason="gone from the venue")
        await self._settle(changes)

    def _queue(self, intent: Intent) -> None:
        if intent not in self._durable:
            self._durable.append(intent)

    def _is_unknown(self, intent: Intent) -> bool:
        order = self._books.orders.get(intent.client_order_id)
        return order is not None and order.state is OrderState.UNKNOWN

    def _is_fresh(self, intent: Intent) -> bool:
        return self._clock.now() <= intent.approval.expires_at

    async def _resolve_place(self, intent: Intent, changes: Changes) -> None:
        order = self._books.orders[intent.client_order_id]
        if intent.client_order_id in self._unsent and self._is_fresh(intent):
            self._send_later(order, changes)
            return
        try:
            report = await self._broker.find(intent)
        except VenueUnavailable as error:
            self._mark_unknown(order, str(error), changes)
            return
        except VenueBusy:
            return  # nothing was asked, so nothing is known that was not known before
        if report is not None:
            self._answered.add(intent.client_order_id)
            if report.state is OrderState.ACCEPTED:
                now = self._clock.now()
                self._books.set_state(order, OrderState.ACCEPTED, now, changes, reason="found by id")
        elif self._may_be_sent_again(order):
            self._send_later(order, changes)
        else:
            reason = "the venue has no order of this id"
            self._books.set_state(order, OrderState.ABSENT, self._clock.now(), changes, reason=reason)

    def _send_later(self, order: Order, changes: Changes) -> None:
        """Send what has not left; an entry only if no hold has come since it was approved."""
        intent = order.intent
        if intent.leg is not Leg.ENTRY or self._may_enter(intent.instrument):
            self._queue(intent)
            return
        self._unsent.discard(intent.client_order_id)
        reason = "never sent: a hold came after its approval"
        self._books.set_state(order, OrderState.ABSENT, self._clock.now(), changes, reason=reason)

    def _may_be_sent_again(self, order: Order) -> bool:
        """Whether an order that the venue does not have may go out: it cannot be doubled there, and was not begun."""
        begun = order.state is not OrderState.PENDING or order.client_order_id in self._begun
        return not begun and self._broker.capabilities.rejects_duplicates and self._is_fresh(order.intent)

    def _intend(self, intents: Sequence[Intent], batch: Batch) -> list[Intent]:
        """Enter intents into books and batch; what two causes ask for at once is one and meant once."""
        meant = []
        for intent in intents:
            if intent.client_order_id in self._books.intents:
                continue
            self._books.intend(intent, batch)
            if self.listener is not None:
                self.listener.on_intent(intent, batch)
            meant.append(intent)
        return meant

    async def _commit(self, batch: Batch, meant: Sequence[Intent]) -> None:
        """Durable first: only what a commit returned for may be sent, and nothing once one failed."""
        try:
            await self._writer.commit(batch)
        except JournalError as error:
            self._stopped = str(error)
            raise
        self._durable.extend(meant)

    async def _take_in(self) -> None:
        """All facts there are. A venue that refused the account is not asked again: raises `VenueForbids` at once."""
        self._demand_whole()
        while True:
            if self.forbidden is not None:
                raise VenueForbids(self.forbidden)
            try:
                told = await self._broker.events(self._books.cursor)
            except VenueForbids as error:
                self.forbidden = str(error)
                raise
            if not told.events:
                return
            with self._whole_or_nothing():
                changes = self._books.apply(told.events, told.cursor)
            await self._settle(changes)

    async def _settle(self, changes: Changes) -> None:
        """Let everybody react to changes, make all of it durable, then send what it led to; until all is quiet."""
        while True:
            with self._whole_or_nothing():
                await self._record(changes)
            changes = await self._send_durable()
            if not changes.touched:
                return

    @contextmanager
    def _whole_or_nothing(self) -> Iterator[None]:
        """What fails in here leaves the books ahead of the journal: this desk then does nothing more, and a restart
        begins from what was written down."""
        done = False
        try:
            yield
            done = True
        finally:
            if not done and self._stopped is None:
                self._stopped = "facts were taken in and could not be written down"

    def _demand_whole(self) -> None:
        if self._stopped is not None:
            raise JournalError(f"nothing is done any more: {self._stopped}")

    async def _record(self, changes: Changes) -> None:
        for order in changes.moved:
            self._observer.order_moved(order)
        for fill, order in changes.fills:
            self._observer.filled(fill, order)
        if self.listener is not None:
            self.listener.on_changes(changes)
        meant = self._intend(self._protection.after(changes, self._books, self._clock.now()), changes.batch)
        if not len(changes.batch):
            return
        stamp(changes.batch, self._clock)
        if meant:
            await self._commit(changes.batch, meant)
        else:
            # Nothing is about to be sent because of these facts, and the venue tells them again after a
            # crash: they may wait for the next commit.
            self._writer.defer(changes.batch)

    async def _send_durable(self) -> Changes:
        """Send what is durable and was not sent; what comes of sends that failed is given back."""
        failed = Changes()
        while self._durable:
            self._demand_whole()
            await self._send(self._durable.pop(0), failed)
        return failed

    async def _send(self, intent: Intent, failed: Changes) -> None:
        self._begun.add(intent.client_order_id)
        self._unsent.discard(intent.client_order_id)
        reach("orders.before_send")
        try:
            await self._broker.send(intent)
            self._answered.add(intent.client_order_id)
        except VenueUnavailable as error:
            order = self._books.orders.get(intent.client_order_id)
            if order is not None:
                self._mark_unknown(order, str(error), failed)
        except VenueBusy:
            # It waits here, durable, until `resolve` finds that the venue may be asked again.
            self._begun.discard(intent.client_order_id)
            self._unsent.add(intent.client_order_id)
        except (Denied, VenueForbids) as error:
            if isinstance(error, VenueForbids):
                self.forbidden = str(error)
            self._give_up(intent, error, failed)
        reach("orders.after_send")

    def _give_up(self, intent: Intent, error: Refused, failed: Changes) -> None:
        """What was refused before it could do anything never reached the venue."""
        order = self._books.orders.get(intent.client_order_id)
        if order is not None:
            now, reason = self._clock.now(), f"never sent: {error}"
            self._books.set_state(order, OrderState.ABSENT, now, failed, reason=reason)
        else:
            self._books.drop_change(intent, self._clock.now(), str(error), failed)

    def _mark_unknown(self, order: Order, reason: str, changes: Changes) -> None:
        if order.state is not OrderState.UNKNOWN:
            self._books.set_state(order, OrderState.UNKNOWN, self._clock.now(), changes, reason=reason)
