"""Whoever can be asked for candles: a venue through its link, or a data provider that stands in for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.bars import Bar
from domain.errors import InvalidRecord, VenueUnavailable
from domain.instruments import Timeframe
from venues.errors import UnreadableCandle
from venues.link import MarketLink


class CandleSource(Protocol):
    """One provider of candles. Errors are those of `venues.link`; `InvalidInput` for what it can never answer."""

    @property
    def venue(self) -> str:
        """Its name, kept with every bar that it gave."""
        ...

    @property
    def rejected(self) -> Mapping[tuple[str, str], int]:
        """Rows and answers left out because they were no bars, by symbol and kind, since it was made."""
        ...

    async def bars(self, symbol: str, timeframe: Timeframe, since: datetime, *, until: datetime) -> Sequence[Bar]:
        """Closed bars that opened at `since` or later and closed by `until`, oldest first."""
        ...


class LinkCandles:
    """The candles of a `MarketLink`. An answer with a row that may not be a bar is no answer: it is counted as
    `unreadable` and raised as `VenueUnavailable`, so that it is asked for again."""

    def __init__(self, link: MarketLink) -> None:
        self._link = link
        self._rejected: Counter[tuple[str, str]] = Counter()

    @property
    def venue(self) -> str:
        return self._link.venue

    @property
    def rejected(self) -> Mapping[tuple[str, str], int]:
        return self._rejected

    async def bars(self, symbol: str, timeframe: Timeframe, since: datetime, *, until: datetime) -> Sequence[Bar]:
        try:
            return await self._link.bars(symbol, timeframe, since, until=until)
        except (InvalidRecord, UnreadableCandle) as error:
            self._rejected[symbol, "unreadable"] += 1
            raise VenueUnavailable(f"{self.venue} gave a candle of {symbol} that is none: {error}") from error
