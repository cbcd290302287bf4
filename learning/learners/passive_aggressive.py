"""River's passive-aggressive classifier (PA-I; Crammer et al. 2006), with its margin made a probability.

Its score is the distance from a separating plane, which is no probability; `Calibration` makes it one. A sample's
weight scales the largest step C, as in scikit-learn: the algorithm has no other place for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from learning.learners.base_rate import BaseRate, finite, sigmoid
from learning.learners.calibration import Calibration
from learning.learners.contract import SaidBefore
from learning.learners.inputs import RunningScale, Usable
from learning.learners.settings import OnlineSettings

_STEP_OF_RATE = 0.1
"""C as a share of the learning rate: labels this noisy violate the margin half of the time, and a step that mends the
violation at once (C of 1) only follows the last few labels."""


class PassiveAggressiveLearner:
    """Steps only where the margin is violated, and as far as mends it, at most C."""

    name = "passive_aggressive"

    def __init__(self, settings: OnlineSettings) -> None:
        # River takes most of a second to import: only who asks for its learners pays.
        model = import_module("river.linear_model").PAClassifier
        self.base = BaseRate()
        self._largest_step = settings.learning_rate * _STEP_OF_RATE
        self._scale = RunningScale(settings)
        self._model = model(C=self._largest_step, mode=1)
        self._calibration = Calibration()

    def predict_one(self, features: Usable) -> float | None:
        """The calibrated probability of a winner; None when it is not a number."""
        score = self._margin(self._scale.standardised(features))
        if not math.isfinite(score):
            return None
        return sigmoid(self.base.log_odds + self._calibration.above(score))

    def learn_one(self, features: Usable, label: int, weight: float, said: SaidBefore | None = None) -> None:
        """One passive-aggressive step; the margin before it joins the scores that the calibration knows."""
        if said is not None:
            self._calibration.learn(said, label, weight)
        self.base.add(label, weight)
        scaled = self._scale.learn(features)
        self._calibration.met(self._margin(scaled))
        self._model.C = self._largest_step * weight
        self._model.learn_one(scaled, bool(label))

    def weights(self) -> Mapping[str, float]:
        """The plane's, made log-odds by the present calibration."""
        slope = self._calibration.slope
        return {name: slope * float(weight) for name, weight in self._model.weights.items()}

    def state(self) -> dict[str, Any]:
        weights = self._model.weights
        return {
            "weight_sums": self.base.state(),
            **self._scale.state(),
            "weight_names": list(weights),
            "weights": [float(weight) for weight in weights.values()],
            "intercept": float(self._model.intercept),
            **self._calibration.state(),
        }

    def take(self, state: Mapping[str, Any]) -> None:
        total, winners = finite(state["weight_sums"])
        self.base = BaseRate(total, winners)
        self._scale.take(state)
        self._calibration.take(state)
        names = [str(name) for name in state["weight_names"]]
        self._model.weights.clear()
        self._model.weights.update(zip(names, finite(state["weights"]), strict=True))
        (self._model.intercept,) = finite([state["intercept"]])

    def _margin(self, scaled: dict[str, float]) -> float:
        weights, margin = self._model.weights, self._model.intercept
        for name, sigmas in scaled.items():
            margin += weights.get(name, 0.0) * sigmas
        return float(margin)
