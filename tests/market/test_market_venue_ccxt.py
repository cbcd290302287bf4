"""The feed over the real vendor library against the test exchange: its candles, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import numpy as np
import pytest
from exchange.core import Exchange
from exchange.in_process import InProcessSession
from memory_market import MemoryMarket, at, series_of, story

from domain.bars import Bar
from domain.clock import EPOCH, SteppedClock, to_epoch
from domain.instruments import Timeframe
from market.robust import RetryPlan
from market.venue_feed import Gathered, VenueFeed
from market.venue_history import load_history
from market.venue_instruments import instruments_of, with_spread_limits
from venues.market import CcxtMarket
from venues.opening import open_market
from venues.records import MarketKind

NAMES = ("BTCUSDT", "ETHUSDT")
COUNT, HAD = 60, 40
PLAN = RetryPlan(first_wait_s=0.001, longest_wait_s=0.01, failures=100)
CANDLES = "/klines"


class Scene:
    """The exchange with a story of candles, the link to it, and the feed over the link."""

    def __init__(
        self, timeframe: Timeframe, exchange: Exchange, clock: SteppedClock, link: CcxtMarket, asked: list[str]
    ) -> None:
        self.timeframe = timeframe
        self.asked = asked
        self.exchange = exchange
        self.clock = clock
        self.link = link
        self.whole = {name: story(name, COUNT, timeframe) for name in NAMES}
        self.second = MemoryMarket(self.whole, clock, venue="second")
        for name, bars in self.whole.items():
            exchange.set_candles(name, timeframe.value, [_row(bar) for bar in bars])
            exchange.trade_at(name, round(bars[-1].close, 2))

    async def start(self, *, fallback: bool = False) -> VenueFeed:
        """The feed as a daemon starts it."""
        markets = await self.link.markets(NAMES)
        instruments = instruments_of(markets, shorts=False, currency="USDT")
        history = await load_history(
            self.link, instruments, self.timeframe, until=self.clock.now(), bars=HAD - 10, plan=PLAN
        )
        self.feed = VenueFeed(
            name="venue:binance",
            timeframe=self.timeframe,
            instruments=with_spread_limits(instruments, history),
            history=history,
            link=self.link,
            clock=self.clock,
            fallback=self.second if fallback else None,
            patience=timedelta(seconds=2),
            plan=PLAN,
        )
        return self.feed

    async def gather(self, bars: float, seconds: float = 0.5) -> Gathered:
        self.clock.move_to(at(bars, self.timeframe, seconds))
        return await self.feed.gather(self.clock.now())

    def is_whole(self, name: str, count: int) -> bool:
        """Whether the bars at hand are exactly those of the story, up to `count` of them."""
        series, told = self.feed.series(name), series_of(name, self.whole[name][10:count])
        columns = ("opened", "open", "high", "low", "close", "volume")
        return all(np.array_equal(getattr(series, each), getattr(told, each)) for each in columns)


def _row(bar: Bar) -> list[object]:
    prices = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return [to_epoch(bar.opened_at) * 1000, *(repr(value) for value in prices)]


@asynccontextmanager
async def scene(timeframe: Timeframe = Timeframe.M1, **feed: bool) -> AsyncIterator[Scene]:
    clock = SteppedClock(at(HAD, timeframe, 0.5))
    exchange = Exchange(clock_ms=lambda: (clock.now() - EPOCH) // timedelta(milliseconds=1))
    asked: list[str] = []
    session = InProcessSession(exchange, trace=lambda request, _reply: asked.append(request.path))
    link = await open_market(
        venue="binance", market=MarketKind.SPOT, clock=clock, base_url="http://127.0.0.1:9", session=session
    )
    try:
        one = Scene(timeframe, exchange, clock, link, asked)
        await one.start(**feed)
        yield one
        await one.feed.close()
    finally:
        await link.close()


@pytest.mark.parametrize("timeframe", [Timeframe.S1, Timeframe.M1])
async def test_bars_grow_exactly_as_the_exchange_tells_them(timeframe):
    async with scene(timeframe) as one:
        one.feed.seek(at(HAD, timeframe))
        for bars in range(HAD + 1, HAD + 6):
            gathered = await one.gather(bars)
            assert gathered.by_source == {"binance": 2}
            assert gathered.silent == {}
            assert [(moment.at, len(moment.closed)) for moment in [one.feed.take()]] == [(at(bars, timeframe), 2)]
        assert all(one.is_whole(name, HAD + 5) for name in NAMES)
        assert (await one.gather(COUNT)).bars == 2 * (COUNT - HAD - 5)
        assert all(one.is_whole(name, COUNT) for name in NAMES)


async def test_the_bar_that_is_still_open_is_never_taken():
    async with scene() as one:
        gathered = await one.gather(HAD + 1.9)
        assert gathered.bars == 2
        assert all(one.is_whole(name, HAD + 1) for name in NAMES)


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("status_before", {"status": 503}),
        ("maintenance", {}),
        ("drop_before", {}),
        ("drop_after", {}),
        ("truncated", {}),
        ("empty_object", {}),
        ("html", {}),
        ("candles_broken", {}),
        ("candles_missing", {}),
        ("candles_repeated", {}),
        ("candles_future", {}),
    ],
)
async def test_what_goes_wrong_for_two_answers_costs_no_bar(fault, settings):
    async with scene() as one:
        switched = one.exchange.faults.add(fault, path=CANDLES, times=2, **settings)
        await one.gather(HAD + 5)
        assert switched.hit == 2
        await one.gather(HAD + 5, 1.0)
        assert all(one.is_whole(name, HAD + 5) for name in NAMES)


async def test_a_candle_that_is_no_number_is_counted_for_its_instrument_and_asked_for_again():
    async with scene() as one:
        one.exchange.faults.add("candles_broken", path=CANDLES, times=1)
        found = await one.gather(HAD + 5)
        found = found.then(await one.gather(HAD + 5, 1.0))
        assert len(found.rejected_of) == 1
        ((name, kind),) = found.rejected_of
        assert (name in NAMES, kind, found.rejected) == (True, "unreadable", {"unreadable": 1})
        assert all(one.is_whole(each, HAD + 5) for each in NAMES)


async def test_with_three_answers_in_ten_failing_at_least_99_percent_of_the_bars_come():
    async with scene() as one:
        for fault in ("status_before", "truncated", "drop_before"):
            one.exchange.faults.add(fault, path=CANDLES, times=None, probability=0.107)
        one.feed.seek(at(HAD))
        in_time = 0
        for bars in range(HAD + 1, COUNT + 1):
            gathered = await one.gather(bars, 0.5)
            if gathered.again_at is not None:
                await one.gather(bars, 1.0)
            in_time += len(one.feed.take().closed)
        assert sum(fault.hit for fault in one.exchange.faults.active) >= 10
        assert in_time / (len(NAMES) * (COUNT - HAD)) >= 0.99
        await one.gather(COUNT, 1.5)
        assert all(one.is_whole(name, COUNT) for name in NAMES)


async def test_a_venue_that_says_too_many_is_left_alone_for_as_long_as_it_says():
    async with scene(fallback=True) as one:
        one.exchange.faults.add("limited", path=CANDLES, seconds=1)
        first = await one.gather(HAD + 1)
        assert first.by_source == {"second": 2}
        asked = len(one.asked)
        again = await one.gather(HAD + 2)
        assert again.by_source == {"second": 2}
        assert len(one.asked) == asked
        await asyncio.sleep(1.05)
        assert (await one.gather(HAD + 3)).by_source == {"binance": 2}


async def test_quotes_come_from_the_order_book_and_price_the_next_bar():
    async with scene() as one:
        one.exchange.set_spread("BTCUSDT", "0.08")
        quotes = await one.feed.quotes(NAMES)
        assert list(quotes) == list(NAMES)
        assert quotes["BTCUSDT"].ask - quotes["BTCUSDT"].bid == pytest.approx(0.08)
        await one.gather(HAD + 1)
        assert float(one.feed.series("BTCUSDT").half_spread[-1]) == pytest.approx(0.04)
