"""From a score that is no probability to one: how far above the base rate's log-odds a score lifts the forecast.

Platt's sigmoid (1999) with its offset held at the base rate: log-odds = those of the base rate + gain x score, the
score in standard deviations from its running mean. Only the gain is learned, and from what was said when a decision
was taken, never from the score at the label: by then the model has learned the neighbours' labels and looks better
than it was (docs/adr/0006). The forecast then lay `z` above the base rate; its log-loss has the slope (p - y) z in the
gain's logarithm, and p (1 - p) z^2 of curvature, so the gain takes an online Newton step (Hazan, Agarwal and Kale
2007) without the score of that time being kept: a gradient that comes late (Weinberger and Ordentlich 2002).
It begins small, so that a learner has to earn its say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from learning.learners.base_rate import finite, logit
from learning.learners.contract import SaidBefore

_FIRST_GAIN = 0.1
_LEAST, _MOST = math.log(0.01), math.log(3.0)
_PRIOR = 5.0
"""How much evidence the beginning counts for, in the unit of the curvature. With 1, a gain followed single stretches
of overlapping labels: on the recorded crypto candles that cost the passive-aggressive learner 0.013 nats a label."""
_CUT = 4.0


class Calibration:
    """Scores to log-odds above the base rate."""

    __slots__ = ("_count", "_curvature", "_log_gain", "_mean", "_variance")

    def __init__(self) -> None:
        self._count = 0
        self._mean = 0.0
        self._variance = 0.0
        self._log_gain = math.log(_FIRST_GAIN)
        self._curvature = 0.0

    @property
    def gain(self) -> float:
        """Log-odds for each standard deviation of the score."""
        return math.exp(self._log_gain)

    @property
    def slope(self) -> float:
        """Log-odds for each unit of the score; 0 until scores differed."""
        return self.gain / math.sqrt(self._variance) if self._variance > 0.0 else 0.0

    def above(self, score: float) -> float:
        """Log-odds above the base rate; 0 until scores differed."""
        if self._variance <= 0.0:
            return 0.0
        sigmas = (score - self._mean) / math.sqrt(self._variance)
        return self.gain * min(max(sigmas, -_CUT), _CUT)

    def met(self, score: float) -> None:
        """Take a score into the running mean and variance."""
        self._count += 1
        distance = score - self._mean
        self._mean += distance / self._count
        self._variance += (distance * (score - self._mean) - self._variance) / self._count

    def learn(self, said: SaidBefore, label: int, weight: float) -> None:
        """Move the gain by how what was said fared."""
        above = logit(said.forecast) - logit(said.base_rate)
        self._curvature += weight * said.forecast * (1.0 - said.forecast) * above * above
        slope = weight * (said.forecast - label) * above
        self._log_gain = min(max(self._log_gain - slope / (_PRIOR + self._curvature), _LEAST), _MOST)

    def state(self) -> dict[str, Any]:
        numbers = [self._mean, self._variance, self._log_gain, self._curvature]
        return {"scores_met": self._count, "calibration": numbers}

    def take(self, state: Mapping[str, Any]) -> None:
        self._count = int(state["scores_met"])
        self._mean, self._variance, self._log_gain, self._curvature = finite(state["calibration"])
