"""Time: aware UTC only, and a clock that never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import EPOCH, SteppedClock, from_epoch, require_utc, to_epoch
from domain.errors import Impossible, InvalidRecord

NOON = datetime(2024, 1, 15, 12, tzinfo=UTC)
NAIVE = NOON.replace(tzinfo=None)
MOMENTS = st.integers(-(10**16), 4 * 10**15).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds))


@given(MOMENTS, st.lists(MOMENTS, max_size=20))
def test_a_stepped_clock_never_goes_back(start: datetime, moments: list[datetime]) -> None:
    clock = SteppedClock(start)
    for moment in moments:
        before = clock.now()
        if moment < before:
            with pytest.raises(Impossible, match="cannot go back"):
                clock.move_to(moment)
            assert clock.now() == before
        else:
            clock.move_to(moment)
            assert clock.now() == moment


def test_a_stepped_clock_stands_still_until_it_is_moved() -> None:
    clock = SteppedClock(NOON)
    assert clock.now() is clock.now() is NOON


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=1)), ZoneInfo("Europe/London")])
def test_a_stepped_clock_takes_nothing_but_utc(zone: timezone | ZoneInfo | None) -> None:
    wrong = datetime(2024, 1, 15, 13, tzinfo=zone)
    with pytest.raises(InvalidRecord):
        SteppedClock(wrong)
    clock = SteppedClock(NOON)
    with pytest.raises(InvalidRecord, match="moment"):
        clock.move_to(wrong)
    assert clock.now() == NOON


def test_a_time_without_a_zone_is_refused_by_name() -> None:
    with pytest.raises(InvalidRecord, match="opened_at is 2024-01-15T12:00:00, a time without a zone"):
        require_utc(NAIVE, "opened_at")


def test_a_time_of_another_offset_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="times are UTC"):
        require_utc(datetime(2024, 1, 15, 12, tzinfo=timezone(timedelta(minutes=1))), "at")


def test_a_zone_that_stands_at_utc_only_in_winter_is_not_utc() -> None:
    london = datetime(2024, 1, 15, 12, tzinfo=ZoneInfo("Europe/London"))
    assert london.utcoffset() == timedelta(0)
    with pytest.raises(InvalidRecord, match="Europe/London"):
        require_utc(london, "at")


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(0)), ZoneInfo("UTC"), timezone(timedelta(0), "Z")])
def test_utc_by_any_name_is_given_back_as_it_came(zone: timezone | ZoneInfo) -> None:
    moment = datetime(2024, 7, 15, 12, tzinfo=zone)
    assert require_utc(moment, "at") is moment


@given(st.integers(min_value=-(2**33), max_value=2**33))
def test_epoch_seconds_come_back(seconds: int) -> None:
    moment = from_epoch(seconds)
    assert require_utc(moment, "moment") is moment
    assert to_epoch(moment) == seconds
    assert moment - EPOCH == timedelta(seconds=seconds)


@given(MOMENTS)
def test_fractions_of_a_second_are_cut_off_towards_the_past(moment: datetime) -> None:
    whole = from_epoch(to_epoch(moment))
    assert timedelta(0) <= moment - whole < timedelta(seconds=1)
