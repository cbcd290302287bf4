"""Public data through the real vendor library: closed bars without gaps of our making, quotes, instruments, time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from exchange.core import Exchange
from exchange.faults import FaultKind
from exchange.in_process import InProcessSession
from venue_accounts import HERE, MachineClock, RecordingSession
from venue_payloads import NOW_MS, okx_answer, okx_answers

from domain.errors import ConfigurationRefused, InvalidInput, VenueBusy, VenueUnavailable
from domain.instruments import Timeframe
from venues.errors import UnreadableCandle
from venues.market import CcxtMarket
from venues.opening import open_market
from venues.records import MarketKind

BTC = "BTCUSDT"
MINUTE_MS = 60_000


@pytest_asyncio.fixture
async def market(kind: MarketKind, session: InProcessSession, venue_clock: MachineClock) -> AsyncIterator[CcxtMarket]:
    opened = await open_market(venue="binance", market=kind, clock=venue_clock, base_url=HERE, session=session)
    yield opened
    await opened.close()


def _candles(exchange: Exchange, count: int, clock: MachineClock) -> list[datetime]:
    """`count` one-minute candles, the last of which is still open; returns their opening times."""
    last = int(clock.now().timestamp()) // 60 * MINUTE_MS
    opened = [last - MINUTE_MS * back for back in reversed(range(count))]
    exchange.set_candles(BTC, "1m", [[at, "50000", "50010.5", "49990", "50001", "1.5"] for at in opened])
    return [datetime.fromtimestamp(at / 1000, UTC) for at in opened]


async def test_bars_are_closed_ones_in_order_over_many_pages(
    market: CcxtMarket, exchange: Exchange, venue_clock: MachineClock
) -> None:
    opened = _candles(exchange, 2501, venue_clock)
    told = await market.bars(BTC, Timeframe.M1, opened[0], until=venue_clock.now())
    assert [bar.opened_at for bar in told] == opened[:-1]
    first = told[0]
    assert (first.open, first.high, first.low, first.close, first.volume) == (50000.0, 50010.5, 49990.0, 50001.0, 1.5)
    assert first.half_spread == 0.0


async def test_bars_end_where_that_is_asked(market: CcxtMarket, exchange: Exchange, venue_clock: MachineClock) -> None:
    opened = _candles(exchange, 50, venue_clock)
    told = await market.bars(BTC, Timeframe.M1, opened[5] + timedelta(seconds=1), until=opened[10])
    assert [bar.opened_at for bar in told] == opened[6:10]
    assert await market.bars(BTC, Timeframe.M1, opened[5], until=opened[5]) == []


async def test_a_gap_longer_than_a_page_does_not_end_the_story(
    market: CcxtMarket, exchange: Exchange, venue_clock: MachineClock
) -> None:
    opened = _candles(exchange, 10, venue_clock)
    told = await market.bars(BTC, Timeframe.M1, opened[0] - timedelta(minutes=3000), until=venue_clock.now())
    assert [bar.opened_at for bar in told] == opened[:-1]


async def test_repeated_candles_are_told_once_and_missing_ones_not_made_up(
    market: CcxtMarket, exchange: Exchange, venue_clock: MachineClock
) -> None:
    opened = _candles(exchange, 20, venue_clock)
    exchange.faults.add(FaultKind.CANDLES_REPEATED)
    told = await market.bars(BTC, Timeframe.M1, opened[0], until=venue_clock.now())
    assert [bar.opened_at for bar in told] == opened[:-1]
    exchange.faults.add(FaultKind.CANDLES_MISSING)
    assert len(await market.bars(BTC, Timeframe.M1, opened[0], until=venue_clock.now())) == 18


async def test_a_candle_of_tomorrow_is_not_a_closed_bar(
    market: CcxtMarket, exchange: Exchange, venue_clock: MachineClock
) -> None:
    opened = _candles(exchange, 5, venue_clock)
    exchange.faults.add(FaultKind.CANDLES_FUTURE)
    told = await market.bars(BTC, Timeframe.M1, opened[0], until=venue_clock.now())
    assert [bar.opened_at for bar in told] == opened[:-1]


@pytest.mark.parametrize(
    "fault", [FaultKind.CANDLES_BROKEN, FaultKind.TRUNCATED, FaultKind.EMPTY_OBJECT, FaultKind.HTML], ids=str
)
async def test_candles_that_cannot_be_believed_are_not_told(
    market: CcxtMarket, exchange: Exchange, venue_clock: MachineClock, fault: FaultKind
) -> None:
    opened = _candles(exchange, 20, venue_clock)
    await market.markets([BTC])
    exchange.faults.add(fault, path=".*klines")
    with pytest.raises(VenueUnavailable) as told:
        await market.bars(BTC, Timeframe.M1, opened[0], until=venue_clock.now())
    assert isinstance(told.value, UnreadableCandle) is (fault is FaultKind.CANDLES_BROKEN)


async def test_seconds_are_told_where_the_venue_has_them(
    market: CcxtMarket, kind: MarketKind, exchange: Exchange, venue_clock: MachineClock
) -> None:
    since = venue_clock.now() - timedelta(seconds=20)
    if kind is MarketKind.LINEAR:
        with pytest.raises(InvalidInput, match=r"Binance \(linear\) has no candles of 1s"):
            await market.bars(BTC, Timeframe.S1, since, until=venue_clock.now())
        return
    last = int(venue_clock.now().timestamp()) * 1000
    exchange.set_candles(BTC, "1s", [[last - 1000 * back, "1", "2", "1", "2", "3"] for back in range(9, -1, -1)])
    told = await market.bars(BTC, Timeframe.S1, since, until=venue_clock.now())
    assert len(told) in (9, 10)


async def test_a_quote_is_the_best_of_both_sides(market: CcxtMarket, exchange: Exchange) -> None:
    exchange.set_spread(BTC, "10")
    quote = await market.quote(BTC)
    assert (quote.bid, quote.ask, quote.symbol) == (49995.0, 50005.0, BTC)


async def test_several_questions_at_once_load_the_markets_once(market: CcxtMarket, exchange: Exchange) -> None:
    quotes = await asyncio.gather(*(market.quote(symbol) for symbol in (BTC, "ETHUSDT") * 5))
    assert [quote.symbol for quote in quotes] == [BTC, "ETHUSDT"] * 5
    info = [count for path, count in exchange.ledger()["calls"].items() if path.endswith("exchangeInfo")]
    assert info == [1]


async def test_instruments_that_are_not_traded_are_named(market: CcxtMarket) -> None:
    assert (await market.markets([BTC, "ETHUSDT"]))["ETHUSDT"].base == "ETH"
    with pytest.raises(InvalidInput, match="Binance does not trade NOPE, WRONG"):
        await market.markets([BTC, "NOPE", "WRONG"])


async def test_the_venues_time_is_its_own(market: CcxtMarket, exchange: Exchange, venue_clock: MachineClock) -> None:
    exchange.faults.skew_ms = 5000
    ahead = await market.server_time() - venue_clock.now()
    assert timedelta(seconds=4.9) < ahead < timedelta(seconds=5.1)


async def test_a_ban_stops_public_questions_too(market: CcxtMarket, exchange: Exchange) -> None:
    await market.markets([BTC])
    exchange.faults.add(FaultKind.BANNED, seconds=60)
    with pytest.raises(VenueBusy):
        await market.quote(BTC)
    with pytest.raises(VenueBusy):
        await market.server_time()
    assert exchange.ledger()["calls_while_shut"] == {"418": 0, "429": 0}
    assert (market.budget.counts.busy, market.budget.counts.bans, market.budget.counts.refused) == (1, 1, 1)


@pytest.mark.parametrize(("code", "busy"), [(-1008, 1), (-1000, 0)])
async def test_a_venue_that_says_that_it_is_busy_is_counted_whatever_the_status(
    market: CcxtMarket, exchange: Exchange, code: int, busy: int
) -> None:
    await market.markets([BTC])
    exchange.faults.add(FaultKind.STATUS_BEFORE, status=503, code=code)
    with pytest.raises(VenueBusy if busy else VenueUnavailable):
        await market.quote(BTC)
    assert (market.budget.counts.busy, market.budget.counts.bans) == (busy, 0)


async def test_nothing_public_carries_a_key(session: InProcessSession, venue_clock: MachineClock) -> None:
    seen: list[Any] = []
    session.trace = lambda request, reply: seen.append(request)
    opened = await open_market(
        venue="binance", market=MarketKind.SPOT, clock=venue_clock, base_url=HERE, session=session
    )
    await opened.quote(BTC)
    await opened.close()
    assert {request.method for request in seen} == {"GET"}
    assert not any(request.header("X-MBX-APIKEY") or "signature" in request.query for request in seen)


async def test_a_base_address_that_is_no_venue_is_refused(venue_clock: MachineClock) -> None:
    with pytest.raises(ConfigurationRefused, match="on no list of demo hosts"):
        await open_market(venue="binance", market=MarketKind.SPOT, clock=venue_clock, base_url="https://example.org")


async def test_okx_candles_told_newest_first_come_out_oldest_first(venue_clock: MachineClock) -> None:
    row = ["1", "2", "0.5", "1.5", "100", "1", "50", "1"]
    # The newest is told as not confirmed: it is still open at the venue, whatever our clock says.
    rows = [[str(NOW_MS + MINUTE_MS * 3), *row[:-1], "0"]]
    rows += [[str(NOW_MS + MINUTE_MS * number), *row] for number in (2, 1, 0)]
    answers: dict[str, object] = {
        **okx_answers(linear=True),
        "/api/v5/market/candles": {"code": "0", "data": rows},
        "/api/v5/market/history-candles": {"code": "0", "data": rows},
        "/api/v5/market/books": okx_answer(
            {"asks": [["10.1", "1"]], "bids": [["9.9", "1"], ["10", "1"]], "ts": str(NOW_MS)}
        ),
    }
    session = RecordingSession(answers)
    opened = await open_market(venue="okx", market=MarketKind.LINEAR, clock=venue_clock, session=session)
    start = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    told = await opened.bars(BTC, Timeframe.M1, start, until=start + timedelta(minutes=5))
    assert [bar.opened_at for bar in told] == [start + timedelta(minutes=number) for number in range(3)]
    # The volume is in base units, not in contracts.
    assert told[0].volume == 1.0
    quote = await opened.quote(BTC)
    assert (quote.bid, quote.ask, quote.at) == (10.0, 10.1, start)
    assert all("OK-ACCESS-KEY" not in sent.headers for sent in session.sent)
    await opened.close()
