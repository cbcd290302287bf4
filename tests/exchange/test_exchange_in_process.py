"""The session without a socket behaves as aiohttp's does."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import ccxt
import pytest
from exchange.ccxt_clients import BTC, ShiftedClock, spot_client
from exchange.core import Exchange
from exchange.in_process import InProcessSession
from exchange.wire import Reply, Request


async def test_every_request_is_traced_with_its_reply(exchange: Exchange) -> None:
    traced: list[tuple[Request, Reply]] = []
    session = InProcessSession(exchange, trace=lambda request, reply: traced.append((request, reply)))
    async with spot_client(session) as client:
        await client.create_order(BTC, "market", "buy", 0.01)
    assert [(request.method, request.path, reply.status) for request, reply in traced] == [
        ("GET", "/api/v3/exchangeInfo", 200),
        ("POST", "/api/v3/order", 200),
    ]
    assert traced[1][0].host == "api.binance.com"
    assert traced[1][0].parameters()["side"] == "BUY"


async def test_latency_is_waited_for_and_may_be_too_long(exchange: Exchange) -> None:
    session = InProcessSession(exchange, latency_ms=(20, 20))
    loop = asyncio.get_running_loop()
    async with spot_client(session) as client:
        begun = loop.time()
        await client.fetch_time()
        assert loop.time() - begun >= 0.039
        client.timeout = 30
        with pytest.raises(ccxt.RequestTimeout):
            await client.fetch_time()


async def test_a_host_that_cannot_be_reached(exchange: Exchange, session: InProcessSession) -> None:
    session.unreachable = True
    async with spot_client(session) as client:
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await client.fetch_time()
    assert exchange.ledger()["calls"] == {}


async def test_a_session_in_use_is_not_closed_by_ccxt_and_a_closed_one_refuses(session: InProcessSession) -> None:
    client = spot_client(session)
    await client.close()
    assert not session.closed
    await session.close()
    with pytest.raises(RuntimeError, match="closed"):
        async with session.get("https://api.binance.com/api/v3/time"):
            pass


async def test_errors_are_aiohttps_own(exchange: Exchange, session: InProcessSession) -> None:
    exchange.faults.add("drop_before")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        async with session.get("https://api.binance.com/api/v3/time"):
            pass
    async with session.get("https://api.binance.com/api/v3/time") as response:
        assert (response.status, response.reason) == (200, "OK")
        assert "serverTime" in await response.text()


async def test_a_cancelled_task_leaves_what_it_sent(exchange: Exchange, clock: ShiftedClock, spot: Any) -> None:
    exchange.faults.add("delay", method="POST", ms=1000)
    task = asyncio.create_task(spot.create_order(BTC, "market", "buy", 0.01))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert exchange.ledger()["accounts"]["main"]["orders"] == []
    clock.shift_ms += 1000
    told = exchange.ledger()
    order = told["accounts"]["main"]["orders"][0]
    assert order["status"] == "FILLED"
    assert order["created"] - told["requests"][0]["at"] == 1000


async def test_what_is_due_earlier_happens_earlier(exchange: Exchange, clock: ShiftedClock, spot: Any) -> None:
    exchange.faults.add("delay", method="POST", ms=500)
    task = asyncio.create_task(spot.create_order(BTC, "market", "buy", 0.01))
    await asyncio.sleep(0.01)
    task.cancel()
    clock.shift_ms += 600
    exchange.trade_at("BTCUSDT", "60000")
    assert exchange.ledger()["accounts"]["main"]["trades"][0]["price"] == "50000"


def test_a_ticket_is_honoured_once(exchange: Exchange) -> None:
    exchange.faults.add("delay", ms=5)
    promise = exchange.handle(Request("GET", "api.binance.com", "/api/v3/time"))
    assert (promise.delay_ms, promise.ticket) == (5, 1)
    assert exchange.finish(1).status == 200
    with pytest.raises(LookupError, match="ticket 1"):
        exchange.finish(1)
