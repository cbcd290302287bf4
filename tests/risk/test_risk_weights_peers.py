"""The same weights as scikit-learn's covariance and skfolio's optimisers give, on real returns."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from risk_weights_data import REAL, factor_returns, real_returns

from risk.portfolio import ledoit_wolf, solve, weights

Floats = NDArray[np.float64]
pytest.importorskip("sklearn", reason="scikit-learn, of the extra `portfolio`, is what covariances are compared with")
pytest.importorskip("skfolio", reason="skfolio, of the extra `portfolio`, is what weights are compared with")

TIGHT = {"tol_gap_abs": 1e-13, "tol_gap_rel": 1e-13, "tol_feas": 1e-12}
"""Clarabel's own tolerances leave weights 2e-4 away from the optimum."""
AGREE = 1e-4


@pytest.fixture(scope="module", params=REAL)
def real(request: pytest.FixtureRequest, market_data: Path) -> pd.DataFrame:
    return real_returns(market_data, request.param)


def estimator(method: str, lower: float, upper: float) -> Any:
    from skfolio import RiskMeasure
    from skfolio.moments import LedoitWolf
    from skfolio.optimization import HierarchicalRiskParity, MeanRisk, ObjectiveFunction, RiskBudgeting
    from skfolio.prior import EmpiricalPrior

    common = {
        "prior_estimator": EmpiricalPrior(covariance_estimator=LedoitWolf()),
        "risk_measure": RiskMeasure.VARIANCE,
        "min_weights": lower,
        "max_weights": upper,
    }
    make: dict[str, Callable[[], Any]] = {
        "max_sharpe": lambda: MeanRisk(
            objective_function=ObjectiveFunction.MAXIMIZE_RATIO, solver_params=TIGHT, **common
        ),
        "min_variance": lambda: MeanRisk(
            objective_function=ObjectiveFunction.MINIMIZE_RISK, solver_params=TIGHT, **common
        ),
        "risk_parity": lambda: RiskBudgeting(solver_params=TIGHT, **common),
        "hrp": lambda: HierarchicalRiskParity(**common),
    }
    return make[method]()


def theirs(method: str, returns: pd.DataFrame, lower: float = 0.0, upper: float = 1.0) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other people's packages deprecate is not ours to mend
        fitted = estimator(method, lower, upper).fit(returns)
    return np.asarray(fitted.weights_, dtype=np.float64)


def test_the_covariance_is_scikit_learns(real: pd.DataFrame) -> None:
    from sklearn.covariance import LedoitWolf

    for returns in (real.to_numpy(), real.to_numpy()[:20], real.to_numpy()[:5], factor_returns(30, 50, 1)):
        fitted = LedoitWolf().fit(returns)
        ours, shrinkage = ledoit_wolf(returns)
        assert shrinkage == pytest.approx(fitted.shrinkage_, abs=1e-10)
        assert ours == pytest.approx(fitted.covariance_, rel=1e-10, abs=1e-10 * float(np.abs(ours).max()))


@pytest.mark.parametrize("method", ["max_sharpe", "min_variance", "risk_parity", "hrp"])
@pytest.mark.parametrize("periods", [None, 250, 60])
def test_weights_are_those_of_skfolio(real: pd.DataFrame, method: str, periods: int | None) -> None:
    returns = real if periods is None else real.iloc[:periods]
    found = solve(returns.to_numpy(), method)
    if found.fell_back:
        assert (returns.mean() <= 0).all()
        return
    assert found.weights == pytest.approx(theirs(method, returns), abs=AGREE)


@pytest.mark.parametrize("method", ["max_sharpe", "min_variance", "risk_parity", "hrp"])
def test_bounded_weights_are_those_of_skfolio(real: pd.DataFrame, method: str) -> None:
    lower, upper = 0.25 / real.shape[1], 1.5 / real.shape[1]
    found = weights(real, method, lower=lower, upper=upper).to_numpy()
    assert found == pytest.approx(theirs(method, real, lower, upper), abs=AGREE)


def test_inverse_volatility_is_that_of_skfolio(real: pd.DataFrame) -> None:
    from skfolio.optimization import InverseVolatility

    expected = InverseVolatility().fit(real).weights_
    assert weights(real, "inverse_volatility").to_numpy() == pytest.approx(expected, abs=1e-12)
