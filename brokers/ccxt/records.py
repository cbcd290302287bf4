"""What the broker remembers of a venue's account: orders sent or met, and cancels; and how long it waits for what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.clock import require_utc
from domain.numbers import ZERO
from domain.orders import Intent, OrderKind, OrderState, Side, TimeInForce
from venues.records import VenueOrder

Reach = Callable[[str], None]

CRASH_POINTS = (
    "ccxt.before_founding",
    "ccxt.after_founding",
    "ccxt.before_sent_row",
    "ccxt.after_sent_row",
    "ccxt.before_request",
    "ccxt.after_request",
    "ccxt.before_answer",
    "ccxt.after_answer",
    "ccxt.before_facts",
    "ccxt.after_facts",
    "ccxt.before_round",
    "ccxt.after_round",
)
"""Every place that `reach` is told: around each commit of the log, each request that changes something at the venue,
and each round of questions."""

ASK_AGAIN = timedelta(seconds=1)
"""The shortest time between two rounds of questions that nobody rang for, and between a failure and the next try."""
RESTING = timedelta(seconds=5)
"""How often the open orders and executions are read while an order rests or something is held."""
IDLE = timedelta(seconds=30)
"""How often they are read otherwise: an order that was proven absent may still appear, and a person may trade."""
SWEEP = timedelta(seconds=30)
"""How often the executions of every instrument of the last day are read, to find what no order tells of; in between
only those of orders whose executed quantity is ahead of what was told. No question is dearer."""
PAYMENTS = timedelta(minutes=5)
"""How often funding is asked for; every report asks as well."""
OVERLAP = timedelta(minutes=2)
"""How far before what was read last executions are read again: venues do not list them in strict order."""
RECENT = timedelta(days=1)
"""How long after an order was sent the executions of its instrument are still looked through."""
LONGEST_TRADE = timedelta(days=31)
"""How far back a lost log is learned again: no trade outlasts thirty days."""
ARRIVAL = timedelta(seconds=10)
"""How long after the venue's receive window a request may still be under way inside it (its gateway's own timeout)."""


class Standing(StrEnum):
    """How far an order's story is told."""

    ASKED = "asked"
    """It may have left; the answer is not known."""
    UNSENT = "unsent"
    """It did not leave, or the venue said that it did nothing: it may be sent again."""
    OPEN = "open"
    """Told as accepted."""
    ENDED = "ended"
    """Its end is told; `end` says which."""
    ABSENT = "absent"
    """Proven never to have arrived; it is not sent again."""


OPEN_STANDINGS = (Standing.ASKED, Standing.OPEN)
"""Orders that questions are asked about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownOrder:
    """One order of ours. `filled` is what was told, in base units, `seen_*` the venue's last word.

    `kind` is None for an order that was met at the venue and not sent through this log. `sent_at` is venue time, just
    before the request; `left_at` the venue time by which a request without an answer had left, None when nobody
    lived to see it. `expires_at` is when we take it back ourselves, `expiring` that we began to.
    """

    client_order_id: str
    symbol: str
    side: Side
    kind: OrderKind | None
    at_once: bool
    quantity: Decimal
    sent_at: datetime
    standing: Standing
    expires_at: datetime | None = None
    left_at: datetime | None = None
    venue_order_id: str | None = None
    filled: Decimal = ZERO
    end: OrderState | None = None
    seen_state: OrderState | None = None
    seen_filled: Decimal = ZERO
    seen_reason: str = ""
    expiring: bool = False

    def __post_init__(self) -> None:
        require_utc(self.sent_at, "sent_at")

    @property
    def is_behind(self) -> bool:
        """Whether the venue executed more than was told."""
        return self.seen_filled > self.filled

    @property
    def is_ending(self) -> bool:
        """Whether the venue said that it ended, and that is not told yet."""
        return self.standing in OPEN_STANDINGS and self.seen_state is not None and self.seen_state.terminal

    @property
    def in_question(self) -> bool:
        """Whether it may change, or did change, without resting first: asked about by id at every round."""
        if self.standing not in OPEN_STANDINGS:
            return False
        hasty = self.kind is OrderKind.MARKET or self.at_once
        return (
            self.standing is Standing.ASKED
            or hasty
            or self.expiring
            or self.is_behind
            or self.is_ending
            or self.filled > self.seen_filled
        )

    def is_overdue(self, now: datetime) -> bool:
        """Whether its time ran out and the venue has it still, as far as it said."""
        return (
            self.standing in OPEN_STANDINGS
            and not self.is_ending
            and self.expires_at is not None
            and self.kind is not OrderKind.MARKET
            and self.expires_at <= now
        )

    def worded(self, intent: Intent) -> KnownOrder:
        """With what only the intent says, for an order that was met at the venue."""
        if self.kind is not None:
            return self
        asked = order_asked(intent, self.sent_at)
        return replace(self, kind=asked.kind, at_once=asked.at_once, expires_at=asked.expires_at)

    def seen(self, order: VenueOrder) -> KnownOrder:
        """With the venue's latest word; an answer older than one heard before takes nothing back."""
        ended = self.seen_state is not None and self.seen_state.terminal
        state = self.seen_state if ended and not order.state.terminal else order.state
        return replace(
            self,
            venue_order_id=order.venue_order_id,
            seen_state=state,
            seen_filled=max(self.seen_filled, order.filled),
            seen_reason=order.reason or self.seen_reason,
        )


def order_asked(intent: Intent, sent_at: datetime, standing: Standing = Standing.ASKED) -> KnownOrder:
    """The order that `intent` (a placement) means."""
    return KnownOrder(
        client_order_id=intent.client_order_id,
        symbol=intent.instrument,
        side=intent.side,
        kind=intent.kind,
        at_once=intent.time_in_force is TimeInForce.IOC,
        quantity=intent.quantity,
        sent_at=sent_at,
        standing=standing,
        expires_at=intent.expires_at,
    )


def order_met(order: VenueOrder, client_order_id: str) -> KnownOrder:
    """An order of ours that the log does not know, as it was met at the venue."""
    return KnownOrder(
        client_order_id=client_order_id,
        symbol=order.symbol,
        side=order.side,
        kind=None,
        at_once=False,
        quantity=order.quantity,
        sent_at=order.at,
        standing=Standing.ASKED,
        venue_order_id=order.venue_order_id,
    )


class CancelStanding(StrEnum):
    ASKED = "asked"
    """The answer is not known."""
    TAKEN = "taken"
    """The venue took the order back; what it had executed until then is not told yet."""
    REFUSED = "refused"
    """The venue has no such open order, or said no; why is not told yet."""
    TOLD = "told"


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedCancel:
    """A cancel of ours: the intent, the order it means, and how far its story is told."""

    intent_id: str
    target_id: str
    symbol: str
    standing: CancelStanding
    reason: str = ""
