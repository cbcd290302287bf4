"""A market in memory behind the `MarketLink` port: bars of one made-up story, given as a test says they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from domain.bars import Bar, BarSeries, Quote
from domain.clock import SteppedClock, from_epoch, to_epoch
from domain.errors import InvalidInput
from domain.instruments import Instrument, Timeframe
from market.registry import Registry
from venues.records import VenueMarket

START = 1_700_006_400  # 2023-11-15 00:00 UTC
REGISTRY = Registry.shipped()


def instruments(*symbols: str) -> dict[str, Instrument]:
    return {symbol: REGISTRY.resolve(symbol) for symbol in symbols}


def story(symbol: str, count: int, timeframe: Timeframe = Timeframe.M1, seed: int = 3) -> list[Bar]:
    """`count` faultless bars; the same for the same arguments, and each a beginning of the longer ones."""
    random = np.random.default_rng([seed, *symbol.encode()])
    price, bars = 100.0, []
    for number in range(count):
        close = price * (1 + 0.002 * float(random.standard_normal()))
        bars.append(
            Bar(
                opened_at=from_epoch(START + number * timeframe.seconds),
                timeframe=timeframe,
                open=price,
                high=max(price, close) * 1.001,
                low=min(price, close) * 0.999,
                close=close,
                volume=float(random.integers(1, 100)),
            )
        )
        price = close
    return bars


def series_of(symbol: str, bars: Sequence[Bar], source: str = "memory") -> BarSeries:
    def column(name: str) -> np.ndarray:
        return np.array([getattr(bar, name) for bar in bars], dtype=np.float64)

    spread = float(REGISTRY.resolve(symbol).spread_bps) / 20_000
    return BarSeries(
        symbol=symbol,
        timeframe=bars[0].timeframe,
        source=source,
        opened=np.array([to_epoch(bar.opened_at) for bar in bars], dtype=np.int64),
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
        volume=column("volume"),
        half_spread=column("open") * spread,
    )


def scaled(bar: Bar, factor: float) -> Bar:
    return replace(bar, open=bar.open * factor, high=bar.high * factor, low=bar.low * factor, close=bar.close * factor)


Fault = Callable[[str, int], Awaitable[None]]
"""Called with the symbol and the number of the call before every answer; raises or waits to make it fail."""


class MemoryMarket:
    """Gives the bars of `bars` that it is asked for and that have closed; a test may change them at any time."""

    def __init__(self, bars: Mapping[str, Sequence[Bar]], clock: SteppedClock, venue: str = "memory") -> None:
        self.bars_of = {symbol: list(rows) for symbol, rows in bars.items()}
        self.clock = clock
        self.calls: Counter[str] = Counter()
        self.asked: list[tuple[str, datetime, datetime]] = []
        self.fault: Fault | None = None
        self.skew = timedelta(0)
        self.latency_s = 0.0
        self.hidden: set[tuple[str, datetime]] = set()
        self.spread = 0.02
        self.at_once = 0
        self.most_at_once = 0
        self.closed = False
        self._venue = venue

    @property
    def venue(self) -> str:
        return self._venue

    @property
    def rejected(self) -> Mapping[tuple[str, str], int]:
        return {}

    async def markets(self, symbols: Sequence[str]) -> Mapping[str, VenueMarket]:
        return {symbol: market_of(symbol) for symbol in symbols}

    async def bars(self, symbol: str, timeframe: Timeframe, since: datetime, *, until: datetime) -> Sequence[Bar]:
        self.calls[symbol] += 1
        self.asked.append((symbol, since, until))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            if self.fault is not None:
                await self.fault(symbol, self.calls[symbol])
        finally:
            self.at_once -= 1
        return [
            bar
            for bar in self.bars_of[symbol]
            if since <= bar.opened_at and bar.closed_at <= until and (symbol, bar.opened_at) not in self.hidden
        ]

    async def quote(self, symbol: str) -> Quote:
        if symbol not in self.bars_of:
            raise InvalidInput(f"{symbol} is not traded here")
        self.calls[f"quote {symbol}"] += 1
        if self.fault is not None:
            await self.fault(f"quote {symbol}", self.calls[f"quote {symbol}"])
        return Quote(symbol=symbol, at=self.clock.now(), bid=100.0, ask=100.0 + self.spread)

    async def server_time(self) -> datetime:
        await asyncio.sleep(self.latency_s)
        return self.clock.now() + self.skew

    async def close(self) -> None:
        self.closed = True


def market_of(symbol: str, quote: str = "USDT", vendor: str = "", **changes: object) -> VenueMarket:
    figures = {
        "tick": Decimal("0.01"),
        "lot": Decimal("0.001"),
        "min_quantity": Decimal("0.001"),
        "min_notional": Decimal(10),
        "taker_fee": Decimal("0.0004"),
        "maker_fee": Decimal("0.0002"),
        **changes,
    }
    base = symbol.removesuffix(quote)
    return VenueMarket(symbol=symbol, vendor_symbol=vendor or f"{base}/{quote}", base=base, quote=quote, **figures)


def at(bars: float, timeframe: Timeframe = Timeframe.M1, seconds: float = 0.0) -> datetime:
    """`seconds` after the close of the first `bars` bars of a story."""
    return from_epoch(START) + bars * timeframe.span + timedelta(seconds=seconds)
