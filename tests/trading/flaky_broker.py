"""A venue that can fail: any broker behind it, with faults that tests switch on. Without faults it is that broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from brokers.protocol import Broker, BrokerEvent, Capabilities, EventKind, Events, OrderReport, VenueReport
from domain.clock import Clock
from domain.errors import VenueBusy, VenueForbids, VenueUnavailable
from domain.orders import Action, Intent, OrderState

_REFUSALS = {
    Action.PLACE: EventKind.REJECTED,
    Action.REPLACE: EventKind.REPLACE_REJECTED,
    Action.CANCEL: EventKind.CANCEL_REJECTED,
}


@dataclass
class Faults:
    """What goes wrong. Counted faults happen that often and then no more."""

    lost_on_the_way: int = 0
    """Sends that never arrive and are not answered."""
    answers_lost: int = 0
    """Sends that arrive, and whose answer is lost."""
    busy: int = 0
    """Sends that the venue does not even look at, and says so."""
    forbids: bool = False
    """The account's key is refused, whatever is asked."""
    silent: bool = False
    """Events, reports and look-ups are not answered."""
    refuses: Callable[[Intent], bool] = field(default=lambda _intent: False)
    """What the venue says no to."""
    hides: set[str] = field(default_factory=set)
    """Orders that the venue has lost: not listed in its report and not found."""
    hanging: asyncio.Event | None = None
    """Sends wait for it before they leave."""
    incomplete: bool = False
    """Reports leave everything out, and say so."""


class FlakyBroker:
    """`sent` lists every intent whose sending was begun, in order."""

    def __init__(self, inner: Broker, clock: Clock) -> None:
        self.inner = inner
        self.faults = Faults()
        self.sent: list[Intent] = []
        self.before_send: Callable[[Intent], None] = lambda _intent: None
        self._clock = clock
        self._own: list[BrokerEvent] = []
        self._refused: dict[str, Intent] = {}

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def send(self, intent: Intent) -> None:
        self.before_send(intent)
        self.sent.append(intent)
        if self.faults.hanging is not None:
            await self.faults.hanging.wait()
        self._demand_key()
        if self.faults.busy > 0:
            self.faults.busy -= 1
            raise VenueBusy("too many requests", wait_s=1.0)
        if self.faults.lost_on_the_way > 0:
            self.faults.lost_on_the_way -= 1
            raise VenueUnavailable("no answer")
        if self.faults.refuses(intent):
            self._refuse(intent)
        else:
            await self.inner.send(intent)
        if self.faults.answers_lost > 0:
            self.faults.answers_lost -= 1
            raise VenueUnavailable("no answer")

    async def find(self, intent: Intent) -> OrderReport | None:
        self._demand_answer()
        client_order_id = intent.client_order_id
        if client_order_id in self.faults.hides:
            return None
        refused = self._refused.get(client_order_id)
        if refused is not None:
            return OrderReport(
                client_order_id=client_order_id,
                venue_order_id="refused",
                instrument=refused.instrument,
                state=OrderState.REJECTED,
                quantity=refused.quantity,
                filled=refused.quantity * 0,
            )
        return await self.inner.find(intent)

    async def events(self, after: str) -> Events:
        self._demand_answer()
        inner, _, own = after.partition("/")
        told = await self.inner.events(inner)
        mine = self._own[int(own or 0) :]
        return Events(
            events=(*told.events, *mine), cursor=f"{told.cursor}/{len(self._own)}" if self._own else told.cursor
        )

    async def report(self) -> VenueReport:
        self._demand_answer()
        report = await self.inner.report()
        listed = tuple(each for each in report.open_orders if each.client_order_id not in self.faults.hides)
        return VenueReport(
            at=report.at,
            account=report.account,
            currency=report.currency,
            balance=report.balance,
            positions={} if self.faults.incomplete else report.positions,
            open_orders=() if self.faults.incomplete else listed,
            complete=report.complete and not self.faults.incomplete,
        )

    async def close(self) -> None:
        await self.inner.close()

    def _refuse(self, intent: Intent) -> None:
        self._refused[intent.client_order_id] = intent
        self._own.append(
            BrokerEvent(
                kind=_REFUSALS[intent.action],
                at=self._clock.now(),
                client_order_id=intent.target_id or intent.client_order_id,
                intent_id=intent.client_order_id,
                reason="the venue says no",
            )
        )

    def _demand_key(self) -> None:
        if self.faults.forbids:
            raise VenueForbids("the key was revoked")

    def _demand_answer(self) -> None:
        self._demand_key()
        if self.faults.silent:
            raise VenueUnavailable("no answer")
