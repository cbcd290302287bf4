"""Returns that no method likes: answered where there is an answer, refused in one sentence where there is none."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from risk_weights_data import METHODS, factor_returns

from domain.errors import InvalidInput
from risk.portfolio import solve, weights

Floats = NDArray[np.float64]


@pytest.mark.parametrize("method", METHODS)
def test_one_instrument_gets_everything(method: str) -> None:
    assert solve(factor_returns(50, 1, 1) + 0.1, method).weights.tolist() == [1.0]


@pytest.mark.parametrize("method", METHODS)
def test_fewer_periods_than_instruments_are_answered(method: str) -> None:
    found = solve(factor_returns(5, 40, 1), method)
    assert not found.fell_back
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shrinkage", [None, 0.0])
def test_instruments_that_are_one_and_the_same_are_answered(method: str, shrinkage: float | None) -> None:
    series = factor_returns(100, 1, 4) + 0.001
    found = solve(np.hstack([series, series, series]), method, shrinkage=shrinkage)
    assert not found.fell_back
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)
    if method != "hrp":
        assert found.weights == pytest.approx(np.full(3, 1 / 3), abs=1e-6)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "equal"])
def test_an_instrument_that_never_moved_gets_its_lower_bound(method: str) -> None:
    returns = factor_returns(200, 4, 3)
    with_still = np.insert(returns, 2, 0.0, axis=1)
    found = solve(with_still, method)
    assert found.left_out == (2,)
    assert found.weights[2] == 0.0
    assert np.delete(found.weights, 2) == pytest.approx(solve(returns, method).weights, abs=1e-12)
    floored = solve(with_still, method, lower=np.array([0, 0, 0.2, 0, 0]))
    assert floored.weights[2] == pytest.approx(0.2)
    assert np.delete(floored.weights, 2) == pytest.approx(0.8 * solve(returns, method).weights, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_an_instrument_that_never_moved_gets_more_only_where_bounds_force_it(method: str) -> None:
    returns = np.insert(factor_returns(200, 1, 3) + 0.01, 0, 0.0, axis=1)
    assert solve(returns, method, upper=0.6).weights == pytest.approx([0.4, 0.6] if method != "equal" else [0.5, 0.5])


@pytest.mark.parametrize("method", METHODS)
def test_when_nothing_moved_weights_are_equal_and_that_is_told(method: str) -> None:
    found = solve(np.full((30, 4), 0.001), method)
    assert found.weights.tolist() == [0.25] * 4
    assert (found.fell_back, found.method_used) == (method != "equal", "equal")
    assert found.reason == (None if method == "equal" else "no_variance")


def test_without_a_positive_mean_inverse_volatility_takes_the_place_of_the_best_ratio() -> None:
    returns = factor_returns(200, 5, 3)
    falling = returns - returns.mean(axis=0) - 0.001
    found = solve(falling, "max_sharpe")
    assert (found.fell_back, found.reason, found.method_used) == (True, "no_positive_mean", "inverse_volatility")
    assert found.weights == pytest.approx(solve(falling, "inverse_volatility").weights)


def test_a_positive_mean_that_may_not_be_held_is_none() -> None:
    returns = factor_returns(200, 3, 3)
    centred = returns - returns.mean(axis=0) + np.array([0.002, -0.001, -0.001])
    assert solve(centred, "max_sharpe", upper=np.array([0.0, 1.0, 1.0])).reason == "no_positive_mean"
    assert solve(centred, "max_sharpe", upper=np.array([0.1, 1.0, 1.0])).reason == "no_positive_mean"
    assert solve(centred, "max_sharpe", upper=np.array([0.5, 1.0, 1.0])).reason is None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1e-200, 1e-30, 1e30, 1e200])
def test_returns_of_any_size_are_answered(method: str, size: float) -> None:
    returns = factor_returns(100, 4, 6)
    assert solve(size * returns, method).weights == pytest.approx(solve(returns, method).weights, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_volatilities_far_apart_are_answered(method: str) -> None:
    returns = factor_returns(300, 5, 6) * np.array([1e-8, 1e-4, 1, 10, 1e4])
    found = solve(returns, method)
    assert not found.fell_back
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        (np.zeros((10, 0)), "shape"),
        (np.zeros(10), "shape"),
        (np.zeros((1, 3)), "1 periods"),
        (np.array([[0.1, np.nan], [0.1, 0.2]]), "instrument 1 in period 0 is nan"),
        (np.array([[0.1, 0.2], [-np.inf, 0.2]]), "instrument 0 in period 1 is -inf"),
        (np.array([["a", "b"], ["c", "d"]]), "numbers"),
    ],
)
def test_returns_that_are_none_are_refused(returns: Floats, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        solve(returns, "equal")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "markowitz"}, "no method 'markowitz'; there are max_sharpe, min_variance"),
        ({"lower": 0.4}, "lower ones sum to 1.2"),
        ({"upper": 0.3}, "upper ones to 0.9"),
        ({"lower": 0.5, "upper": 0.4}, "lower <= upper"),
        ({"lower": -0.1}, "0 <= lower"),
        ({"upper": np.nan}, "must be numbers"),
        ({"lower": np.zeros(2)}, "do not fit 3"),
        ({"previous": np.ones(2)}, "do not fit 3"),
        ({"previous": np.array([0.5, 0.6, 0.7])}, "sum of at most 1"),
        ({"previous": np.array([0.5, -0.1, 0.6])}, "at least 0"),
        ({"previous": np.array([0.5, np.nan, 0.5])}, "finite"),
        ({"turnover_cost": -1.0}, "turnover cost of -1.0"),
        ({"turnover_cost": np.inf}, "turnover cost of inf"),
        ({"no_trade_band": 1.5}, r"\[0, 1\]"),
        ({"shrinkage": 2.0}, r"\[0, 1\]"),
        ({"linkage": "centroid"}, "no linkage 'centroid'"),
        ({"iteration_limit": -1}, "at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        solve(**{"returns": factor_returns(20, 3, 1), "method": "equal", **settings})  # type: ignore[arg-type]  # that is what is tested


def table(names: str = "ABC") -> pd.DataFrame:
    return pd.DataFrame(factor_returns(100, len(names), 2), columns=list(names))


def test_a_table_is_answered_by_name() -> None:
    returns = table()
    found = weights(returns, "min_variance")
    assert found.index.tolist() == ["A", "B", "C"]
    assert found.to_numpy().tolist() == solve(returns.to_numpy(), "min_variance").weights.tolist()


def test_bounds_are_given_by_name() -> None:
    found = weights(table(), "equal", lower={"A": 0.6}, upper={"B": 0.1})
    assert found.to_dict() == pytest.approx({"A": 0.6, "B": 0.1, "C": 0.3})
    by_series = weights(table(), "equal", lower=pd.Series({"C": 0.5}), upper=pd.Series({"C": 0.7, "A": 0.2}))
    assert by_series.to_dict() == pytest.approx({"A": 0.2, "B": 0.3, "C": 0.5})


def test_a_gap_is_refused_by_its_instruments_name() -> None:
    returns = table()
    returns.loc[7, "B"] = np.nan
    with pytest.raises(InvalidInput, match="the return of B in period 7 is nan"):
        weights(returns, "equal")


def test_tables_that_are_no_returns_are_refused() -> None:
    twice = table().rename(columns={"B": "A"})
    with pytest.raises(InvalidInput, match="column A is there more than once"):
        weights(twice, "equal")
    with pytest.raises(InvalidInput, match="must be numbers"):
        weights(table().assign(B="x"), "equal")
    with pytest.raises(InvalidInput, match="at least one"):
        weights(pd.DataFrame(), "equal")
    with pytest.raises(InvalidInput, match="bound is given for Z"):
        weights(table(), "equal", upper={"Z": 0.5})
    with pytest.raises(InvalidInput, match="more than once"):
        weights(table(), "equal", previous=pd.Series([0.5, 0.5], index=["A", "A"]))
    with pytest.raises(InvalidInput, match="finite"):
        weights(table(), "equal", previous=pd.Series([0.5, np.nan], index=["A", "Z"]))


def test_arrays_are_answered_without_pandas_and_most_methods_without_scipy() -> None:
    program = (
        "import sys, numpy as np\n"
        "from risk.portfolio import solve\n"
        "returns = np.random.default_rng(1).normal(0.001, 0.01, (60, 4))\n"
        "for method in ('max_sharpe', 'min_variance', 'risk_parity', 'inverse_volatility', 'equal'):\n"
        "    solve(returns, method, upper=0.4, previous=np.full(4, 0.25), turnover_cost=1e-5)\n"
        "sys.exit(any(name in sys.modules for name in ('pandas', 'scipy', 'sklearn')))\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
