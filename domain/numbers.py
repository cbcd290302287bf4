"""Rounding: where a float may become a decision, and where Decimal money begins.

Market data and scores are floats; they are rounded to six significant digits before anything is decided,
compared, journaled or hashed, so that the last bits of two machines' arithmetic never decide a trade.
Money, prices of orders and quantities are Decimal from the order on.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidRecord

SIGNIFICANT_DIGITS = 6
SMALLEST = 1e-300
"""What is smaller in size is 0: no figure here means anything down there, and its digits could not be scaled."""
ZERO = Decimal(0)


def significant(value: float) -> float:
    """`value` at six significant digits; NaN and infinities stay what they are."""
    if not math.isfinite(value):
        return value
    if abs(value) < SMALLEST:
        return 0.0
    shift = SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(value)))
    # Powers of ten up to 22 are exact, so one division gives the float nearest to the decimal.
    if shift >= 0:
        return round(value * 10.0**shift) / 10.0**shift
    return round(value / 10.0**-shift) * 10.0**-shift


def significant_array(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Element by element `significant`; the result equals the scalar form bit for bit."""
    result = np.array(values, dtype=np.float64)
    result[np.abs(result) < SMALLEST] = 0.0
    usable = np.isfinite(result) & (result != 0.0)
    magnitude = np.floor(np.log10(np.abs(result, where=usable, out=np.ones_like(result))))
    shift = SIGNIFICANT_DIGITS - 1 - magnitude
    up = 10.0 ** np.maximum(shift, 0.0)
    down = 10.0 ** np.maximum(-shift, 0.0)
    rounded = np.rint(result * up / down) * down / up
    result[usable] = rounded[usable]
    return result


def step_down(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value` (toward zero for negative values)."""
    return (value / step).quantize(Decimal(1), ROUND_DOWN) * step


def step_floor(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`."""
    return (value / step).quantize(Decimal(1), ROUND_FLOOR) * step


def step_ceiling(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`."""
    return (value / step).quantize(Decimal(1), ROUND_CEILING) * step


def step_nearest(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` nearest to `value`, ties to even."""
    return (value / step).quantize(Decimal(1), ROUND_HALF_EVEN) * step


def decimal_of(value: float) -> Decimal:
    """The shortest decimal that reads back as `value`; raises `InvalidRecord` for NaN and infinities."""
    if not math.isfinite(value):
        raise InvalidRecord(f"{value} is not a number that money can be made of")
    return Decimal(repr(float(value)))


def money(value: Decimal, digits: int = 8) -> Decimal:
    """`value` rounded half-even to `digits` decimal places; ledgers keep eight."""
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
