"""An exchange in this process with a market, and ccxt in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from exchange.ccxt_clients import ShiftedClock, linear_client, spot_client
from exchange.core import Exchange
from exchange.in_process import InProcessSession


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def exchange(clock: ShiftedClock) -> Exchange:
    made = Exchange(clock_ms=clock, seed=7)
    made.trade_at("BTCUSDT", "50000")
    return made


@pytest.fixture
def session(exchange: Exchange) -> InProcessSession:
    return InProcessSession(exchange)


@pytest_asyncio.fixture
async def spot(session: InProcessSession) -> AsyncIterator[Any]:
    client = spot_client(session)
    await client.load_markets()
    yield client
    await client.close()


@pytest_asyncio.fixture
async def linear(session: InProcessSession) -> AsyncIterator[Any]:
    client = linear_client(session)
    await client.load_markets()
    yield client
    await client.close()
