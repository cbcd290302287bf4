"""How fast, and how often the same."""

from __future__ import annotations

from datetime import timedelta

from risk.breakers import MESSAGE_WINDOW
from risk.denial import Denial
from risk.snapshot import Proposal, Snapshot

# The entry, its stop and its target: an entry that leaves no message for its protection is not sent.
MESSAGES_OF_AN_ENTRY = 3


class MessageBudget:
    """Messages per minute and per UTC day, the unanswered ones included. Exits are never denied by it."""

    name = "message_budget"

    def check(self, _proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        state, limits, now = snapshot.state, snapshot.limits, snapshot.now
        minute = sum(1 for at in state.order_times if now - at < MESSAGE_WINDOW)
        if minute + MESSAGES_OF_AN_ENTRY > limits.orders_per_minute:
            return self._spent("minute", minute, limits.orders_per_minute)
        today = state.orders_today if state.orders_day is not None and now.date() <= state.orders_day else 0
        if today + MESSAGES_OF_AN_ENTRY > limits.orders_per_day:
            return self._spent("day", today, limits.orders_per_day)
        return None

    def _spent(self, span: str, sent: int, allowed: int) -> Denial:
        return Denial(
            rule=self.name,
            reason=f"messages_per_{span}",
            detail=f"{sent} of {allowed} messages a {span} are spent; an entry needs {MESSAGES_OF_AN_ENTRY}",
            numbers={"sent": str(sent), "allowed": str(allowed)},
        )


class DuplicateDecision:
    """A decision is executed once."""

    name = "duplicate"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        if all(each.decision_id != proposal.decision_id for each in snapshot.state.executions):
            return None
        told = f"decision {proposal.decision_id} was already sent as an order"
        return Denial(rule=self.name, reason="duplicate_decision", detail=told)


class RepeatedExecution:
    """The same entry over and over within a short time is a runaway strategy."""

    name = "repeated_execution"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        window = timedelta(minutes=snapshot.limits.repeat_window_minutes)
        same = sum(
            1
            for each in snapshot.state.executions
            if each.instrument == proposal.instrument.symbol
            and each.side is proposal.side
            and snapshot.now - each.at < window
        )
        if same < snapshot.limits.repeated_executions:
            return None
        told = f"{same} entries to {proposal.side} {proposal.instrument.symbol} were sent within {window}"
        return Denial(rule=self.name, reason="repeated_execution", detail=told, numbers={"value": str(same)})
