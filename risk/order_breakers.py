"""Breakers on orders: how many messages, how often the same, how many the venue rejects, how far fills lie off."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.holds import Effect, Hold, HoldCause, new_hold
from domain.numbers import ZERO
from domain.orders import Side
from risk.equity_breakers import Stepped, cooldown, cooled, hours
from risk.events import Filled, OrderRejected, OrderSent
from risk.figures import figure, percent
from risk.limits import Limits
from risk.state import Execution, RiskState

MESSAGE_WINDOW = timedelta(minutes=1)
_BPS = Decimal(10_000)


def repeats(state: RiskState, instrument: str, side: Side, now: datetime, limits: Limits) -> int:
    """Entries of this instrument and side that were sent within the window, since a person last resumed."""
    window = timedelta(minutes=limits.repeat_window_minutes)
    return sum(
        1
        for each in state.executions
        if each.instrument == instrument and each.side is side and now - each.at < window and _counts(state, each)
    )


def _counts(state: RiskState, execution: Execution) -> bool:
    """What a person has seen and resumed after does not count again."""
    return state.rebased_at is None or execution.at >= state.rebased_at


def order_sent(state: RiskState, event: OrderSent, limits: Limits) -> Stepped:
    """Count a message; an entry that repeats too often stops all entries until a person resumes."""
    today = event.at.date()
    recent = [at for at in state.order_times if event.at - at < MESSAGE_WINDOW]
    executions = state.executions
    if event.entry:
        kept = timedelta(minutes=max(limits.repeat_window_minutes, limits.rejection_window_minutes))
        executions = (
            *(each for each in executions if event.at - each.at < kept),
            Execution(at=event.at, instrument=event.instrument, side=event.side, decision_id=event.decision_id),
        )
    # A clock that went back a day does not give the day's budget back.
    same_day = state.orders_day is not None and today <= state.orders_day
    after = replace(
        state,
        order_times=(*recent, event.at)[-limits.orders_per_minute :],
        orders_day=state.orders_day if same_day else today,
        orders_today=state.orders_today + 1 if same_day else 1,
        executions=executions,
    )
    return _throttled(after, event, limits) if event.entry else (after, ())


def _throttled(state: RiskState, event: OrderSent, limits: Limits) -> Stepped:
    same = repeats(state, event.instrument, event.side, event.at, limits)
    if state.throttled or same < limits.repeated_executions:
        return state, ()
    told = (
        f"{same} entries to {event.side} {event.instrument} were sent within {limits.repeat_window_minutes} minutes; "
        f"a person must see why before there is another"
    )
    hold = new_hold(HoldCause.REPEATED_EXECUTION, Effect.NO_ENTRIES, since=event.at, detail=told, latched=True)
    return replace(state, throttled=True), (hold,)


def order_rejected(state: RiskState, event: OrderRejected, limits: Limits) -> Stepped:
    """Rest an instrument whose entries are rejected again and again, and the account when too many of all are."""
    window = timedelta(minutes=limits.rejection_window_minutes)
    after, holds = _rejected_here(state, event, window, limits)
    refusals = (*(at for at in state.refusals if event.at - at < window), event.at)
    # A rejection of an entry that nobody told of counts as one that was sent.
    sent = sum(1 for each in state.executions if event.at - each.at < window and _counts(state, each))
    sent = max(sent, len(refusals))
    rate = Decimal(len(refusals)) / sent
    if sent < limits.reject_rate_orders or rate < limits.max_reject_rate:
        return replace(after, refusals=refusals), holds
    told = f"the venue rejected {len(refusals)} of {sent} entries within {limits.rejection_window_minutes} minutes"
    rested, hold = _rest(replace(after, refusals=()), event.at, f"{told}, {percent(rate)}", limits)
    return rested, (*holds, *hold)


def _rejected_here(state: RiskState, event: OrderRejected, window: timedelta, limits: Limits) -> Stepped:
    recent = (*(each for each in state.rejections if event.at - each[0] < window), (event.at, event.instrument))
    count = sum(1 for _, instrument in recent if instrument == event.instrument)
    if count < limits.max_rejections:
        return replace(state, rejections=recent), ()
    until = event.at + max(window, hours(limits.instrument_cooldown_hours))
    others = tuple(each for each in recent if each[1] != event.instrument)
    cooldowns = cooled(state, event.instrument, event.at, until)
    told = f"the venue rejected {count} orders in {event.instrument} within {limits.rejection_window_minutes} minutes"
    hold = cooldown(event.instrument, event.at, until, told)
    return replace(state, rejections=others, cooldowns=cooldowns), (hold,)


def filled(state: RiskState, event: Filled, limits: Limits) -> Stepped:
    """Rest the account when the last fills were, on average, too much worse than the cost model says."""
    excess = (event.at, event.instrument, event.slippage - event.modelled)
    last = (*state.excess_slippages, excess)[-limits.slippage_fills :]
    after = replace(state, excess_slippages=last)
    if len(last) < limits.slippage_fills:
        return after, ()
    average = sum((each for _, _, each in last), ZERO) / len(last) * _BPS
    if average < limits.max_excess_slippage_bps:
        return after, ()
    told = (
        f"the last {len(last)} fills were {figure(average)} bps worse than modelled on average; "
        f"{figure(limits.max_excess_slippage_bps)} bps stop entries"
    )
    return _rest(replace(after, excess_slippages=()), event.at, told, limits)


def _rest(state: RiskState, at: datetime, told: str, limits: Limits) -> tuple[RiskState, tuple[Hold, ...]]:
    """The account rests; what led to it is counted anew. A rest of no length leaves no hold."""
    until = at + hours(limits.cooldown_hours)
    if until <= at:
        return state, ()
    until = until if state.quality_until is None else max(until, state.quality_until)
    hold = new_hold(HoldCause.EXECUTION_QUALITY, Effect.NO_ENTRIES, since=at, detail=told, until=until)
    return replace(state, quality_until=until), (hold,)
