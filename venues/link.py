"""The door to one account at one venue: what may be asked, and how each question can end.

Every method may raise `VenueUnavailable` (no answer that can be believed: what was asked may have happened),
`VenueBusy` (not asked, or answered that nothing was done: the budget is spent, a ban or maintenance is on) and
`VenueForbids` (the key or the account is refused). `place` and `cancel` also raise `VenueRejected`, the definite no.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.bars import Bar, Quote
from domain.instruments import Timeframe
from domain.orders import OrderKind
from venues.records import (
    Holdings,
    KeyRights,
    MarketKind,
    OrderRequest,
    Payment,
    VenueMarket,
    VenueOrder,
    VenueTrade,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Abilities:
    """What the venue's demo account can do, from the capability table, not from the vendor's own flags."""

    venue: str
    market: MarketKind
    kinds: frozenset[OrderKind]
    shorts: bool
    reduce_only: bool
    stacks_exits: bool
    rejects_duplicates: bool
    receive_window: timedelta
    """How long after its timestamp the venue may still take a request."""


class AccountLink(Protocol):
    """One account's private questions. Nothing here retries what may have happened."""

    @property
    def abilities(self) -> Abilities: ...

    @property
    def proof(self) -> str:
        """Why this account cannot lose real money, in one sentence."""
        ...

    @property
    def markets(self) -> Mapping[str, VenueMarket]:
        """The instruments asked for, by our symbol."""
        ...

    @property
    def skew(self) -> timedelta:
        """Venue time less ours, as measured last; requests are stamped with venue time."""
        ...

    async def measure_clock(self) -> timedelta:
        """Ask the venue's time and keep the offset."""
        ...

    async def place(self, request: OrderRequest) -> VenueOrder:
        """Send one new order; returns what the venue made of it."""
        ...

    async def cancel(self, symbol: str, client_order_id: str) -> bool:
        """Take an order back; False when the venue has no such open order (it ended, or never was)."""
        ...

    async def order(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        """One order by our id; None when the venue says that it knows none."""
        ...

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueOrder | None:
        """One order by the venue's id, to learn whose an execution is."""
        ...

    async def open_orders(self) -> Sequence[VenueOrder]:
        """Every open order of the account in its traded instruments, ours and others'."""
        ...

    async def trades(self, symbol: str, since: datetime) -> Sequence[VenueTrade]:
        """Every execution from `since` on, oldest first, paged to the end."""
        ...

    async def payments(self, since: datetime) -> Sequence[Payment]:
        """Funding and transfers from `since` on, oldest first; empty on spot."""
        ...

    async def holdings(self) -> Holdings: ...

    async def rights(self) -> KeyRights: ...

    def listen(self, ring: Callable[[], None]) -> None:
        """Call `ring` whenever the venue pushes anything about this account's orders; a push is only ever a reason to
        ask, never a fact. Does nothing where the venue has no such stream."""
        ...

    async def close(self) -> None: ...


class MarketLink(Protocol):
    """Public data of one venue, read without credentials."""

    @property
    def venue(self) -> str: ...

    async def markets(self, symbols: Sequence[str]) -> Mapping[str, VenueMarket]:
        """Raises `InvalidInput` naming the symbols that the venue does not trade."""
        ...

    async def bars(self, symbol: str, timeframe: Timeframe, since: datetime, *, until: datetime) -> Sequence[Bar]:
        """Closed bars that opened at `since` or later and closed by `until`, oldest first, paged to the end.
        `half_spread` is 0: candles carry no spread."""
        ...

    async def quote(self, symbol: str) -> Quote: ...

    async def server_time(self) -> datetime: ...

    async def close(self) -> None: ...
