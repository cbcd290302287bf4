"""Loading candles, telling them, making a market, and asking for hours and rates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench import stories
from bench.figures import Figure, in_unit, rates
from bench.request import Request
from bench.timing import once_each, per_call
from market.fx import RateBook
from market.registry import Registry
from market.sessions import FX_WEEK, Sessions
from market.simulated import MOST_INSTRUMENTS, SimulatedFeed

START = datetime(2024, 1, 1, tzinfo=UTC)
MADE_BARS = 2_000


def run(request: Request) -> Iterator[Figure]:
    """From a folder to moments; then what a scan asks of the market beside bars."""
    feed = stories.feed(request)
    bars = sum(len(feed.series(symbol)) for symbol in feed.instruments)
    seconds = once_each(lambda: stories.feed(request), request.repeat)
    told = f"a folder of {len(feed.instruments)} files read, cleaned and priced"
    yield Figure(name="market.load", what=told, unit="bars/s", values=rates(bars, seconds))

    def tell() -> None:
        feed.seek(datetime(1970, 1, 1, tzinfo=UTC))
        while feed.next_at() is not None:
            feed.take()

    seconds = once_each(tell, request.repeat)
    told = "every moment of the folder told, with nobody listening"
    yield Figure(name="market.feed", what=told, unit="bars/s", values=rates(bars, seconds))
    seconds = once_each(
        lambda: SimulatedFeed(7, instruments=MOST_INSTRUMENTS, bars=MADE_BARS, start=START), request.repeat
    )
    told = f"the simulated market: {MOST_INSTRUMENTS} instruments, {MADE_BARS} bars each, with headlines and calendar"
    yield Figure(name="market.simulated", what=told, unit="ms", values=in_unit(seconds, "ms"))
    yield from _asked(request.repeat)


def _asked(repeat: int) -> Iterator[Figure]:
    sessions = Sessions(START.date(), (START + timedelta(days=90)).date())
    moments = [START + timedelta(hours=hour) for hour in range(2_000)]

    def hours() -> None:
        for moment in moments:
            sessions.is_open(FX_WEEK, moment)

    seconds = tuple(each / len(moments) for each in per_call(hours, repeat))
    told = "whether the currency market is open at one moment"
    yield Figure(name="market.session", what=told, unit="us", values=in_unit(seconds, "us"))
    pairs = [Registry.shipped().resolve(symbol) for symbol in ("EURUSD", "GBPUSD", "USDJPY", "AUDUSD", "USDCAD")]
    book = RateBook(pairs)

    def rate() -> None:
        for pair in pairs:
            book.update(pair.symbol, 1.25, START)
        book.rates(START, ("CAD", "JPY", "USD"))

    yield Figure(
        name="market.rates",
        what="five closes taken in and the rates that follow",
        unit="us",
        values=in_unit(per_call(rate, repeat), "us"),
    )
