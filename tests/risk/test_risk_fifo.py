"""Which lots an exit offsets: the oldest, or on request the oldest of its own size."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from risk_builders import NOON, D

from domain.errors import InvalidInput, InvalidRecord
from risk.fifo import Lot, Offset, breach, offsets


def lot(name: str, hour: int, quantity: int) -> Lot:
    return Lot(lot_id=name, opened_at=NOON + timedelta(hours=hour), quantity=D(quantity))


THREE = (lot("c", 2, 1000), lot("a", 0, 3000), lot("b", 1, 1000))


def test_an_exit_of_another_size_takes_the_oldest_first() -> None:
    assert offsets(THREE, D(3500)) == (Offset(lot_id="a", quantity=D(3000)), Offset(lot_id="b", quantity=D(500)))
    assert offsets(THREE, D(500)) == (Offset(lot_id="a", quantity=D(500)),)


def test_an_exit_of_a_lots_own_size_takes_the_oldest_of_that_size() -> None:
    assert offsets(THREE, D(1000)) == (Offset(lot_id="b", quantity=D(1000)),)


def test_an_exit_may_name_the_oldest_lot_or_the_oldest_of_its_size() -> None:
    assert breach(THREE, "a", D(3000)) is None
    assert breach(THREE, "a", D(1)) is None
    assert breach(THREE, "b", D(1000)) is None


def test_an_exit_that_names_a_younger_lot_is_told_which_comes_first() -> None:
    same_size = breach(THREE, "c", D(1000))
    part = breach(THREE, "b", D(500))
    assert same_size is not None
    assert part is not None
    assert same_size.detail == "NFA Compliance Rule 2-43(b): lot b of 2024-01-03T13:00:00+00:00 comes before lot c"
    assert part.detail == "NFA Compliance Rule 2-43(b): lot a of 2024-01-03T12:00:00+00:00 comes before lot b"
    assert part.numbers == {"quantity": "500", "lot": "1000", "older": "3000"}


def test_with_one_lot_every_exit_is_of_the_oldest() -> None:
    """What the gate's rule of one lot a market gives: stops, targets and closes of any size are in order."""
    only = (lot("only", 0, 5000),)
    assert breach(only, "only", D(5000)) is None
    assert breach(only, "only", D(1)) is None


@pytest.mark.parametrize("quantity", [D(0), D(-1), D(5001), D("NaN")])
def test_an_exit_of_nothing_or_of_more_than_is_held_is_refused(quantity: D) -> None:
    with pytest.raises(InvalidInput, match="an exit of"):
        offsets(THREE, quantity)


def test_an_exit_from_a_lot_that_is_not_held_is_refused() -> None:
    with pytest.raises(InvalidInput, match="which holds nothing"):
        breach(THREE, "z", D(1))
    with pytest.raises(InvalidInput, match="which holds 1000"):
        breach(THREE, "b", D(1001))
    with pytest.raises(InvalidRecord, match="is not held"):
        lot("none", 0, 0)


held = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=6).map(
    lambda drawn: tuple(lot(str(number), hour, 1000 * size) for number, (hour, size) in enumerate(drawn))
)


@given(held, st.integers(1, 24))
def test_what_an_exit_offsets_is_in_order_and_adds_up(lots: tuple[Lot, ...], thousands: int) -> None:
    total = sum(each.quantity for each in lots)
    quantity = min(D(thousands) * 500, total)
    left = {each.lot_id: each for each in lots}
    for part in offsets(lots, quantity):
        assert breach(tuple(left.values()), part.lot_id, part.quantity) is None
        rest = left[part.lot_id].quantity - part.quantity
        if rest:
            left[part.lot_id] = replace(left[part.lot_id], quantity=rest)
        else:
            del left[part.lot_id]
    assert total - sum(each.quantity for each in left.values()) == quantity
