"""The venue's quotes: asked for side by side as well as can be, and what they say about the spread of a bar."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from domain.bars import Bar, Quote
from domain.errors import InvalidInput, NotAvailable, Refused
from domain.instruments import Instrument
from market.robust import Robust
from venues.link import MarketLink

YOUNG_BARS = 2
"""A quote says something about the spread of bars that close at most this many bars before or after it."""


class VenueQuotes:
    """Asks for quotes and remembers each symbol's last good one: one whose ask lies above its bid."""

    def __init__(self, link: MarketLink, robust: Robust) -> None:
        self.failed = 0
        """Quotes that were asked for and not given, since it was made."""
        self._link = link
        self._robust = robust
        self._last: dict[str, Quote] = {}

    async def ask(self, symbols: Iterable[str]) -> Mapping[str, Quote]:
        """The quotes that could be had, in the order asked for; what fails is missing, and counted in `failed`."""
        wanted = list(dict.fromkeys(symbols))
        found = await asyncio.gather(*(self._one(symbol) for symbol in wanted))
        given = {symbol: quote for symbol, quote in zip(wanted, found, strict=True) if quote is not None}
        self.failed += len(wanted) - len(given)
        self._last.update({symbol: quote for symbol, quote in given.items() if quote.ask > quote.bid})
        return given

    async def _one(self, symbol: str) -> Quote | None:
        try:
            quote = await self._robust.call(f"quote {symbol}", lambda: self._link.quote(symbol))
        except (NotAvailable, Refused, InvalidInput):
            return None
        return quote if quote.symbol == symbol else None

    def half_spread(self, bar: Bar, instrument: Instrument) -> float:
        """Half of the last good quote's spread where it is young enough for `bar`, else half of the modelled one."""
        quote = self._last.get(instrument.symbol)
        if quote is not None and abs(quote.at - bar.closed_at) <= YOUNG_BARS * bar.timeframe.span:
            return (quote.ask - quote.bid) / 2
        return bar.open * (float(instrument.spread_bps) / 20_000)
