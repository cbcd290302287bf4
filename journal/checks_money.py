"""Checks of cash, balance, equity, peak and drawdown. Each gives its faults, in sentences.

Rows carry the number of the commit they came with, so "before" is exact across tables; within one commit an
equity point may stand anywhere among the cash events.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from domain.numbers import ZERO
from domain.positions import realized_by
from domain.records import CashKind
from journal import schema
from journal.codec import AnyRow
from journal.evidence import Evidence

DRAWDOWN_TOLERANCE = 5e-6
"""Six significant digits are kept of a drawdown, which lies in [0, 1]."""

_RESUME = "resume"


def cash_events_are_what_fills_say(evidence: Evidence) -> list[str]:
    expected = dict(_expected_events(evidence))
    booked = {
        event_id: Decimal(amount)
        for event_id, kind, amount in evidence.columns(schema.cash_events, "event_id", "kind", "amount")
        if kind in (CashKind.REALIZED.value, CashKind.FEE.value)
    }
    faults = []
    for event_id in sorted(expected.keys() | booked.keys()):
        should, amount = expected.get(event_id), booked.get(event_id)
        if should is None:
            faults.append(f"cash event {event_id} of {amount} belongs to no fill")
        elif (amount or ZERO) != should:
            faults.append(f"cash event {event_id} is {'missing' if amount is None else amount}, the fill says {should}")
    return faults


def _expected_events(evidence: Evidence) -> Iterator[tuple[str, Decimal]]:
    """Amounts by event id; one that is 0 need not have been booked."""
    for fill in evidence.fills:
        yield f"fee-{fill.trade_id}", -fill.fee
    for trade_id, (fill, before) in evidence.folded.realized.items():
        yield f"realized-{trade_id}", realized_by(before, fill)


def balance_is_the_sum_of_cash(evidence: Evidence) -> list[str]:
    events = list(evidence.columns(schema.cash_events, "sequence", "amount"))
    faults = []
    total, position = ZERO, 0
    for point in evidence.columns(schema.equity, "sequence", "at", "balance"):
        while position < len(events) and events[position].sequence < point.sequence:
            total += Decimal(events[position].amount)
            position += 1
        possible = _totals_within(total, events, position, point.sequence)
        if Decimal(point.balance) not in possible:
            faults.append(f"commit {point.sequence}: the balance is {point.balance}, the cash events sum to {total}")
    return faults


def _totals_within(total: Decimal, events: list[AnyRow], position: int, sequence: int) -> list[Decimal]:
    """The totals that the balance passes through during one commit."""
    possible = [total]
    while position < len(events) and events[position].sequence == sequence:
        total += Decimal(events[position].amount)
        possible.append(total)
        position += 1
    return possible


def equity_is_balance_and_floating(evidence: Evidence) -> list[str]:
    return [
        f"commit {sequence}: an equity of {equity} is not {balance} and {floating} floating"
        for sequence, balance, floating, equity in evidence.columns(
            schema.equity, "sequence", "balance", "floating", "equity"
        )
        if Decimal(balance) + Decimal(floating) != Decimal(equity)
    ]


def peak_falls_only_by_command(evidence: Evidence) -> list[str]:
    """A recorded resume re-bases the peak, and so does money that left the account."""
    allowed = _rebases(evidence)
    faults = []
    last: tuple[int, Decimal] | None = None
    for sequence, peak_text, equity in evidence.columns(schema.equity, "sequence", "peak", "equity"):
        peak = Decimal(peak_text)
        if peak < Decimal(equity):
            faults.append(f"commit {sequence}: a peak of {peak} lies below an equity of {equity}")
        if last is not None and peak < last[1] and not any(last[0] <= each <= sequence for each in allowed):
            faults.append(f"commit {sequence}: the peak fell from {last[1]} to {peak} without a command")
        last = (sequence, peak)
    return faults


def _rebases(evidence: Evidence) -> list[int]:
    """Commits in which the peak may fall."""
    commands = evidence.columns(schema.commands, "sequence", "name")
    found = [sequence for sequence, name in commands if name == _RESUME]
    for sequence, kind, amount in evidence.columns(schema.cash_events, "sequence", "kind", "amount"):
        withdrawn = kind == CashKind.DEPOSIT.value and Decimal(amount) < 0
        if withdrawn or kind == CashKind.RESET.value:
            found.append(sequence)
    return found


def drawdown_is_the_distance_to_the_peak(evidence: Evidence) -> list[str]:
    faults = []
    for sequence, equity, peak, drawdown in evidence.columns(schema.equity, "sequence", "equity", "peak", "drawdown"):
        expected = 1.0 if Decimal(peak) <= 0 else float(1 - Decimal(equity) / Decimal(peak))
        if abs(min(1.0, max(0.0, expected)) - drawdown) > DRAWDOWN_TOLERANCE:
            faults.append(f"commit {sequence}: a drawdown of {drawdown}, equity and peak say {expected}")
    return faults
