"""Makes the events of a plan happen: in the exchange, on the way to it, to the daemon's process, and by people."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exchange.faults import FaultKind
from exchange.wire import Request
from simulation.checks_requests import name_in
from simulation.happenings import ANSWERED_S, RECOVERY_S, Happenings
from simulation.plan import ASKED, REFUSALS, Event
from simulation.witness import DurableIntent

if TYPE_CHECKING:
    from simulation.world import World

FORGOTTEN_AFTER_S = 3 * 3600.0
"""How long a fault waits for the request that it is meant for."""
LOOKED_AGAIN_S = 6.0
"""After a lie the daemon looks again in its own time: it reads the whole account every five seconds."""

KINDS: Mapping[str, FaultKind] = {
    "lost_request": FaultKind.DROP_BEFORE,
    "lost_answer": FaultKind.DROP_AFTER,
    "late_arrival": FaultKind.DELAY,
    "late_answer": FaultKind.DELAY_AFTER,
    "error_after": FaultKind.STATUS_AFTER,
    "error_before": FaultKind.STATUS_BEFORE,
    "refused_entry": FaultKind.REJECT,
    "refused_stop": FaultKind.REJECT,
    "refused_close": FaultKind.REJECT,
    "limited": FaultKind.LIMITED,
    "banned": FaultKind.BANNED,
    "partial": FaultKind.PARTIAL,
    "trades_repeated": FaultKind.TRADES_REPEATED,
    "trades_reordered": FaultKind.TRADES_REORDERED,
    "trades_hidden": FaultKind.TRADES_HIDDEN,
    "open_orders_stale": FaultKind.OPEN_ORDERS_STALE,
    "open_orders_hidden": FaultKind.OPEN_ORDERS_HIDDEN,
    "order_hidden": FaultKind.ORDER_HIDDEN,
    "positions_empty": FaultKind.POSITIONS_EMPTY,
    "balances_empty": FaultKind.BALANCES_EMPTY,
}
TARGETS: Mapping[str, str] = {
    "refused_entry": "entry",
    "refused_stop": "stop",
    "refused_close": "close",
    "trades_repeated": "trades",
    "trades_reordered": "trades",
    "trades_hidden": "trades",
    "open_orders_stale": "open_orders",
    "open_orders_hidden": "open_orders",
    "order_hidden": "order",
    "positions_empty": "account",
    "balances_empty": "account",
}
ASKED_OR_ANY = frozenset({*ASKED, "any"})
LEGS = frozenset({"entry", "stop", "target", "close"})


@dataclass(slots=True)
class Armed:
    """A fault that waits for its requests."""

    name: str
    kind: FaultKind
    target: str
    left: int
    until: float
    parameters: Mapping[str, Any]


class Trouble:
    """Plays the events of a plan; `happened` counts what really did."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.happened: Counter[str] = Counter()
        self.armed: list[Armed] = []
        self._crash: tuple[str, int, float] | None = None
        self._torn: list[tuple[str, float, float]] = []
        world.network.torn_for_s = self.tears
        self._happenings = Happenings(world, self._count)
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether something waits to go wrong with the daemon's next questions."""
        now = self.world.loop.time()
        return any(each.left and each.until > now and each.target in ASKED_OR_ANY for each in self.armed)

    async def play(self, begin_s: float) -> None:
        for event in self.world.plan.events:
            wait_s = begin_s + event.at - self.world.loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self.world.trace.add("event", event.name, dict(event.with_))
            self._begin(event)

    def _begin(self, event: Event) -> None:
        if event.name in self._happenings.acts:
            task = self.world.loop.create_task(self._act(event), name=event.name)  # a loop of our own runs it
            self._under_way.add(task)
            task.add_done_callback(self._done)
        elif event.name == "torn":
            until = self.world.loop.time() + FORGOTTEN_AFTER_S
            self._torn.append((event.with_["target"], event.with_["ms"] / 1000, until))
        elif event.name.startswith("crash_"):
            self._arm_crash(event)
        else:
            self._arm(event)

    async def _act(self, event: Event) -> None:
        await self._happenings.acts[event.name](event.with_)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.world.violate("the simulation fails", f"{task.get_name()}: {type(error).__name__}: {error}")
            self.world.failures.append(error)

    def _count(self, name: str, recovery_s: float) -> None:
        self.happened[name] += 1
        self.world.trace.add("fault", name)
        self.world.account_checks.disturb(recovery_s)

    # -- faults of single requests ----------------------------------------------------------------------------

    def _arm(self, event: Event) -> None:
        given = dict(event.with_)
        target = given.pop("target", None) or TARGETS[event.name]
        how = given.pop("how", None)
        if "which" in given:
            code, message = REFUSALS[self.world.kind][event.name][int(given.pop("which"))]
            given |= {"code": code, "message": message}
        kind = FaultKind(how) if how is not None else KINDS[event.name]
        times = int(given.pop("times", 1))
        until = self.world.loop.time() + FORGOTTEN_AFTER_S
        self.armed.append(Armed(event.name, kind, target, times, until, given))

    def meet(self, request: Request, intent: DurableIntent | None) -> None:
        """Switch the first waiting fault on that is meant for this request, which then meets it."""
        if not self.armed:
            return
        now = self.world.loop.time()
        self.armed = [each for each in self.armed if each.left and each.until > now]
        target = target_of(request, intent)
        for each in self.armed:
            placed = each.target == "place" and target in LEGS
            if each.target in ("any", target) or placed:
                each.left -= 1
                self.world.exchange.faults.add(
                    each.kind, method=request.method, path=f"^{re.escape(request.path)}$", times=1, **each.parameters
                )
                self._count(each.name, recovery_of(each))
                self.world.loop.call_later(LOOKED_AGAIN_S, self.world.nudge)
                return

    def tears(self, request: Request) -> float | None:
        """Whether the connection of a request breaks as it leaves, and how much later the request arrives then."""
        if not self._torn or request.method == "GET":
            return None
        self._torn = [each for each in self._torn if each[2] > self.world.loop.time()]
        target = target_of(request, self.world.witness.intent(name_in(request)))
        for each in self._torn:
            if each[0] == target or (each[0] == "place" and target in LEGS):
                self._torn.remove(each)
                self._count("torn", RECOVERY_S)
                return each[1]
        return None

    # -- crashes ----------------------------------------------------------------------------------------------

    def _arm_crash(self, event: Event) -> None:
        when = event.with_.get("when", event.name.removeprefix("crash_"))
        self._crash = (str(when), int(event.with_["after"]), float(event.with_.get("later_s", 0.0)))

    def comes_to(self, place: str) -> bool:
        """Whether the process ends here; `place` is at_point, leaves, arrived, answered or while_waiting."""
        if self._crash is None or self._crash[0] != place:
            return False
        _, left, later_s = self._crash
        self._crash = (place, left - 1, later_s)
        if left > 1:
            return False
        self._crash = None
        if place == "while_waiting":
            self.world.loop.call_later(later_s, self.world.crash, place)
            return False
        return True

    def end(self) -> None:
        """Everything that is still on goes off."""
        self.armed.clear()
        self._torn.clear()
        self._crash = None
        for task in list(self._under_way):
            if task.get_name() not in ("paused", "halted", "revoked"):
                task.cancel()


def target_of(request: Request, intent: DurableIntent | None) -> str:
    """What kind of request it is, in the words of the plans."""
    path = request.path
    if request.method == "DELETE":
        return "cancel"
    if request.method == "POST":
        return intent.leg if intent is not None else "place"
    for part, target in (
        ("openOrders", "open_orders"),
        ("openAlgoOrders", "open_orders"),
        ("rades", "trades"),
        ("rder", "order"),
        ("account", "account"),
        ("positionRisk", "account"),
        ("time", "time"),
    ):
        if part in path:
            return target
    return "other"


def recovery_of(armed: Armed) -> float:
    if armed.kind is FaultKind.REJECT:
        return ANSWERED_S if not (armed.name == "refused_close" and armed.left) else RECOVERY_S
    if armed.kind is FaultKind.PARTIAL:
        return ANSWERED_S
    return RECOVERY_S + float(armed.parameters.get("seconds", 0)) + float(armed.parameters.get("ms", 0)) / 1000
