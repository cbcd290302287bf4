"""The broker of a venue's demo account, over the real vendor library, on the test exchange in this process."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from exchange.core import Exchange
from exchange.in_process import InProcessSession
from exchange.keys import TRADE_KEY

from brokers.ccxt.broker import CcxtBroker
from domain.clock import EPOCH, SteppedClock
from domain.instruments import AssetClass, Instrument
from venues.account import CcxtAccount
from venues.credentials import Credentials
from venues.opening import open_account
from venues.records import MarketKind

START = datetime.fromisoformat("2024-03-04T00:00:00+00:00")
SYMBOL = "SOLUSDT"
HOUR = timedelta(hours=1)
_MILLISECOND = timedelta(milliseconds=1)


async def linked(exchange: Exchange, clock: SteppedClock, market: MarketKind, *symbols: str) -> CcxtAccount:
    """The account MAIN of the exchange through the vendor library, with no socket in between."""
    return await open_account(
        venue="binance",
        market=market,
        symbols=symbols,
        credentials=Credentials(key=TRADE_KEY.key, secret=TRADE_KEY.secret),
        clock=clock,
        session=InProcessSession(exchange),
    )


class CcxtHarness:
    """One account of the test exchange, with trades an hour apart, whose daemon looks at it before each."""

    broker: CcxtBroker

    def __init__(self, folder: Path, market: MarketKind) -> None:
        self.account = "contract"
        self.symbol = SYMBOL
        self._path = folder / "venue.db"
        self._market = market
        self._clock = SteppedClock(START)
        self.exchange = Exchange(clock_ms=lambda: (self.now() - EPOCH) // _MILLISECOND)
        self.exchange.trade_at(SYMBOL, "100")

    @classmethod
    async def begun(cls, folder: Path, market: MarketKind) -> CcxtHarness:
        harness = cls(folder, market)
        harness.broker = await harness._connected()
        return harness

    def now(self) -> datetime:
        return self._clock.now()

    def wait(self, span: timedelta) -> None:
        self._clock.move_to(self.now() + span)

    async def trade_at(self, price: float, *, most: Decimal | None = None) -> None:
        await self.broker.events("")
        self.exchange.trade_at(SYMBOL, str(price), most=most)
        self.wait(HOUR)

    async def reopen(self) -> None:
        await self.broker.close()
        await self.reconnect()

    async def reconnect(self) -> None:
        """Connect anew, after a broker that is gone."""
        self.broker = await self._connected()

    async def _connected(self) -> CcxtBroker:
        link = await linked(self.exchange, self._clock, self._market, SYMBOL)
        traded = link.markets[SYMBOL]
        return await CcxtBroker.open(
            self._path,
            account=self.account,
            currency="USDT",
            instruments={
                SYMBOL: Instrument(
                    symbol=SYMBOL,
                    asset_class=AssetClass.CRYPTO,
                    base=traded.base,
                    quote=traded.quote,
                    tick=traded.tick,
                    lot=traded.lot,
                    pip=traded.tick,
                    min_quantity=traded.min_quantity,
                    min_notional=traded.min_notional,
                    calendar="24/7",
                    spread_bps=Decimal(0),
                    max_spread_pips=Decimal(100),
                    fee_rate=traded.taker_fee,
                )
            },
            link=link,
            clock=self._clock,
            durable=True,
        )
