"""What every venue's wording must offer, and the few things that all of them need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from domain.errors import VenueUnavailable
from domain.orders import OrderState
from venues.answers import to_ms
from venues.records import (
    Holdings,
    KeyRights,
    OrderRequest,
    Payment,
    VenueOrder,
    VenueTrade,
)

MOST_PAGES = 1000
"""A list that does not end by then is not believed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the account is set up: whether it holds a long and a short of one instrument at once, and the leverage set
    for each instrument, as far as the venue says."""

    both_sides: bool
    leverage: Mapping[str, Decimal]


class Words(Protocol):
    """One venue's own words for an account's questions. Nothing here retries, and nothing rounds."""

    async def place(self, request: OrderRequest) -> VenueOrder: ...

    async def cancel(self, symbol: str, client_order_id: str) -> bool: ...

    async def order(self, symbol: str, client_order_id: str) -> VenueOrder | None: ...

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueOrder | None: ...

    async def open_orders(self) -> Sequence[VenueOrder]: ...

    async def trades(self, symbol: str, since: datetime, now: datetime) -> Sequence[VenueTrade]:
        """Executions in any order, repeats included; `now` is the venue's time."""
        ...

    async def payments(self, since: datetime, now: datetime) -> Sequence[Payment]: ...

    async def holdings(self, now: datetime) -> Holdings: ...

    async def rights(self) -> KeyRights: ...

    async def settings(self) -> Settings: ...


def windows(since: datetime, now: datetime, span: timedelta) -> Iterator[tuple[int, int | None]]:
    """The time from `since` on in parts no longer than `span`, in milliseconds; the last has no end, so that what
    happens while we ask is in it."""
    start = to_ms(since)
    step = span // timedelta(milliseconds=1)
    while start + step <= to_ms(now):
        yield start, start + step - 1
        start += step
    yield start, None


def pages() -> Iterator[int]:
    """Counts the pages of one list; raises `VenueUnavailable` when it does not end."""
    yield from range(MOST_PAGES)
    raise VenueUnavailable(f"a list did not end after {MOST_PAGES} pages")


def as_far_as_filled(state: OrderState, filled: Decimal) -> OrderState:
    """An open order with something filled is partially filled, whatever its venue calls it."""
    return OrderState.PARTIALLY_FILLED if state is OrderState.ACCEPTED and filled > 0 else state
