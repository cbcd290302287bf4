"""Filling, centring, scaling and drawing in, with and without absurd values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from domain.errors import InvalidInput
from learning.portable.preparation import Preparation

ANY = st.floats(allow_nan=True, allow_infinity=False)
TABLES = st.tuples(st.integers(1, 30), st.integers(1, 4)).flatmap(lambda shape: arrays(np.float64, shape, elements=ANY))


def fitted(*columns: list[float], weights: list[float] | None = None) -> Preparation:
    X = np.array(columns).T
    return Preparation.fit(X, np.ones(len(X)) if weights is None else np.array(weights))


def test_a_missing_value_becomes_the_median_of_what_is_present() -> None:
    prepared = fitted([1.0, 2.0, 10.0, np.nan])
    assert prepared.fill.tolist() == [2.0]
    applied = prepared.apply(np.array([[np.nan], [2.0]]))
    assert applied[0] == applied[1]


def test_centre_and_scale_are_the_weighted_mean_and_standard_deviation() -> None:
    prepared = fitted([0.0, 1.0, np.nan, 4.0], weights=[1.0, 2.0, 50.0, 1.0])
    assert prepared.centre[0] == pytest.approx(1.5)
    assert prepared.scale[0] == pytest.approx(np.sqrt((2.25 + 2 * 0.25 + 6.25) / 4))


def test_one_absurd_value_among_many_moves_neither_centre_nor_scale() -> None:
    values = np.random.default_rng(1).normal(size=1_000)
    plain, spoilt = fitted(values.tolist()), fitted([*values.tolist(), 1e300])
    assert spoilt.centre == pytest.approx(plain.centre, abs=0.02)
    assert spoilt.scale == pytest.approx(plain.scale, rel=0.02)


@pytest.mark.parametrize("value", [0.1, -3e9, 0.0])
def test_a_constant_column_is_centred_on_its_value_and_keeps_its_unit(value: float) -> None:
    prepared = fitted([value] * 7, weights=[0.1, 0.7, 0.3, 1.1, 2.3, 0.9, 0.2])
    assert (prepared.centre[0], prepared.scale[0]) == (value, 1.0)
    assert prepared.apply(np.array([[value], [value + 2.0]])).ravel().tolist() == [0.0, 2.0]


def test_a_column_that_is_missing_throughout_says_nothing() -> None:
    prepared = fitted([np.nan, np.nan], [1.0, 3.0])
    assert prepared.apply(np.array([[np.nan, 2.0]])).tolist() == [[0.0, 0.0]]


def test_values_are_cut_at_the_clip_also_infinite_ones() -> None:
    prepared = Preparation(centre=np.zeros(1), scale=np.ones(1), fill=np.zeros(1), clip=2.0)
    applied = prepared.apply(np.array([[-np.inf], [-1.0], [3.0], [np.inf]]))
    assert applied.ravel().tolist() == [-2.0, -1.0, 2.0, 2.0]


@settings(deadline=None, max_examples=50)
@given(TABLES, st.data())
def test_whatever_the_columns_hold_the_result_is_finite_and_within_the_clip(
    X: np.ndarray,
    data: st.DataObject,
) -> None:
    w = data.draw(arrays(np.float64, len(X), elements=st.floats(1e-300, 1e300)))
    prepared = Preparation.fit(X, w, clip=5.0)
    assert np.isfinite(prepared.scale).all()
    assert (np.abs(prepared.apply(X)) <= 5.0).all()
    assert (np.abs(prepared.apply(np.full_like(X, 1.7e308))) <= 5.0).all()


@settings(deadline=None, max_examples=50)
@given(TABLES)
def test_rows_are_prepared_alike_alone_together_and_in_another_memory_order(X: np.ndarray) -> None:
    prepared = Preparation.fit(X, np.ones(len(X)))
    together = prepared.apply(X)
    assert np.array_equal(together, prepared.apply(np.asfortranarray(X)))
    assert np.array_equal(together, np.vstack([prepared.apply(X[row : row + 1]) for row in range(len(X))]))


def test_the_rows_given_are_not_changed() -> None:
    X = np.array([[np.nan, 1.0], [2.0, 3.0]])
    Preparation.fit(X, np.ones(2)).apply(X)
    assert np.isnan(X[0, 0])
    assert X[1].tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("X", "w", "why"),
    [
        (np.empty((0, 2)), np.empty(0), "0 rows"),
        (np.ones((2, 1)), np.ones(3), "weights of shape"),
        (np.ones((2, 1)), np.array([1.0, 0.0]), "above 0"),
        (np.ones((2, 1)), np.array([1.0, np.nan]), "above 0"),
        (np.array([[np.inf], [1.0]]), np.ones(2), "infinite"),
        (np.ones(3), np.ones(3), "shape"),
    ],
)
def test_what_cannot_be_prepared_is_refused(X: np.ndarray, w: np.ndarray, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Preparation.fit(X, w)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("scale", [1.0, 0.0], "scale"),
        ("scale", [1.0, np.nan], "scale"),
        ("centre", [np.inf, 0.0], "centre"),
        ("fill", [1.0], "fill"),
        ("centre", [[1.0, 2.0]], "centre"),
        ("clip", 0.0, "clip"),
        ("clip", float("inf"), "clip"),
    ],
)
def test_a_preparation_with_an_unusable_number_may_not_exist(field: str, value: object, why: str) -> None:
    fields = {"centre": np.zeros(2), "scale": np.ones(2), "fill": np.zeros(2), "clip": 8.0}
    with pytest.raises(InvalidInput, match=why):
        Preparation(**{**fields, field: value if field == "clip" else np.array(value)})


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(InvalidInput, match="n x 1"):
        fitted([1.0, 2.0]).apply(np.ones((2, 2)))


def test_what_a_preparation_holds_cannot_be_changed_through_the_arrays_it_was_made_of() -> None:
    scale = np.ones(1)
    prepared = Preparation(centre=np.zeros(1), scale=scale, fill=np.zeros(1), clip=8.0)
    scale[0] = 0.0
    assert prepared.scale[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        prepared.scale[0] = 0.0
