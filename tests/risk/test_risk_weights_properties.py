"""Weights of every method: within bounds, of sum 1, and no other portfolio is better."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from risk_weights_data import METHODS, bounds_for, portfolios, return_tables

from risk.portfolio import Method, solve
from risk.portfolio.covariance import covariance

Floats = NDArray[np.float64]
OPTIMAL = ("max_sharpe", "min_variance", "risk_parity")
SOME = settings(max_examples=60, deadline=None)


def objective(method: str, returns: Floats, weights: Floats) -> Floats:
    """What a method makes as small as it can, for weights (..., N), from the definition."""
    matrix = covariance(returns, None)
    variance = np.einsum("...i,ij,...j->...", weights, matrix, weights)
    if method == "max_sharpe":
        return np.asarray(-(weights @ returns.mean(axis=0)) / np.sqrt(variance))
    if method == "min_variance":
        return np.asarray(variance / np.trace(matrix))
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(variance) / 2 - np.mean(np.log(np.maximum(weights, 0.0)), axis=-1))


def solvable(method: str, returns: Floats) -> bool:
    return method != "max_sharpe" or bool(np.any(returns.mean(axis=0) > 0))


@pytest.mark.parametrize("method", METHODS)
@SOME
@given(data=st.data())
def test_weights_are_within_their_bounds_and_sum_to_one(method: str, data: st.DataObject) -> None:
    returns = data.draw(return_tables())
    lower, upper = data.draw(bounds_for(returns.shape[1]))
    found = solve(returns, method, lower=lower, upper=upper)
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-9)
    assert np.all(found.weights >= lower - 1e-12)
    assert np.all(found.weights <= upper + 1e-12)
    assert found.fell_back == (found.method_used != method)
    if not found.fell_back:
        assert found.reason is None
    else:
        assert (method, found.reason) == ("max_sharpe", "no_positive_mean")


@pytest.mark.parametrize("method", OPTIMAL)
@SOME
@given(returns=return_tables(), seed=st.integers(0, 1000))
def test_no_random_portfolio_beats_the_solution(method: str, returns: Floats, seed: int) -> None:
    if not solvable(method, returns):
        return
    count = returns.shape[1]
    best = objective(method, returns, solve(returns, method).weights)
    others = portfolios(count, np.zeros(count), np.ones(count), 300, seed)
    corners = np.eye(count)
    assert best <= min(objective(method, returns, others).min(), objective(method, returns, corners).min()) + 1e-9


@pytest.mark.parametrize("method", OPTIMAL)
@SOME
@given(data=st.data())
def test_no_random_portfolio_within_the_bounds_beats_the_solution(method: str, data: st.DataObject) -> None:
    returns = data.draw(return_tables())
    lower, upper = data.draw(bounds_for(returns.shape[1]))
    found = solve(returns, method, lower=lower, upper=upper)
    others = portfolios(returns.shape[1], lower, upper, 300, data.draw(st.integers(0, 1000)))
    if found.fell_back:
        assert np.all(others @ returns.mean(axis=0) <= 1e-12)
        return
    near = others + 0.99 * (found.weights - others)
    assert objective(method, returns, found.weights) <= objective(method, returns, others).min() + 1e-9
    assert objective(method, returns, found.weights) <= objective(method, returns, near).min() + 1e-9


@SOME
@given(returns=return_tables())
def test_the_least_variance_meets_the_conditions_of_kuhn_and_tucker(returns: Floats) -> None:
    weights = solve(returns, "min_variance").weights
    slope = covariance(returns, None) @ weights
    held = weights > 0
    level = float(slope[held].mean())
    assert slope[held] == pytest.approx(np.full(held.sum(), level), rel=1e-8)
    assert np.all(slope[~held] >= level * (1 - 1e-8))


@SOME
@given(returns=return_tables())
def test_the_best_ratio_meets_the_conditions_of_kuhn_and_tucker(returns: Floats) -> None:
    if not solvable("max_sharpe", returns):
        return
    weights, mean = solve(returns, "max_sharpe").weights, returns.mean(axis=0)
    slope = covariance(returns, None) @ weights * float(mean @ weights)
    variance = float(weights @ covariance(returns, None) @ weights)
    gain = mean * variance - slope
    size = float(np.max(np.abs(mean))) * variance
    held = weights > 0
    assert gain[held] == pytest.approx(np.zeros(held.sum()), abs=1e-8 * size)
    assert np.all(gain[~held] <= 1e-8 * size)


@SOME
@given(returns=return_tables())
def test_risk_parity_takes_the_same_risk_from_each(returns: Floats) -> None:
    weights = solve(returns, "risk_parity").weights
    risk = weights * (covariance(returns, None) @ weights)
    assert risk == pytest.approx(np.full(risk.size, risk.mean()), rel=1e-9)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "hrp"])
@SOME
@given(returns=return_tables(), seed=st.integers(0, 1000))
def test_the_order_of_the_instruments_does_not_matter(method: str, returns: Floats, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(returns.shape[1])
    plain, turned = solve(returns, method), solve(returns[:, order], method)
    assert turned.weights == pytest.approx(plain.weights[order], abs=1e-8)


@pytest.mark.parametrize("method", METHODS)
@SOME
@given(returns=return_tables(), factor=st.floats(1e-6, 1e6))
def test_the_unit_of_the_returns_does_not_matter(method: str, returns: Floats, factor: float) -> None:
    assert solve(factor * returns, method).weights == pytest.approx(solve(returns, method).weights, abs=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_returns_give_the_same_bits(method: str) -> None:
    returns = np.random.default_rng(1).normal(0.001, 0.01, size=(300, 9))
    assert solve(returns, method).weights.tobytes() == solve(returns.copy(), method).weights.tobytes()


def test_methods_are_named_as_they_are_configured() -> None:
    assert tuple(Method) == METHODS
