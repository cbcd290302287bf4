"""What the paper venue knows: orders, what it holds, how far each instrument's market has been told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.clock import EPOCH
from domain.numbers import ZERO
from domain.orders import OrderKind, OrderState, Side, TimeInForce
from domain.positions import Position

VENUE = "paper"
SECONDS_PER_DAY = 86_400


def seconds_of(moment: datetime) -> float:
    """Seconds since 1970 UTC with fractions; exact to the microsecond for our centuries."""
    return (moment - EPOCH).total_seconds()


def day_of(moment: datetime) -> int:
    """Days since 1970-01-01 UTC."""
    return (moment - EPOCH).days


@dataclass(frozen=True, kw_only=True, slots=True)
class PaperOrder:
    """One order as the venue sees it.

    `number` counts orders in the sequence they came. `live_from` is when the market may first answer it, in
    seconds since 1970 UTC. `slippage` is a fraction of the price. `taken` is what orders of the same OCO group
    have executed in its place. `armed` says that a stop-limit's stop was touched. `last_bar` is the open time of
    the bar in which it last executed.
    """

    client_order_id: str
    number: int
    instrument: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    time_in_force: TimeInForce
    live_from: float
    position_id: str
    slippage: float
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    expires_at: datetime | None = None
    reduce_only: bool = False
    oco_group: str | None = None
    state: OrderState = OrderState.ACCEPTED
    filled: Decimal = ZERO
    taken: Decimal = ZERO
    executions: int = 0
    armed: bool = False
    last_bar: int | None = None

    @property
    def venue_order_id(self) -> str:
        return f"{VENUE}-{self.number}"

    @property
    def effective(self) -> Decimal:
        """The quantity that stands after what OCO siblings took."""
        return self.quantity - self.taken

    @property
    def available(self) -> Decimal:
        """What may still be executed; never below 0."""
        return max(ZERO, self.quantity - self.taken - self.filled)

    @property
    def rests_as_stop(self) -> bool:
        return self.kind is OrderKind.STOP or (self.kind is OrderKind.STOP_LIMIT and not self.armed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """A position and the last day (since 1970) up to which its overnight swap is paid."""

    position: Position
    swap_day: int


@dataclass(slots=True)
class Market:
    """How far one instrument's market has been told; what was told before is not listened to again.

    `opens_told` and `ranges_told` are open times in seconds since 1970 UTC; `volume` is the last closed bar's
    (NaN where unknown), `mark` the last mid price told.
    """

    opens_told: int = -1
    ranges_told: int = -1
    volume: float = float("nan")
    mark: float = float("nan")
