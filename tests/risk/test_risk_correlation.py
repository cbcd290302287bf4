"""Correlation of returns: right where it can be computed, None where it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain.errors import InvalidInput
from risk.correlation import correlation

Floats = NDArray[np.float64]


def returns(count: int, seed: int = 1, size: float = 0.01) -> Floats:
    return np.random.default_rng(seed).normal(scale=size, size=count)


def test_it_equals_numpys_own() -> None:
    first, second = returns(200), 0.5 * returns(200) + returns(200, seed=2)
    assert correlation(first, second) == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-6)


def test_a_series_moves_with_itself_and_against_its_mirror() -> None:
    series = returns(50)
    assert correlation(series, series) == 1.0
    assert correlation(series, -3 * series) == -1.0


def test_bars_that_are_missing_in_either_series_are_left_out() -> None:
    first, second = returns(60), returns(60, seed=2)
    holed = first.copy()
    holed[::3] = np.nan
    second[1] = np.inf
    kept = np.isfinite(holed) & np.isfinite(second)
    assert correlation(holed, second) == correlation(first[kept], second[kept])


def test_too_little_common_history_gives_none() -> None:
    assert correlation(returns(29), returns(29, seed=2)) is None
    assert correlation(returns(30), returns(30, seed=2)) is not None
    assert correlation(returns(5), returns(5, seed=2), minimum=6) is None
    assert correlation(np.empty(0), np.empty(0), minimum=0) is None
    missing = returns(30)
    missing[0] = np.nan
    assert correlation(missing, returns(30, seed=2)) is None


def test_a_price_that_never_moves_gives_none() -> None:
    assert correlation(np.zeros(50), returns(50)) is None
    assert correlation(returns(50), np.full(50, 0.1)) is None


def test_very_small_returns_are_compared_all_the_same() -> None:
    series = returns(50)
    assert correlation(series * 1e-200, series) == 1.0


def test_series_of_different_bars_are_refused() -> None:
    with pytest.raises(InvalidInput, match="not of the same bars"):
        correlation(returns(40), returns(41))


@given(st.integers(0, 2**32), st.integers(30, 80))
def test_it_is_symmetric_and_within_its_bounds(seed: int, count: int) -> None:
    first, second = returns(count, seed), returns(count, seed + 1)
    forward = correlation(first, second)
    assert forward is not None
    assert forward == correlation(second, first)
    assert -1 <= forward <= 1
