"""What every broker, the embedded paper broker included, must do. `tests/contracts/` holds the suite they all pass.

Facts come one way only: as events behind a cursor. What `send` returns merely says that the call came back, so
that an answer lost in a crash and an answer received are processed by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from domain.clock import require_utc
from domain.errors import Denied, InvalidRecord
from domain.orders import Fill, Intent, OrderKind, OrderState
from domain.records import CashEvent


class EventKind(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FILLED = "filled"
    """One execution, partial or last; `fill` is set."""
    REPLACED = "replaced"
    REPLACE_REJECTED = "replace_rejected"
    CANCELLED = "cancelled"
    CANCEL_REJECTED = "cancel_rejected"
    EXPIRED = "expired"
    CASH = "cash"
    """Swap, funding, dividend; `cash` is set. Fees and realized profit travel with their fill instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerEvent:
    """One fact, as the venue tells it. For replacements and cancels `intent_id` is the replacing or cancelling
    intent and `client_order_id` the order it acted on; else both are the same."""

    kind: EventKind
    at: datetime
    client_order_id: str | None
    intent_id: str | None
    venue_order_id: str | None = None
    fill: Fill | None = None
    cash: CashEvent | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if (self.kind is EventKind.FILLED) != (self.fill is not None):
            raise InvalidRecord(f"a {self.kind} event with fill {self.fill}")
        if (self.kind is EventKind.CASH) != (self.cash is not None):
            raise InvalidRecord(f"a {self.kind} event with cash {self.cash}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Events:
    """Events in the venue's order, and the opaque cursor to ask with next time."""

    events: tuple[BrokerEvent, ...]
    cursor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderReport:
    """What the venue says of one order when asked."""

    client_order_id: str
    venue_order_id: str
    instrument: str
    state: OrderState
    quantity: Decimal
    filled: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class VenueReport:
    """The venue's whole view of the account. A `complete` report without a position is a statement that there is
    none; an incomplete one states nothing about what it leaves out.

    `balance` is the cash that the venue names in `currency`. On a margin account profit is in it once it is
    realized; where `Capabilities.spot`, what was paid for holdings has left it. `positions` are signed base units,
    what lay in the account before we first saw it left out.
    """

    at: datetime
    account: str
    currency: str
    balance: Decimal
    positions: Mapping[str, Decimal]
    open_orders: tuple[OrderReport, ...]
    complete: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What the venue can do, so that what it cannot is denied before it is sent."""

    kinds: frozenset[OrderKind]
    oco: bool
    """Orders of one `oco_group` cancel each other at the venue."""
    replace: bool
    """A resting order can be changed in place; where not, a new one is placed and the old one taken back."""
    reduce_only: bool
    shorts: bool
    demo_proof: str
    """Why this account cannot lose real money, in one sentence."""
    stacks_exits: bool = True
    """Several exit orders for one position may rest at once. Where not (spot: a resting sale locks what it sells) only
    the stop rests, the target is watched, and a stop is taken back before its successor is placed."""
    rejects_duplicates: bool = True
    """The venue refuses an id that it ever had. Where not, an id that may have left is never sent again."""
    spot: bool = False
    """What is held are assets paid for in full: fees may be kept in them, and a remainder too small to sell stays."""


class Broker(Protocol):
    """One account at one venue."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def send(self, intent: Intent) -> None:
        """Tell the venue what `intent` means. Demands an approval that covers it (`Denied` otherwise).

        Returning means the venue answered; what it answered is in `events`. `VenueUnavailable` means that nothing is
        known; `VenueBusy` that nothing left or nothing was done; `VenueForbids` that a person must look. Sending an id
        that this broker knows the venue to have changes nothing.
        """
        ...

    async def find(self, intent: Intent) -> OrderReport | None:
        """What the venue knows of the order that `intent` (a placement) meant; None is proof that there is none.

        Proof is that a look-up by id, the open orders and the executions show nothing after the last moment at which
        a request under way could still arrive. Raises `VenueUnavailable` while that moment has not passed. Events of
        what was found are told by `events` from then on, executions before the end they led to.
        """
        ...

    async def events(self, after: str) -> Events:
        """Facts after the cursor; "" asks from the account's beginning. The same cursor gives the same facts."""
        ...

    async def report(self) -> VenueReport:
        """The venue's own view of the account."""
        ...

    async def close(self) -> None:
        """Let go of connections and files; nothing at the venue changes."""
        ...


class Refoundable(Protocol):
    """What a venue's broker offers beside the protocol: to begin an account again from what the venue holds now."""

    async def refound(self, believed: Decimal) -> CashEvent:
        """Holdings count as not ours from here on; the reset that is told makes a balance of `believed` the venue's."""
        ...


def demand_approval(intent: Intent, now: datetime) -> None:
    """Raise `Denied` unless the intent's approval covers it now; every broker calls this before its first byte.

    A cancel takes risk away only if it does not remove protection, so it needs a fresh approval like the rest.
    """
    approval = intent.approval
    if approval.instrument != intent.instrument or approval.side is not intent.side:
        raise Denied(f"{intent.client_order_id}: the approval is for {approval.side} {approval.instrument}")
    if intent.quantity > approval.quantity:
        raise Denied(f"{intent.client_order_id}: {intent.quantity} is more than the approved {approval.quantity}")
    if approval.reduce_only and not intent.reduce_only:
        raise Denied(f"{intent.client_order_id}: the approval is for reducing only")
    if not approval.granted_at <= now <= approval.expires_at:
        raise Denied(f"{intent.client_order_id}: the approval of {approval.granted_at.isoformat()} has expired")
