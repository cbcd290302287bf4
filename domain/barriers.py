"""First touch of stop or target, the one rule that the paper broker, labels, shadows and the backtest share.

Prices of a bar are mid prices. A long position closes at the bid (mid less half the spread), a short one at
the ask (mid plus half the spread); a barrier is touched when that closing price reaches it. At the open a gap
through a barrier fills at the open, worse than the stop or better than the target. Inside the bar the path is
not known: when both barriers lie in one bar the stop counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.orders import Side


class Barrier(StrEnum):
    STOP = "stop"
    TARGET = "target"


@dataclass(frozen=True, slots=True)
class Touch:
    """Which barrier was touched and the closing price there, before slippage. `gapped` says at the open."""

    barrier: Barrier
    price: float
    gapped: bool


def touch_at_open(
    side: Side, stop: float | None, target: float | None, *, open_: float, half_spread: float
) -> Touch | None:
    """What the bar's opening price touches, for a position on `side`; None when it lies between the barriers."""
    price = open_ - side.sign * half_spread
    if stop is not None and (price - stop) * side.sign <= 0:
        return Touch(Barrier.STOP, price, True)
    if target is not None and (price - target) * side.sign >= 0:
        return Touch(Barrier.TARGET, price, True)
    return None


def touch_in_range(
    side: Side, stop: float | None, target: float | None, *, high: float, low: float, half_spread: float
) -> Touch | None:
    """What the bar's range touches after its open, stop before target; None when it reaches neither."""
    shift = side.sign * half_spread
    worst, best = (low - shift, high - shift) if side is Side.BUY else (high - shift, low - shift)
    if stop is not None and (worst - stop) * side.sign <= 0:
        return Touch(Barrier.STOP, stop, False)
    if target is not None and (best - target) * side.sign >= 0:
        return Touch(Barrier.TARGET, target, False)
    return None


def first_touch(
    side: Side,
    stop: float | None,
    target: float | None,
    *,
    open_: float,
    high: float,
    low: float,
    half_spread: float,
) -> Touch | None:
    """The first barrier a whole bar touches: at its open, else in its range; None when it touches neither."""
    at_open = touch_at_open(side, stop, target, open_=open_, half_spread=half_spread)
    if at_open is not None:
        return at_open
    return touch_in_range(side, stop, target, high=high, low=low, half_spread=half_spread)
