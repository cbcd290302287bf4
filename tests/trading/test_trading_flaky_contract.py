"""The failing venue of these tests, with its faults off, keeps the contract that every broker keeps."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest_asyncio
from flaky_broker import FlakyBroker

sys.path.append(str(Path(__file__).resolve().parent.parent / "contracts"))

from broker_harness import PaperHarness  # found by the line above
from test_contract_broker import *  # noqa: F403  # every test of the contract, run on another broker
from test_contract_broker import Account


class FlakyHarness:
    """The paper broker's harness with the failing venue in front of its broker."""

    def __init__(self, folder: Path) -> None:
        self._inner = PaperHarness(folder)
        self.account, self.symbol = self._inner.account, self._inner.symbol
        self.broker = self._in_front()

    def now(self) -> datetime:
        return self._inner.now()

    def wait(self, span: timedelta) -> None:
        self._inner.wait(span)

    async def trade_at(self, price: float, *, most: Decimal | None = None) -> None:
        await self._inner.trade_at(price, most=most)

    async def reopen(self) -> None:
        await self._inner.reopen()
        self.broker = self._in_front()

    def _in_front(self) -> FlakyBroker:
        return FlakyBroker(self._inner.broker, self._inner)


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    harness = FlakyHarness(tmp_path)
    yield Account(harness)
    await harness.broker.close()
