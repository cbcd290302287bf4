"""Breakers that latch or rest the account: emergency, margin, throttle, rejections, slippage; all survive a restart."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from risk_builders import NOON, D, denied, proposal, snapshot

from domain.errors import InvalidRecord
from domain.holds import Effect, Hold, HoldCause, new_hold
from domain.orders import Approval, Side
from risk.breakers import (
    CashMoved,
    EquityMarked,
    Event,
    Filled,
    MarginMarked,
    OrderRejected,
    OrderSent,
    Resumed,
    step,
)
from risk.gate import Gate
from risk.limits import Limits
from risk.state import RiskState

START = RiskState.starting(D(100000), NOON)
CALM = {"daily_loss": D("0.9"), "weekly_loss": D("0.9")}
LIMITS = Limits(**CALM)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def after(state: RiskState, *events: Event, limits: Limits = LIMITS) -> tuple[RiskState, list[Hold]]:
    """The events one by one, with a restart between any two."""
    holds: list[Hold] = []
    for event in events:
        state, started = step(RiskState.from_json(state.to_json()), event, limits)
        holds.extend(started)
    return state, holds


def marked(equity: object, at: datetime = NOON) -> EquityMarked:
    return EquityMarked(at=at, equity=D(str(equity)))


def sent(minute: int, instrument: str = "EURUSD", side: Side = Side.BUY) -> OrderSent:
    return OrderSent(at=NOON + minute * MINUTE, instrument=instrument, side=side, decision_id=f"{instrument}{minute}")


def rejected(minute: int, instrument: str = "EURUSD") -> OrderRejected:
    return OrderRejected(at=NOON + minute * MINUTE, instrument=instrument)


def fill(minute: int, slippage_bps: object, modelled_bps: object = 1) -> Filled:
    slippage, modelled = D(str(slippage_bps)) / 10_000, D(str(modelled_bps)) / 10_000
    return Filled(at=NOON + minute * MINUTE, instrument="EURUSD", slippage=slippage, modelled=modelled)


# -- emergency ------------------------------------------------------------------------------------------------


def test_at_fifteen_percent_everything_is_closed_and_a_person_must_look() -> None:
    _, before = after(START, marked("85000.01"))
    assert [hold.cause for hold in before] == [HoldCause.DRAWDOWN]
    state, holds = after(START, marked("85000.01"), marked(85000), marked(70000), marked(99000), marked(70000))
    assert [(hold.cause, hold.effect, hold.latched, hold.scope) for hold in holds] == [
        (HoldCause.DRAWDOWN, Effect.NO_ENTRIES, True, None),
        (HoldCause.EMERGENCY, Effect.REDUCE_ONLY, True, None),
    ]
    assert holds[1].flattens
    assert not holds[0].flattens
    assert holds[1].detail == "equity 85000 is 15% below its peak of 100000"
    assert state.latched == ("emergency", "drawdown")
    resumed, _ = after(state, Resumed(at=NOON + DAY, equity=D(70000)))
    assert (resumed.latched, resumed.peak) == ((), 70000)


def test_one_fall_through_both_lines_starts_both_holds() -> None:
    _, holds = after(START, marked(80000))
    assert [hold.cause for hold in holds] == [HoldCause.EMERGENCY, HoldCause.DRAWDOWN]
    assert len({hold.hold_id for hold in holds}) == 2


@given(st.integers(60_000, 100_000).map(D), st.integers(-50_000, 500_000).map(D))
def test_money_that_moves_neither_makes_nor_hides_an_emergency(equity: D, amount: D) -> None:
    _, plain = after(START, marked(equity))
    _, funded = after(START, CashMoved(at=NOON, amount=amount), marked(equity + amount))
    assert [hold.cause for hold in funded] == [hold.cause for hold in plain]
    assert (HoldCause.EMERGENCY in [hold.cause for hold in plain]) == (equity <= 85_000)


# -- margin ---------------------------------------------------------------------------------------------------


def margin(equity: int, required: int, close_out: str = "0.5") -> MarginMarked:
    return MarginMarked(at=NOON, equity=D(equity), required=D(required), close_out=D(close_out))


def test_equity_below_half_of_the_margin_closes_everything_and_latches() -> None:
    state, holds = after(START, margin(500, 1000), margin(499, 1000), margin(100, 1000), margin(5000, 1000))
    assert [(hold.cause, hold.effect, hold.latched, hold.flattens) for hold in holds] == [
        (HoldCause.EMERGENCY, Effect.REDUCE_ONLY, True, True)
    ]
    assert holds[0].detail == "equity 499 is less than 50% of the margin of 1000 that the open positions need"
    assert state.latched == ("margin",)
    assert denied(proposal(), snapshot(state=state)).reason == "breaker_emergency"
    assert after(state, Resumed(at=NOON, equity=D(100)))[0].latched == ()


def test_without_positions_no_margin_is_short() -> None:
    assert step(START, margin(0, 0), LIMITS) == (START, ())
    assert step(START, margin(-1, 0), LIMITS) == (START, ())


@pytest.mark.parametrize("wrong", [{"required": D(-1)}, {"required": D("NaN")}, {"close_out": D(-1)}])
def test_a_margin_that_is_none_cannot_be_marked(wrong: dict[str, D]) -> None:
    values = {"equity": D(1), "required": D(1), "close_out": D("0.5"), **wrong}
    with pytest.raises(InvalidRecord):
        MarginMarked(at=NOON, **values)


# -- repeated execution ---------------------------------------------------------------------------------------


def test_the_fifth_entry_of_a_kind_within_an_hour_stops_all_entries_until_a_person_resumes() -> None:
    state, none = after(START, *[sent(minute) for minute in range(4)], sent(4, "GBPUSD"), sent(5, side=Side.SELL))
    assert (none, state.throttled) == ([], False)
    state, holds = after(state, sent(59))
    assert [(hold.cause, hold.effect, hold.latched, hold.scope) for hold in holds] == [
        (HoldCause.REPEATED_EXECUTION, Effect.NO_ENTRIES, True, None)
    ]
    assert "5 entries to buy EURUSD were sent within 60 minutes" in holds[0].detail
    later = NOON + 30 * DAY
    still, again = after(state, marked(120000, later), sent(60 * 24 * 30))
    assert (still.throttled, again) == (True, [])
    refused = denied(proposal(decision_id="new"), snapshot(now=later + DAY, state=still))
    assert (refused.rule, refused.reason) == ("breaker", "breaker_repeated_execution")


def test_an_entry_an_hour_later_does_not_repeat() -> None:
    state, holds = after(START, *[sent(minute) for minute in range(4)], sent(60))
    assert (holds, state.throttled) == ([], False)


def test_after_resuming_only_new_entries_count_but_no_decision_is_sent_twice() -> None:
    state, _ = after(START, *[sent(minute) for minute in range(5)], Resumed(at=NOON + 10 * MINUTE, equity=D(100000)))
    assert not state.throttled
    at = snapshot(now=NOON + 11 * MINUTE, state=state)
    verdict = Gate().judge(proposal(decision_id="new"), at, expires_at=NOON + DAY)
    assert isinstance(verdict, Approval)
    assert denied(proposal(decision_id="EURUSD3"), at).reason == "duplicate_decision"
    again, holds = after(state, *[sent(minute) for minute in range(11, 16)])
    assert (again.throttled, [hold.cause for hold in holds]) == (True, [HoldCause.REPEATED_EXECUTION])


def test_messages_that_are_no_entries_never_throttle() -> None:
    stops = [OrderSent(at=NOON, instrument="EURUSD", side=Side.SELL, entry=False)] * 50
    assert not after(START, *stops)[0].throttled


# -- rejections -----------------------------------------------------------------------------------------------

PATIENT = Limits(**CALM, max_rejections=1000, repeated_executions=1000)


def test_half_of_ten_entries_rejected_rest_the_account_a_day() -> None:
    asked = [sent(minute, f"COIN{minute}") for minute in range(10)]
    state, none = after(START, *asked, *[rejected(minute) for minute in range(10, 14)], limits=PATIENT)
    assert none == []
    state, holds = after(state, rejected(14), limits=PATIENT)
    assert [(hold.cause, hold.effect, hold.scope, hold.until) for hold in holds] == [
        (HoldCause.EXECUTION_QUALITY, Effect.NO_ENTRIES, None, NOON + 14 * MINUTE + DAY)
    ]
    assert holds[0].detail == "the venue rejected 5 of 10 entries within 60 minutes, 50%"
    assert (state.refusals, state.quality_until) == ((), NOON + 14 * MINUTE + DAY)
    assert denied(proposal(), snapshot(now=NOON + DAY, state=state)).reason == "breaker_execution_quality"
    free = snapshot(now=NOON + 14 * MINUTE + DAY, state=state)
    assert isinstance(Gate().judge(proposal(), free, expires_at=free.now + MINUTE), Approval)


def test_few_entries_and_old_rejections_are_no_rate() -> None:
    nine = [sent(minute, f"COIN{minute}") for minute in range(9)]
    assert after(START, *nine, *[rejected(9)] * 9, limits=PATIENT)[1] == []
    asked = [sent(minute, f"COIN{minute}") for minute in range(60, 70)]
    assert after(START, *[rejected(0)] * 9, *asked, *[rejected(70)] * 4, limits=PATIENT)[1] == []


def test_rejections_of_entries_that_nobody_told_of_count_as_sent() -> None:
    assert [hold.cause for hold in after(START, *[rejected(0)] * 10, limits=PATIENT)[1]] == [
        HoldCause.EXECUTION_QUALITY
    ]


def test_five_rejections_of_one_instrument_and_the_rate_may_rest_both() -> None:
    asked = [sent(0, f"COIN{number}") for number in range(10)]
    _, holds = after(START, *asked, *[rejected(1)] * 5)
    assert [(hold.cause, hold.scope) for hold in holds] == [
        (HoldCause.COOLDOWN, "EURUSD"),
        (HoldCause.EXECUTION_QUALITY, None),
    ]


# -- slippage -------------------------------------------------------------------------------------------------


def test_ten_fills_fifty_basis_points_worse_than_modelled_on_average_rest_the_account() -> None:
    state, none = after(START, *[fill(minute, 51) for minute in range(9)], fill(9, "50.9"))
    assert none == []
    state, holds = after(state, fill(10, "51.1"))
    assert [(hold.cause, hold.until) for hold in holds] == [(HoldCause.EXECUTION_QUALITY, NOON + 10 * MINUTE + DAY)]
    assert holds[0].detail == "the last 10 fills were 50 bps worse than modelled on average; 50 bps stop entries"
    assert (state.excess_slippages, state.quality_until) == ((), NOON + 10 * MINUTE + DAY)


def test_fills_better_than_modelled_make_up_for_worse_ones() -> None:
    _, holds = after(START, *[fill(minute, 301 if minute % 2 else -250) for minute in range(40)])
    assert holds == []


def test_what_the_model_expects_is_no_excess() -> None:
    assert after(START, *[fill(minute, 200, 200) for minute in range(40)])[1] == []


def test_a_rest_is_prolonged_and_never_shortened() -> None:
    long, _ = after(START, *[fill(0, 100)] * 10)
    short, holds = after(long, *[fill(1, 100)] * 10, limits=Limits(cooldown_hours=D(1)))
    assert short.quality_until == long.quality_until == holds[0].until


def test_a_rest_of_no_length_is_no_hold() -> None:
    assert after(START, *[fill(0, 100)] * 10, limits=Limits(cooldown_hours=D(0)))[1] == []


def test_resuming_forgets_rejections_and_slippage() -> None:
    state, _ = after(START, *[fill(0, 100)] * 10, *[fill(0, 10)] * 3, rejected(0), Resumed(at=NOON, equity=D(1)))
    assert (state.excess_slippages, state.refusals, state.quality_until) == ((), (), None)


@pytest.mark.parametrize("amount", [D("NaN"), D("Infinity")])
def test_a_slippage_that_is_no_number_cannot_exist(amount: D) -> None:
    with pytest.raises(InvalidRecord, match="is not money"):
        Filled(at=NOON, instrument="EURUSD", slippage=amount, modelled=D(0))


# -- for any story --------------------------------------------------------------------------------------------

minutes = st.integers(0, 50)
instruments = st.sampled_from(["EURUSD", "GBPUSD"])
stories = st.lists(
    st.one_of(
        st.builds(lambda _, equity: ("mark", equity), minutes, st.integers(60_000, 110_000)),
        st.builds(lambda name: ("sent", name), instruments),
        st.builds(lambda name: ("rejected", name), instruments),
        st.builds(lambda bps: ("fill", bps), st.integers(-100, 300)),
        st.builds(lambda required: ("margin", required), st.integers(0, 300_000)),
    ),
    max_size=60,
)
LATCHING = {HoldCause.DRAWDOWN, HoldCause.EMERGENCY, HoldCause.REPEATED_EXECUTION}


def as_event(kind: str, value: object, minute: int) -> Event:
    at = NOON + minute * MINUTE
    if kind == "mark":
        return EquityMarked(at=at, equity=D(str(value)))
    if kind == "margin":
        return MarginMarked(at=at, equity=D(90_000), required=D(str(value)), close_out=D("0.5"))
    if kind == "fill":
        return fill(minute, value)
    return sent(minute, str(value)) if kind == "sent" else rejected(minute, str(value))


@given(stories)
def test_no_latch_opens_by_itself_and_every_hold_is_remembered(story: list[tuple[str, object]]) -> None:
    """Whatever happens, an entry stays denied by the state alone while any hold of a breaker is in force."""
    state, standing = START, list[Hold]()
    for minute, (kind, value) in enumerate(story):
        later, holds = step(state, as_event(kind, value, minute), Limits())
        assert set(state.latched) <= set(later.latched)
        assert all(hold.latched == (hold.cause in LATCHING) for hold in holds)
        assert len(later.excess_slippages) < Limits().slippage_fills
        standing.extend(holds)
        now = NOON + minute * MINUTE
        if any(hold.in_force(now) and hold.covers("EURUSD") for hold in standing):
            verdict = Gate().judge(proposal(), snapshot(now=now, state=later), expires_at=now + MINUTE)
            assert not isinstance(verdict, Approval)
            assert verdict.reason.startswith("breaker_")
        state = RiskState.from_json(later.to_json())
        assert state == later


@given(st.lists(st.integers(60_000, 110_000), min_size=2, max_size=20))
def test_a_tighter_emergency_line_is_crossed_no_later(path: list[int]) -> None:
    loose, tight = Limits(**CALM), Limits(**CALM, emergency_drawdown=D("0.05"))
    for first, second in pairwise(path):
        by_loose, _ = after(START, marked(first), marked(second), limits=loose)
        by_tight, _ = after(START, marked(first), marked(second), limits=tight)
        assert by_tight.emergency_latched >= by_loose.emergency_latched


def test_only_an_emergency_flattens() -> None:
    holds = [new_hold(cause, Effect.NO_ENTRIES, since=NOON, detail="x", latched=True) for cause in HoldCause]
    assert [hold.cause for hold in holds if hold.flattens] == [HoldCause.EMERGENCY]
