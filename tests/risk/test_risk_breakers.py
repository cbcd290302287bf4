"""Breakers cross once, latch, survive a restart, and are not fooled by money that moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from risk_builders import NOON, D

from domain.errors import InvalidRecord
from domain.holds import Effect, Hold, HoldCause
from domain.orders import Side
from risk.breakers import CashMoved, EquityMarked, Event, OrderRejected, OrderSent, Resumed, TradeClosed, step
from risk.limits import Limits
from risk.state import RiskState

LIMITS = Limits()
START = RiskState.starting(D(100000), NOON)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def after(state: RiskState, *events: Event, limits: Limits = LIMITS) -> tuple[RiskState, list[Hold]]:
    holds: list[Hold] = []
    for event in events:
        state, started = step(state, event, limits)
        holds.extend(started)
    return state, holds


def marked(equity: object, at: datetime = NOON, previous: int | None = None) -> EquityMarked:
    return EquityMarked(at=at, equity=D(str(equity)), previous=None if previous is None else D(previous))


def closed(profit: object, at: datetime = NOON, instrument: str = "EURUSD") -> TradeClosed:
    amount = D(str(profit))
    return TradeClosed(at=at, instrument=instrument, profit=amount, r_net=float(amount) / 500)


def moved(amount: object, at: datetime = NOON) -> CashMoved:
    return CashMoved(at=at, amount=D(str(amount)))


def causes(holds: list[Hold]) -> list[HoldCause]:
    return [hold.cause for hold in holds]


def test_a_mark_that_changes_nothing_gives_the_same_state_back() -> None:
    assert step(START, marked(99000), LIMITS) == (START, ())
    assert step(START, marked(99000), LIMITS)[0] is START


def test_the_peak_follows_equity_up_and_never_down() -> None:
    state, _ = after(START, marked(101000), marked(100500), marked(100900))
    assert state.peak == 101000
    assert state.drawdown(D(95950)) == 0.05
    assert state.drawdown(D(102000)) == 0.0


def test_at_ten_percent_a_latched_hold_stops_entries_and_is_told_once() -> None:
    loose = Limits(daily_loss=D("0.9"), weekly_loss=D("0.9"), emergency_drawdown=D("0.5"))
    _, none = after(START, marked("90000.01"), limits=loose)
    assert none == []
    state, holds = after(START, marked(90000), marked(85000, NOON + DAY), marked(99000), marked(85000), limits=loose)
    assert [(hold.cause, hold.effect, hold.latched, hold.scope) for hold in holds] == [
        (HoldCause.DRAWDOWN, Effect.NO_ENTRIES, True, None)
    ]
    assert holds[0].detail == "equity 90000 is 10% below its peak of 100000"
    assert state.drawdown_latched


def test_only_resumed_opens_the_drawdown_breaker_and_it_rebases_the_peak() -> None:
    latched, _ = after(START, marked(89000))
    assert latched.drawdown_latched
    later = NOON + 30 * DAY
    still, _ = after(
        RiskState.from_json(latched.to_json()),
        marked(150000, later),
        closed(5000, later),
        moved(50000, later),
        marked(200000, later),
    )
    assert still.drawdown_latched
    resumed, holds = after(latched, Resumed(at=later, equity=D(89000)))
    assert not resumed.drawdown_latched
    assert (resumed.peak, resumed.rebased_at, resumed.drawdown(D(89000))) == (89000, later, 0.0)
    assert holds == []
    _, again = after(resumed, marked(80100, later))
    assert HoldCause.DRAWDOWN in causes(again)


def test_resuming_resets_the_counted_losses() -> None:
    state, _ = after(START, closed(-1), closed(-1), marked(96000), Resumed(at=NOON, equity=D(96000)))
    assert (state.consecutive_losses, state.losses_until, state.day_lost, state.week_lost) == (0, None, False, False)
    assert state.cooldowns == {}
    assert (state.day_start_equity, state.week_start_equity) == (96000, 96000)


def test_a_lost_day_holds_until_midnight_utc_and_starts_anew() -> None:
    state, holds = after(START, marked("97000.01"), marked(97000), marked(96000))
    assert causes(holds) == [HoldCause.DAILY_LOSS]
    assert holds[0].until == datetime(2024, 1, 4, tzinfo=UTC)
    assert (holds[0].latched, holds[0].effect) == (False, Effect.NO_ENTRIES)
    midnight = datetime(2024, 1, 4, tzinfo=UTC)
    assert not holds[0].in_force(midnight)
    next_day, none = after(state, marked(96000, midnight), marked(95000, midnight + HOUR))
    assert none == []
    assert (next_day.day_lost, next_day.day_start_equity, next_day.day) == (False, 96000, midnight.date())
    _, second = after(next_day, marked(93120, midnight + 2 * HOUR))
    assert HoldCause.DAILY_LOSS in causes(second)


def test_a_day_starts_from_the_last_mark_before_it() -> None:
    """Daily bars give one mark a day: the loss lies between two of them."""
    state, holds = after(START, marked(98000), marked("95061", NOON + DAY, previous=98000))
    assert holds == []
    assert (state.day_start_equity, state.day_lost) == (98000, False)
    _, holds = after(START, marked(98000), marked(95060, NOON + DAY, previous=98000))
    assert causes(holds) == [HoldCause.DAILY_LOSS]
    assert holds[0].until == datetime(2024, 1, 5, tzinfo=UTC)


def test_without_the_last_mark_a_gap_counts_from_the_start_of_the_earlier_day() -> None:
    state, holds = after(START, marked(98000), marked(97000, NOON + DAY))
    assert causes(holds) == [HoldCause.DAILY_LOSS]
    assert (state.day_lost, state.day_start_equity) == (True, 97000)


def test_a_lost_week_holds_until_monday() -> None:
    state, holds = after(
        START,
        marked(98000),
        marked(96000, NOON + DAY, previous=98000),
        marked(94000, NOON + 2 * DAY, previous=96000),
        marked(93900, NOON + 2 * DAY, previous=94000),
    )
    assert causes(holds) == [HoldCause.WEEKLY_LOSS]
    monday = datetime(2024, 1, 8, tzinfo=UTC)
    assert holds[0].until == monday
    fresh, none = after(state, marked(93900, monday, previous=93900), marked(93000, monday + HOUR, previous=93900))
    assert none == []
    assert (fresh.week_lost, fresh.week_start_equity, fresh.week) == (False, 93900, monday.date())


def test_a_lost_week_stays_lost_on_its_other_days() -> None:
    state, _ = after(START, marked(94000))
    next_day, again = after(state, marked(93900, NOON + DAY, previous=94000))
    assert (next_day.week_lost, next_day.day_lost, again) == (True, False, [])


def test_a_gap_over_the_weekend_counts_in_the_new_week() -> None:
    monday = datetime(2024, 1, 8, tzinfo=UTC)
    state, holds = after(START, marked(100000), marked(93000, monday, previous=100000))
    assert causes(holds) == [HoldCause.DAILY_LOSS, HoldCause.WEEKLY_LOSS]
    assert holds[1].until == monday + 7 * DAY
    assert (state.week_start_equity, state.week_lost) == (100000, True)


def test_a_clock_that_goes_back_a_day_forgives_nothing() -> None:
    lost, _ = after(START, marked(96500))
    back, holds = after(lost, marked(96500, NOON - 2 * DAY))
    assert back is lost
    assert holds == []


def test_six_losses_in_a_row_rest_a_day_and_a_win_breaks_the_row() -> None:
    quiet = Limits(instrument_cooldown_hours=D(0))
    state, none = after(START, *[closed(-10)] * 5, closed(10), *[closed(-10)] * 5, closed(0), limits=quiet)
    assert (none, state.consecutive_losses) == ([], 5)
    state, holds = after(state, closed(-10), closed(-10), limits=quiet)
    assert causes(holds) == [HoldCause.CONSECUTIVE_LOSSES]
    assert holds[0].until == NOON + DAY == state.losses_until
    assert state.consecutive_losses == 1


def test_a_loss_rests_its_instrument() -> None:
    state, holds = after(START, closed(-10), closed(10, instrument="GBPUSD"))
    assert [(hold.cause, hold.scope, hold.until) for hold in holds] == [(HoldCause.COOLDOWN, "EURUSD", NOON + HOUR)]
    assert dict(state.cooldowns) == {"EURUSD": NOON + HOUR}
    later, _ = after(state, closed(-1, NOON + 2 * HOUR, "AUDUSD"))
    assert dict(later.cooldowns) == {"AUDUSD": NOON + 3 * HOUR}


def test_five_rejections_of_one_instrument_within_an_hour_rest_it() -> None:
    def no(minute: int, instrument: str = "EURUSD") -> OrderRejected:
        return OrderRejected(at=NOON + timedelta(minutes=minute), instrument=instrument)

    state, none = after(START, no(0), no(1), no(2), no(3), no(4, "GBPUSD"), no(60))
    assert none == []
    state, holds = after(state, no(60))
    assert [(hold.cause, hold.scope, hold.until) for hold in holds] == [(HoldCause.COOLDOWN, "EURUSD", NOON + 2 * HOUR)]
    assert [instrument for _, instrument in state.rejections] == ["GBPUSD"]


def test_messages_are_counted_by_minute_and_day_and_entries_remembered() -> None:
    def sent(seconds: int, **changes: Any) -> OrderSent:
        at = NOON + timedelta(seconds=seconds)
        return OrderSent(**{"at": at, "instrument": "EURUSD", "side": Side.BUY, **changes})

    state, _ = after(START, sent(0, decision_id="one"), sent(30, entry=False), sent(61, entry=False))
    assert state.order_times == (NOON + timedelta(seconds=30), NOON + timedelta(seconds=61))
    assert (state.orders_day, state.orders_today) == (NOON.date(), 3)
    assert [(each.at, each.decision_id) for each in state.executions] == [(NOON, "one")]
    tomorrow, _ = after(state, sent(86400))
    assert (tomorrow.orders_today, len(tomorrow.executions), len(tomorrow.order_times)) == (1, 1, 1)
    back, _ = after(tomorrow, sent(0))
    assert back.orders_today == 2


def test_remembered_messages_stay_bounded() -> None:
    state, _ = after(START, *[OrderSent(at=NOON, instrument="EURUSD", side=Side.BUY, entry=False)] * 200)
    assert len(state.order_times) == LIMITS.orders_per_minute
    assert state.orders_today == 200


def test_a_withdrawal_is_no_loss_and_a_deposit_hides_none() -> None:
    state, _ = after(START, marked(95000), moved(-50000))
    assert state.drawdown(D(45000)) == 0.05
    state, holds = after(state, marked(45000))
    assert HoldCause.DRAWDOWN not in causes(holds)
    assert state.drawdown(D(45000)) == 0.05
    state, _ = after(START, marked(97500), moved(900000), marked(997500))
    assert state.drawdown(D(997500)) == 0.025
    _, holds = after(state, marked(900000))
    assert HoldCause.DRAWDOWN in causes(holds)


def test_a_loss_beside_a_deposit_is_still_seen() -> None:
    state, holds = after(START, moved(100000), marked(190000))
    assert causes(holds) == [HoldCause.DRAWDOWN, HoldCause.DAILY_LOSS, HoldCause.WEEKLY_LOSS]
    assert state.drawdown(D(190000)) == 0.1


def test_a_deposit_into_an_empty_account_leaves_the_breaker_latched() -> None:
    state, holds = after(START, moved(10000), marked(10000))
    assert HoldCause.DRAWDOWN in causes(holds)
    assert (state.drawdown_latched, state.peak) == (True, 10000)


def test_emptying_the_account_does_not_divide_by_nothing() -> None:
    state, _ = after(START, moved(-100000), marked(0))
    assert (state.peak, state.pending_cash) == (100000, 0)


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_an_event_without_a_number_cannot_exist(amount: str) -> None:
    for event in (EquityMarked, Resumed):
        with pytest.raises(InvalidRecord, match="is not money"):
            event(at=NOON, equity=D(amount))
    with pytest.raises(InvalidRecord, match="is not money"):
        CashMoved(at=NOON, amount=D(amount))


def test_an_empty_account_cannot_resume() -> None:
    with pytest.raises(InvalidRecord, match="needs a deposit"):
        Resumed(at=NOON, equity=D(0))


equities = st.integers(50_000, 150_000).map(D)
marks = st.tuples(st.integers(0, 40), equities).map(lambda pair: ("mark", *pair))
closes = st.tuples(st.integers(0, 40), st.sampled_from([D(-100), D(0), D(100)])).map(lambda pair: ("close", *pair))
stories = st.lists(st.one_of(marks, closes), max_size=40)


def told(story: list[tuple[str, int, D]]) -> list[Event]:
    """The story in order of time, its numbers being hours between events."""
    at, events = NOON, list[Event]()
    for kind, hours, amount in story:
        at += hours * HOUR
        events.append(marked(amount, at) if kind == "mark" else closed(amount, at))
    return events


@given(stories)
def test_the_peak_never_falls_and_the_latch_never_opens_by_itself(story: list[tuple[str, int, D]]) -> None:
    state = START
    for event in told(story):
        later, holds = step(state, event, LIMITS)
        assert later.peak >= state.peak
        assert later.drawdown_latched >= state.drawdown_latched
        assert (HoldCause.DRAWDOWN in causes(list(holds))) == (later.drawdown_latched > state.drawdown_latched)
        if isinstance(event, EquityMarked):
            assert later.peak >= event.equity
            assert later.drawdown_latched or event.equity > later.peak * (1 - LIMITS.max_drawdown)
        state = later


@given(st.lists(equities, min_size=1, max_size=20), st.integers(1, 30))
def test_a_day_is_held_exactly_when_it_lost_its_limit_since_midnight(path: list[D], hours: int) -> None:
    state, last, day = START, D(100000), NOON.date()
    start, lost = last, False
    for number, equity in enumerate(path):
        at = NOON + number * hours * HOUR
        if at.date() != day:
            day, start, lost = at.date(), last, False
        state, holds = step(state, EquityMarked(at=at, equity=equity, previous=last), LIMITS)
        crossed = not lost and equity <= start * D("0.97")
        assert (HoldCause.DAILY_LOSS in causes(list(holds))) == crossed
        lost = lost or crossed
        assert state.day_lost == lost
        last = equity


@given(stories)
def test_a_restart_between_any_two_events_changes_nothing(story: list[tuple[str, int, D]]) -> None:
    steady, restarted = START, START
    for event in told(story):
        steady, holds = step(steady, event, LIMITS)
        restarted, same_holds = step(RiskState.from_json(restarted.to_json()), event, LIMITS)
        assert restarted == steady
        assert same_holds == holds


@given(st.lists(equities, min_size=1, max_size=15), st.data())
def test_money_that_moves_neither_makes_nor_hides_drawdown(path: list[D], data: st.DataObject) -> None:
    """An account that pays in and out is judged like one that does not and has the same returns."""
    plain, funded = START, START
    scale = D(1)
    for hour, equity in enumerate(path):
        at = NOON + hour * HOUR
        plain, expected = step(plain, marked(equity, at), LIMITS)
        amount = D(data.draw(st.integers(-20_000, 50_000)))
        funded, none = step(funded, CashMoved(at=at, amount=amount), LIMITS)
        assert none == ()
        funded, holds = step(funded, EquityMarked(at=at, equity=equity * scale + amount), LIMITS)
        assert causes(list(holds)) == causes(list(expected))
        scale = (equity * scale + amount) / equity
        assert funded.drawdown_latched == plain.drawdown_latched
        assert funded.drawdown(equity * scale) == pytest.approx(plain.drawdown(equity), abs=2e-6)
        if equity * scale < 25_000:
            break
