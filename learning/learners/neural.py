"""A net of one small hidden layer, learned by stochastic gradient descent.

River had one (`river.neural_net`) and took it out; what is left (river-torch, deep-river) needs PyTorch. So it is
written here, 16 units in NumPy, on the same inputs as the logistic model. Units are softsign, x / (1 + |x|), which
needs no library's exponential, and sums are NumPy's own, not those of a linear algebra library: the same bits on any
machine. The output's offset is the base rate, and units begin in pairs that cancel (Zhang et al. 2020), so that a net
that has learned nothing says the base rate and still has a slope to learn by. A missing input is at its mean: it
neither speaks nor learns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.learners.base_rate import BaseRate, finite, sigmoid
from learning.learners.contract import SaidBefore
from learning.learners.inputs import RunningScale, Usable
from learning.learners.settings import OnlineSettings

UNITS = 16
_FIRST_WEIGHT = 0.1
"""Standard deviation of the first weights: some seventy inputs then put a unit about its bend, not past it."""
_FIRST_OUTPUT = 0.5
"""Size of the output's first weights: the slope then is about a logistic regression's, so its step size fits too."""
_LARGEST_GRADIENT = 10.0


class NeuralLearner:
    """Some 70 inputs, 16 units, one probability."""

    name = "neural"

    def __init__(self, settings: OnlineSettings) -> None:
        self.base = BaseRate()
        self._scale = RunningScale(settings)
        self._rate = settings.learning_rate
        self._l2 = settings.l2
        self._seed = settings.seed
        self._steps = 0
        self._places: dict[str, int] = {}
        self._hidden = np.zeros((UNITS, 0))
        self._offsets = np.zeros(UNITS)
        self._output = _FIRST_OUTPUT * np.repeat([1.0, -1.0], UNITS // 2)

    def predict_one(self, features: Usable) -> float | None:
        """The probability of a winner; None when it is not a number."""
        row = self._row(self._scale.standardised(features))
        _, units = self._forward(row)
        probability = sigmoid(self.base.log_odds + float((self._output * units).sum()))
        return probability if math.isfinite(probability) else None

    def learn_one(self, features: Usable, label: int, weight: float, said: SaidBefore | None = None) -> None:  # noqa: ARG002 - nothing is calibrated
        """One gradient step on both layers."""
        self.base.add(label, weight)
        scaled = self._scale.learn(features)
        self._make_room(scaled)
        row = self._row(scaled)
        bends, units = self._forward(row)
        slope = (sigmoid(self.base.log_odds + float((self._output * units).sum())) - label) * weight
        slope = max(min(slope, _LARGEST_GRADIENT), -_LARGEST_GRADIENT)
        step = self._rate / math.sqrt(self._steps + 1)
        back = slope * self._output / (bends * bends)
        self._output -= step * (slope * units + self._l2 * self._output)
        self._hidden -= step * (back[:, None] * row + self._l2 * self._hidden)
        self._offsets -= step * back
        self._steps += 1

    def weights(self) -> Mapping[str, float]:
        """None: what an input adds depends on the others."""
        return {}

    def state(self) -> dict[str, Any]:
        return {
            "weight_sums": self.base.state(),
            "steps": self._steps,
            **self._scale.state(),
            "hidden": self._hidden.ravel().tolist(),
            "offsets": self._offsets.tolist(),
            "output": self._output.tolist(),
        }

    def take(self, state: Mapping[str, Any]) -> None:
        total, winners = finite(state["weight_sums"])
        self.base = BaseRate(total, winners)
        self._steps = int(state["steps"])
        self._scale.take(state)
        self._places = {name: place for place, name in enumerate(self._scale.names)}
        self._hidden = np.array(finite(state["hidden"])).reshape(UNITS, len(self._places))
        self._offsets = np.array(finite(state["offsets"])).reshape(UNITS)
        self._output = np.array(finite(state["output"])).reshape(UNITS)

    def _row(self, scaled: dict[str, float]) -> NDArray[np.float64]:
        places = self._places
        row = np.zeros(len(places))
        row[[places[name] for name in scaled]] = list(scaled.values())
        return row

    def _forward(self, row: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """1 + |what enters| and the value of each unit."""
        entering = (self._hidden * row).sum(axis=1) + self._offsets
        bends = 1.0 + np.abs(entering)
        return bends, entering / bends

    def _make_room(self, scaled: dict[str, float]) -> None:
        """A column of first weights for each feature not seen before; drawn by its place, whatever came in between."""
        new = [name for name in scaled if name not in self._places]
        if not new:
            return
        columns = []
        for name in new:
            place = self._places[name] = len(self._places)
            half = np.random.default_rng([self._seed, place]).normal(0.0, _FIRST_WEIGHT, UNITS // 2)
            columns.append(np.concatenate([half, half]))
        self._hidden = np.ascontiguousarray(np.hstack([self._hidden, np.stack(columns, axis=1)]))
