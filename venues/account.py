"""`CcxtAccount`: one demo account behind the `AccountLink` of venues/link.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from domain.clock import Clock
from domain.errors import ConfigurationRefused, VenueRejected, VenueUnavailable
from domain.orders import Side
from venues.answers import decimal, from_ms, to_ms, whole
from venues.book import Book, demand_fit
from venues.budget import Budget, urgent
from venues.errors import ClockRefused, NoSuchOrder
from venues.link import Abilities
from venues.profiles import Profile
from venues.records import Holdings, KeyRights, OrderRequest, Payment, VenueMarket, VenueOrder, VenueTrade
from venues.stream import Listening
from venues.vendor import Vendor
from venues.words import Words

ANSWER_WITHIN_S = 3.0
"""How long the answer to an order or a cancel is waited for: a stop must rest five seconds after the fill."""

CloseSession = Callable[[], Awaitable[None]]


async def measured_offset(vendor: Vendor, clock: Clock) -> timedelta:
    """Venue time less ours: the venue's answer is taken to be of the middle of the time that it took."""
    before = clock.now()
    told = from_ms(decimal(await vendor.call(vendor.exchange.fetch_time), "the venue's time"))
    after = clock.now()
    return told - (before + (after - before) / 2)


class CcxtAccount:
    """Asks one account what the protocol says, in its venue's words. Nothing is retried and nothing is rounded."""

    def __init__(
        self,
        *,
        profile: Profile,
        vendor: Vendor,
        words: Words,
        book: Book,
        clock: Clock,
        proof: str,
        listening: Listening,
        close_session: CloseSession,
    ) -> None:
        self._profile = profile
        self._vendor = vendor
        self._words = words
        self._book = book
        self._clock = clock
        self._proof = proof
        self._listening = listening
        self._close_session = close_session
        self._clock_doubted = False

    @property
    def abilities(self) -> Abilities:
        return self._profile.abilities

    @property
    def proof(self) -> str:
        return self._proof

    @property
    def markets(self) -> Mapping[str, VenueMarket]:
        return self._book.markets

    @property
    def skew(self) -> timedelta:
        return self._vendor.offset

    @property
    def budget(self) -> Budget:
        """What was asked of the venue's allowance so far, for metrics."""
        return self._vendor.budget

    @property
    def listening(self) -> Listening:
        """How the venue's push stream fares, for metrics."""
        return self._listening

    async def measure_clock(self) -> timedelta:
        offset = await measured_offset(self._vendor, self._clock)
        self._vendor.offset = offset
        self._clock_doubted = False
        return offset

    async def place(self, request: OrderRequest) -> VenueOrder:
        market = self._book.market(request.symbol)
        self._demand_able(request)
        demand_fit(request, market)
        spot_exit = not self._profile.reduce_only and request.side is Side.SELL
        with urgent(request.reduce_only or spot_exit):
            async with self._asked(asking=False), self._promptly():
                return await self._words.place(request)

    @asynccontextmanager
    async def _promptly(self) -> AsyncIterator[None]:
        """Give up waiting for the answer long before the vendor would: whatever came of it is then asked for by id, and
        nobody else on the account waits meanwhile."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                yield
        except TimeoutError as error:
            raise VenueUnavailable(f"{self._profile.title} did not answer within {ANSWER_WITHIN_S:.0f} s") from error

    async def cancel(self, symbol: str, client_order_id: str) -> bool:
        self._book.market(symbol)
        with urgent():
            async with self._asked(asking=False), self._promptly():
                return await self._words.cancel(symbol, client_order_id)

    async def order(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        self._book.market(symbol)
        async with self._asked():
            return await self._words.order(symbol, client_order_id)

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueOrder | None:
        self._book.market(symbol)
        async with self._asked():
            return await self._words.order_by_venue_id(symbol, venue_order_id)

    async def open_orders(self) -> Sequence[VenueOrder]:
        async with self._asked():
            return await self._words.open_orders()

    async def trades(self, symbol: str, since: datetime) -> Sequence[VenueTrade]:
        self._book.market(symbol)
        async with self._asked():
            told = await self._words.trades(symbol, since, self._vendor.now)
        first = _to_the_millisecond(since)
        once = {trade.trade_id: trade for trade in told if trade.at >= first}
        # At one moment the venue counts upwards: a longer number is a later one.
        return sorted(once.values(), key=lambda trade: (trade.at, len(trade.trade_id), trade.trade_id))

    async def payments(self, since: datetime) -> Sequence[Payment]:
        async with self._asked():
            told = await self._words.payments(since, self._vendor.now)
        first = _to_the_millisecond(since)
        once = {payment.payment_id: payment for payment in told if payment.at >= first}
        return sorted(once.values(), key=lambda payment: (payment.at, len(payment.payment_id), payment.payment_id))

    async def holdings(self) -> Holdings:
        async with self._asked():
            return await self._words.holdings(self._vendor.now)

    async def rights(self) -> KeyRights:
        async with self._asked():
            return await self._words.rights()

    def listen(self, ring: Callable[[], None]) -> None:
        self._listening.start(ring)

    async def close(self) -> None:
        await self._listening.stop()
        await self._vendor.close()
        await self._close_session()

    def _demand_able(self, request: OrderRequest) -> None:
        profile = self._profile
        try:
            profile.order_id.demand(profile.title, request.client_order_id)
        except ConfigurationRefused as error:
            raise VenueRejected(f"not sent: {error}") from error
        if request.kind not in profile.kinds:
            raise VenueRejected(f"{request.client_order_id}: {profile.title} takes no {request.kind} orders; not sent")

    @asynccontextmanager
    async def _asked(self, *, asking: bool = True) -> AsyncIterator[None]:
        """Around one question: the clock is measured first where the venue found it wrong, and no secret gets out."""
        if self._clock_doubted:
            await self.measure_clock()
        with self._vendor.worded(asking=asking), whole(f"an answer of {self._profile.title}"):
            try:
                yield
            except ClockRefused:
                self._clock_doubted = True
                raise
            except NoSuchOrder as error:
                if not asking:
                    raise
                absent = str(error)
            else:
                return
        raise VenueUnavailable(f"the question was not one for a single order: {absent}")


def _to_the_millisecond(moment: datetime) -> datetime:
    """Venues tell times in whole milliseconds: what happened in the same one is not earlier."""
    return from_ms(Decimal(to_ms(moment)))
