"""Reading an answer: what is missing, empty or no number is never guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRecord, VenueUnavailable
from domain.orders import OrderState, Side
from venues.answers import (
    amount,
    flag,
    from_ms,
    inner,
    moment,
    optional_amount,
    optional_text,
    plain,
    row_of,
    rows_of,
    side,
    state,
    text,
    to_ms,
    whole,
)
from venues.vendor import _exact_json
from venues.words import as_far_as_filled, pages, windows

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("answer", [None, {}, [], "", "text", 3, [1], {"a"}])
def test_what_is_no_object_with_something_in_it_is_no_row(answer: object) -> None:
    with pytest.raises(VenueUnavailable):
        row_of(answer, "an order")


@pytest.mark.parametrize("answer", [None, {}, "[]", [None], [{}], [{"a": 1}, 3]])
def test_what_is_no_list_of_objects_is_no_list(answer: object) -> None:
    with pytest.raises(VenueUnavailable):
        rows_of(answer, "orders")
    assert rows_of([], "orders") == ()


@pytest.mark.parametrize("value", [None, "", True, 1.5, [], {}])
def test_an_id_is_a_text_or_a_whole_number(value: object) -> None:
    with pytest.raises(VenueUnavailable):
        text({"id": value}, "id")
    assert text({"id": 7}, "id") == "7"
    assert optional_text({"id": ""}, "id") is None
    with pytest.raises(VenueUnavailable, match="missing"):
        inner({"other": 1}, "id")


@pytest.mark.parametrize("value", [None, "", "NaN", "Infinity", "-inf", "1,5", "x", True, 1.5, [], {}])
def test_an_amount_is_an_exact_number(value: object) -> None:
    with pytest.raises(VenueUnavailable):
        amount({"qty": value}, "qty")


def test_one_number_has_one_form() -> None:
    for value in ("0.10", "0.1000", "1E-1", ".1"):
        assert str(amount({"qty": value}, "qty")) == "0.1"
    assert str(amount({"qty": "0E-8"}, "qty")) == "0"
    assert str(amount({"qty": "1200"}, "qty")) == "1200"
    assert optional_amount({"qty": ""}, "qty") is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**9), max_value=10**9))
def test_numbers_go_over_the_wire_and_back_exactly(value: Decimal) -> None:
    assert "E" not in plain(value)
    assert amount({"qty": plain(value)}, "qty") == value


def test_numbers_of_json_are_never_floats() -> None:
    assert _exact_json('{"a": 0.1000000000000000000001, "b": 12345678901234567890}') == {
        "a": "0.1000000000000000000001",
        "b": 12345678901234567890,
    }
    for body in ("NaN", "[Infinity]", '{"a": -Infinity}'):
        with pytest.raises(ValueError, match="not a number"):
            _exact_json(body)


@pytest.mark.parametrize(
    ("value", "said"), [(True, True), ("true", True), (False, False), ("false", False), ("", False)]
)
def test_true_and_false_are_read_however_worded(value: object, said: bool) -> None:
    assert flag({"reduceOnly": value}, "reduceOnly") is said
    assert flag({}, "reduceOnly") is False
    with pytest.raises(VenueUnavailable):
        flag({"reduceOnly": "maybe"}, "reduceOnly")


def test_a_time_is_the_first_that_is_told() -> None:
    assert moment({"a": 0, "b": "", "c": to_ms(NOW)}, "a", "b", "c") == NOW
    assert moment({"a": str(to_ms(NOW))}, "a") == NOW
    for value in (-1, 10**17, "soon"):
        with pytest.raises(VenueUnavailable):
            moment({"a": value}, "a")
    with pytest.raises(VenueUnavailable, match="without a time"):
        moment({"a": 0}, "a")
    with pytest.raises(VenueUnavailable):
        from_ms(Decimal(0))


def test_words_that_are_not_known_are_not_guessed_at() -> None:
    assert side({"side": "BUY"}) is Side.BUY
    with pytest.raises(VenueUnavailable):
        side({"side": "LONG"})
    assert state({"status": "NEW"}, "status", {"NEW": OrderState.ACCEPTED}) is OrderState.ACCEPTED
    with pytest.raises(VenueUnavailable, match="'ODD' is not one of NEW"):
        state({"status": "ODD"}, "status", {"NEW": OrderState.ACCEPTED})


def test_a_record_that_may_not_exist_is_an_answer_that_is_not_believed() -> None:
    with pytest.raises(VenueUnavailable, match="cannot be believed: odd") as told, whole("an order"):
        raise InvalidRecord("odd")
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


def test_an_open_order_with_something_filled_is_partially_filled() -> None:
    assert as_far_as_filled(OrderState.ACCEPTED, Decimal(1)) is OrderState.PARTIALLY_FILLED
    assert as_far_as_filled(OrderState.ACCEPTED, Decimal(0)) is OrderState.ACCEPTED
    assert as_far_as_filled(OrderState.CANCELLED, Decimal(1)) is OrderState.CANCELLED


@given(st.integers(0, 40 * 24), st.integers(1, 200))
def test_windows_cover_the_time_without_gap_and_the_last_is_open(hours: int, span_h: int) -> None:
    since = NOW - timedelta(hours=hours)
    parts = list(windows(since, NOW, timedelta(hours=span_h)))
    assert parts[0][0] == to_ms(since)
    for (_, end), (start, _) in pairwise(parts):
        assert end is not None
        assert start == end + 1
    last_start, last_end = parts[-1]
    assert last_end is None
    assert to_ms(NOW) - last_start < span_h * 3_600_000
    assert all(end is not None and end - start < span_h * 3_600_000 for start, end in parts[:-1])


def test_a_list_without_end_is_not_believed() -> None:
    with pytest.raises(VenueUnavailable, match="did not end"):
        for _ in pages():
            pass
