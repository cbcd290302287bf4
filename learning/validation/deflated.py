"""How likely a Sharpe ratio is to be real once it is known how many trials it was the best of.

Bailey and López de Prado (2014), The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5); the probabilistic
Sharpe ratio inside it is theirs of 2012. All ratios are per trade: nothing is annualised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from domain.errors import InvalidInput
from learning.table import Floats

_EULER_MASCHERONI = 0.5772156649015329
_FEWEST_RETURNS = 4
_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True, slots=True)
class DeflatedSharpe:
    """A Sharpe ratio per trade beside what the best of `trials` worthless ones would have shown.

    `probability` in [0, 1] is that the true ratio lies above `expected_maximum`, given skew, kurtosis (3 for a normal
    distribution) and `effective` independent observations. With one trial `expected_maximum` is 0.
    """

    sharpe: float
    expected_maximum: float
    probability: float
    skew: float
    kurtosis: float
    observations: int
    effective: float
    trials: int


def deflated_sharpe(
    returns: Floats, *, trials: int, trial_sharpe_variance: float | None, effective: float | None
) -> DeflatedSharpe:
    """The deflated Sharpe ratio of `returns` (n,), the net R of each trade of the trial that was chosen.

    `trials` counts everything that was tried before it was chosen, this one included. `trial_sharpe_variance` is the
    variance of the trials' Sharpe ratios per trade; None takes 1 / (effective - 1), which is how far worthless trials
    lie apart by chance. `effective` is how many independent observations the n are worth, since labels overlap; None
    takes n. Raises `InvalidInput` for fewer than 4 returns, returns that are not finite or all alike, and numbers that
    are out of range (`effective` must lie in (1, n]).
    """
    count = len(returns)
    if returns.ndim != 1 or count < _FEWEST_RETURNS or not bool(np.isfinite(returns).all()):
        raise InvalidInput(f"returns of shape {returns.shape}; at least {_FEWEST_RETURNS} finite ones are needed")
    worth = float(count) if effective is None else float(effective)
    if not 1 < worth <= count:
        raise InvalidInput(f"{count} returns cannot be worth {worth:g} independent ones; it must lie in (1, {count}]")
    away = returns - returns.mean()
    variance = float(np.mean(away**2))
    if variance <= (1e-12 * float(np.abs(returns).max())) ** 2:
        raise InvalidInput(f"all {count} returns are alike; a Sharpe ratio needs some that differ")
    skew = float(np.mean(away**3)) / variance**1.5
    kurtosis = float(np.mean(away**4)) / variance**2
    sharpe = float(returns.mean()) / math.sqrt(variance * count / (count - 1))
    spread = 1.0 / (worth - 1.0) if trial_sharpe_variance is None else trial_sharpe_variance
    hurdle = expected_maximum_sharpe(trials, spread)
    return DeflatedSharpe(
        sharpe=sharpe,
        expected_maximum=hurdle,
        probability=probabilistic_sharpe(sharpe, hurdle, observations=worth, skew=skew, kurtosis=kurtosis),
        skew=skew,
        kurtosis=kurtosis,
        observations=count,
        effective=worth,
        trials=trials,
    )


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """The largest Sharpe ratio to be expected among `trials` independent ones with mean 0 and this variance.

    sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))) with Euler's g and the normal quantile Z; 0 for one trial, which was
    chosen from nothing. Raises `InvalidInput` for fewer trials than one and a variance that is negative or not finite.
    """
    if trials < 1:
        raise InvalidInput(f"{trials} trials; what was chosen is one at least")
    if not (math.isfinite(variance) and variance >= 0):
        raise InvalidInput(f"the variance of the trials' Sharpe ratios is {variance}; it must be finite and at least 0")
    if trials == 1:
        return 0.0
    near, far = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - _EULER_MASCHERONI) * near + _EULER_MASCHERONI * far)


def probabilistic_sharpe(
    sharpe: float, benchmark: float, *, observations: float, skew: float, kurtosis: float
) -> float:
    """P(true Sharpe ratio > `benchmark`), when `sharpe` was seen in that many independent observations.

    Phi((SR - SR*) sqrt(T - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)). Raises `InvalidInput` where the root is
    not above 0, which no real returns with these moments allow, and unless `observations` exceed 1.
    """
    if observations <= 1:
        raise InvalidInput(f"{observations:g} observations; more than one is needed")
    spread = 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if not spread > 0:
        raise InvalidInput(f"a Sharpe ratio of {sharpe:g} does not go with a skew of {skew:g}, kurtosis {kurtosis:g}")
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt((observations - 1) / spread))
