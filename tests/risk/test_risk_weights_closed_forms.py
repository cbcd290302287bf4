"""Weights where the answer is known: closed forms, a general solver, and the parts that the methods are made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from risk_weights_data import METHODS, bounds_for, factor_returns, return_tables
from scipy.optimize import minimize, nnls

from risk.portfolio import ledoit_wolf, solve
from risk.portfolio.bounded import Lines, bounded, one_by_one
from risk.portfolio.bounds import in_proportion
from risk.portfolio.covariance import covariance
from risk.portfolio.failure import NotSolved
from risk.portfolio.nonnegative import nonnegative
from risk.portfolio.sharpe import most_net_mean

Floats = NDArray[np.float64]
SOME = settings(max_examples=60, deadline=None)


def uncorrelated(volatilities: Floats, means: Floats) -> Floats:
    """Eight periods whose sample covariance is exactly diagonal, from a Hadamard matrix."""
    signs = np.array([[1.0]])
    for _ in range(3):
        signs = np.block([[signs, signs], [signs, -signs]])
    return np.asarray(signs[:, 1 : 1 + volatilities.size] * volatilities + means, dtype=np.float64)


VOLATILITIES, MEANS = np.array([0.01, 0.02, 0.04]), np.array([0.001, 0.003, 0.002])


@pytest.mark.parametrize(
    ("method", "sizes"),
    [
        ("max_sharpe", MEANS / VOLATILITIES**2),
        ("min_variance", 1 / VOLATILITIES**2),
        ("risk_parity", 1 / VOLATILITIES),
        ("inverse_volatility", 1 / VOLATILITIES),
        ("hrp", 1 / VOLATILITIES**2),
        ("equal", np.ones(3)),
    ],
)
def test_without_correlation_every_method_has_a_formula(method: str, sizes: Floats) -> None:
    found = solve(uncorrelated(VOLATILITIES, MEANS), method, shrinkage=0.0)
    assert found.weights == pytest.approx(sizes / sizes.sum(), rel=1e-6)


def test_two_instruments_of_least_variance_follow_their_formula() -> None:
    returns = factor_returns(200, 2, 5)
    (a, both), (_, b) = covariance(returns, None)
    expected = min(max((b - both) / (a + b - 2 * both), 0.0), 1.0)
    assert solve(returns, "min_variance").weights[0] == pytest.approx(expected, abs=1e-12)


def test_the_only_instrument_with_a_positive_mean_and_no_hedge_takes_everything() -> None:
    returns = uncorrelated(VOLATILITIES, np.array([-0.001, 0.003, -0.002]))
    assert solve(returns, "max_sharpe").weights.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("method", ["max_sharpe", "min_variance"])
@pytest.mark.parametrize("upper", [1.0, 0.3])
def test_a_general_solver_finds_nothing_better(method: str, upper: float) -> None:
    returns = factor_returns(250, 8, 3)
    matrix, mean = covariance(returns, None) * 1e4, returns.mean(axis=0) * 1e2

    def cost(weights: Floats) -> float:
        variance = float(weights @ matrix @ weights)
        return -float(mean @ weights) / np.sqrt(variance) if method == "max_sharpe" else variance

    general = minimize(
        cost,
        np.full(8, 1 / 8),
        bounds=[(0, upper)] * 8,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    found = solve(returns, method, upper=upper).weights
    assert cost(found) <= general.fun + 1e-9
    assert found == pytest.approx(general.x, abs=1e-4)


@SOME
@given(returns=return_tables(2, 20))
def test_block_pivoting_finds_what_lawson_and_hanson_find(returns: Floats) -> None:
    matrix, mean = covariance(returns / 0.01, None), returns.mean(axis=0) / 0.01
    found, rounds = nonnegative(matrix, mean, 500)
    root = np.linalg.cholesky(matrix).T
    expected, _ = nnls(root, np.linalg.solve(root.T, mean))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-8 * float(np.abs(expected).max() + 1e-300))
    assert rounds <= 60


@SOME
@given(data=st.data())
def test_exchanging_all_places_and_one_at_a_time_end_at_the_same_weights(data: st.DataObject) -> None:
    returns = data.draw(return_tables())
    count = returns.shape[1]
    lower, upper = data.draw(bounds_for(count))
    draw = np.random.default_rng(data.draw(st.integers(0, 1000)))
    matrix = covariance(returns / 0.01, None)
    lines = Lines.of(lower, upper, draw.dirichlet(np.ones(count)), data.draw(st.sampled_from([0.0, 0.01, 0.3])))
    linear = draw.normal(size=count)
    at_once, slowly = bounded(matrix, linear, lines, 1000), one_by_one(matrix, linear, lines, 1000)
    assert at_once.weights == pytest.approx(slowly.weights, abs=1e-8)
    assert slowly.weights.sum() == pytest.approx(1.0, abs=1e-9)


@SOME
@given(data=st.data())
def test_the_greatest_net_mean_is_that_of_a_linear_program(data: st.DataObject) -> None:
    returns = data.draw(return_tables())
    count = returns.shape[1]
    lower, upper = data.draw(bounds_for(count))
    previous = np.random.default_rng(data.draw(st.integers(0, 1000))).dirichlet(np.ones(count))
    mean, cost = returns.mean(axis=0), 0.0005
    lines = Lines.of(lower, upper, previous, cost)
    best = most_net_mean(mean, lines)
    assert best.sum() == pytest.approx(1.0, abs=1e-9)

    def net(weights: Floats) -> float:
        return float(mean @ weights - cost * np.abs(weights - previous).sum())

    for first in range(count):
        for second in range(count):
            moved = best.copy()
            step = min(1e-3, upper[first] - best[first], best[second] - lower[second])
            moved[first] += step
            moved[second] -= step
            assert net(moved) <= net(best) + 1e-12


@SOME
@given(data=st.data())
def test_weights_in_proportion_keep_it_between_the_bounds(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 10))
    lower, upper = data.draw(bounds_for(count))
    sizes = np.random.default_rng(data.draw(st.integers(0, 1000))).exponential(size=count)
    found = in_proportion(sizes, lower, upper)
    assert found.sum() == pytest.approx(1.0, abs=1e-9)
    inside = (found > lower + 1e-12) & (found < upper - 1e-12)
    if inside.sum() > 1:
        ratio = found[inside] / sizes[inside]
        assert ratio == pytest.approx(np.full(ratio.size, ratio[0]), rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_bounds_that_leave_one_answer_give_it(method: str) -> None:
    wanted = np.array([0.1, 0.2, 0.3, 0.4])
    returns = factor_returns(100, 4, 7)
    assert solve(returns, method, lower=wanted, upper=wanted).weights == pytest.approx(wanted, abs=1e-12)


def test_shrinking_leaves_the_trace_and_takes_from_what_is_off_it() -> None:
    returns = factor_returns(40, 10, 1)
    shrunk, shrinkage = ledoit_wolf(returns)
    sample = np.cov(returns, rowvar=False, bias=True)
    assert 0 < shrinkage < 1
    assert np.trace(shrunk) == pytest.approx(np.trace(sample))
    off = ~np.eye(10, dtype=bool)
    assert shrunk[off] == pytest.approx((1 - shrinkage) * sample[off])


@pytest.mark.parametrize(("periods", "count"), [(40, 10), (12, 30), (400, 4)])
def test_the_shrinkage_is_that_of_the_paper(periods: int, count: int) -> None:
    centred = factor_returns(periods, count, 3)
    centred -= centred.mean(axis=0)
    sample = centred.T @ centred / periods
    target = np.trace(sample) / count * np.eye(count)
    error = sum(float(np.sum((np.outer(row, row) - sample) ** 2)) for row in centred) / periods**2
    distance = float(np.sum((sample - target) ** 2))
    expected = min(error, distance) / distance
    shrunk, shrinkage = ledoit_wolf(centred + 0.01)
    assert 0 < expected < 1
    assert shrinkage == pytest.approx(expected, rel=1e-9)
    assert shrunk == pytest.approx((1 - expected) * sample + expected * target, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("method", ["max_sharpe", "min_variance", "risk_parity"])
def test_a_search_that_may_not_go_on_falls_back_to_inverse_volatility_and_says_so(method: str) -> None:
    returns = factor_returns(300, 12, 2)
    found = solve(returns, method, upper=0.2, iteration_limit=0)
    assert (found.fell_back, found.reason, found.method_used) == (True, "not_converged", "inverse_volatility")
    assert found.weights.tolist() == solve(returns, "inverse_volatility", upper=0.2).weights.tolist()


def test_each_search_ends_at_its_limit() -> None:
    matrix, linear = covariance(factor_returns(300, 12, 2), None), np.ones(12)
    lines = Lines.of(np.zeros(12), np.full(12, 0.1), None, 0.0)
    for search in (lambda: nonnegative(matrix, linear, 0), lambda: one_by_one(matrix, linear, lines, 26)):
        with pytest.raises(NotSolved, match="not_converged"):
            search()
