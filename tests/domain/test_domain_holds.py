"""Holds: they end in exactly one way, and the strongest in force decides."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRecord
from domain.holds import Effect, Hold, HoldCause, new_hold, strongest

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAIVE = NOW.replace(tzinfo=None)


def a_hold(
    *,
    cause: HoldCause = HoldCause.NEWS,
    effect: Effect = Effect.NO_ENTRIES,
    since: datetime = NOW,
    scope: str | None = None,
    until: datetime | None = NOW + HOUR,
) -> Hold:
    return new_hold(cause, effect, since=since, detail="told", scope=scope, until=until, latched=until is None)


HOLDS = st.lists(
    st.builds(
        a_hold,
        cause=st.sampled_from(HoldCause),
        effect=st.sampled_from(Effect),
        since=st.integers(-5, 0).map(lambda hours: NOW + hours * HOUR),
        scope=st.sampled_from([None, "EURUSD", "GBPUSD"]),
        until=st.sampled_from([None, NOW - HOUR, NOW, NOW + HOUR]),
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("until", "condition", "latched"),
    [
        (until, condition, latched)
        for until, condition, latched in itertools.product([None, NOW + HOUR], [None, "a bar closes"], [False, True])
        if (until is not None) + (condition is not None) + latched != 1
    ],
)
def test_a_hold_ends_in_exactly_one_way(until: datetime | None, condition: str | None, latched: bool) -> None:
    with pytest.raises(InvalidRecord, match="exactly one of a time, a condition or a person"):
        new_hold(HoldCause.NEWS, Effect.SAFE, since=NOW, detail="", until=until, condition=condition, latched=latched)


def test_a_cleared_hold_says_who_cleared_it() -> None:
    with pytest.raises(InvalidRecord, match="cleared at"):
        Hold(
            hold_id="h",
            cause=HoldCause.NEWS,
            effect=Effect.SAFE,
            since=NOW,
            detail="",
            latched=True,
            cleared_at=NOW,
        )


@pytest.mark.parametrize("field", ["since", "until"])
def test_times_of_a_hold_are_utc(field: str) -> None:
    times = {"since": NOW, "until": NOW + HOUR, field: NAIVE}
    with pytest.raises(InvalidRecord, match=field):
        new_hold(HoldCause.NEWS, Effect.SAFE, since=times["since"], until=times["until"], detail="")


def test_a_hold_is_cleared_at_an_aware_time() -> None:
    with pytest.raises(InvalidRecord, match="cleared_at"):
        a_hold(until=None).cleared(NAIVE, "anna", "checked")


def test_a_timed_hold_is_in_force_up_to_its_end_and_not_at_it() -> None:
    hold = a_hold(until=NOW + HOUR)
    assert hold.in_force(NOW + HOUR - timedelta(microseconds=1))
    assert not hold.in_force(NOW + HOUR)


def test_a_latched_hold_stays_until_it_is_cleared_and_the_record_says_how() -> None:
    hold = a_hold(until=None)
    assert hold.in_force(NOW + 1000 * HOUR)
    ended = hold.cleared(NOW + HOUR, "anna", "looked at it", simulated=True)
    assert not ended.in_force(NOW)
    assert (ended.hold_id, ended.cleared_at, ended.cleared_by) == (hold.hold_id, NOW + HOUR, "anna")
    assert (ended.cleared_why, ended.simulated) == ("looked at it", True)


def test_a_hold_without_a_scope_covers_everything() -> None:
    assert a_hold(scope=None).covers("EURUSD")
    assert a_hold(scope="EURUSD").covers("EURUSD")
    assert not a_hold(scope="EURUSD").covers("GBPUSD")


@given(HOLDS, st.sampled_from(["EURUSD", "GBPUSD", "XAUUSD"]))
def test_the_strongest_hold_in_force_decides_in_whatever_order_they_stand(holds: list[Hold], instrument: str) -> None:
    deciding = strongest(holds, NOW, instrument)
    possible = [hold for hold in holds if hold.in_force(NOW) and hold.covers(instrument)]
    if deciding is None:
        assert not possible
        return
    assert deciding in possible
    for hold in possible:
        assert hold.effect < deciding.effect or (hold.effect is deciding.effect and hold.since >= deciding.since)
    assert strongest(sorted(holds, key=lambda hold: hold.hold_id), NOW, instrument) == strongest(
        sorted(holds, key=lambda hold: hold.hold_id, reverse=True), NOW, instrument
    )


def test_effects_are_ordered_from_weak_to_strong() -> None:
    assert [effect.label for effect in sorted(Effect)] == ["safe", "no_entries", "reduce_only", "halt"]


def test_setting_a_hold_twice_names_it_once_and_different_ones_differently() -> None:
    assert a_hold().hold_id == a_hold(effect=Effect.HALT).hold_id
    others = [a_hold(), a_hold(cause=HoldCause.MODEL), a_hold(scope="EURUSD"), a_hold(since=NOW - HOUR)]
    assert len({hold.hold_id for hold in others}) == 4
