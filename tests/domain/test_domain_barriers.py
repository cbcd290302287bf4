"""First touch: the stop counts first, gaps fill at the open, and a short is a long in the mirror."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.barriers import Barrier, Touch, first_touch, touch_at_open, touch_in_range
from domain.orders import Side

QUARTERS = st.integers(1, 400).map(lambda number: number / 4)
"""Prices in quarters are exact in binary, so that a mirror gives the same bits."""
SPREADS = st.sampled_from([0.0, 0.25, 0.5, 1.0])
BARS = st.lists(QUARTERS, min_size=3, max_size=3).map(lambda prices: (sorted(prices)[1], max(prices), min(prices)))
SIDES = st.sampled_from(Side)
MAYBE = st.none() | QUARTERS


def mirrored(price: float | None) -> float | None:
    """Reflected about 101: exact for quarters, and it turns high into low."""
    return None if price is None else 202.0 - price


@given(SIDES, MAYBE, MAYBE, BARS, SPREADS)
def test_a_short_sees_the_mirrored_bar_as_a_long_sees_the_bar(
    side: Side, stop: float | None, target: float | None, bar: tuple[float, float, float], spread: float
) -> None:
    open_, high, low = bar
    touch = first_touch(side, stop, target, open_=open_, high=high, low=low, half_spread=spread)
    other = first_touch(
        side.opposite,
        mirrored(stop),
        mirrored(target),
        open_=202.0 - open_,
        high=202.0 - low,
        low=202.0 - high,
        half_spread=spread,
    )
    expected = None if touch is None else Touch(touch.barrier, 202.0 - touch.price, touch.gapped)
    assert other == expected


@given(SIDES, MAYBE, MAYBE, BARS, SPREADS)
def test_a_whole_bar_is_its_open_and_then_its_range(
    side: Side, stop: float | None, target: float | None, bar: tuple[float, float, float], spread: float
) -> None:
    open_, high, low = bar
    whole = first_touch(side, stop, target, open_=open_, high=high, low=low, half_spread=spread)
    at_open = touch_at_open(side, stop, target, open_=open_, half_spread=spread)
    in_range = touch_in_range(side, stop, target, high=high, low=low, half_spread=spread)
    assert whole == (at_open or in_range)


@given(SIDES, QUARTERS, QUARTERS, BARS, SPREADS)
def test_the_stop_counts_when_both_barriers_lie_in_one_bar(
    side: Side, stop: float, target: float, bar: tuple[float, float, float], spread: float
) -> None:
    _, high, low = bar
    alone = touch_in_range(side, stop, None, high=high, low=low, half_spread=spread)
    both = touch_in_range(side, stop, target, high=high, low=low, half_spread=spread)
    assume(alone is not None)
    assert both == alone == Touch(Barrier.STOP, stop, False)


@given(SIDES, QUARTERS, QUARTERS, BARS, SPREADS)
def test_a_gap_through_the_stop_is_worse_and_through_the_target_better_than_the_barrier(
    side: Side, stop: float, target: float, bar: tuple[float, float, float], spread: float
) -> None:
    assume(side.sign * stop < side.sign * target)
    touch = touch_at_open(side, stop, target, open_=bar[0], half_spread=spread)
    assume(touch is not None and touch.gapped)
    assert touch is not None
    assert touch.price == bar[0] - side.sign * spread
    barrier = stop if touch.barrier is Barrier.STOP else target
    better = (touch.price - barrier) * side.sign
    assert better <= 0 if touch.barrier is Barrier.STOP else better >= 0


@given(SIDES, BARS, SPREADS)
def test_without_barriers_nothing_is_touched(side: Side, bar: tuple[float, float, float], spread: float) -> None:
    open_, high, low = bar
    assert first_touch(side, None, None, open_=open_, high=high, low=low, half_spread=spread) is None


@pytest.mark.parametrize(
    ("side", "stop", "target", "bar", "spread", "expected"),
    [
        # open, high, low
        (Side.BUY, 98.0, 106.0, (100.0, 101.0, 99.0), 0.0, None),
        (Side.BUY, 98.0, 106.0, (100.0, 101.0, 98.0), 0.0, Touch(Barrier.STOP, 98.0, False)),
        (Side.BUY, 98.0, 106.0, (100.0, 101.0, 98.5), 0.5, Touch(Barrier.STOP, 98.0, False)),
        (Side.BUY, 98.0, 106.0, (100.0, 106.25, 99.0), 0.5, None),
        (Side.BUY, 98.0, 106.0, (100.0, 106.5, 99.0), 0.5, Touch(Barrier.TARGET, 106.0, False)),
        (Side.BUY, 98.0, 106.0, (97.0, 107.0, 96.0), 0.5, Touch(Barrier.STOP, 96.5, True)),
        (Side.BUY, 98.0, 106.0, (107.0, 108.0, 90.0), 0.5, Touch(Barrier.TARGET, 106.5, True)),
        (Side.BUY, 98.0, 106.0, (100.0, 110.0, 90.0), 0.0, Touch(Barrier.STOP, 98.0, False)),
        (Side.SELL, 102.0, 94.0, (100.0, 101.5, 99.0), 0.5, Touch(Barrier.STOP, 102.0, False)),
        (Side.SELL, 102.0, 94.0, (100.0, 101.0, 93.5), 0.5, Touch(Barrier.TARGET, 94.0, False)),
        (Side.SELL, 102.0, 94.0, (100.0, 101.0, 93.75), 0.5, None),
        (Side.SELL, 102.0, 94.0, (103.0, 104.0, 90.0), 0.5, Touch(Barrier.STOP, 103.5, True)),
        (Side.SELL, 102.0, 94.0, (93.0, 104.0, 90.0), 0.5, Touch(Barrier.TARGET, 93.5, True)),
    ],
)
def test_first_touch_by_hand(
    side: Side,
    stop: float,
    target: float,
    bar: tuple[float, float, float],
    spread: float,
    expected: Touch | None,
) -> None:
    open_, high, low = bar
    assert first_touch(side, stop, target, open_=open_, high=high, low=low, half_spread=spread) == expected
