"""How fast, and how often the same."""

from __future__ import annotations

from datetime import timedelta

from risk.denial import Denial
from risk.order_breakers import MESSAGE_WINDOW, repeats
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
        sent = next((each for each in snapshot.state.executions if each.decision_id == proposal.decision_id), None)
        if sent is None:
            return None
        told = f"decision {proposal.decision_id} was already sent as an order"
        numbers = {"decision_id": proposal.decision_id, "sent_at": sent.at.isoformat()}
        return Denial(rule=self.name, reason="duplicate_decision", detail=told, numbers=numbers)


class RepeatedExecution:
    """The same entry over and over within a short time is a runaway strategy. The breaker of this name latches at the
    last entry that is allowed; this rule counts anew, so that a lost latch lets nothing through."""

    name = "repeated_execution"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        limits, symbol = snapshot.limits, proposal.instrument.symbol
        same = repeats(snapshot.state, symbol, proposal.side, snapshot.now, limits)
        if same < limits.repeated_executions:
            return None
        window = timedelta(minutes=limits.repeat_window_minutes)
        return Denial(
            rule=self.name,
            reason="repeated_execution",
            detail=f"{same} entries to {proposal.side} {symbol} were sent within {window}",
            numbers={"value": str(same), "allowed": str(limits.repeated_executions)},
        )
