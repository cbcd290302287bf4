"""Rounding: one form for every number, on one machine or another, in an array or alone."""

from __future__ import annotations

import math
import struct
from decimal import Decimal, InvalidOperation

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import InvalidRecord
from domain.numbers import (
    SMALLEST,
    above_zero,
    decimal_of,
    money,
    significant,
    significant_array,
    step_ceiling,
    step_down,
    step_floor,
    step_nearest,
)

FLOATS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
DECADES = np.array(
    [float(f"{digits}e{power}") for power in range(-308, 309) for digits in ("1", "9.999995", "1.0000005")]
)
AROUND = np.concatenate([DECADES, np.nextafter(DECADES, 0.0), np.nextafter(DECADES, np.inf)])
EDGES = np.concatenate([AROUND[np.isfinite(AROUND)], -AROUND[np.isfinite(AROUND)]])
VALUES = st.decimals(
    min_value=-(10**12), max_value=10**12, allow_nan=False, allow_infinity=False, places=10
) | st.integers(-(10**40), 10**40).map(lambda digits: Decimal(digits).scaleb(-34))
STEPS = st.sampled_from([Decimal(text) for text in ("0.00000001", "0.00001", "0.005", "0.03", "0.25", "1", "7", "100")])


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


# -- six significant digits ---------------------------------------------------------------------------------------


@given(st.lists(st.floats(allow_subnormal=True), max_size=40))
def test_an_array_is_rounded_as_its_elements_are_bit_for_bit(values: list[float]) -> None:
    rounded = significant_array(np.array(values, dtype=np.float64))
    alone = [significant(value) for value in values]
    for together, single in zip(rounded.tolist(), alone, strict=True):
        assert (math.isnan(together) and math.isnan(single)) or bits(together) == bits(single)


def test_array_and_scalar_agree_around_every_power_of_ten() -> None:
    rounded = significant_array(EDGES)
    assert [bits(value) for value in rounded.tolist()] == [bits(significant(value)) for value in EDGES.tolist()]


@given(FLOATS)
@example(9.999999e-299)
@example(999999.96)
@example(-0.099999996)
@example(1.7976931348623157e308)
@example(5e-324)
def test_what_was_rounded_stays_as_it_is(value: float) -> None:
    once = significant(value)
    assert bits(significant(once)) == bits(once)


def test_what_was_rounded_stays_as_it_is_around_every_power_of_ten() -> None:
    once = significant_array(EDGES)
    assert significant_array(once).tobytes() == once.tobytes()


@given(FLOATS, FLOATS)
def test_rounding_never_turns_an_order_around(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    assert significant(low) <= significant(high)


def test_rounding_never_turns_an_order_around_at_a_power_of_ten() -> None:
    assert (np.diff(significant_array(np.sort(EDGES))) >= 0).all()


@given(FLOATS)
def test_sign_changes_only_the_sign(value: float) -> None:
    assert significant(-value) == -significant(value)


@given(st.floats(min_value=1e-15, max_value=1e25))
def test_at_most_half_of_the_sixth_digit_is_lost(value: float) -> None:
    unit = 10.0 ** (math.floor(math.log10(value)) - 5)
    assert abs(significant(value) - value) <= unit * 0.5000001


@given(st.integers(100_000, 999_999), st.integers(-12, 15))
def test_a_number_of_six_digits_is_the_float_nearest_to_its_decimal(digits: int, exponent: int) -> None:
    value = float(f"{digits}e{exponent}")
    assert bits(significant(value)) == bits(value)
    assert bits(significant(float(f"{digits}.3e{exponent}"))) == bits(value)


@given(st.floats(min_value=-SMALLEST, max_value=SMALLEST, exclude_min=True, exclude_max=True))
def test_what_is_too_small_to_mean_anything_is_nought(value: float) -> None:
    assert bits(significant(value)) == bits(0.0)
    assert bits(significant_array(np.array([value])).item()) == bits(0.0)


def test_what_is_no_number_stays_what_it_is() -> None:
    assert math.isnan(significant(math.nan))
    assert significant(math.inf) == math.inf
    rounded = significant_array(np.array([math.nan, math.inf, -math.inf, 1.23456789]))
    assert math.isnan(rounded[0])
    assert rounded[1:].tolist() == [math.inf, -math.inf, 1.23457]


def test_the_array_given_is_not_changed_and_its_shape_is_kept() -> None:
    given_ = np.array([[1.23456789, 2.0], [np.nan, -9.99999999]])
    copy = given_.copy()
    rounded = significant_array(given_)
    assert rounded.shape == (2, 2)
    assert given_.tobytes() == copy.tobytes()
    assert significant_array(np.array([])).shape == (0,)


# -- steps --------------------------------------------------------------------------------------------------------


def exactly_a_multiple(value: Decimal, step: Decimal) -> bool:
    numerator, denominator = value.as_integer_ratio()
    above, below = step.as_integer_ratio()
    return (numerator * below) % (denominator * above) == 0


def exact_difference(one: Decimal, other: Decimal) -> tuple[int, int]:
    """one - other as a fraction with a positive denominator."""
    (a, b), (c, d) = one.as_integer_ratio(), other.as_integer_ratio()
    return a * d - c * b, b * d


@given(VALUES, STEPS)
@example(Decimal("0.08999999999999999999999999999"), Decimal("0.03"))
@example(Decimal("-0.08999999999999999999999999999"), Decimal("0.03"))
def test_rounding_to_a_step_gives_a_multiple_of_it(value: Decimal, step: Decimal) -> None:
    for rounded in (step_down, step_floor, step_ceiling, step_nearest):
        assert exactly_a_multiple(rounded(value, step), step)


@given(VALUES, STEPS)
@example(Decimal("0.08999999999999999999999999999"), Decimal("0.03"))
def test_floor_and_ceiling_never_go_beyond_and_are_less_than_a_step_away(value: Decimal, step: Decimal) -> None:
    for below, above in ((step_floor(value, step), value), (value, step_ceiling(value, step))):
        distance, unit = exact_difference(above, below)
        numerator, denominator = step.as_integer_ratio()
        assert distance >= 0
        assert distance * denominator < numerator * unit


@given(VALUES, STEPS)
@example(Decimal("2.9999999999999999999999999999999"), Decimal(1))
def test_down_is_toward_nought_whatever_the_sign(value: Decimal, step: Decimal) -> None:
    down = step_down(value, step)
    assert down == (step_floor(value, step) if value >= 0 else step_ceiling(value, step))
    assert step_down(value.copy_negate(), step) == -down
    assert exact_difference(value.copy_abs(), down.copy_abs())[0] >= 0


@given(VALUES, STEPS)
def test_floor_and_ceiling_mirror_each_other(value: Decimal, step: Decimal) -> None:
    assert step_ceiling(value.copy_negate(), step) == -step_floor(value, step)


@given(VALUES, STEPS)
def test_nearest_is_at_most_half_a_step_away_and_symmetric(value: Decimal, step: Decimal) -> None:
    nearest = step_nearest(value, step)
    distance, unit = exact_difference(value, nearest)
    numerator, denominator = step.as_integer_ratio()
    assert 2 * abs(distance) * denominator <= numerator * unit
    assert step_nearest(value.copy_negate(), step) == -nearest


@given(st.integers(-(10**9), 10**9), STEPS)
def test_multiples_of_a_step_stay_as_they_are_and_halves_go_to_the_even_one(whole: int, step: Decimal) -> None:
    value = whole * step
    assert {rounded(value, step) for rounded in (step_down, step_floor, step_ceiling, step_nearest)} == {value}
    half = value + step / 2
    assert step_nearest(half, step) == (whole if whole % 2 == 0 else whole + 1) * step


def test_a_number_of_steps_beyond_all_digits_is_refused_instead_of_rounded() -> None:
    with pytest.raises(InvalidOperation):
        step_down(Decimal(10) ** 40, Decimal(1))


# -- money --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("0.000000005", "0.00000000"),
        ("0.000000015", "0.00000002"),
        ("0.000000025", "0.00000002"),
        ("-0.000000015", "-0.00000002"),
        ("0.0000000150001", "0.00000002"),
        ("1234.5", "1234.50000000"),
    ],
)
def test_money_rounds_halves_to_even_at_eight_places(value: str, rounded: str) -> None:
    assert f"{money(Decimal(value)):f}" == rounded


@given(st.decimals(min_value=-(10**11), max_value=10**11, allow_nan=False, places=14))
def test_money_is_at_most_half_of_its_last_place_off_and_stays_as_it_is(value: Decimal) -> None:
    assert abs(money(value) - value) <= Decimal("0.000000005")
    assert money(money(value)) == money(value)
    assert money(-value) == -money(value)


@given(FLOATS)
def test_a_float_becomes_the_shortest_decimal_that_reads_back(value: float) -> None:
    found = decimal_of(value)
    assert bits(float(found)) == bits(value)
    assert str(found) == str(Decimal(repr(value)))


def test_a_numpy_float_becomes_the_same_decimal_as_a_plain_one() -> None:
    assert decimal_of(np.float64(0.1)) == decimal_of(0.1) == Decimal("0.1")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_money_is_made_of_what_is_no_number(value: float) -> None:
    with pytest.raises(InvalidRecord, match="not a number that money can be made of"):
        decimal_of(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0.00000001", True), ("0", False), ("-1", False), ("NaN", False), ("sNaN", False), ("Infinity", False)],
)
def test_above_zero_is_only_what_is_a_number_above_it(value: str, expected: bool) -> None:
    assert above_zero(Decimal(value)) is expected
