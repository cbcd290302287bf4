"""The breakers: one event in, the next state and the holds that start with it out.

A hold is returned when its threshold is crossed and not again while it lasts. The drawdown breaker latches: only
`Resumed`, a recorded command, opens it. Days and weeks are UTC, a week starts on Monday, and both start from the
last equity marked before them, so that an overnight gap and the loss of a daily bar are seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeAlias, assert_never

from domain.clock import require_utc
from domain.errors import InvalidRecord
from domain.holds import Effect, Hold, HoldCause, new_hold
from domain.numbers import ZERO
from domain.orders import Side
from risk.figures import figure, percent
from risk.limits import Limits
from risk.state import Execution, RiskState, monday_of

Holds: TypeAlias = tuple[Hold, ...]
MESSAGE_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class EquityMarked:
    """Equity (balance plus floating profit) in account currency, once per scan.

    `previous` is the equity of the mark before, from which a new day or week starts; None where it is not known.
    """

    at: datetime
    equity: Decimal
    previous: Decimal | None = None

    def __post_init__(self) -> None:
        _require_valid(self.at, self.equity)
        if self.previous is not None:
            _require_valid(self.at, self.previous)


@dataclass(frozen=True, kw_only=True, slots=True)
class CashMoved:
    """A deposit (above 0) or withdrawal (below 0). Fees, swaps, funding and dividends are profit or loss: not this."""

    at: datetime
    amount: Decimal

    def __post_init__(self) -> None:
        _require_valid(self.at, self.amount)


@dataclass(frozen=True, kw_only=True, slots=True)
class TradeClosed:
    """A position closed. `profit` in account currency net of fees; `r_net` in multiples of its initial risk."""

    at: datetime
    instrument: str
    profit: Decimal
    r_net: float

    def __post_init__(self) -> None:
        _require_valid(self.at, self.profit)


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderSent:
    """One message to the venue. `entry` False is a stop, target, exit, replacement or cancel: a message, but no
    execution that may repeat."""

    at: datetime
    instrument: str
    side: Side
    entry: bool = True
    decision_id: str = ""

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRejected:
    """The venue's definite no to one order."""

    at: datetime
    instrument: str

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """A person (or the declared simulated operator) resumed: the peak starts anew at `equity`, and no loss counts."""

    at: datetime
    equity: Decimal

    def __post_init__(self) -> None:
        _require_valid(self.at, self.equity)
        if self.equity <= 0:
            raise InvalidRecord(f"an account with equity {self.equity} cannot resume; it needs a deposit first")


Event: TypeAlias = EquityMarked | CashMoved | TradeClosed | OrderSent | OrderRejected | Resumed


def step(state: RiskState, event: Event, limits: Limits) -> tuple[RiskState, Holds]:
    """The state after `event`, and the holds that start now. The same object comes back when nothing changed."""
    if isinstance(event, EquityMarked):
        if state.pending_cash:
            return _marked_after_cash(state, event, limits)
        return _marked(state, event, event.equity, limits)
    if isinstance(event, OrderSent):
        return _order_sent(state, event, limits), ()
    if isinstance(event, TradeClosed):
        return _trade_closed(state, event, limits)
    if isinstance(event, OrderRejected):
        return _order_rejected(state, event, limits)
    if isinstance(event, CashMoved):
        return replace(state, pending_cash=state.pending_cash + event.amount), ()
    if isinstance(event, Resumed):
        return _resumed(state, event), ()
    assert_never(event)


def _marked(state: RiskState, event: EquityMarked, equity: Decimal, limits: Limits) -> tuple[RiskState, Holds]:
    if event.at.date() > state.day:
        return _first_mark_of_a_day(state, event, equity, limits)
    return _judged(state, event.at, equity, limits)


def _judged(state: RiskState, at: datetime, equity: Decimal, limits: Limits) -> tuple[RiskState, Holds]:
    fell = not state.drawdown_latched and equity <= state.peak * (1 - limits.max_drawdown)
    lost_day = not state.day_lost and equity <= state.day_start_equity * (1 - limits.daily_loss)
    lost_week = not state.week_lost and equity <= state.week_start_equity * (1 - limits.weekly_loss)
    if not (fell or lost_day or lost_week):
        return (replace(state, peak=equity) if equity > state.peak else state), ()
    after = replace(
        state,
        peak=max(state.peak, equity),
        drawdown_latched=state.drawdown_latched or fell,
        day_lost=state.day_lost or lost_day,
        week_lost=state.week_lost or lost_week,
    )
    return after, _loss_holds(state, at, equity, fell=fell, lost_day=lost_day, lost_week=lost_week)


def _first_mark_of_a_day(
    state: RiskState, event: EquityMarked, equity: Decimal, limits: Limits
) -> tuple[RiskState, Holds]:
    today = event.at.date()
    monday = monday_of(today)
    new_week = monday > state.week
    # Without the last mark before midnight the loss since then is judged from the start of the earlier day, at
    # most once; too strict rather than blind to it.
    if event.previous is not None:
        day_start = week_start = event.previous
    else:
        day_start = equity if state.day_lost else state.day_start_equity
        week_start = equity if state.week_lost else state.week_start_equity
    rolled = replace(
        state,
        day=today,
        day_start_equity=day_start,
        day_lost=False,
        week=monday if new_week else state.week,
        week_start_equity=week_start if new_week else state.week_start_equity,
        week_lost=state.week_lost and not new_week,
    )
    judged, holds = _judged(rolled, event.at, equity, limits)
    if event.previous is not None:
        return judged, holds
    week_start = equity if new_week else judged.week_start_equity
    return replace(judged, day_start_equity=equity, week_start_equity=week_start), holds


def _marked_after_cash(state: RiskState, event: EquityMarked, limits: Limits) -> tuple[RiskState, Holds]:
    """Judge the equity as if the money had not moved, then scale every reference so that no drawdown changes."""
    before = event.equity - state.pending_cash
    judged, holds = _marked(replace(state, pending_cash=ZERO), event, before, limits)
    if event.equity <= 0:
        return judged, holds
    if before <= 0:
        # Nothing was left to scale; the drawdown has latched, and the deposit is where the account starts anew.
        start = event.equity
        return replace(judged, peak=start, day_start_equity=start, week_start_equity=start), holds
    factor = event.equity / before
    scaled = replace(
        judged,
        peak=judged.peak * factor,
        day_start_equity=judged.day_start_equity * factor,
        week_start_equity=judged.week_start_equity * factor,
    )
    return scaled, holds


def _loss_holds(
    state: RiskState, at: datetime, equity: Decimal, *, fell: bool, lost_day: bool, lost_week: bool
) -> Holds:
    today = at.date()
    holds: list[Hold] = []
    if fell:
        lost = f"equity {figure(equity)} is {percent(1 - equity / state.peak)} below its peak of {figure(state.peak)}"
        holds.append(new_hold(HoldCause.DRAWDOWN, Effect.NO_ENTRIES, since=at, detail=lost, latched=True))
    if lost_day:
        lost = f"equity {figure(equity)} against {figure(state.day_start_equity)} at the start of the day"
        midnight = _midnight(today + timedelta(days=1))
        holds.append(new_hold(HoldCause.DAILY_LOSS, Effect.NO_ENTRIES, since=at, detail=lost, until=midnight))
    if lost_week:
        lost = f"equity {figure(equity)} against {figure(state.week_start_equity)} at the start of the week"
        monday = _midnight(monday_of(today) + timedelta(days=7))
        holds.append(new_hold(HoldCause.WEEKLY_LOSS, Effect.NO_ENTRIES, since=at, detail=lost, until=monday))
    return tuple(holds)


def _trade_closed(state: RiskState, event: TradeClosed, limits: Limits) -> tuple[RiskState, Holds]:
    if event.profit > 0:
        return (replace(state, consecutive_losses=0) if state.consecutive_losses else state), ()
    if event.profit == 0:
        return state, ()
    holds: list[Hold] = []
    losses, losses_until = state.consecutive_losses + 1, state.losses_until
    if losses >= limits.consecutive_losses:
        # Counting starts anew, so that the next run of losses after this rest is held again.
        losses, losses_until = 0, event.at + _hours(limits.cooldown_hours)
        if losses_until > event.at:
            told = f"{limits.consecutive_losses} losses in a row, the last in {event.instrument}"
            holds.append(
                new_hold(
                    HoldCause.CONSECUTIVE_LOSSES, Effect.NO_ENTRIES, since=event.at, detail=told, until=losses_until
                )
            )
    cooldowns = state.cooldowns
    rest = _hours(limits.instrument_cooldown_hours)
    if rest:
        told = f"a loss of {figure(-event.profit)} in {event.instrument}"
        cooldowns = _cooled(state, event.instrument, event.at, event.at + rest)
        holds.append(_cooldown(event.instrument, event.at, event.at + rest, told))
    after = replace(state, consecutive_losses=losses, losses_until=losses_until, cooldowns=cooldowns)
    return after, tuple(holds)


def _order_sent(state: RiskState, event: OrderSent, limits: Limits) -> RiskState:
    today = event.at.date()
    recent = [at for at in state.order_times if event.at - at < MESSAGE_WINDOW]
    executions = state.executions
    if event.entry:
        window = timedelta(minutes=limits.repeat_window_minutes)
        executions = (
            *(each for each in executions if event.at - each.at < window),
            Execution(at=event.at, instrument=event.instrument, side=event.side, decision_id=event.decision_id),
        )
    # A clock that went back a day does not give the day's budget back.
    same_day = state.orders_day is not None and today <= state.orders_day
    return replace(
        state,
        order_times=(*recent, event.at)[-limits.orders_per_minute :],
        orders_day=state.orders_day if same_day else today,
        orders_today=state.orders_today + 1 if same_day else 1,
        executions=executions,
    )


def _order_rejected(state: RiskState, event: OrderRejected, limits: Limits) -> tuple[RiskState, Holds]:
    window = timedelta(minutes=limits.rejection_window_minutes)
    recent = (*(each for each in state.rejections if event.at - each[0] < window), (event.at, event.instrument))
    count = sum(1 for _, instrument in recent if instrument == event.instrument)
    if count < limits.max_rejections:
        return replace(state, rejections=recent), ()
    until = event.at + max(window, _hours(limits.instrument_cooldown_hours))
    others = tuple(each for each in recent if each[1] != event.instrument)
    cooldowns = _cooled(state, event.instrument, event.at, until)
    told = f"the venue rejected {count} orders in {event.instrument} within {limits.rejection_window_minutes} minutes"
    hold = _cooldown(event.instrument, event.at, until, told)
    return replace(state, rejections=others, cooldowns=cooldowns), (hold,)


def _resumed(state: RiskState, event: Resumed) -> RiskState:
    today = max(event.at.date(), state.day)
    return replace(
        state,
        peak=event.equity,
        day=today,
        day_start_equity=event.equity,
        week=monday_of(today),
        week_start_equity=event.equity,
        pending_cash=ZERO,
        drawdown_latched=False,
        day_lost=False,
        week_lost=False,
        consecutive_losses=0,
        losses_until=None,
        cooldowns={},
        rebased_at=event.at,
    )


def _cooled(state: RiskState, instrument: str, at: datetime, until: datetime) -> Mapping[str, datetime]:
    """The rests that last beyond `at`, with a new one that shortens none."""
    lasting = {name: end for name, end in state.cooldowns.items() if end > at}
    lasting[instrument] = max(until, lasting.get(instrument, until))
    return dict(sorted(lasting.items()))


def _cooldown(instrument: str, at: datetime, until: datetime, told: str) -> Hold:
    return new_hold(HoldCause.COOLDOWN, Effect.NO_ENTRIES, since=at, detail=told, scope=instrument, until=until)


def _hours(hours: Decimal) -> timedelta:
    return timedelta(hours=float(hours))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _require_valid(at: datetime, amount: Decimal) -> None:
    require_utc(at, "at")
    if not amount.is_finite():
        raise InvalidRecord(f"an amount of {amount} at {at.isoformat()} is not money")
