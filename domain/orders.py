"""An order's life: what we mean (Intent), who allowed it (Approval), what we know (Order), what happened (Fill).

State moves only through `TRANSITIONS`. `Denied` is ours and never becomes an order; `REJECTED` is the venue's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.clock import require_utc
from domain.errors import Impossible, InvalidRecord
from domain.numbers import above_zero


class Side(StrEnum):
    """The direction of an order or of a position."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderKind(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(StrEnum):
    GTC = "gtc"
    """Good till cancelled."""
    GTD = "gtd"
    """Good till `expires_at`."""
    IOC = "ioc"
    """Immediate or cancel: what does not fill at once is cancelled."""


class CauseKind(StrEnum):
    DECISION = "decision"
    POSITION = "position"
    COMMAND = "command"


class Leg(StrEnum):
    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"
    CLOSE = "close"


class Action(StrEnum):
    PLACE = "place"
    REPLACE = "replace"
    CANCEL = "cancel"


class OrderState(StrEnum):
    """What is known of an order. See `docs/orders.md` for the picture."""

    PENDING = "pending"
    """Durable; the answer to sending it is not known yet."""
    UNKNOWN = "unknown"
    """The venue may or may not have it: counts in exposure, blocks new risk on its instrument."""
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    """The venue's definite no."""
    ABSENT = "absent"
    """Proven never to have reached the venue."""

    @property
    def terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.ABSENT}
)

_OPEN_ENDS = frozenset({OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED})

TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.PENDING: _OPEN_ENDS | {OrderState.UNKNOWN, OrderState.ACCEPTED, OrderState.REJECTED, OrderState.ABSENT},
    OrderState.UNKNOWN: _OPEN_ENDS | {OrderState.ACCEPTED, OrderState.REJECTED, OrderState.ABSENT},
    OrderState.ACCEPTED: _OPEN_ENDS | {OrderState.REJECTED},
    OrderState.PARTIALLY_FILLED: _OPEN_ENDS,
    # A fill that raced a cancel or an expiry is still a fill.
    OrderState.CANCELLED: frozenset({OrderState.PARTIALLY_FILLED, OrderState.FILLED}),
    OrderState.EXPIRED: frozenset({OrderState.PARTIALLY_FILLED, OrderState.FILLED}),
    OrderState.FILLED: frozenset(),
    OrderState.REJECTED: frozenset(),
    # Absence is proven from the venue's own reports; a later appearance is adopted and is an incident.
    OrderState.ABSENT: frozenset({OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.FILLED}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """The gate's leave to send up to `quantity` of one instrument on one side; the sender demands it.

    `rules` are the names of the rules that were asked, `limits_digest` identifies the limits they held.
    """

    instrument: str
    side: Side
    quantity: Decimal
    reduce_only: bool
    granted_at: datetime
    expires_at: datetime
    rules: tuple[str, ...]
    limits_digest: str

    def __post_init__(self) -> None:
        require_utc(self.granted_at, "granted_at")
        if require_utc(self.expires_at, "expires_at") <= self.granted_at:
            raise InvalidRecord("an approval must expire after it was granted")
        if not above_zero(self.quantity):
            raise InvalidRecord(f"an approval for {self.quantity} {self.instrument} approves nothing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What we mean to tell the venue. Durable before the first byte leaves.

    `position_id` is the position the order opens or belongs to. `quantity` is in base units. For `REPLACE`
    and `CANCEL`, `target_id` is the order meant; a replacement carries the new quantity and prices.
    Orders of one `oco_group` cancel each other when one of them fills completely.
    """

    client_order_id: str
    account: str
    instrument: str
    action: Action
    cause_kind: CauseKind
    cause_id: str
    leg: Leg
    attempt: int
    side: Side
    kind: OrderKind
    quantity: Decimal
    created_at: datetime
    approval: Approval
    position_id: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    expires_at: datetime | None = None
    reduce_only: bool = False
    oco_group: str | None = None
    target_id: str | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        require_utc(self.created_at, "created_at")
        if self.expires_at is not None:
            require_utc(self.expires_at, "expires_at")
        if not above_zero(self.quantity):
            raise InvalidRecord(f"{self.client_order_id}: a quantity of {self.quantity} is not an order")
        limited = self.kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
        stopped = self.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
        self._demand("a limit price", self.limit_price, limited, f"a {self.kind} order")
        self._demand("a stop price", self.stop_price, stopped, f"a {self.kind} order")
        if any(price is not None and not above_zero(price) for price in (self.limit_price, self.stop_price)):
            raise InvalidRecord(f"{self.client_order_id}: an order price must be above 0")
        good_till = self.time_in_force is TimeInForce.GTD
        self._demand("an expiry", self.expires_at, good_till, f"time in force {self.time_in_force}")
        changes = self.action is not Action.PLACE
        self._demand("the id of the order it changes", self.target_id, changes, f"the action {self.action}")

    def _demand(self, what: str, value: object, needed: bool, who: str) -> None:
        if needed != (value is not None):
            rule = "needs" if needed else "may not have"
            raise InvalidRecord(f"{self.client_order_id}: {who} {rule} {what}, not {value}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fill:
    """One execution, identified by the venue's trade id; `price` in quote, `fee` in account currency.

    `fx_rate` is units of account currency for one unit of quote currency at the moment of the fill. `base_fee` is
    what the venue kept of the base bought, in base units; its worth at `price` is in `fee` already.
    """

    venue: str
    trade_id: str
    client_order_id: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fx_rate: Decimal
    at: datetime
    base_fee: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        """What the position changed by, in base units, without its sign."""
        return self.quantity - self.base_fee

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not (above_zero(self.quantity) and above_zero(self.price) and above_zero(self.fx_rate)):
            raise InvalidRecord(f"fill {self.trade_id}: quantity, price and rate must be above 0")
        if not self.fee.is_finite():
            raise InvalidRecord(f"fill {self.trade_id}: a fee of {self.fee} is not an amount")
        if not 0 <= self.base_fee < self.quantity or (self.base_fee and self.side is Side.SELL):
            raise InvalidRecord(f"fill {self.trade_id}: a fee of {self.base_fee} base units of a {self.side}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is known of one placed order, as of `updated_at`."""

    intent: Intent
    state: OrderState
    updated_at: datetime
    filled: Decimal = Decimal(0)
    average_price: Decimal | None = None
    venue_order_id: str | None = None
    reason: str = ""
    version: int = 0

    @property
    def client_order_id(self) -> str:
        return self.intent.client_order_id

    @property
    def remaining(self) -> Decimal:
        return self.intent.quantity - self.filled

    def moved(self, state: OrderState, at: datetime, *, reason: str = "", venue_order_id: str | None = None) -> Order:
        """The order in a new state; raises `Impossible` when the table has no such transition."""
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise Impossible(f"order {self.client_order_id} cannot go from {self.state} to {state}")
        return replace(
            self,
            state=state,
            updated_at=at,
            reason=reason or self.reason,
            venue_order_id=venue_order_id or self.venue_order_id,
            version=self.version + 1,
        )

    def with_fill(self, fill: Fill) -> Order:
        """The order after one more execution; raises `Impossible` on more filled than ordered."""
        filled = self.filled + fill.quantity
        if fill.client_order_id != self.client_order_id:
            raise Impossible(f"fill {fill.trade_id} belongs to {fill.client_order_id}, not {self.client_order_id}")
        if filled > self.intent.quantity:
            raise Impossible(f"order {self.client_order_id}: {filled} filled of {self.intent.quantity} ordered")
        paid = (self.average_price or Decimal(0)) * self.filled + fill.price * fill.quantity
        state = OrderState.FILLED if filled == self.intent.quantity else OrderState.PARTIALLY_FILLED
        # A late fill of a cancelled order leaves it cancelled unless it is now complete.
        if state is OrderState.PARTIALLY_FILLED and self.state in (OrderState.CANCELLED, OrderState.EXPIRED):
            state = self.state
        return replace(self.moved(state, fill.at), filled=filled, average_price=paid / filled)

    def amended(self, intent: Intent, at: datetime) -> Order:
        """The order after the venue took a replacement of its quantity and prices.

        Raises `Impossible` when more is filled already than the new quantity.
        """
        if intent.quantity < self.filled:
            raise Impossible(f"order {self.client_order_id}: {self.filled} filled of {intent.quantity} it was cut to")
        changed = replace(
            self.intent,
            quantity=intent.quantity,
            limit_price=intent.limit_price,
            stop_price=intent.stop_price,
        )
        return replace(self, intent=changed, updated_at=at, version=self.version + 1)
