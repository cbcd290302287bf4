"""A logistic regression by stochastic gradient descent, whose intercept is the base rate.

The arithmetic is that of river 0.26's `StandardScaler | LogisticRegression(SGD(InverseScaling), l2, clip_gradient)`,
operation by operation, so it gives the same bits (a test holds the two together) without the containers between them,
and without river's import. The intercept is the log-odds of the share of winners so far instead of a learned weight,
so that a model that has learned nothing says the base rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from learning.learners.base_rate import BaseRate, finite, sigmoid
from learning.learners.contract import SaidBefore
from learning.learners.inputs import RunningScale, Usable
from learning.learners.settings import OnlineSettings

_LARGEST_GRADIENT = 10.0


class LogisticLearner:
    """The default online learner."""

    name = "logistic"

    def __init__(self, settings: OnlineSettings) -> None:
        self.base = BaseRate()
        self._scale = RunningScale(settings)
        self._rate = settings.learning_rate
        self._l2 = settings.l2
        self._intercept = 0.0
        self._steps = 0
        self._weights: dict[str, float] = {}

    def predict_one(self, features: Usable) -> float | None:
        """The probability of a winner; None when it is not a number."""
        weights, log_odds = self._weights, 0.0
        for name, sigmas in self._scale.standardised(features).items():
            log_odds += weights[name] * sigmas
        probability = sigmoid(log_odds + self._intercept)
        return probability if math.isfinite(probability) else None

    def learn_one(self, features: Usable, label: int, weight: float, said: SaidBefore | None = None) -> None:  # noqa: ARG002 - nothing is calibrated
        """One gradient step."""
        self.base.add(label, weight)
        self._intercept = self.base.log_odds
        scaled, weights = self._scale.learn(features), self._weights
        log_odds = 0.0
        for name, sigmas in scaled.items():
            log_odds += weights.setdefault(name, 0.0) * sigmas
        slope = _slope(log_odds + self._intercept, label) * weight
        slope = max(min(slope, _LARGEST_GRADIENT), -_LARGEST_GRADIENT)
        step, l2 = self._rate / math.pow(self._steps + 1, 0.5), self._l2
        for name, sigmas in scaled.items():
            old = weights[name]
            weights[name] = old - step * (sigmas * slope + l2 * old)
        self._steps += 1

    def weights(self) -> Mapping[str, float]:
        return dict(self._weights)

    def state(self) -> dict[str, Any]:
        scale, weights = self._scale.state(), self._weights
        return {
            "weight_sums": self.base.state(),
            "steps": self._steps,
            **scale,
            "weight_names": None if list(weights) == scale["features"] else list(weights),
            "weights": list(weights.values()),
        }

    def take(self, state: Mapping[str, Any]) -> None:
        total, winners = finite(state["weight_sums"])
        self.base = BaseRate(total, winners)
        self._scale.take(state)
        names = self._scale.names if state["weight_names"] is None else [str(name) for name in state["weight_names"]]
        if set(names) != set(self._scale.names):
            raise ValueError("the weights are of other features than the means")
        self._weights = dict(zip(names, finite(state["weights"]), strict=True))
        self._steps = int(state["steps"])
        self._intercept = self.base.log_odds if self._steps else 0.0


def _slope(log_odds: float, label: int) -> float:
    """The derivative of the log-loss, in river's operations."""
    sign = 1 if label else -1
    margin = log_odds * sign
    if margin > 18.0:
        return math.exp(-margin) * -sign
    if margin < -18.0:
        return 1.0 * -sign
    return 1.0 * -sign / (math.exp(margin) + 1.0)
