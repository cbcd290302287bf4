"""What must hold at the moment an order request reaches the exchange."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exchange.answering import NAMES_OF_ID
from exchange.wire import Reply, Request
from simulation.truth import OURS
from simulation.witness import DurableIntent

from domain.holds import Effect
from venues.hosts import demand_demo
from venues.records import MarketKind

if TYPE_CHECKING:
    from simulation.world import World

CHANGES = frozenset({"POST", "DELETE", "PUT"})
NOT_DONE = frozenset({418, 429})
"""Answers that prove that nothing was done."""
HTTP_REFUSED = 400
BY_RULE = frozenset({"time", "trailing", "reversal", "target"})
"""Causes of exits that a halt keeps from being sent."""
EXPIRED_UNFILLED = re.compile(
    r'"executedQty":"0(\.0*)?"(?=.*"status":"EXPIRED")|"status":"EXPIRED".*"executedQty":"0(\.0*)?"'
)
"""A market order that met an empty book: the exchange closes nothing, as little as if it had refused."""
LARGEST_SKEW_MS = 500
SKEW_SEEN_S = 255.0
"""The venue's clock is measured once a minute; a ban of two minutes lets none of that through."""


def name_in(request: Request) -> str:
    """The client id that a request names; empty where it names none."""
    named = request.parameters()
    return next((named[each] for each in NAMES_OF_ID if named.get(each)), "")


@dataclass(slots=True)
class Sent:
    """What is known of one id at the exchange: how often it arrived without proof that nothing was done."""

    arrivals: int = 0
    proven_undone: int = 0


@dataclass(slots=True)
class RequestChecks:
    """Looks at every request that changes an order."""

    world: World
    sent: dict[str, Sent] = field(default_factory=dict)
    entries: dict[str, str] = field(default_factory=dict)
    """The id of the one entry of each decision."""
    skewed_since: float | None = None

    def arrives(self, request: Request, left_at: float) -> DurableIntent | None:
        """Check a request; the intent of the order that it places, if it places one."""
        if request.method not in CHANGES or "rder" not in request.path:
            return None
        demand_demo(f"https://{request.host}{request.path}", request.headers)
        named = request.parameters()
        name = name_in(request)
        self.world.trace.add("orders", request.method, request.path.rpartition("/")[2], name, named.get("type", ""))
        if request.method == "DELETE":
            self._check_cancel(name, named)
            return None
        intent = self.world.witness.intent(name)
        self._check_durable(name, intent)
        self._check_sent_once(name)
        if intent is None:
            return None
        self._check_approval(intent, left_at)
        if intent.leg == "entry":
            self._check_entry(intent)
        else:
            self._check_exit(intent, named)
        return intent

    def answered(self, request: Request, reply: Reply) -> None:
        """Note where an answer proves that nothing was done."""
        if request.method != "POST" or "rder" not in request.path:
            return
        if (reply.status == HTTP_REFUSED or EXPIRED_UNFILLED.search(reply.body)) and not reply.dropped:
            self._refused(request)
        undone = reply.status in NOT_DONE or any(f'"code":{code},' in reply.body for code in (-1016, -1008, -1021))
        if undone and not reply.dropped:
            self.sent.setdefault(name_in(request), Sent()).proven_undone += 1

    def _refused(self, request: Request) -> None:
        intent = self.world.witness.intent(name_in(request))
        if intent is not None:
            self.world.account_checks.refuse(intent.instrument, intent.leg)

    def _check_cancel(self, name: str, named: Mapping[str, str]) -> None:
        if name and not name.startswith(OURS):
            self.world.violate("foreign orders are never touched", f"a cancel of {name}")
        if name and self.world.witness.intent(name) is None:
            self.world.violate("an intent is durable before its request", f"a cancel of {name}, which nobody meant")
        if not name and self._is_foreign(named.get("orderId", ""), named.get("symbol", "")):
            self.world.violate("foreign orders are never touched", f"a cancel of order {named['orderId']}")

    def _is_foreign(self, order_id: str, symbol: str) -> bool:
        truth = self.world.truth
        orders = [o for o in truth.account.orders if str(o.order_id) == order_id and o.symbol == symbol]
        return bool(orders) and not truth.is_ours(orders[-1])

    def _check_durable(self, name: str, intent: DurableIntent | None) -> None:
        if intent is None:
            self.world.violate("an intent is durable before its request", f"{name} arrives and is not in the journal")
        elif intent.action != "place":
            self.world.violate("an intent is durable before its request", f"{name} was meant to {intent.action}")

    def _check_sent_once(self, name: str) -> None:
        sent = self.sent.setdefault(name, Sent())
        sent.arrivals += 1
        if name in self.world.journal_checks.given_up:
            self.world.violate("an end needs evidence", f"{name} arrives after the journal gave it up")
        if sent.arrivals > 1 + sent.proven_undone:
            self.world.violate("each id is sent once", f"{name} arrives {sent.arrivals} times")

    def _check_approval(self, intent: DurableIntent, left_at: float) -> None:
        left = self.world.epoch_s(left_at)
        if not intent.created_at - 0.001 <= left <= intent.expires_at + 0.001:
            late = left - intent.expires_at
            self.world.violate(
                "an order leaves with a fresh approval", f"{intent.client_order_id} left {late:.1f} s after it expired"
            )

    def _check_entry(self, intent: DurableIntent) -> None:
        world, name = self.world, intent.client_order_id
        first = self.entries.setdefault(intent.cause_id, name)
        if first != name:
            world.violate("one order for one cause", f"decision {intent.cause_id} is entered as {first} and {name}")
        life = world.life
        if life is None or life.stack is None or life.dead:
            return
        session = life.session
        if not life.started or session.reconciler.last_at is None:
            world.violate("nothing trades before reconciliation", f"the entry {name} arrives before it")
        for hold in session.holds.in_force(world.clock.now()):
            stands = hold.effect >= Effect.NO_ENTRIES and hold.covers(intent.instrument)
            if stands and hold.since.timestamp() < intent.created_at:
                world.violate("a hold keeps entries out", f"the entry {name} arrives under {hold.cause}: {hold.detail}")
        unknown = [order for order in session.books.unknown() if order.intent.instrument == intent.instrument]
        if any(order.updated_at.timestamp() < intent.created_at for order in unknown):
            world.violate("an unknown order keeps entries out", f"the entry {name} in {intent.instrument}")
        if self.skewed_since is not None and world.loop.time() - self.skewed_since > SKEW_SEEN_S:
            world.violate("a venue with another clock is not entered", f"the entry {name}")

    def _check_exit(self, intent: DurableIntent, named: Mapping[str, str]) -> None:
        world = self.world
        if world.kind is MarketKind.LINEAR and named.get("reduceOnly") != "true":
            world.violate("exits are reduce-only", f"{intent.leg} {intent.client_order_id} may open a position")
        life = world.life
        if life is None or life.stack is None or life.dead or intent.leg != "close":
            return
        halts = [
            hold
            for hold in life.session.holds.in_force(world.clock.now())
            if hold.effect is Effect.HALT and hold.covers(intent.instrument)
        ]
        halted = any(hold.since.timestamp() < intent.created_at for hold in halts)
        if halted and intent.reason in BY_RULE and intent.attempt == 1:
            world.violate("a halt sends nothing but protection", f"a close for {intent.reason}")
