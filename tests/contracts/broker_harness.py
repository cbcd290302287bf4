"""What the broker contract needs of each kind of broker: the broker itself, and hands on its market and clock.

A new broker plugs in by writing a harness and adding what begins one to `HARNESSES`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from ccxt_harness import CcxtHarness

from brokers.paper.broker import PaperBroker
from brokers.paper.settings import PaperSettings
from brokers.protocol import Broker
from domain.clock import SteppedClock, to_epoch
from domain.instruments import AssetClass, FxRates, Instrument
from venues.records import MarketKind

START = datetime.fromisoformat("2024-03-04T00:00:00+00:00")
SYMBOL = "BTCUSD"


class BrokerHarness(Protocol):
    """One account with enough money for a few units at a price of 100, whose market trades only when told.

    A market order may be answered by the price that stands (a venue) or by the next one (bars on paper).
    """

    broker: Broker
    account: str
    symbol: str

    def now(self) -> datetime:
        """The time on the broker's clock."""
        ...

    def wait(self, span: timedelta) -> None:
        """Let time pass without trading."""
        ...

    async def trade_at(self, price: float, *, most: Decimal | None = None) -> None:
        """Let the market trade at `price`: orders sent before meet it. `most` is what one order can get there."""
        ...

    async def reopen(self) -> None:
        """Let go of the broker and connect to the same account anew."""
        ...


class PaperHarness:
    """The embedded paper broker on a ledger file, with bars of an hour."""

    def __init__(self, folder: Path) -> None:
        self.account = "contract"
        self.symbol = SYMBOL
        self._path = folder / "paper.db"
        self._clock = SteppedClock(START)
        self._rates = FxRates(as_of=START)
        self._instruments = {
            SYMBOL: Instrument(
                symbol=SYMBOL,
                asset_class=AssetClass.CRYPTO,
                base="BTC",
                quote="USD",
                tick=Decimal("0.01"),
                lot=Decimal("0.1"),
                pip=Decimal("0.01"),
                min_quantity=Decimal("0.1"),
                min_notional=Decimal(5),
                calendar="24/7",
                spread_bps=Decimal(0),
                max_spread_pips=Decimal(100),
                fee_rate=Decimal("0.001"),
                max_leverage=Decimal(2),
            )
        }
        self.broker = self._connected()
        self._bar(100.0, math.nan)

    def now(self) -> datetime:
        return self._clock.now()

    def wait(self, span: timedelta) -> None:
        self._clock.move_to(self.now() + span)

    async def trade_at(self, price: float, *, most: Decimal | None = None) -> None:
        # What can be had at an open is a share of the bar before it, so a bar of that volume comes first. It
        # opened long ago, before anything was sent, and touches nothing.
        volume = math.nan if most is None else float(most * 2)
        self._told(to_epoch(self.now()) - 1, price, volume)
        self._bar(price, volume)

    async def reopen(self) -> None:
        await self.broker.close()
        self.broker = self._connected()

    def _connected(self) -> PaperBroker:
        return PaperBroker.open(
            self._path,
            account=self.account,
            currency="USD",
            instruments=self._instruments,
            settings=PaperSettings(slippage_bps=0.0, max_participation=0.5),
            clock=self._clock,
            durable=False,
        )

    def _bar(self, price: float, volume: float) -> None:
        opened = to_epoch(self.now())
        self.broker.market_opens(self.now(), [(SYMBOL, price, 0.0)], self._rates)
        self.wait(timedelta(hours=1))
        self._told(opened, price, volume)

    def _told(self, opened: int, price: float, volume: float) -> None:
        self.broker.market_ranges(self.now(), [(SYMBOL, opened, price, price, price, price, volume, 0.0)], self._rates)


async def _paper(folder: Path) -> BrokerHarness:
    return PaperHarness(folder)


async def _spot(folder: Path) -> BrokerHarness:
    return await CcxtHarness.begun(folder, MarketKind.SPOT)


async def _linear(folder: Path) -> BrokerHarness:
    return await CcxtHarness.begun(folder, MarketKind.LINEAR)


HARNESSES: dict[str, Callable[[Path], Awaitable[BrokerHarness]]] = {
    "ccxt_linear": _linear,
    "ccxt_spot": _spot,
    "paper": _paper,
}
