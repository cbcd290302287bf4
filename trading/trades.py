"""A trade in hand, and what one round of events did to the books."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from domain.decisions import Decision, ExitCause
from domain.numbers import ZERO
from domain.orders import Fill, Intent, Leg, Order
from domain.positions import Position
from domain.records import CashEvent
from journal.batch import Batch


@dataclass(slots=True)
class Trade:
    """A decision that was ordered, and what became of it so far.

    `entry_fx` is the quote-to-account rate of its first fill; `stop_price` where its stop was last put;
    `swap` what holding it cost or earned.
    `closing_leg` and `closing_reason` name the order whose fill came last. `leaving` is why it is to be closed as soon
    as its stop, which locks what it would sell, has been taken back; `wanted_stop` where the next stop goes then.
    `spent` says that its outcome is written: whatever it does from then on is undone, and taught to nobody.
    """

    decision: Decision
    position: Position | None = None
    entry_fx: Decimal | None = None
    stop_price: Decimal | None = None
    swap: Decimal = ZERO
    closing_leg: Leg | None = None
    closing_reason: str = ""
    leaving: ExitCause | None = None
    wanted_stop: Decimal | None = None
    stop_attempt: int = 0
    spent: bool = False

    @property
    def trade_id(self) -> str:
        return self.decision.decision_id

    def note_stop(self, intent: Intent) -> None:
        """Where the newest stop was put; an older one that is told of later says nothing about it."""
        if intent.attempt >= self.stop_attempt:
            self.stop_attempt = intent.attempt
            self.stop_price = intent.stop_price


@dataclass(slots=True)
class Changes:
    """What one round of events did that others must react to."""

    batch: Batch = field(default_factory=Batch)
    touched: set[str] = field(default_factory=set)
    closed: list[Trade] = field(default_factory=list)
    unfilled: list[Decision] = field(default_factory=list)
    revived: list[Decision] = field(default_factory=list)
    rejected: list[Order] = field(default_factory=list)
    fills: list[tuple[Fill, Order]] = field(default_factory=list)
    moved: list[Order] = field(default_factory=list)
    withdrawn: list[CashEvent] = field(default_factory=list)
