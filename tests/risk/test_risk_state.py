"""The risk state reads back as it was written, or is refused with a sentence."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from risk_builders import NOON, D

from domain.errors import InvalidRecord
from domain.orders import Side
from risk.state import Execution, RiskState, monday_of

amounts = st.decimals(min_value=D("0.00000001"), max_value=D("1e12"), places=8)
moments = st.integers(0, 10**9).map(lambda seconds: NOON + timedelta(microseconds=seconds * 1001))
names = st.sampled_from(["EURUSD", "BTCUSDT", "CBA.AX"])
executions = st.builds(Execution, at=moments, instrument=names, side=st.sampled_from(Side), decision_id=st.text())
states = st.builds(
    RiskState,
    peak=amounts,
    day=st.dates(),
    day_start_equity=amounts,
    week=st.dates(),
    week_start_equity=amounts,
    pending_cash=amounts,
    drawdown_latched=st.booleans(),
    day_lost=st.booleans(),
    week_lost=st.booleans(),
    consecutive_losses=st.integers(0, 100),
    losses_until=st.none() | moments,
    cooldowns=st.dictionaries(names, moments),
    order_times=st.lists(moments, max_size=4).map(tuple),
    orders_day=st.none() | st.dates(),
    orders_today=st.integers(0, 1000),
    executions=st.lists(executions, max_size=4).map(tuple),
    rejections=st.lists(st.tuples(moments, names), max_size=4).map(tuple),
    rebased_at=st.none() | moments,
    emergency_latched=st.booleans(),
    margin_latched=st.booleans(),
    throttled=st.booleans(),
    refusals=st.lists(moments, max_size=4).map(tuple),
    excess_slippages=st.lists(st.tuples(moments, names, amounts.map(lambda amount: -amount)), max_size=4).map(tuple),
    quality_until=st.none() | moments,
)


@given(states)
def test_a_state_survives_a_json_round_trip(state: RiskState) -> None:
    text = state.to_json()
    again = RiskState.from_json(text)
    assert again == state
    assert again.to_json() == text


@given(states)
def test_every_field_of_a_state_is_written_down(state: RiskState) -> None:
    """What is not written is forgotten by a restart, and a forgotten budget is a fresh one."""
    assert set(json.loads(state.to_json())) == {"version"} | {declared.name for declared in fields(RiskState)}


def test_a_state_of_the_first_version_is_read_as_one_without_emergencies() -> None:
    old = json.loads(RiskState.starting(D(100), NOON).to_json())
    for name in (
        "emergency_latched",
        "margin_latched",
        "throttled",
        "refusals",
        "excess_slippages",
        "quality_until",
    ):
        del old[name]
    assert RiskState.from_json(json.dumps({**old, "version": 1, "drawdown_latched": True})) == replace(
        RiskState.starting(D(100), NOON), drawdown_latched=True
    )
    with pytest.raises(InvalidRecord, match="cannot be read"):
        RiskState.from_json(json.dumps({**old, "version": 2}))


def test_the_start_is_free_of_losses() -> None:
    state = RiskState.starting(D(10000), NOON)
    assert (state.peak, state.day_start_equity, state.week_start_equity) == (10000, 10000, 10000)
    assert (state.day, state.week, state.week_ends) == (date(2024, 1, 3), date(2024, 1, 1), date(2024, 1, 8))
    assert state.drawdown(D(10000)) == 0.0


def test_an_account_that_starts_with_nothing_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="equity peak of 0"):
        RiskState.starting(D(0), NOON)


@given(st.dates(min_value=date(1970, 1, 12)))
def test_a_week_starts_on_the_monday_at_or_before(day: date) -> None:
    monday = monday_of(day)
    assert monday.weekday() == 0
    assert timedelta(0) <= day - monday < timedelta(days=7)


def broken(**changes: object) -> str:
    return json.dumps({**json.loads(RiskState.starting(D(100), NOON).to_json()), **changes})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        broken(version=3),
        broken(peak="many"),
        broken(peak="0"),
        broken(peak="NaN"),
        broken(day="yesterday"),
        broken(drawdown_latched="false"),
        broken(drawdown_latched=0),
        broken(consecutive_losses=-1),
        broken(losses_until="2024-01-03T12:00:00"),
        broken(losses_until="2024-01-03T12:00:00+01:00"),
        broken(cooldowns=[]),
        broken(cooldowns={"EURUSD": 5}),
        broken(executions=[["2024-01-03T12:00:00+00:00", "EURUSD", "hold", ""]]),
        broken(rejections=[1]),
        broken(throttled=None),
        broken(emergency_latched="no"),
        broken(refusals=["noon"]),
        broken(excess_slippages=[["2024-01-03T12:00:00+00:00", "EURUSD", "NaN"]]),
    ],
)
def test_a_state_that_cannot_be_trusted_is_refused(text: str) -> None:
    with pytest.raises(InvalidRecord, match=r"risk state|a stored time"):
        RiskState.from_json(text)
