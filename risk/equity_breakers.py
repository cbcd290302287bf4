"""Breakers on equity: drawdown, emergency, margin, lost days and weeks, losing trades.

Days and weeks are UTC, a week starts on Monday, and both start from the last equity marked before them, so that an
overnight gap and the loss of a daily bar are seen. Money that was paid in or out changes no drawdown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeAlias

from domain.holds import Effect, Hold, HoldCause, new_hold
from domain.numbers import ZERO
from risk.events import EquityMarked, MarginMarked, TradeClosed
from risk.figures import figure, percent
from risk.limits import Limits
from risk.state import RiskState, monday_of

Stepped: TypeAlias = tuple[RiskState, tuple[Hold, ...]]
"""The state after an event, and the holds that start with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Crossed:
    """Which thresholds a mark crosses that were not crossed before."""

    emergency: bool
    drawdown: bool
    day: bool
    week: bool

    @property
    def any(self) -> bool:
        return self.emergency or self.drawdown or self.day or self.week


def equity_marked(state: RiskState, event: EquityMarked, limits: Limits) -> Stepped:
    """Judge the equity against its peak and against the starts of day and week."""
    if state.pending_cash:
        return _marked_after_cash(state, event, limits)
    return _marked(state, event, event.equity, limits)


def margin_marked(state: RiskState, event: MarginMarked) -> Stepped:
    """Latch when equity covers less than the rules' share of the margin that is needed."""
    covered = event.required == 0 or event.equity >= event.close_out * event.required
    if state.margin_latched or covered:
        return state, ()
    told = (
        f"equity {figure(event.equity)} is less than {percent(event.close_out)} of the margin of "
        f"{figure(event.required)} that the open positions need"
    )
    return replace(state, margin_latched=True), (_emergency(event.at, told),)


def trade_closed(state: RiskState, event: TradeClosed, limits: Limits) -> Stepped:
    """Count losses in a row, and rest the instrument that lost."""
    if event.profit > 0:
        return (replace(state, consecutive_losses=0) if state.consecutive_losses else state), ()
    if event.profit == 0:
        return state, ()
    holds: list[Hold] = []
    losses, losses_until = state.consecutive_losses + 1, state.losses_until
    if losses >= limits.consecutive_losses:
        # Counting starts anew, so that the next run of losses after this rest is held again.
        losses, losses_until = 0, event.at + hours(limits.cooldown_hours)
        if losses_until > event.at:
            told = f"{limits.consecutive_losses} losses in a row, the last in {event.instrument}"
            holds.append(
                new_hold(
                    HoldCause.CONSECUTIVE_LOSSES, Effect.NO_ENTRIES, since=event.at, detail=told, until=losses_until
                )
            )
    cooldowns = state.cooldowns
    rest = hours(limits.instrument_cooldown_hours)
    if rest:
        told = f"a loss of {figure(-event.profit)} in {event.instrument}"
        cooldowns = cooled(state, event.instrument, event.at, event.at + rest)
        holds.append(cooldown(event.instrument, event.at, event.at + rest, told))
    after = replace(state, consecutive_losses=losses, losses_until=losses_until, cooldowns=cooldowns)
    return after, tuple(holds)


def cooled(state: RiskState, instrument: str, at: datetime, until: datetime) -> Mapping[str, datetime]:
    """The rests that last beyond `at`, with a new one that shortens none."""
    lasting = {name: end for name, end in state.cooldowns.items() if end > at}
    lasting[instrument] = max(until, lasting.get(instrument, until))
    return dict(sorted(lasting.items()))


def cooldown(instrument: str, at: datetime, until: datetime, told: str) -> Hold:
    """The rest of one instrument."""
    return new_hold(HoldCause.COOLDOWN, Effect.NO_ENTRIES, since=at, detail=told, scope=instrument, until=until)


def hours(amount: Decimal) -> timedelta:
    """A limit in hours as a span of time."""
    return timedelta(hours=float(amount))


def _marked(state: RiskState, event: EquityMarked, equity: Decimal, limits: Limits) -> Stepped:
    if event.at.date() > state.day:
        return _first_mark_of_a_day(state, event, equity, limits)
    return _judged(state, event.at, equity, limits)


def _judged(state: RiskState, at: datetime, equity: Decimal, limits: Limits) -> Stepped:
    crossed = _Crossed(
        emergency=not state.emergency_latched and equity <= state.peak * (1 - limits.emergency_drawdown),
        drawdown=not state.drawdown_latched and equity <= state.peak * (1 - limits.max_drawdown),
        day=not state.day_lost and equity <= state.day_start_equity * (1 - limits.daily_loss),
        week=not state.week_lost and equity <= state.week_start_equity * (1 - limits.weekly_loss),
    )
    if not crossed.any:
        return (replace(state, peak=equity) if equity > state.peak else state), ()
    after = replace(
        state,
        peak=max(state.peak, equity),
        emergency_latched=state.emergency_latched or crossed.emergency,
        drawdown_latched=state.drawdown_latched or crossed.drawdown,
        day_lost=state.day_lost or crossed.day,
        week_lost=state.week_lost or crossed.week,
    )
    return after, _loss_holds(state, at, equity, crossed)


def _first_mark_of_a_day(state: RiskState, event: EquityMarked, equity: Decimal, limits: Limits) -> Stepped:
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


def _marked_after_cash(state: RiskState, event: EquityMarked, limits: Limits) -> Stepped:
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


def _loss_holds(state: RiskState, at: datetime, equity: Decimal, crossed: _Crossed) -> tuple[Hold, ...]:
    today = at.date()
    holds: list[Hold] = []
    below_peak = f"equity {figure(equity)} is {percent(1 - equity / state.peak)} below its peak of {figure(state.peak)}"
    if crossed.emergency:
        holds.append(_emergency(at, below_peak))
    if crossed.drawdown:
        holds.append(new_hold(HoldCause.DRAWDOWN, Effect.NO_ENTRIES, since=at, detail=below_peak, latched=True))
    if crossed.day:
        lost = f"equity {figure(equity)} against {figure(state.day_start_equity)} at the start of the day"
        midnight = _midnight(today + timedelta(days=1))
        holds.append(new_hold(HoldCause.DAILY_LOSS, Effect.NO_ENTRIES, since=at, detail=lost, until=midnight))
    if crossed.week:
        lost = f"equity {figure(equity)} against {figure(state.week_start_equity)} at the start of the week"
        monday = _midnight(monday_of(today) + timedelta(days=7))
        holds.append(new_hold(HoldCause.WEEKLY_LOSS, Effect.NO_ENTRIES, since=at, detail=lost, until=monday))
    return tuple(holds)


def _emergency(at: datetime, told: str) -> Hold:
    return new_hold(HoldCause.EMERGENCY, Effect.REDUCE_ONLY, since=at, detail=told, latched=True)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
