"""The share of winners so far, which is what a learner says that has learned nothing."""

from __future__ import annotations

import math


class BaseRate:
    """Weighted winners over weighted labels, one win and one loss assumed beforehand; inside (0, 1)."""

    __slots__ = ("_total", "_winners")

    def __init__(self, total: float = 0.0, winners: float = 0.0) -> None:
        self._total = total
        self._winners = winners

    @property
    def rate(self) -> float:
        return (self._winners + 1.0) / (self._total + 2.0)

    @property
    def log_odds(self) -> float:
        return logit(self.rate)

    def add(self, label: int, weight: float) -> None:
        self._total += weight
        self._winners += weight * label

    def state(self) -> list[float]:
        """The sums that `BaseRate(*state)` continues from."""
        return [self._total, self._winners]


def logit(probability: float) -> float:
    """Log-odds of a probability inside (0, 1)."""
    return math.log(probability / (1.0 - probability))


def sigmoid(log_odds: float) -> float:
    """The probability of log-odds; beyond 30 it is 0 or 1, as in river."""
    if log_odds < -30:
        return 0.0
    if log_odds > 30:
        return 1.0
    return 1.0 / (1.0 + math.exp(-log_odds))


def finite(values: list[float]) -> list[float]:
    """The numbers of a stored state; raises ValueError when one is not finite."""
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a statistic or weight is not finite")
    return numbers
