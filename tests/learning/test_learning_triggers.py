"""Triggers: each for its own reason, as a sentence, no more often than there is news."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput, InvalidRecord
from learning.drift.findings import DriftFinding, DriftKind
from learning.triggers import MINIMUM_TO_BEGIN, Share, Trigger, TriggerKind, TriggerSettings, TriggerState, due

NOW = datetime(2024, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DEFAULT = TriggerSettings()
QUIET = TriggerState(samples=900, new=200, trained_at=NOW - 5 * DAY, champion_trained_at=NOW - 5 * DAY)


def share(value: float, samples: int = 600, effective: float | None = None) -> Share:
    return Share(value=value, samples=samples, effective=samples if effective is None else effective)


def finding(at: datetime, told: str = "win went from 0.5 to 0.3") -> DriftFinding:
    return DriftFinding(kind=DriftKind.ERRORS, detector="adwin", subject="win", at=at, before=0.5, after=0.3, told=told)


def kinds(state: TriggerState, asked: TriggerSettings = DEFAULT, now: datetime = NOW) -> list[TriggerKind]:
    return [trigger.kind for trigger in due(state, asked, now)]


def only(state: TriggerState, asked: TriggerSettings = DEFAULT, now: datetime = NOW) -> Trigger:
    (trigger,) = due(state, asked, now)
    return trigger


def test_a_young_model_with_nothing_against_it_triggers_nothing() -> None:
    fine = replace(
        QUIET, accuracy=share(0.62), base_rate=0.45, success=share(0.5), break_even=0.3, deployed_success=share(0.5)
    )
    assert due(fine, DEFAULT, NOW) == ()


def test_no_model_yet_asks_for_one() -> None:
    trigger = only(TriggerState(samples=500, new=500))
    assert (trigger.kind, trigger.trains, trigger.at) == (TriggerKind.NEVER_TRAINED, True, NOW)
    assert trigger.reason == "no model was ever trained"


def test_training_comes_round_monthly_and_a_model_expires() -> None:
    days = 30 * DAY
    assert only(replace(QUIET, trained_at=NOW - days)).kind is TriggerKind.MONTHLY
    assert kinds(replace(QUIET, trained_at=NOW - days + DAY / 24)) == []
    expired = only(replace(QUIET, champion_trained_at=NOW - 31 * DAY))
    assert expired.kind is TriggerKind.EXPIRY
    assert expired.reason == "the model is 31 days old and expires after 30"


@pytest.mark.parametrize(
    ("new", "samples", "trains", "says"),
    [
        (50, 500, True, ""),
        (49, 900, False, "49 new samples since the last training, 50 are needed"),
        (200, 499, False, "499 samples in the last 90 days, 500 are needed"),
    ],
)
def test_with_too_little_to_learn_a_trigger_only_reports(new: int, samples: int, trains: bool, says: str) -> None:
    trigger = only(replace(QUIET, samples=samples, new=new, trained_at=NOW - 40 * DAY))
    assert trigger.trains is trains
    assert ("it only reports" in trigger.reason) is not trains
    assert says in trigger.reason


def test_fewer_samples_train_when_asked_for_down_to_where_a_model_may_speak() -> None:
    few = TriggerState(samples=MINIMUM_TO_BEGIN, new=MINIMUM_TO_BEGIN)
    assert not only(few).trains
    assert only(few, TriggerSettings(minimum_samples=MINIMUM_TO_BEGIN)).trains
    with pytest.raises(InvalidInput):
        TriggerSettings(minimum_samples=MINIMUM_TO_BEGIN - 1)


def test_accuracy_is_held_against_always_saying_the_more_frequent_class() -> None:
    """70% right is good where half win and bad where one in five wins, on either side of 1/2."""
    assert kinds(replace(QUIET, accuracy=share(0.7), base_rate=0.5)) == []
    for base_rate in (0.2, 0.8):
        trigger = only(replace(QUIET, accuracy=share(0.7), base_rate=base_rate))
        assert trigger.kind is TriggerKind.ACCURACY
        assert "80.0%" in trigger.reason


def test_success_is_held_against_break_even_and_not_against_a_half() -> None:
    assert kinds(replace(QUIET, success=share(0.35), break_even=0.27)) == []
    trigger = only(replace(QUIET, success=share(0.18), break_even=0.27))
    assert trigger.kind is TriggerKind.SUCCESS
    assert "break-even, 27.0%" in trigger.reason
    assert kinds(replace(QUIET, success=share(0.18), break_even=1.4)) == [TriggerKind.SUCCESS]


def test_a_gap_that_overlap_makes_chance_is_no_trigger() -> None:
    low = replace(QUIET, success=share(0.40, 600), break_even=0.48)
    assert kinds(low) == [TriggerKind.SUCCESS]
    assert kinds(replace(low, success=share(0.40, 600, effective=60))) == []
    assert kinds(replace(low, success=share(0.0, 600, effective=19))) == []


def test_a_significant_gap_within_the_margin_is_no_trigger() -> None:
    close = replace(QUIET, success=share(0.485, 100_000), break_even=0.5)
    assert kinds(close) == []
    assert kinds(close, TriggerSettings(margin=0.01)) == [TriggerKind.SUCCESS]


def test_absolute_floors_are_options() -> None:
    state = replace(QUIET, accuracy=share(0.55), base_rate=0.5, success=share(0.4), break_even=0.3)
    assert kinds(state) == []
    asked = TriggerSettings(accuracy_floor=0.6, success_floor=0.5)
    assert kinds(state, asked) == [TriggerKind.ACCURACY, TriggerKind.SUCCESS]
    assert "below the 60.0% asked for" in due(state, asked, NOW)[0].reason


def test_performance_that_fell_a_tenth_since_deployment_is_a_trigger_when_it_is_no_chance() -> None:
    fallen = replace(QUIET, success=share(0.40, 900), deployed_success=share(0.50, 900))
    trigger = only(fallen)
    assert trigger.kind is TriggerKind.PERFORMANCE
    assert trigger.reason == "success rate fell 20%, from 50.0% at deployment to 40.0%"
    assert kinds(replace(fallen, success=share(0.46, 9_000), deployed_success=share(0.5, 9_000))) == []
    assert kinds(replace(fallen, success=share(0.40, 900, effective=50))) == []
    by_accuracy = replace(QUIET, accuracy=share(0.5, 900), deployed_accuracy=share(0.6, 900))
    assert kinds(by_accuracy) == [TriggerKind.PERFORMANCE]
    assert kinds(replace(QUIET, success=share(0.0), deployed_success=share(0.0))) == []


def test_drift_calls_until_a_training_answers_it_or_it_is_old() -> None:
    drifted = replace(QUIET, findings=(finding(NOW - DAY),))
    trigger = only(drifted)
    assert trigger.kind is TriggerKind.DRIFT
    assert trigger.reason == "drift of errors: win went from 0.5 to 0.3"
    assert kinds(replace(drifted, trained_at=NOW - DAY / 2)) == []
    assert kinds(replace(drifted, findings=(finding(NOW - 31 * DAY),), trained_at=None)) == [TriggerKind.NEVER_TRAINED]


def test_the_same_trigger_rests_for_the_cooldown() -> None:
    overdue = replace(QUIET, trained_at=NOW - 40 * DAY)
    first = only(overdue)
    after = replace(overdue, fired=(first,))
    assert kinds(after, now=NOW + DAY / 2) == []
    assert kinds(after, now=NOW + DAY) == [TriggerKind.MONTHLY]
    assert kinds(after, TriggerSettings(cooldown=timedelta(0)), NOW) == [TriggerKind.MONTHLY]
    other = replace(after, champion_trained_at=NOW - 40 * DAY)
    assert kinds(other, now=NOW + DAY / 2) == [TriggerKind.EXPIRY]


def test_new_evidence_ends_the_rest() -> None:
    later = NOW + DAY / 2
    drifted = replace(QUIET, findings=(finding(NOW - DAY),))
    rested = replace(drifted, fired=due(drifted, DEFAULT, NOW))
    assert kinds(rested, now=later) == []
    again = replace(rested, findings=(*rested.findings, finding(NOW + DAY / 4, "hit went from 0.6 to 0.4")))
    assert "hit" in only(again, now=later).reason
    overdue = replace(QUIET, trained_at=NOW - 40 * DAY)
    rested = replace(overdue, fired=due(overdue, DEFAULT, NOW))
    assert kinds(replace(rested, new=249), now=later) == []
    assert kinds(replace(rested, new=250), now=later) == [TriggerKind.MONTHLY]


def test_a_report_becomes_a_training_as_soon_as_there_is_enough() -> None:
    thin = replace(QUIET, trained_at=NOW - 40 * DAY, new=49)
    rested = replace(thin, fired=due(thin, DEFAULT, NOW))
    assert kinds(rested, now=NOW + DAY / 24) == []
    assert only(replace(rested, new=50), now=NOW + DAY / 24).trains


STATES = st.builds(
    TriggerState,
    samples=st.integers(0, 2_000),
    new=st.integers(0, 2_000),
    trained_at=st.none() | st.integers(0, 60).map(lambda days: NOW - days * DAY),
    champion_trained_at=st.none() | st.integers(0, 60).map(lambda days: NOW - days * DAY),
    accuracy=st.none() | st.builds(share, st.floats(0, 1), st.integers(0, 900)),
    base_rate=st.none() | st.floats(0, 1),
    success=st.none() | st.builds(share, st.floats(0, 1), st.integers(0, 900)),
    break_even=st.none() | st.floats(0.01, 2),
    deployed_accuracy=st.none() | st.builds(share, st.floats(0, 1), st.integers(0, 900)),
    deployed_success=st.none() | st.builds(share, st.floats(0, 1), st.integers(0, 900)),
    findings=st.lists(st.integers(0, 60).map(lambda days: finding(NOW - days * DAY)), max_size=3).map(tuple),
)


@settings(deadline=None)
@given(state=STATES, hours=st.integers(0, 23))
def test_there_is_no_storm(state: TriggerState, hours: int) -> None:
    """Whatever the state, each kind fires once, in order, trains only with enough, and rests when nothing is new."""
    fired = due(state, DEFAULT, NOW)
    named = [trigger.kind for trigger in fired]
    assert named == [kind for kind in TriggerKind if kind in named]
    enough = state.new >= 50 and state.samples >= 500
    assert all(trigger.trains is enough and trigger.reason for trigger in fired)
    again = due(replace(state, fired=fired), DEFAULT, NOW + timedelta(hours=hours))
    assert not {trigger.kind for trigger in again} & set(named)
    assert due(state, DEFAULT, NOW) == fired


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum_new": 0},
        {"window": timedelta(0)},
        {"expires_after": -DAY},
        {"cooldown": -DAY},
        {"margin": -0.1},
        {"degradation": 0.0},
        {"alpha": 0.6},
        {"minimum_effective": 0.0},
        {"success_floor": 1.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        TriggerSettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_figures_that_cannot_be_are_refused() -> None:
    for value, samples, effective in (
        (1.1, 10, 5.0),
        (0.5, 10, 11.0),
        (float("nan"), 10, 5.0),
        (0.5, 10, float("nan")),
    ):
        with pytest.raises(InvalidInput):
            Share(value=value, samples=samples, effective=effective)
    for wrong in ({"samples": -1}, {"base_rate": 1.5}, {"break_even": 0.0}):
        with pytest.raises(InvalidInput):
            replace(QUIET, **wrong)
    with pytest.raises(InvalidRecord):
        due(QUIET, DEFAULT, datetime(2024, 6, 1))  # noqa: DTZ001 - without a zone on purpose
