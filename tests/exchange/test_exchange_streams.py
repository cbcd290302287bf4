"""ccxt.pro hears what the exchange pushes, and notices when it says nothing any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import ccxt
import pytest
import pytest_asyncio
from exchange.ccxt_clients import BTC, PERPETUAL, wired_linear, wired_spot
from exchange.process import RunningExchange

PATIENCE_S = 10.0


@pytest.fixture
def running() -> Iterator[RunningExchange]:
    with RunningExchange() as started:
        started.trade_at("BTCUSDT", "50000")
        yield started


@pytest_asyncio.fixture
async def spot(running: RunningExchange) -> AsyncIterator[Any]:
    client = wired_spot(running.port)
    await client.load_markets()
    yield client
    await client.close()


@pytest_asyncio.fixture
async def linear(running: RunningExchange) -> AsyncIterator[Any]:
    client = wired_linear(running.port)
    await client.load_markets()
    yield client
    await client.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.02)


async def listening(running: RunningExchange, watch: Any, streams: int = 1) -> asyncio.Task[Any]:
    """A task that waits for a push, once its websocket is open and what it asked for was answered."""
    task = asyncio.create_task(asyncio.wait_for(watch, PATIENCE_S))
    await until(lambda: running.streams()["subscribed"] >= streams)
    return task


async def test_spot_orders_and_balances_are_pushed(running: RunningExchange, spot: Any) -> None:
    orders = await listening(running, spot.watch_orders())
    balance = asyncio.create_task(asyncio.wait_for(spot.watch_balance(), PATIENCE_S))
    await asyncio.sleep(0)
    await spot.create_order(BTC, "limit", "buy", 0.01, 49000, {"newClientOrderId": "rt-1"})
    (order,) = await orders
    assert (order["clientOrderId"], order["status"]) == ("rt-1", "open")
    assert (await balance)["USDT"] == {"free": 9510.0, "used": 490.0, "total": 10000.0}
    filled = asyncio.create_task(asyncio.wait_for(spot.watch_orders(), PATIENCE_S))
    await asyncio.sleep(0)
    running.trade_at("BTCUSDT", "49000")
    (order,) = await filled
    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.01, 49000.0)


async def test_a_wrong_secret_gets_no_user_data(running: RunningExchange, spot: Any) -> None:
    spot.secret = "another"
    # ccxt 4.5.90 trips over its own bookkeeping when the subscription is refused, and raises this in place of -1022
    with pytest.raises((ccxt.AuthenticationError, KeyError)):
        await spot.watch_orders()
    assert running.streams()["subscribed"] == 0


async def told_of(client: Any, name: str) -> list[Any]:
    """What is told of one order, whatever is told of others before."""
    while True:
        told = [order for order in await client.watch_orders() if order["clientOrderId"] == name]
        if told:
            return told


async def test_futures_orders_stops_and_positions_are_pushed(running: RunningExchange, linear: Any) -> None:
    orders = await listening(running, linear.watch_orders())
    await linear.create_order(PERPETUAL, "market", "buy", 0.1, params={"clientOrderId": "rt-1"})
    assert {order["clientOrderId"] for order in await orders} == {"rt-1"}
    stops = asyncio.create_task(asyncio.wait_for(told_of(linear, "rt-2"), PATIENCE_S))
    await asyncio.sleep(0)
    stopping = {"stopLossPrice": 49000, "reduceOnly": True, "clientOrderId": "rt-2"}
    await linear.create_order(PERPETUAL, "market", "sell", 0.1, params=stopping)
    assert [(order["status"], order["triggerPrice"]) for order in await stops] == [("open", 49000.0)]


async def test_candles_and_prices_are_pushed(running: RunningExchange, spot: Any, linear: Any) -> None:
    for streams, (client, symbol) in enumerate(((spot, BTC), (linear, PERPETUAL)), 1):
        candles = await listening(running, client.watch_ohlcv(symbol, "1m"), 2 * streams - 1)
        assert (await candles)[-1][4] == 50000.0
        ticker = await listening(running, client.watch_ticker(symbol), 2 * streams)
        assert (await ticker)["last"] == 50000.0


async def test_a_silent_stream_stays_open_and_says_nothing(running: RunningExchange, spot: Any) -> None:
    orders = await listening(running, spot.watch_orders())
    running.switch(streams_silent=True)
    await spot.create_order(BTC, "limit", "buy", 0.01, 49000)
    await asyncio.sleep(0.1)
    assert not orders.done()
    assert running.streams()["open"] == 1
    running.switch(streams_silent=False)
    await spot.create_order(BTC, "limit", "buy", 0.01, 48000)
    assert [order["price"] for order in await orders] == [48000.0]


async def test_a_closed_stream_raises_and_the_next_call_opens_another(running: RunningExchange, spot: Any) -> None:
    orders = await listening(running, spot.watch_orders())
    assert running.drop_streams() == 1
    with pytest.raises(ccxt.NetworkError):
        await orders
    again = await listening(running, spot.watch_orders(), 2)
    await spot.create_order(BTC, "limit", "buy", 0.01, 49000)
    assert (await again)[0]["status"] == "open"
    assert running.streams()["accepted"] == 2
