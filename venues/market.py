"""`CcxtMarket`: a venue's public data behind the `MarketLink` of venues/link.py, read without credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from domain.bars import Bar, Quote
from domain.clock import Clock
from domain.errors import InvalidInput, VenueUnavailable
from domain.instruments import Timeframe
from venues.account import CloseSession, measured_offset
from venues.answers import decimal, from_ms, to_ms, whole
from venues.book import Book, book_of
from venues.budget import Budget
from venues.candles import CandleRow, candle_rows
from venues.errors import UnreadableCandle
from venues.profiles import Profile
from venues.records import VenueMarket
from venues.vendor import Vendor

DEPTH = 5


class CcxtMarket:
    """Candles, quotes and instruments. Several questions may be under way at once."""

    def __init__(self, *, profile: Profile, vendor: Vendor, clock: Clock, close_session: CloseSession) -> None:
        self._profile = profile
        self._vendor = vendor
        self._clock = clock
        self._close_session = close_session
        self._loading = asyncio.Lock()
        self._listed: Sequence[Mapping[str, Any]] = ()

    @property
    def venue(self) -> str:
        return self._profile.venue

    @property
    def budget(self) -> Budget:
        """What was asked of the venue's allowance so far, for metrics."""
        return self._vendor.budget

    async def markets(self, symbols: Sequence[str]) -> Mapping[str, VenueMarket]:
        return (await self._book(symbols)).markets

    async def bars(self, symbol: str, timeframe: Timeframe, since: datetime, *, until: datetime) -> Sequence[Bar]:
        """Page by page of one span of time each, so that no venue's order of telling matters and no gap ends it."""
        self._demand_frame(timeframe)
        venue_id = (await self._book([symbol])).ids[symbol]
        span, found = timeframe.span, dict[datetime, Bar]()
        start = since
        while start + span <= until:
            end = min(start + self._profile.bars_a_page * span, until)
            for row in await candle_rows(self._vendor, self._profile, venue_id, timeframe, (start, end)):
                bar = _bar(row, timeframe, symbol)
                if bar.opened_at < since or bar.closed_at > until:
                    continue
                if found.setdefault(bar.opened_at, bar) != bar:
                    raise UnreadableCandle(f"{symbol}: two different bars of {bar.opened_at.isoformat()}")
            start = end
        return [found[opened] for opened in sorted(found)]

    async def quote(self, symbol: str) -> Quote:
        market = (await self._book([symbol])).market(symbol)
        book = await self._vendor.call(self._vendor.exchange.fetch_order_book, market.vendor_symbol, DEPTH)
        bids, asks = _prices(book, "bids"), _prices(book, "asks")
        told = book.get("timestamp")
        at = self._vendor.now if told is None else from_ms(decimal(told, "timestamp"))
        with whole(f"a quote of {symbol}"):
            return Quote(symbol=symbol, at=at, bid=max(bids), ask=min(asks))

    async def server_time(self) -> datetime:
        self._vendor.offset = await measured_offset(self._vendor, self._clock)
        return self._vendor.now

    async def close(self) -> None:
        await self._vendor.close()
        await self._close_session()

    async def _book(self, symbols: Sequence[str]) -> Book:
        async with self._loading:
            if not self._listed:
                listed = await self._vendor.call(self._vendor.exchange.load_markets)
                self._listed = tuple(listed.values())
        return book_of(self._listed, symbols, self._profile.market, self._profile.title)

    def _demand_frame(self, timeframe: Timeframe) -> None:
        offered: Mapping[str, str] = self._vendor.exchange.timeframes
        if timeframe.value not in offered or (timeframe is Timeframe.S1 and not self._profile.seconds):
            raise InvalidInput(f"{self._profile.title} ({self._profile.market}) has no candles of {timeframe}")


def _bar(row: CandleRow, timeframe: Timeframe, symbol: str) -> Bar:
    try:
        return _read_bar(row, timeframe, symbol)
    except VenueUnavailable as error:
        raise UnreadableCandle(str(error)) from None


def _read_bar(row: CandleRow, timeframe: Timeframe, symbol: str) -> Bar:
    if len(row) < 6 or any(value is None for value in row[:5]):
        raise VenueUnavailable(f"{symbol}: a candle lacks its time or a price")
    opened = from_ms(decimal(row[0], "a candle's time"))
    if to_ms(opened) % (timeframe.seconds * 1000):
        raise VenueUnavailable(f"{symbol}: a {timeframe} candle opens at {opened.isoformat()}, between two of them")
    prices = [float(decimal(value, "a candle's price")) for value in row[1:5]]
    with whole(f"a candle of {symbol}"):
        return Bar(
            opened_at=opened,
            timeframe=timeframe,
            open=prices[0],
            high=prices[1],
            low=prices[2],
            close=prices[3],
            volume=None if row[5] is None else float(decimal(row[5], "a candle's volume")),
        )


def _prices(book: object, name: str) -> list[float]:
    rows = book.get(name) if isinstance(book, Mapping) else None
    if not isinstance(rows, list) or not rows:
        raise VenueUnavailable(f"the order book has no {name}")
    return [float(decimal(row[0], name)) for row in rows if row]
