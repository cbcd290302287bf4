"""Candles, prices and the rules of the markets, as ccxt reads them."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from exchange.ccxt_clients import BTC, PERPETUAL, ShiftedClock
from exchange.core import Exchange
from exchange.markets import MINUTE
from exchange.wire import Refusal


@pytest.fixture
def minute(clock: ShiftedClock) -> int:
    """The clock is moved to ten seconds after this minute's beginning."""
    begun = clock() - clock() % MINUTE + 10 * MINUTE
    clock.shift_ms += begun + 10_000 - clock()
    return begun


async def test_candles_are_made_of_what_was_traded(
    exchange: Exchange, spot: Any, linear: Any, clock: ShiftedClock, minute: int
) -> None:
    for price in ("100", "104", "99", "101"):
        exchange.trade_at("ETHUSDT", price)
    clock.shift_ms += 3 * MINUTE
    exchange.trade_at("ETHUSDT", "110")
    for client, symbol in ((spot, "ETH/USDT"), (linear, "ETH/USDT:USDT")):
        rows = await client.fetch_ohlcv(symbol, "1m")
        assert [row[0] - minute for row in rows] == [0, MINUTE, 2 * MINUTE, 3 * MINUTE]
        assert rows[0][1:] == [100.0, 104.0, 99.0, 101.0, 4.0]
        assert rows[1][1:] == [101.0, 101.0, 101.0, 101.0, 0.0]
        assert rows[3][1:5] == [110.0] * 4
    assert [row[0] - minute for row in await spot.fetch_ohlcv("ETH/USDT", "1m", minute + MINUTE, 2)] == [60000, 120000]
    assert len(await spot.fetch_ohlcv("ETH/USDT", "1m", limit=2)) == 2
    assert len(await spot.fetch_ohlcv("ETH/USDT", "1s")) == 181


async def test_given_candles_do_not_tell_the_future_and_trading_goes_on_after_them(
    exchange: Exchange, spot: Any, clock: ShiftedClock, minute: int
) -> None:
    rows = [[minute + n * MINUTE, 10 + n, 12 + n, 9 + n, 11 + n, 5] for n in (-2, -1, 0, 1)]
    exchange.set_candles("LTCUSDT", "1m", rows)
    told = await spot.fetch_ohlcv("LTC/USDT", "1m")
    assert [row[0] - minute for row in told] == [-2 * MINUTE, -MINUTE, 0]
    assert told[1][1:] == [9.0, 11.0, 8.0, 10.0, 5.0]
    assert told[2][1:] == [10.0, 10.0, 10.0, 10.0, 0.0]
    clock.shift_ms += 2 * MINUTE
    exchange.trade_at("LTCUSDT", "77")
    assert [row[4] for row in await spot.fetch_ohlcv("LTC/USDT", "1m")] == [9.0, 10.0, 11.0, 12.0, 77.0]


async def test_prices_are_told_by_every_route(exchange: Exchange, spot: Any, linear: Any) -> None:
    exchange.set_spread("BTCUSDT", "2")
    for client, symbol in ((spot, BTC), (linear, PERPETUAL)):
        assert (await client.fetch_ticker(symbol))["last"] == 50000.0
        assert (await client.fetch_bids_asks([symbol]))[symbol]["bid"] == 49999.0
        assert (await client.fetch_last_prices([symbol]))[symbol]["price"] == 50000.0
        assert (await client.fetch_order_book(symbol))["asks"][0][0] == 50001.0
    assert (await spot.fetch_ticker(BTC))["ask"] == 50001.0
    assert (await linear.fetch_funding_rate(PERPETUAL))["markPrice"] == 50000.0


async def test_the_exchange_tells_its_time_and_its_skew(exchange: Exchange, spot: Any, clock: ShiftedClock) -> None:
    exchange.faults.skew_ms = 90_000
    assert abs(await spot.fetch_time() - clock() - 90_000) < 1000


async def test_steps_and_bounds_are_told_as_ccxt_reads_them(spot: Any, linear: Any) -> None:
    market, contract = spot.market(BTC), linear.market(PERPETUAL)
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.00001, 0.01)
    assert (market["limits"]["cost"]["min"], market["active"]) == (5.0, True)
    assert (contract["precision"]["amount"], contract["precision"]["price"]) == (0.001, 0.1)
    assert (contract["limits"]["cost"]["min"], contract["linear"], contract["contractSize"]) == (100.0, True, 1.0)


async def test_what_is_not_traded_is_refused(exchange: Exchange, spot: Any) -> None:
    with pytest.raises(ccxt.BadSymbol):
        await spot.public_get_klines({"symbol": "NOSUCH", "interval": "1m"})
    with pytest.raises(ccxt.BadRequest):
        await spot.public_get_klines({"symbol": "BTCUSDT", "interval": "7m"})
    with pytest.raises(Refusal, match="Invalid symbol"):
        exchange.trade_at("NOSUCH", "1")
