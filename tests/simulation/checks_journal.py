"""What must hold of the journal at every step: it holds only what the exchange did, and holds outlive restarts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulation.truth import ZERO
from simulation.witness import DurableFill, DurableHold, DurableOrder

if TYPE_CHECKING:
    from simulation.life import Life
    from simulation.world import World

NEVER_THERE = ("absent", "rejected")
ENDED = ("cancelled", "expired", "filled")


@dataclass(slots=True)
class JournalChecks:
    """Follows what becomes durable."""

    world: World
    fills: dict[tuple[str, int], DurableFill] = field(default_factory=dict)
    latched: dict[str, DurableHold] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    """Orders of which the journal says that the exchange never had them."""
    resumes: int = 0
    """How often a person resumed."""

    def step(self) -> None:
        if not self.world.witness.has_news():
            return
        for fill in self.world.witness.new_fills():
            self._check_fill(fill)
        for order in self.world.witness.new_orders():
            self._check_end(order)
        for hold in self.world.witness.new_holds():
            self._follow(hold)

    def began(self, life: Life) -> None:
        """A life passed its barrier: what was latched before it must be in force."""
        self.step()
        there = {hold.hold_id for hold in life.session.holds.all()}
        for hold in self.latched.values():
            if hold.hold_id not in there:
                self.world.violate("latched holds outlive restarts", f"{hold.cause} is not in force any more")

    def _check_fill(self, fill: DurableFill) -> None:
        symbol, _, number = fill.trade_id.rpartition(":")[2].rpartition("-")
        key = (symbol, int(number))
        if key in self.fills:
            self.world.violate("no execution is counted twice", f"{fill.trade_id} of {fill.client_order_id}")
        self.fills[key] = fill
        if self.world.truth.wiped:
            return
        found = self.world.truth.trades.get(key)
        if found is None:
            self.world.violate("only what was executed is a fill", f"the exchange knows no {fill.trade_id}")
            return
        trade = found.trade
        same = (
            fill.client_order_id == found.client_order_id
            and (fill.quantity, fill.price, fill.side.upper()) == (trade.quantity, trade.price, trade.side)
            and fill.base_fee == (trade.fee if trade.fee_asset != "USDT" else ZERO)
            and (trade.fee_asset != "USDT" or fill.fee == trade.fee)
        )
        if not same:
            self.world.violate("a fill is what was executed", f"{fill} against {trade}")

    def _check_end(self, order: DurableOrder) -> None:
        """An order ends in the journal on evidence: the exchange must bear it out."""
        if self.world.truth.wiped or order.state not in (*NEVER_THERE, *ENDED):
            return
        there = self.world.truth.order(order.client_order_id)
        name = order.client_order_id
        if order.state in NEVER_THERE:
            self.given_up.add(name)
            if there is not None and not there.is_refused:
                self.world.violate("an end needs evidence", f"{name} is {order.state}, and the exchange has it")
        elif there is None:
            self.world.violate("an end needs evidence", f"{name} is {order.state}, and the exchange never had it")
        elif there.is_open:
            self.world.violate("an end needs evidence", f"{name} is {order.state}, and is open at the exchange")
        elif order.filled != there.filled:
            told = f"{name} is {order.state} with {order.filled} filled; the exchange filled {there.filled}"
            self.world.violate("executions are told before the end", told)

    def _follow(self, hold: DurableHold) -> None:
        if hold.cleared_by is None and hold.latched:
            self.latched[hold.hold_id] = hold
            self.world.trace.add("latched", hold.cause, hold.effect)
        elif hold.cleared_by is not None and self.latched.pop(hold.hold_id, None) is not None and not self.resumes:
            self.world.violate("only a person clears a latched hold", f"{hold.cause} by {hold.cleared_by}")
