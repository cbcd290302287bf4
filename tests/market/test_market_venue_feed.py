"""A feed that grows: it tells what a feed over the whole would tell, waits for nobody for ever, and moves nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_market import MemoryMarket, at, instruments, series_of, story

from domain.clock import SteppedClock, to_epoch
from domain.errors import Impossible, InvalidInput, NotAvailable, VenueUnavailable
from domain.instruments import Timeframe
from market.feed import FeedReport, Moment
from market.growing_bars import GrowingBars
from market.headlines import Headlines
from market.resample import resample
from market.robust import RetryPlan
from market.series_feed import SeriesFeed
from market.venue_feed import Gathered, VenueFeed

NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
PLAN = RetryPlan(first_wait_s=0.001, longest_wait_s=0.002, deadline_s=0.5)
PATIENCE = timedelta(seconds=10)


class Scene:
    """A market, a clock, and a feed that starts with the first `had` bars."""

    def __init__(self, *, had=5, bars=40, names=NAMES, timeframe=Timeframe.M1, patience=PATIENCE, **feed):
        self.timeframe = timeframe
        self.whole = {name: story(name, bars, timeframe) for name in names}
        self.clock = SteppedClock(at(had, timeframe))
        self.market = MemoryMarket(self.whole, self.clock)
        self.feed = VenueFeed(
            name="venue:memory",
            timeframe=timeframe,
            instruments=instruments(*names),
            history={name: series_of(name, rows[:had]) for name, rows in self.whole.items()},
            link=self.market,
            clock=self.clock,
            patience=patience,
            plan=feed.pop("plan", PLAN),
            **feed,
        )

    async def gather(self, bars: float, seconds: float = 0.0) -> Gathered:
        """A round at `seconds` after the close of that many bars."""
        self.clock.move_to(at(bars, self.timeframe, seconds))
        return await self.feed.gather(self.clock.now())

    def hide(self, name: str, number: int) -> None:
        self.market.hidden.add((name, self.whole[name][number].opened_at))

    def show(self) -> None:
        self.market.hidden.clear()


def told(feed) -> list[Moment]:
    moments = []
    while (when := feed.next_at()) is not None:
        moments.append(feed.take())
        assert moments[-1].at == when
    return moments


def closes(moments) -> list[tuple]:
    return [(moment.at, moment.closed) for moment in moments if moment.closed]


def whole_feed(scene: Scene) -> SeriesFeed:
    """A feed over the same final arrays."""
    return SeriesFeed(
        name="whole",
        timeframe=scene.timeframe,
        instruments=scene.feed.instruments,
        series={name: scene.feed.series(name) for name in scene.feed.instruments},
        report=FeedReport(notes=(), rejected={}),
        headlines=Headlines(()),
    )


def same(left, right) -> bool:
    columns = ("opened", "open", "high", "low", "close", "volume", "half_spread")
    return all(np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True) for name in columns)


# -- the property ---------------------------------------------------------------------------------------------------

TIMEFRAMES = st.sampled_from([Timeframe.S1, Timeframe.M1, Timeframe.M5, Timeframe.H4, Timeframe.D1])
HIDDEN = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(5, 39)), max_size=12)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    timeframe=TIMEFRAMES,
    rounds=st.lists(st.floats(5, 40), min_size=1, max_size=12),
    never=HIDDEN,
)
def test_growing_bar_by_bar_tells_what_a_feed_over_the_whole_tells(timeframe, rounds, never):
    async def run() -> None:
        scene = Scene(timeframe=timeframe, patience=timedelta(seconds=0.1))
        for name, number in never:
            scene.hide(name, number)
        moments = told(scene.feed)
        handed = []
        for bars in [*sorted(rounds), 40]:
            await scene.gather(bars, 1)
            moments += told(scene.feed)
            for name in NAMES:
                series, higher = scene.feed.series(name), scene.feed.higher(name)
                handed.append((series, series.opened.copy(), series.close.copy()))
                assert (higher is None) == (timeframe.higher is None)
                if higher is not None:
                    assert same(higher, resample(series, timeframe.higher))
                    assert higher.source == resample(series, timeframe.higher).source
        await scene.gather(45, 1)
        moments += told(scene.feed)
        assert closes(moments) == closes(told(whole_feed(scene)))
        for series, opened, close in handed:
            assert np.array_equal(series.opened, opened)
            assert np.array_equal(series.close, close)
        for name in NAMES:
            lost = {number for symbol, number in never if symbol == name}
            expected = [bar for number, bar in enumerate(scene.whole[name]) if number not in lost]
            assert same(scene.feed.series(name), series_of(name, expected))

    asyncio.run(run())


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_comes_late_each_moment_is_told_once_in_order_and_no_bar_is_lost(data):
    async def run() -> None:
        scene = Scene(bars=20)
        moments = told(scene.feed)
        for bars in range(6, 21):
            seconds = data.draw(st.sampled_from([1.0, 5.0, 11.0, 30.0]))
            scene.market.hidden = {
                (name, scene.whole[name][number].opened_at)
                for name in NAMES
                for number in range(data.draw(st.integers(5, 21)), 20)
            }
            await scene.gather(bars, seconds)
            moments += told(scene.feed)
            if data.draw(st.booleans()):
                scene.feed.seek(moments[-1].at)
        scene.show()
        await scene.gather(20, 40)
        moments += told(scene.feed)
        times = [moment.at for moment in moments]
        assert times == sorted(set(times))
        refs = Counter(ref for moment in moments for ref in moment.closed)
        assert not refs or set(refs.values()) == {1}
        for moment in moments:
            for ref in moment.closed:
                assert to_epoch(moment.at) == int(scene.feed.series(ref.symbol).closed[ref.index])
        for name in NAMES:
            assert same(scene.feed.series(name), series_of(name, scene.whole[name]))

    asyncio.run(run())


# -- when a moment is told ------------------------------------------------------------------------------------------


async def test_a_moment_with_all_its_bars_is_told_at_once():
    scene = Scene()
    told(scene.feed)
    gathered = await scene.gather(6, 0.5)
    assert gathered.again_at is None
    assert gathered.added == dict.fromkeys(NAMES, (5, 6))
    assert [(moment.at, len(moment.closed), moment.opened) for moment in told(scene.feed)] == [(at(6), 3, ())]


async def test_a_moment_waits_for_a_slow_instrument_until_patience_is_over():
    scene = Scene()
    told(scene.feed)
    scene.hide("ETHUSDT", 5)
    first = await scene.gather(6, 2)
    assert scene.feed.next_at() is None
    assert first.again_at is not None
    assert list(first.silent) == ["ETHUSDT"]
    assert (await scene.gather(6, 9.9)).again_at is not None
    assert scene.feed.next_at() is None
    over = await scene.gather(6, 10)
    assert over.again_at is None
    moment = scene.feed.take()
    assert [ref.symbol for ref in moment.closed] == ["BTCUSDT", "SOLUSDT"]


async def test_a_slow_instrument_that_comes_in_time_is_part_of_its_moment():
    scene = Scene()
    told(scene.feed)
    scene.hide("ETHUSDT", 5)
    await scene.gather(6, 2)
    scene.show()
    gathered = await scene.gather(6, 4)
    assert gathered.added == {"ETHUSDT": (5, 6)}
    assert gathered.late == 0
    assert len(scene.feed.take().closed) == 3


async def test_a_bar_that_comes_after_its_moment_is_history_and_never_a_moment():
    scene = Scene()
    told(scene.feed)
    scene.hide("ETHUSDT", 5)
    await scene.gather(6, 11)
    assert len(scene.feed.take().closed) == 2
    scene.show()
    gathered = await scene.gather(6, 30)
    assert gathered.late == 1
    assert len(scene.feed.series("ETHUSDT")) == 6
    assert scene.feed.next_at() is None
    await scene.gather(7, 1)
    moments = told(scene.feed)
    assert [moment.at for moment in moments] == [at(7)]
    assert {ref.symbol: ref.index for ref in moments[0].closed}["ETHUSDT"] == 6


async def test_an_instrument_silent_for_long_is_not_waited_for():
    scene = Scene()
    told(scene.feed)
    for number in range(5, 40):
        scene.hide("ETHUSDT", number)
    for bars in (6, 7):
        await scene.gather(bars, 11)
        assert len(told(scene.feed)) == 1
    gathered = await scene.gather(8, 1)
    assert gathered.again_at is None
    assert "no bar was given since" in gathered.silent["ETHUSDT"]
    assert [len(moment.closed) for moment in told(scene.feed)] == [2]


async def test_an_instrument_that_does_not_answer_is_left_behind_and_goes_on_by_itself():
    scene = Scene(patience=timedelta(seconds=0.05), plan=RetryPlan(deadline_s=5))
    told(scene.feed)
    answer = asyncio.Event()

    async def slow(symbol: str, _call: int) -> None:
        if symbol == "SOLUSDT":
            await answer.wait()

    scene.market.fault = slow
    gathered = await scene.gather(6, 1)
    assert gathered.took_s < 1
    assert gathered.silent == {"SOLUSDT": "it has not been answered for yet"}
    assert [len(moment.closed) for moment in told(scene.feed)] == [2]
    calls = scene.market.calls["SOLUSDT"]
    await scene.gather(6, 2)
    assert scene.market.calls["SOLUSDT"] == calls
    answer.set()
    later = await scene.gather(7, 1)
    assert later.added["SOLUSDT"] == (5, 6)
    again = await scene.gather(7, 2)
    assert again.added["SOLUSDT"] == (6, 7)
    await scene.feed.close()


async def test_a_bar_that_comes_between_asking_when_and_taking_is_part_of_its_moment():
    scene = Scene(patience=timedelta(seconds=0.05), plan=RetryPlan(deadline_s=5))
    told(scene.feed)
    answer = asyncio.Event()

    async def slow(symbol: str, _call: int) -> None:
        if symbol == "SOLUSDT":
            await answer.wait()

    scene.market.fault = slow
    await scene.gather(6, 1)
    assert scene.feed.next_at() == at(6)
    answer.set()
    while len(scene.feed.series("SOLUSDT")) == 5:
        await asyncio.sleep(0)
    assert len(scene.feed.take().closed) == 3


async def test_after_an_absence_all_moments_are_told_in_order():
    scene = Scene()
    told(scene.feed)
    gathered = await scene.gather(30, 3)
    assert gathered.bars == 75
    moments = told(scene.feed)
    assert [moment.at for moment in moments] == [at(bars) for bars in range(6, 31)]
    assert all(len(moment.closed) == 3 for moment in moments)


async def test_following_asks_again_until_the_slow_instrument_is_there():
    scene = Scene(patience=timedelta(seconds=2))
    told(scene.feed)
    scene.hide("ETHUSDT", 5)
    scene.clock.move_to(at(6, seconds=0.01))

    async def published(symbol: str, call: int) -> None:
        if symbol == "ETHUSDT" and call == 3:
            scene.show()

    scene.market.fault = published
    gathered = await scene.feed.follow()
    assert gathered.added == dict.fromkeys(NAMES, (5, 6))
    assert gathered.by_source == {"memory": 3}
    assert gathered.again_at is None
    assert len(scene.feed.take().closed) == 3


async def test_following_ends_when_the_bar_never_comes_even_with_a_clock_that_stands_still():
    scene = Scene(patience=timedelta(seconds=0.1))
    scene.hide("ETHUSDT", 5)
    scene.clock.move_to(at(6, seconds=0.01))
    gathered = await scene.feed.follow()
    assert gathered.silent
    assert gathered.again_at is not None


async def test_seeking_back_tells_a_moment_again():
    scene = Scene()
    first = told(scene.feed)
    scene.feed.seek(first[2].at - timedelta(microseconds=1))
    assert told(scene.feed) == first[2:]
    scene.feed.seek(first[2].at)
    assert told(scene.feed) == first[3:]


async def test_there_is_no_end_only_nothing_yet():
    scene = Scene()
    refs = [ref for moment in told(scene.feed) for ref in moment.closed]
    assert scene.feed.next_at() is None
    assert not any(scene.feed.is_last(ref) for ref in refs)
    with pytest.raises(NotAvailable, match="no further moment"):
        scene.feed.take()
    await scene.gather(6, 0.5)
    assert scene.feed.next_at() == at(6)


# -- how it asks ----------------------------------------------------------------------------------------------------


async def test_at_most_five_questions_are_under_way_at_once():
    names = [
        f"{base}USDT" for base in ["BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "BCH", "UNI", "XLM", "TRX", "ETC"]
    ]
    scene = Scene(names=names)

    async def slow(_symbol: str, _call: int) -> None:
        await asyncio.sleep(0.002)

    scene.market.fault = slow
    gathered = await scene.gather(6, 1)
    assert gathered.bars == len(names)
    assert scene.market.most_at_once == 5


async def test_nothing_is_asked_while_no_bar_has_closed():
    scene = Scene()
    await scene.gather(5.5)
    assert not scene.market.asked


async def test_a_bar_is_closed_by_the_venues_clock_when_ours_runs_ahead():
    scene = Scene()
    scene.market.skew = timedelta(seconds=-3)
    await scene.gather(6, 2)
    assert not scene.market.asked
    assert scene.feed.next_at() is None or scene.feed.next_at() < at(6)
    gathered = await scene.gather(6, 3.5)
    assert gathered.bars == 3
    assert scene.feed.skew is not None
    assert abs(scene.feed.skew + timedelta(seconds=3)) < timedelta(milliseconds=100)


async def test_a_venue_whose_clock_runs_ahead_is_not_believed_about_our_future():
    scene = Scene()
    scene.market.skew = timedelta(seconds=30)
    assert (await scene.gather(5.9)).bars == 0


async def test_what_the_measurement_of_the_venues_clock_leaves_open_is_waited_for():
    scene = Scene()
    scene.market.latency_s = 0.1
    await scene.gather(6, 0.07)
    assert not scene.market.asked
    assert (await scene.gather(6, 0.3)).bars == 3


async def test_one_instrument_that_fails_does_not_keep_the_others_back():
    scene = Scene()

    async def down(symbol: str, _call: int) -> None:
        if symbol == "BTCUSDT":
            raise VenueUnavailable("no route")

    scene.market.fault = down
    gathered = await scene.gather(6, 1)
    assert gathered.silent == {"BTCUSDT": "no route"}
    assert gathered.bars == 2
    assert scene.market.calls["BTCUSDT"] == PLAN.attempts


async def test_a_fault_of_our_own_is_raised_and_the_rest_is_kept():
    scene = Scene()

    async def broken(symbol: str, _call: int) -> None:
        if symbol == "BTCUSDT":
            raise Impossible("a broken invariant")

    scene.market.fault = broken
    with pytest.raises(Impossible, match="broken invariant"):
        await scene.gather(6, 1)
    scene.market.fault = None
    assert (await scene.gather(6, 2)).added == dict.fromkeys(NAMES, (5, 6))


async def test_a_round_that_is_called_off_loses_nothing():
    scene = Scene()

    async def slow(_symbol: str, _call: int) -> None:
        await asyncio.sleep(0.05)

    scene.market.fault = slow
    scene.clock.move_to(at(6, seconds=0.5))
    task = asyncio.create_task(scene.feed.gather(scene.clock.now()))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gathered = await scene.gather(6, 1)
    assert gathered.added == dict.fromkeys(NAMES, (5, 6))
    assert scene.market.calls["BTCUSDT"] == 1


async def test_closing_calls_off_what_is_under_way_and_leaves_the_link_to_its_owner():
    scene = Scene(patience=timedelta(seconds=0.01), plan=RetryPlan(deadline_s=60))

    async def silent(_symbol: str, _call: int) -> None:
        await asyncio.Event().wait()

    scene.market.fault = silent
    await scene.gather(6, 1)
    assert scene.market.at_once == 3
    await scene.feed.close()
    assert scene.market.at_once == 0
    assert not scene.market.closed


# -- quotes and sources ---------------------------------------------------------------------------------------------


async def test_quotes_that_fail_are_missing_and_counted():
    scene = Scene()

    async def down(question: str, _call: int) -> None:
        if question == "quote ETHUSDT":
            raise VenueUnavailable("no route")

    scene.market.fault = down
    quotes = await scene.feed.quotes(["SOLUSDT", "ETHUSDT", "BTCUSDT", "NOSUCHUSDT"])
    assert list(quotes) == ["SOLUSDT", "BTCUSDT"]
    assert scene.feed.quotes_failed == 2
    assert scene.market.calls["quote ETHUSDT"] == 1


async def test_a_young_quote_gives_the_new_bar_its_spread_and_an_old_one_does_not():
    scene = Scene()
    scene.clock.move_to(at(6, seconds=0.5))
    await scene.feed.quotes(["BTCUSDT"])
    await scene.gather(6, 1)
    half = {name: float(scene.feed.series(name).half_spread[-1]) for name in NAMES}
    modelled = {name: float(series_of(name, scene.whole[name][:6]).half_spread[-1]) for name in NAMES}
    assert half["BTCUSDT"] == pytest.approx(0.01)
    assert half["ETHUSDT"] == modelled["ETHUSDT"]
    await scene.gather(9, 1)
    spreads = scene.feed.series("BTCUSDT").half_spread[-3:]
    assert spreads[:2] == pytest.approx([0.01, 0.01])
    assert float(spreads[2]) == float(series_of("BTCUSDT", scene.whole["BTCUSDT"][:9]).half_spread[-1])


async def test_a_quote_without_a_spread_says_nothing_about_the_spread():
    scene = Scene()
    scene.market.spread = 0.0
    scene.clock.move_to(at(6, seconds=0.5))
    assert "BTCUSDT" in await scene.feed.quotes(["BTCUSDT"])
    await scene.gather(6, 1)
    assert float(scene.feed.series("BTCUSDT").half_spread[-1]) > 0


async def test_every_bar_names_its_source():
    names = ("BTCUSDT", "ETHUSDT")
    bars = {name: story(name, 12) for name in names}
    clock = SteppedClock(at(5))
    second = MemoryMarket(bars, clock, venue="second")
    scene = Scene(names=names, fallback=second)

    async def down(symbol: str, _call: int) -> None:
        if symbol == "BTCUSDT" and scene.clock.now() < at(8):
            raise VenueUnavailable("no route")

    scene.market.fault = down
    for bar in (6, 7, 8, 9):
        gathered = await scene.gather(bar, 1)
        if bar == 6:
            assert gathered.by_source == {"memory": 1, "second": 1}
            assert gathered.silent == {}
    assert scene.feed.sources("BTCUSDT") == {"memory": 7, "second": 2}
    parts = scene.feed.parts("BTCUSDT", 4, 9)
    assert [(part.source, len(part)) for part in parts] == [("memory", 1), ("second", 2), ("memory", 2)]
    assert [one for part in parts for one in part.opened.tolist()] == scene.feed.series("BTCUSDT").opened[4:9].tolist()


async def test_while_the_venue_is_down_the_fallback_is_asked_at_once_and_the_venue_is_probed_again():
    plan = RetryPlan(first_wait_s=0.001, longest_wait_s=0.002, failures=4, rest_s=0.05, longest_rest_s=0.1)
    scene = Scene(plan=plan, fallback=MemoryMarket({n: story(n, 40) for n in NAMES}, SteppedClock(at(5)), "second"))

    async def down(_symbol: str, _call: int) -> None:
        raise VenueUnavailable("no route")

    scene.market.fault = down
    assert (await scene.gather(6, 1)).by_source == {"second": 3}
    assert scene.feed.resting == ["memory"]
    calls = scene.market.calls.total()
    assert (await scene.gather(7, 1)).by_source == {"second": 3}
    assert scene.market.calls.total() == calls
    scene.market.fault = None
    await asyncio.sleep(0.06)
    assert (await scene.gather(8, 1)).by_source["memory"] >= 1
    assert scene.feed.resting == []


# -- refusals and figures -------------------------------------------------------------------------------------------


def test_history_that_does_not_fit_is_refused():
    clock = SteppedClock(at(5))
    bars = story("BTCUSDT", 5)
    common = {"name": "venue", "link": MemoryMarket({}, clock), "clock": clock, "timeframe": Timeframe.M1}
    with pytest.raises(InvalidInput, match="does not match instruments"):
        VenueFeed(
            instruments=instruments("BTCUSDT", "ETHUSDT"), history={"BTCUSDT": series_of("BTCUSDT", bars)}, **common
        )
    with pytest.raises(InvalidInput, match="the history of ETHUSDT is BTCUSDT 1m"):
        VenueFeed(instruments=instruments("ETHUSDT"), history={"ETHUSDT": series_of("BTCUSDT", bars)}, **common)
    empty = series_of("BTCUSDT", bars).head(0)
    with pytest.raises(InvalidInput, match="no bars to go on from"):
        VenueFeed(instruments=instruments("BTCUSDT"), history={"BTCUSDT": empty}, **common)


def test_a_symbol_that_is_not_part_of_the_feed_is_refused_by_name():
    with pytest.raises(InvalidInput, match="no series of DOGEUSDT"):
        Scene().feed.series("DOGEUSDT")


def test_what_was_handed_out_cannot_be_written_to():
    scene = Scene()
    with pytest.raises(ValueError, match="read-only"):
        scene.feed.series("BTCUSDT").close[0] = 1.0


def test_growing_copies_no_bar_but_when_the_room_is_spent():
    bars = story("BTCUSDT", 2000)
    growing = GrowingBars(series_of("BTCUSDT", bars[:1]), "memory")
    bases = set()
    for bar in bars[1:]:
        growing.append(bar, 0.0, "second" if len(growing) == 5 else "memory")
        bases.add(id(growing.series().close.base))
    assert len(bases) == 4
    assert growing.series() is growing.series()
    assert growing.sources() == {"memory": 1999, "second": 1}
    assert growing.source_of(5) == "second"
    with pytest.raises(Impossible, match="may not follow"):
        growing.append(bars[-1], 0.0, "memory")
    with pytest.raises(InvalidInput, match="none at 2000"):
        growing.source_of(2000)
    with pytest.raises(InvalidInput, match="not 3 to 2001"):
        growing.parts(3, 2001)
