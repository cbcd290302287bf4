"""The test exchange in this process, and accounts at it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from exchange.core import Exchange
from exchange.in_process import InProcessSession
from venue_accounts import HERE, SYMBOLS, MachineClock, credentials

from venues.account import CcxtAccount
from venues.opening import open_account
from venues.records import MarketKind


@pytest.fixture
def venue_clock() -> MachineClock:
    return MachineClock()


@pytest.fixture
def exchange() -> Exchange:
    made = Exchange(clock_ms=lambda: time.time_ns() // 1_000_000, seed=7)
    made.trade_at("BTCUSDT", "50000")
    made.trade_at("ETHUSDT", "2000")
    return made


@pytest.fixture
def session(exchange: Exchange) -> InProcessSession:
    return InProcessSession(exchange)


@pytest.fixture(params=list(MarketKind), ids=str)
def kind(request: pytest.FixtureRequest) -> MarketKind:
    return request.param


@pytest_asyncio.fixture
async def account(kind: MarketKind, session: InProcessSession, venue_clock: MachineClock) -> AsyncIterator[CcxtAccount]:
    """An account of each kind of market in turn."""
    opened = await open_account(
        venue="binance",
        market=kind,
        symbols=SYMBOLS,
        credentials=credentials(),
        clock=venue_clock,
        base_url=HERE,
        session=session,
    )
    yield opened
    await opened.close()
