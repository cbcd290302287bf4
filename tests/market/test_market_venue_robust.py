"""Asking a provider that fails: again, a little later each time, never more than allowed, and elsewhere when down."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_market import MemoryMarket, at, instruments, series_of, story

from domain.clock import SteppedClock
from domain.errors import InvalidInput, VenueBusy, VenueForbids, VenueUnavailable
from domain.identity import digest
from domain.instruments import Timeframe
from market.robust import AT_ONCE, Circuit, RetryPlan, Robust, spread_of
from market.venue_feed import VenueFeed

BASES = ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "BCH", "UNI", "XLM")
QUICK = RetryPlan(first_wait_s=0.001, longest_wait_s=0.05, deadline_s=0.05)


class Provider:
    """Answers with what the test lists, one after the other, then with `well`."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.moments: list[float] = []

    async def ask(self) -> str:
        self.moments.append(asyncio.get_running_loop().time())
        if self.faults:
            raise self.faults.pop(0)
        return "well"


def robust(plan: RetryPlan = QUICK) -> Robust:
    return Robust("venue", plan, asyncio.Semaphore(AT_ONCE))


async def test_what_fails_is_asked_again_and_then_answered():
    provider = Provider(VenueUnavailable("a"), VenueBusy("b"))
    one = robust()
    assert await one.call("BTCUSDT", provider.ask) == "well"
    assert (one.calls, one.failures) == (3, 2)


async def test_after_the_last_attempt_the_error_is_raised():
    provider = Provider(*(VenueUnavailable(str(number)) for number in range(9)))
    with pytest.raises(VenueUnavailable, match=str(QUICK.attempts - 1)):
        await robust().call("BTCUSDT", provider.ask)
    assert len(provider.moments) == QUICK.attempts


async def test_a_definite_no_is_not_asked_again():
    provider = Provider(InvalidInput("no such symbol"))
    one = robust()
    with pytest.raises(InvalidInput):
        await one.call("NOSUCH", provider.ask)
    assert len(provider.moments) == 1
    assert not one.is_resting


async def test_a_provider_that_refuses_us_rests_at_once():
    one = robust()
    with pytest.raises(VenueForbids):
        await one.call("BTCUSDT", Provider(VenueForbids("key")).ask)
    assert one.is_resting
    with pytest.raises(VenueUnavailable, match="left alone"):
        await one.call("BTCUSDT", Provider().ask)


async def test_no_answer_in_time_is_no_answer():
    async def never() -> str:
        await asyncio.Event().wait()
        return "never"

    with pytest.raises(VenueUnavailable, match=r"did not answer within 0\.05 s"):
        await robust().call("BTCUSDT", never)


async def test_a_short_wait_that_the_provider_names_is_kept_by_every_question():
    one = robust()
    first = Provider(VenueBusy("slow down", wait_s=0.04))
    second = Provider()

    async def a_little_later() -> None:
        await asyncio.sleep(0.005)
        await one.call("ETHUSDT", second.ask)

    await asyncio.gather(one.call("BTCUSDT", first.ask), a_little_later())
    assert first.moments[1] - first.moments[0] >= 0.039
    assert second.moments[0] - first.moments[0] >= 0.039


async def test_a_ban_is_kept_without_one_more_call():
    one = robust()
    provider = Provider(VenueBusy("banned", wait_s=3600))
    with pytest.raises(VenueBusy):
        await one.call("BTCUSDT", provider.ask)
    with pytest.raises(VenueBusy, match="may not be asked") as caught:
        await one.call("ETHUSDT", provider.ask)
    assert 3590 < caught.value.wait_s <= 3600
    assert len(provider.moments) == 1


async def test_repeated_failures_of_any_questions_open_the_circuit():
    one = robust(RetryPlan(attempts=2, failures=4, first_wait_s=0.001, rest_s=30))
    provider = Provider(*(VenueUnavailable("down") for _ in range(99)))
    for symbol in ("A", "B", "C"):
        with pytest.raises(VenueUnavailable):
            await one.call(symbol, provider.ask)
    assert len(provider.moments) == 4
    assert one.is_resting


async def test_one_probe_goes_through_after_the_rest_and_closes_the_circuit():
    one = robust(RetryPlan(attempts=1, failures=1, rest_s=0.02))
    provider = Provider(VenueUnavailable("down"))
    with pytest.raises(VenueUnavailable):
        await one.call("A", provider.ask)
    await asyncio.sleep(0.025)
    answer = asyncio.Event()

    async def slowly() -> str:
        await answer.wait()
        return "well"

    probe = asyncio.create_task(one.call("A", slowly))
    await asyncio.sleep(0)
    with pytest.raises(VenueUnavailable, match="left alone"):
        await one.call("B", provider.ask)
    answer.set()
    assert await probe == "well"
    assert await one.call("B", provider.ask) == "well"


async def test_a_probe_that_is_called_off_leaves_room_for_another():
    one = robust(RetryPlan(attempts=1, failures=1, rest_s=0.01))
    with pytest.raises(VenueUnavailable):
        await one.call("A", Provider(VenueUnavailable("down")).ask)
    await asyncio.sleep(0.015)
    probe = asyncio.create_task(one.call("A", asyncio.Event().wait))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert await one.call("A", Provider().ask) == "well"


def test_a_failed_probe_doubles_the_rest_up_to_its_longest():
    circuit = Circuit(RetryPlan(failures=1, rest_s=10, longest_rest_s=30))
    circuit.failed(0)
    moment, rests = 0.0, []
    for rest in (10, 20, 30, 30):
        assert circuit.refuses(moment + rest - 0.1)
        assert not circuit.refuses(moment + rest)
        rests.append(rest)
        moment += rest
        circuit.begin()
        circuit.failed(moment)
    circuit.begin()
    circuit.succeeded()
    circuit.failed(moment)
    assert not circuit.refuses(moment + 10)


@given(st.text(max_size=12), st.integers(1, 30))
def test_the_pause_grows_is_bounded_and_is_the_same_each_time(question, attempt):
    plan = RetryPlan()
    wait = plan.wait_s(question, attempt)
    longest = min(plan.longest_wait_s, plan.first_wait_s * 2 ** (attempt - 1))
    assert longest / 2 <= wait <= longest
    assert wait == plan.wait_s(question, attempt)


def test_different_questions_wait_differently():
    assert len({spread_of(f"SYMBOL{number}", 1) for number in range(50)}) == 50


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"failures": 0}, {"deadline_s": 0.0}, {"rest_s": -1.0}])
def test_a_plan_that_cannot_be_followed_is_refused(wrong):
    with pytest.raises(InvalidInput):
        RetryPlan(**wrong)


@pytest.mark.parametrize("fallback", [False, True], ids=["alone", "with a fallback"])
async def test_with_three_calls_in_ten_failing_at_least_99_percent_of_the_bars_come_in_time(fallback):
    """Every bar of ten instruments over 300 closes: at hand within one round of its close, or not."""
    names = [f"{base}USDT" for base in BASES]
    count, had = 305, 5
    bars = {name: story(name, count) for name in names}
    clock = SteppedClock(at(had))
    market, second = MemoryMarket(bars, clock), MemoryMarket(bars, clock, venue="second")

    def failing(venue: str):
        async def fault(symbol: str, call: int) -> None:
            if int(digest(venue, symbol, call)[:6], 16) / 0xFF_FFFF < 0.3:
                raise VenueUnavailable("injected")

        return fault

    market.fault, second.fault = failing("first"), failing("second")
    plan = RetryPlan(first_wait_s=0.0001, longest_wait_s=0.0002, rest_s=0.001)
    feed = VenueFeed(
        name="venue",
        timeframe=Timeframe.M1,
        instruments=instruments(*names),
        history={name: series_of(name, bars[name][:had]) for name in names},
        link=market,
        clock=clock,
        patience=timedelta(seconds=10),
        fallback=second if fallback else None,
        plan=plan,
    )
    in_time = 0
    for number in range(had + 1, count + 1):
        clock.move_to(at(number, seconds=2))
        await feed.gather(clock.now())
        in_time += sum(len(feed.series(name)) == number for name in names)
    share = in_time / (len(names) * (count - had))
    assert share >= (0.999 if fallback else 0.99)
    clock.move_to(at(count, seconds=5))
    await feed.gather(clock.now())
    delivered = sum(len(feed.series(name)) - had for name in names) / (len(names) * (count - had))
    assert delivered >= 0.99
