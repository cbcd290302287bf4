"""Other people's packages as `bench.portfolio` asks them: the same question, from returns or from moments to weights.

They are no dependency of the product; what is not installed is told as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
FromReturns = Callable[["pd.DataFrame"], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A package, how it is imported, and its answers (N,) from a table of returns by method."""

    name: str
    module: str
    answers: Mapping[str, FromReturns]
    from_moments: Callable[[Any, Any], Any] | None = None
    """Its max_sharpe from a mean and a covariance, where it takes those."""

    @property
    def version(self) -> str | None:
        """None where it is not installed."""
        return metadata.version(self.name) if find_spec(self.module) is not None else None


def _pypfopt_frontier(returns: pd.DataFrame) -> Any:
    shrunk = import_module("pypfopt.risk_models").CovarianceShrinkage(returns, returns_data=True, frequency=1)
    return import_module("pypfopt").EfficientFrontier(returns.mean(), shrunk.ledoit_wolf())


def _pypfopt_moments(mean: Any, covariance: Any) -> Any:
    frontier = import_module("pypfopt").EfficientFrontier(mean, covariance)
    frontier.max_sharpe(risk_free_rate=0.0)
    return frontier.weights


def _pypfopt_max_sharpe(returns: pd.DataFrame) -> Any:
    frontier = _pypfopt_frontier(returns)
    frontier.max_sharpe(risk_free_rate=0.0)
    return frontier.weights


def _pypfopt_min_variance(returns: pd.DataFrame) -> Any:
    frontier = _pypfopt_frontier(returns)
    frontier.min_volatility()
    return frontier.weights


def _skfolio(name: str, objective: str | None = None) -> FromReturns:
    def answer(returns: pd.DataFrame) -> Any:
        optimization = import_module("skfolio.optimization")
        shrunk = import_module("skfolio.moments").LedoitWolf()
        settings: dict[str, Any] = {
            "risk_measure": import_module("skfolio").RiskMeasure.VARIANCE,
            "prior_estimator": import_module("skfolio.prior").EmpiricalPrior(covariance_estimator=shrunk),
        }
        if objective is not None:
            settings["objective_function"] = optimization.ObjectiveFunction[objective]
        return getattr(optimization, name)(**settings).fit(returns).weights_

    return answer


def _riskfolio(returns: pd.DataFrame) -> Any:
    portfolio = import_module("riskfolio").Portfolio(returns=returns)
    portfolio.assets_stats(method_mu="hist", method_cov="ledoit")
    return portfolio


def _riskfolio_frontier(objective: str) -> FromReturns:
    def answer(returns: pd.DataFrame) -> Any:
        found = _riskfolio(returns).optimization(model="Classic", rm="MV", obj=objective, rf=0, l=0, hist=True)
        if found is None:
            raise RuntimeError("its solver found nothing")
        return found.to_numpy().ravel()

    return answer


def _riskfolio_parity(returns: pd.DataFrame) -> Any:
    return _riskfolio(returns).rp_optimization(model="Classic", rm="MV", rf=0, hist=True).to_numpy().ravel()


PEERS = (
    Peer(
        name="pyportfolioopt",
        module="pypfopt",
        answers=MappingProxyType({"max_sharpe": _pypfopt_max_sharpe, "min_variance": _pypfopt_min_variance}),
        from_moments=_pypfopt_moments,
    ),
    Peer(
        name="skfolio",
        module="skfolio",
        answers=MappingProxyType(
            {
                "max_sharpe": _skfolio("MeanRisk", "MAXIMIZE_RATIO"),
                "min_variance": _skfolio("MeanRisk", "MINIMIZE_RISK"),
                "risk_parity": _skfolio("RiskBudgeting"),
                "hrp": _skfolio("HierarchicalRiskParity"),
            }
        ),
    ),
    Peer(
        name="riskfolio-lib",
        module="riskfolio",
        answers=MappingProxyType(
            {
                "max_sharpe": _riskfolio_frontier("Sharpe"),
                "min_variance": _riskfolio_frontier("MinRisk"),
                "risk_parity": _riskfolio_parity,
            }
        ),
    ),
)
