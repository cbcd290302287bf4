"""Pure: an order and a bar's prices give an execution, or nothing.

Touching is decided by `domain.barriers`, seen from the position the order closes (or would close): a sell is
touched on the bid, a buy on the ask. Market orders and stops pay slippage and are rounded to the tick against
the account; limit orders fill at their limit, or at a better open.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from brokers.paper.records import PaperOrder
from domain.barriers import Barrier, first_touch, touch_at_open
from domain.costs import market_price, slipped
from domain.numbers import step_ceiling, step_floor
from domain.orders import OrderKind, Side


@dataclass(frozen=True, slots=True)
class Match:
    """What the market does to an order: `price` per unit in quote currency, None when a stop-limit only arms.

    `whole` says that the bar's volume sets no limit; `gapped` that it happens at the bar's open.
    """

    price: Decimal | None
    whole: bool
    gapped: bool


@dataclass(frozen=True, slots=True)
class BarPrices:
    """Mid prices of one bar and half its bid-ask spread, in quote currency."""

    open: float
    high: float
    low: float
    half_spread: float


def match_at_open(order: PaperOrder, tick: Decimal, *, open_: float, half_spread: float) -> Match | None:
    """What a bar's opening price does to `order`. A market order that only reduces fills whole, as a stop does: both
    leave at any price."""
    if order.kind is OrderKind.MARKET:
        price = against(order.side, market_price(order.side, open_, half_spread, order.slippage), tick)
        return Match(price, order.reduce_only, True)
    stop, limit = _levels(order)
    touch = touch_at_open(order.side.opposite, stop, limit, open_=open_, half_spread=half_spread)
    if touch is None:
        return None
    return _touched(order, tick, touch.barrier, touch.price, gapped=True)


def match_in_range(order: PaperOrder, tick: Decimal, bar: BarPrices) -> Match | None:
    """What a whole bar does to a resting `order`; market orders wait for an open.

    The open is looked at again, so that an order sent after the open was told does not fill at a price the
    market had already left behind.
    """
    if order.kind is OrderKind.MARKET:
        return None
    stop, limit = _levels(order)
    touch = first_touch(
        order.side.opposite,
        stop,
        limit,
        open_=bar.open,
        high=bar.high,
        low=bar.low,
        half_spread=bar.half_spread,
    )
    if touch is None:
        return None
    return _touched(order, tick, touch.barrier, touch.price, gapped=touch.gapped)


def against(side: Side, price: float, tick: Decimal) -> Decimal:
    """`price` on the tick, rounded against the account: up for a buy, down (at least one tick) for a sell.

    Twelve significant digits come first: the last bits of float arithmetic must not cost a tick.
    """
    value = Decimal(f"{price:.12g}")
    return step_ceiling(value, tick) if side is Side.BUY else max(tick, step_floor(value, tick))


def _levels(order: PaperOrder) -> tuple[float | None, float | None]:
    """The stop and the limit that count now; a stop-limit shows its limit only once it is armed."""
    if order.rests_as_stop:
        return (None if order.stop_price is None else float(order.stop_price)), None
    return None, (None if order.limit_price is None else float(order.limit_price))


def _touched(order: PaperOrder, tick: Decimal, barrier: Barrier, price: float, *, gapped: bool) -> Match:
    if barrier is Barrier.TARGET:
        return Match(_at_limit(order, price, tick) if gapped else order.limit_price, False, gapped)
    worse = against(order.side, slipped(order.side, price, order.slippage), tick)
    if order.kind is OrderKind.STOP:
        return Match(worse, True, gapped)
    limit = order.limit_price
    if limit is None or (price - float(limit)) * order.side.sign > 0:
        return Match(None, False, gapped)
    return Match(_no_worse(order.side, worse, limit), False, gapped)


def _at_limit(order: PaperOrder, price: float, tick: Decimal) -> Decimal | None:
    """A limit order gapped through: the open's price, never worse than the limit."""
    rounded = against(order.side, price, tick)
    return rounded if order.limit_price is None else _no_worse(order.side, rounded, order.limit_price)


def _no_worse(side: Side, price: Decimal, limit: Decimal) -> Decimal:
    return min(price, limit) if side is Side.BUY else max(price, limit)
