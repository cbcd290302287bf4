"""Rounding: where a float may become a decision, and where Decimal money begins.

Market data and scores are floats; they are rounded to six significant digits before anything is decided,
compared, journaled or hashed, so that the last bits of two machines' arithmetic never decide a trade.
Money, prices of orders and quantities are Decimal from the order on.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidRecord

SIGNIFICANT_DIGITS = 6
SMALLEST = 1e-300
"""What is smaller in size is 0: no figure here means anything down there, and its digits could not be scaled."""
ZERO = Decimal(0)
_POWERS = tuple(float(f"1e{exponent}") for exponent in range(309))
"""Powers of ten as the nearest floats: a power function's last bit differs between libraries."""
_POWERS_COLUMN = np.array(_POWERS)
_CARRIED = 10**SIGNIFICANT_DIGITS


def significant(value: float) -> float:
    """`value` at six significant digits; NaN and infinities stay what they are."""
    if not math.isfinite(value):
        return value
    if abs(value) < SMALLEST:
        return 0.0
    shift = SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(abs(value)))
    # Powers of ten up to 22 are exact, so one division gives the float nearest to the decimal.
    digits = round(value * _POWERS[shift]) if shift >= 0 else round(value / _POWERS[-shift])
    if abs(digits) == _CARRIED:  # 999999.9 became one digit more: the same number must have one form
        digits, shift = digits // 10, shift - 1
    return digits / _POWERS[shift] if shift >= 0 else digits * _POWERS[-shift]


def significant_array(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Element by element `significant`; the result equals the scalar form bit for bit."""
    result = np.array(values, dtype=np.float64)
    result[np.abs(result) < SMALLEST] = 0.0
    usable = np.isfinite(result) & (result != 0.0)
    part = result[usable]
    shift = SIGNIFICANT_DIGITS - 1 - np.floor(np.log10(np.abs(part))).astype(np.int64)
    digits = np.rint(part * _POWERS_COLUMN[np.maximum(shift, 0)] / _POWERS_COLUMN[np.maximum(-shift, 0)])
    carried = np.abs(digits) == _CARRIED
    digits[carried] /= 10.0
    shift[carried] -= 1
    result[usable] = digits * _POWERS_COLUMN[np.maximum(-shift, 0)] / _POWERS_COLUMN[np.maximum(shift, 0)]
    return result


def above_zero(value: Decimal) -> bool:
    """Whether `value` is a finite number above 0; NaN and infinities are not."""
    return value.is_finite() and value > 0


# Whole division is exact where a quotient would be rounded to the 28 digits of the context, and could round up.


def step_down(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` (above 0) nearest to `value` that is not larger in size: toward zero."""
    return value // step * step


def step_floor(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`."""
    whole, rest = divmod(value, step)
    return (whole - 1 if rest < 0 else whole) * step


def step_ceiling(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`."""
    whole, rest = divmod(value, step)
    return (whole + 1 if rest > 0 else whole) * step


def step_nearest(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` nearest to `value`, ties to even."""
    whole, rest = divmod(value, step)
    twice = 2 * abs(rest)
    if twice > step or (twice == step and whole % 2 != 0):
        whole += 1 if rest > 0 else -1
    return whole * step


def decimal_of(value: float) -> Decimal:
    """The shortest decimal that reads back as `value`; raises `InvalidRecord` for NaN and infinities."""
    if not math.isfinite(value):
        raise InvalidRecord(f"{value} is not a number that money can be made of")
    return Decimal(repr(float(value)))


def money(value: Decimal, digits: int = 8) -> Decimal:
    """`value` rounded half-even to `digits` decimal places; ledgers keep eight."""
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
