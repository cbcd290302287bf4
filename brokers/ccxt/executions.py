"""Reads executions and finds out whose they are; none is passed over, told twice, or taken for ours by guess."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from brokers.ccxt.log import Log
from brokers.ccxt.records import OVERLAP, KnownOrder
from brokers.ccxt.story import FOUNDED_AT, Story, is_ours
from domain.clock import Clock
from domain.errors import Impossible
from venues.link import AccountLink
from venues.records import VenueTrade

_NOTE_EVERY = timedelta(hours=1)
"""How far reading may get without executions before that is made durable."""


class Executions:
    """How far each instrument's executions were read, and the reading."""

    def __init__(self, *, log: Log, link: AccountLink, story: Story, clock: Clock) -> None:
        self._log = log
        self._link = link
        self._story = story
        self._clock = clock
        self._read_to = log.read_marks()

    def forget(self) -> None:
        """Start again from what the log holds."""
        self._read_to = self._log.read_marks()

    async def read(self, symbol: str, *, since: datetime | None = None) -> Sequence[VenueTrade]:
        """Tell what is new since the last reading, or since `since` where that is earlier; gives the executions whose
        order the venue does not know, which stay to be read again.

        An overlap is read again each time: venues list late and out of order, and what was told is known by its id.
        Where `since` is given something is missing, so whose an execution is that seemed foreign is asked again.
        """
        asked_at = self._clock.now() + self._link.skew
        mark = self._read_to.get(symbol)
        start = self._founded_at() if mark is None else max(mark - OVERLAP, self._founded_at())
        if since is not None:
            start = min(start, since - OVERLAP)
        doubted = since is not None
        fresh = self._fresh(await self._link.trades(symbol, start), doubted=doubted)
        owners = await self._owners(symbol, fresh, doubted=doubted)
        unowned = [trade for trade in fresh if trade.venue_order_id not in owners]
        read_to = max(mark or start, asked_at)
        if unowned:
            read_to = min(mark or start, *(trade.at for trade in unowned))
        told = [trade for trade in fresh if trade.venue_order_id in owners]
        if told or mark is None or abs(read_to - self._noted(symbol, mark)) >= _NOTE_EVERY or unowned:
            with self._log.writing("facts"):
                for trade in told:
                    self._take_in(trade, owners[trade.venue_order_id])
                self._log.put_read_mark(symbol, read_to)
        self._read_to[symbol] = read_to
        return unowned

    def _fresh(self, trades: Sequence[VenueTrade], *, doubted: bool) -> list[VenueTrade]:
        """Those that were not told, oldest first; a list may name one twice."""
        once = {(trade.venue_order_id, trade.trade_id): trade for trade in trades}
        fresh = [each for each in once.values() if not self._log.has_trade(each, as_ours=doubted)]
        return sorted(fresh, key=lambda each: each.at)

    def _noted(self, symbol: str, otherwise: datetime) -> datetime:
        return self._log.read_marks().get(symbol, otherwise)

    def _founded_at(self) -> datetime:
        founded = self._log.meta(FOUNDED_AT)
        if founded is None:
            raise Impossible(f"the venue log {self._log.path} was never founded")
        return datetime.fromisoformat(founded)

    async def _owners(self, symbol: str, trades: Sequence[VenueTrade], *, doubted: bool) -> dict[str, str | None]:
        """Our id of the order behind each execution, None for a foreign one; orders that nobody knows are left out."""
        owners: dict[str, str | None] = {}
        for venue_order_id in dict.fromkeys(trade.venue_order_id for trade in trades):
            known = self._log.order_of_venue(symbol, venue_order_id)
            if known is not None:
                owners[venue_order_id] = known.client_order_id
            elif not doubted and self._log.is_foreign(symbol, venue_order_id):
                owners[venue_order_id] = None
            else:
                await self._ask_whose(symbol, venue_order_id, owners)
        return owners

    async def _ask_whose(self, symbol: str, venue_order_id: str, owners: dict[str, str | None]) -> None:
        found = await self._link.order_by_venue_id(symbol, venue_order_id)
        if found is None:
            return
        if not is_ours(found):
            owners[venue_order_id] = None
            return
        with self._log.writing("facts"):
            known = self._story.met(found)
        owners[venue_order_id] = None if known is None else known.client_order_id

    def _take_in(self, trade: VenueTrade, client_order_id: str | None) -> None:
        known: KnownOrder | None = None if client_order_id is None else self._log.order(client_order_id)
        if known is None:
            self._log.put_foreign(trade.symbol, trade.venue_order_id)
            self._log.put_trade(trade, None)
        else:
            self._story.executed(known, trade)
