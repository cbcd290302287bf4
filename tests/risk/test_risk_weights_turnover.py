"""What trading costs: a penalty keeps weights near the previous ones, a band keeps them as they are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from risk_weights_data import METHODS, bounds_for, factor_returns, portfolios, return_tables

from domain.errors import InvalidInput
from risk.portfolio import solve, weights
from risk.portfolio.covariance import covariance

Floats = NDArray[np.float64]
SOME = settings(max_examples=40, deadline=None)


def net_objective(method: str, returns: Floats, target: Floats, held: Floats, cost: float, tried: Floats) -> Floats:
    """What is made as small as can be when trading costs, from the definition, for weights (..., N)."""
    matrix, paid = covariance(returns, None), cost * np.abs(tried - held).sum(axis=-1)
    if method == "max_sharpe":
        deviation = np.sqrt(np.einsum("...i,ij,...j->...", tried, matrix, tried))
        return np.asarray(-(tried @ returns.mean(axis=0) - paid) / deviation)
    away = tried if method == "min_variance" else tried - target
    return np.asarray(np.einsum("...i,ij,...j->...", away, matrix, away) / 2 + paid)


@pytest.mark.parametrize("method", METHODS)
@SOME
@given(data=st.data())
def test_no_portfolio_is_better_net_of_costs(method: str, data: st.DataObject) -> None:
    returns = data.draw(return_tables())
    count = returns.shape[1]
    lower, upper = data.draw(bounds_for(count))
    held = np.random.default_rng(data.draw(st.integers(0, 1000))).dirichlet(np.ones(count))
    cost = data.draw(st.sampled_from([1e-7, 1e-6, 1e-5, 1e-4]))
    found = solve(returns, method, lower=lower, upper=upper, previous=held, turnover_cost=cost)
    if found.fell_back:
        assert found.reason == "no_positive_mean"
        return
    target = solve(returns, method, lower=lower, upper=upper).weights
    others = portfolios(count, lower, upper, 200, data.draw(st.integers(0, 1000)))
    near = others + 0.99 * (found.weights - others)
    towards = found.weights + np.linspace(0, 1, 20)[:, None] * (target - found.weights)
    best = net_objective(method, returns, target, held, cost, found.weights)
    for tried in (others, near, towards):
        assert best <= net_objective(method, returns, target, held, cost, tried).min() + 1e-9 * abs(best) + 1e-13


@pytest.mark.parametrize("method", METHODS)
def test_turnover_falls_as_its_cost_rises_until_nothing_is_traded(method: str) -> None:
    returns, held = factor_returns(300, 6, 9), np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    costs = [0.0, *np.geomspace(1e-8, 1e-2, 25)]
    turnovers = [solve(returns, method, previous=held, turnover_cost=cost).turnover for cost in costs]
    assert all(
        later is not None and earlier is not None and later <= earlier + 1e-9 for earlier, later in pairwise(turnovers)
    )
    assert turnovers[0] == pytest.approx(np.abs(solve(returns, method).weights - held).sum())
    assert turnovers[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_bounds_are_met_whatever_trading_costs(method: str) -> None:
    returns, held = factor_returns(300, 5, 9), np.array([0.9, 0.1, 0.0, 0.0, 0.0])
    found = solve(returns, method, previous=held, turnover_cost=1.0, upper=0.4)
    if found.fell_back:
        assert found.reason == "no_positive_mean"
    assert found.weights.max() <= 0.4 + 1e-12
    assert found.turnover == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_changes_within_the_band_are_not_made(method: str) -> None:
    returns = factor_returns(300, 5, 9)
    plain = solve(returns, method).weights
    near = plain + 0.01 * (0.2 - plain)
    change = float(np.abs(near - plain).max())
    kept = solve(returns, method, previous=near, no_trade_band=change + 1e-9)
    assert kept.kept_previous
    assert kept.weights == pytest.approx(near, abs=1e-12)
    assert kept.turnover == pytest.approx(0.0, abs=1e-12)
    if change > 0:
        traded = solve(returns, method, previous=near, no_trade_band=0.9 * change)
        assert not traded.kept_previous
        assert traded.weights.tolist() == plain.tolist()


def test_previous_weights_that_were_rounded_are_kept_as_weights_of_sum_one() -> None:
    held = np.array([0.333333, 0.333333, 0.333333])
    found = solve(factor_returns(300, 3, 9), "equal", previous=held, no_trade_band=0.01)
    assert found.kept_previous
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)


def test_previous_weights_outside_the_bounds_or_in_cash_are_not_kept() -> None:
    returns = factor_returns(300, 3, 9)
    outside = solve(returns, "equal", upper=0.4, previous=np.array([0.5, 0.25, 0.25]), no_trade_band=0.5)
    in_cash = solve(returns, "equal", previous=np.zeros(3), no_trade_band=0.5)
    for found in (outside, in_cash):
        assert not found.kept_previous
        assert found.weights == pytest.approx(np.full(3, 1 / 3))


@pytest.mark.parametrize("method", METHODS)
def test_without_previous_weights_neither_cost_nor_band_changes_anything(method: str) -> None:
    returns = factor_returns(300, 5, 9)
    found = solve(returns, method, turnover_cost=0.01, no_trade_band=0.5)
    assert found.weights.tolist() == solve(returns, method).weights.tolist()
    assert found.turnover is None


def test_what_must_be_sold_to_come_within_the_bounds_is_paid_from_the_mean_as_well() -> None:
    returns, held, cost = factor_returns(200, 2, 6), np.array([0.1, 0.9]), 0.0002
    found = solve(returns, "max_sharpe", upper=np.array([1.0, 0.6]), previous=held, turnover_cost=cost)
    grid = np.linspace(0.4, 1.0, 200_001)
    tried = np.stack([grid, 1 - grid], axis=1)
    losses = net_objective("max_sharpe", returns, held, held, cost, tried)
    assert not found.fell_back
    assert 0.45 < found.weights[0] < 0.99
    assert found.weights == pytest.approx(tried[int(np.argmin(losses))], abs=1e-4)


def test_the_unit_of_a_cost_is_that_of_the_returns() -> None:
    returns, held = factor_returns(300, 5, 9), np.full(5, 0.2)
    a_lot = solve(100 * returns, "max_sharpe", previous=held, turnover_cost=0.01)
    usual = solve(returns, "max_sharpe", previous=held, turnover_cost=0.0001)
    assert a_lot.weights == pytest.approx(usual.weights, abs=1e-9)
    assert 0 < float(usual.turnover or 0) < float(np.abs(solve(returns, "max_sharpe").weights - held).sum())


def test_previous_weights_of_other_instruments_are_sold_and_new_instruments_start_at_nothing() -> None:
    returns = pd.DataFrame(factor_returns(300, 3, 9), columns=["A", "B", "C"])
    held = pd.Series({"Z": 0.5, "C": 0.3, "A": 0.2})
    by_name = weights(returns, "min_variance", previous=held, turnover_cost=1e-5)
    by_place = solve(returns.to_numpy(), "min_variance", previous=np.array([0.2, 0.0, 0.3]), turnover_cost=1e-5)
    assert by_name.to_numpy().tolist() == by_place.weights.tolist()
    kept = weights(returns, "equal", previous=held, no_trade_band=1.0)
    assert kept.to_numpy() == pytest.approx(np.full(3, 1 / 3))


def test_beside_an_instrument_that_never_moved_costs_weigh_what_they_weigh_without_it() -> None:
    returns, held = factor_returns(300, 3, 9), np.array([0.5, 0.2, 0.1])
    matrix, cost = covariance(returns, None), 3e-6
    found = solve(
        np.insert(returns, 3, 0.0, axis=1),
        "min_variance",
        lower=np.array([0, 0, 0, 0.2]),
        previous=np.append(held, 0.2),
        turnover_cost=cost,
    ).weights

    def paid(moving: Floats) -> Floats:
        variance = np.einsum("...i,ij,...j->...", moving, matrix, moving)
        return np.asarray(variance / 2 + cost * np.abs(moving - held).sum(axis=-1))

    others = 0.8 * portfolios(3, np.zeros(3), np.ones(3), 5_000, 1)
    assert found[3] == pytest.approx(0.2)
    assert 0.01 < np.abs(found[:3] - held).sum() < np.abs(0.8 * solve(returns, "min_variance").weights - held).sum()
    for tried in (others, found[:3] + 0.05 * (others - found[:3])):
        assert paid(found[:3]) <= paid(tried).min() + 1e-15


def test_a_fallback_pays_for_its_trades_too() -> None:
    returns = factor_returns(200, 4, 3)
    falling, held = returns - returns.mean(axis=0) - 0.001, np.array([0.4, 0.2, 0.2, 0.2])
    found = solve(falling, "max_sharpe", previous=held, turnover_cost=1e-5)
    assert found.reason == "no_positive_mean"
    assert (
        found.weights.tolist()
        == solve(falling, "inverse_volatility", previous=held, turnover_cost=1e-5).weights.tolist()
    )


def test_weights_held_that_are_more_than_all_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at most 1"):
        weights(
            pd.DataFrame(factor_returns(30, 2, 1), columns=["A", "B"]), "equal", previous=pd.Series({"A": 1, "B": 1})
        )
