"""One venue's budget: windows that slide, the part kept for exits, bans that are obeyed, clocks that jump."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue_accounts import MachineClock

from domain.errors import VenueBusy
from venues.budget import Budget, urgent
from venues.profiles import Allowance

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = Allowance(units=100.0, window_s=60.0, used_header="x-mbx-used-weight-1m", header_per_unit=5.0)


class JumpingClock:
    """A clock that also goes back."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


async def test_what_was_spent_is_free_again_after_the_window(clock: JumpingClock) -> None:
    budget = Budget("V", MINUTE, clock)
    await budget.take(80)
    with pytest.raises(VenueBusy) as told:
        await budget.take(1)
    assert told.value.wait_s == pytest.approx(60.0)
    clock.at += timedelta(seconds=60)
    await budget.take(80)
    assert (budget.used, budget.counts.asked, budget.counts.refused) == (80, 2, 1)


async def test_the_reserve_is_for_what_is_urgent_alone(clock: JumpingClock) -> None:
    budget = Budget("V", MINUTE, clock)
    await budget.take(80)
    with pytest.raises(VenueBusy):
        await budget.take(1)
    with urgent(False), pytest.raises(VenueBusy):
        await budget.take(1)
    with urgent():
        await budget.take(20)
        with pytest.raises(VenueBusy):
            await budget.take(1)


async def test_a_short_wait_is_waited_for(venue_clock: MachineClock) -> None:
    budget = Budget("V", Allowance(units=10.0, window_s=0.1, reserve=0.0), venue_clock)
    for _ in range(4):
        await budget.take(5)
    assert budget.counts.waited >= 1
    assert budget.counts.refused == 0


async def test_where_the_clock_stands_a_short_wait_ends_in_a_refusal(clock: JumpingClock) -> None:
    budget = Budget("V", Allowance(units=10.0, window_s=0.05, reserve=0.0), clock)
    await budget.take(10)
    with pytest.raises(VenueBusy):
        await budget.take(1)


async def test_one_question_that_costs_more_than_a_window_waits_for_an_idle_one(clock: JumpingClock) -> None:
    budget = Budget("V", MINUTE, clock)
    await budget.take(500)
    with pytest.raises(VenueBusy):
        await budget.take(1)
    clock.at += timedelta(seconds=61)
    await budget.take(1)


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (429, {"Retry-After": "7"}, "", 7),
        (418, {"retry-after": "900"}, "", 900),
        (429, {}, "", 60),
        (418, {}, "", 120),
        (429, {"Retry-After": "soon"}, "", 60),
        (418, {}, f"IP banned until {int(START.timestamp() * 1000) + 33_000}. Please", 33),
    ],
)
async def test_a_ban_lasts_as_long_as_the_venue_says(
    clock: JumpingClock, status: int, headers: dict[str, str], body: str, seconds: int
) -> None:
    budget = Budget("V", MINUTE, clock)
    budget.heard(status, headers, body)
    assert budget.ban_left_s == seconds
    for _ in range(3):
        with urgent(), pytest.raises(VenueBusy, match="asked not to be called") as told:
            await budget.take(0.1)
        assert told.value.wait_s == seconds
    clock.at += timedelta(seconds=seconds)
    await budget.take(1)
    assert (budget.counts.bans, budget.counts.asked) == (1, 1)


async def test_a_shorter_ban_does_not_end_a_longer_one(clock: JumpingClock) -> None:
    budget = Budget("V", MINUTE, clock)
    budget.ban(100)
    budget.heard(429, {"Retry-After": "1"}, "")
    assert budget.ban_left_s == 100


async def test_a_ban_that_several_requests_hear_of_is_one_ban_and_the_longest_end_stands(clock: JumpingClock) -> None:
    budget = Budget("V", MINUTE, clock)
    budget.heard(418, {"Retry-After": "30"}, "")
    clock.at += timedelta(milliseconds=5)
    budget.heard(418, {"Retry-After": "30"}, "")
    assert (budget.counts.bans, budget.ban_left_s) == (1, 30.0)
    clock.at += timedelta(seconds=30)
    budget.heard(418, {"Retry-After": "30"}, "")
    assert budget.counts.bans == 2


async def test_a_clock_that_goes_back_neither_lengthens_a_ban_nor_frees_the_budget(clock: JumpingClock) -> None:
    budget = Budget("V", MINUTE, clock)
    await budget.take(80)
    budget.ban(10)
    clock.at -= timedelta(hours=1)
    assert budget.ban_left_s == 10
    assert budget.used == 80
    clock.at += timedelta(seconds=61)
    assert budget.ban_left_s == 0
    await budget.take(80)


async def test_what_others_spent_of_the_venues_minute_counts(clock: JumpingClock) -> None:
    budget = Budget("V", MINUTE, clock)
    await budget.take(10)
    budget.heard(200, {"X-MBX-USED-WEIGHT-1M": "400"}, "")
    assert (budget.used, budget.counts.foreign_units) == (80, 70)
    budget.heard(200, {"x-mbx-used-weight-1m": "5"}, "")
    budget.heard(200, {"x-mbx-used-weight-1m": "many"}, "")
    assert budget.used == 80


@given(steps=st.lists(st.tuples(st.floats(0, 30), st.floats(0.1, 40), st.booleans()), min_size=1, max_size=60))
async def test_no_window_ever_holds_more_than_the_allowance(steps: list[tuple[float, float, bool]]) -> None:
    clock = JumpingClock()
    budget = Budget("V", MINUTE, clock, patience_s=0.0)
    spent: list[tuple[datetime, float]] = []
    for wait_s, cost, hurried in steps:
        clock.at += timedelta(seconds=3 + wait_s)
        with urgent(hurried):
            before = budget.used
            with suppress(VenueBusy):
                await budget.take(cost)
                spent.append((clock.at, cost))
            assert budget.used in (before, pytest.approx(before + cost))
        for end, _ in spent:
            held = sum(each for at, each in spent if end - timedelta(seconds=60) < at <= end)
            assert held <= 100 + 1e-9
