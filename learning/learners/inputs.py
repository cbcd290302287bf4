"""What a learner is shown: inputs that are there, drawn in, standardised and cut. The one place where that is done.

Only features that are present are shown: one NaN would stay in a running mean for ever. Values far outside what was
seen are drawn in before they reach means and variances, and standardised inputs are cut: one absurd value would
otherwise blind a learner for hundreds of labels.

Means and variances are Welford's (1962), in the same operations as river's StandardScaler: the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NewType

from domain.decisions import FeatureVector
from learning.learners.base_rate import finite
from learning.learners.settings import OnlineSettings

Usable = NewType("Usable", dict[str, float])
"""Features that are present and not absurd, by name."""

_WINSORISE_AFTER = 30
_Statistics = list[Any]  # count (int), mean, variance (float)


def usable(features: FeatureVector, largest: float) -> Usable:
    """The features that are there and at most `largest` in size."""
    return Usable(
        {name: value for name, value in features.values.items() if value is not None and -largest <= value <= largest}
    )


class RunningScale:
    """Running mean and variance of each feature; `learn` and `standardised` give standard deviations from the mean."""

    __slots__ = ("_clip", "_far", "_features", "_winsorise")

    def __init__(self, settings: OnlineSettings) -> None:
        self._clip = settings.clip_sigmas
        self._winsorise = settings.winsorise_sigmas
        self._far = settings.winsorise_sigmas * settings.winsorise_sigmas
        self._features: dict[str, _Statistics] = {}

    def learn(self, features: Usable) -> dict[str, float]:
        """Take the values in, each at most `winsorise_sigmas` from its mean, and give all of them standardised."""
        known, far, clip = self._features, self._far, self._clip
        scaled = {}
        for name, value in features.items():
            statistics = known.get(name)
            if statistics is None:
                statistics = known[name] = [0, 0.0, 0.0]
            count, mean, variance = statistics
            distance = value - mean
            drawn = value
            if count >= _WINSORISE_AFTER and distance * distance > far * variance and variance > 0:
                drawn = mean + math.copysign(self._winsorise * math.sqrt(variance), distance)
                distance = drawn - mean
            count += 1
            moved = mean + distance / count
            variance += (distance * (drawn - moved) - variance) / count
            statistics[0] = count
            statistics[1] = moved
            statistics[2] = variance
            sigmas = (value - moved) / variance**0.5 if variance else 0.0
            scaled[name] = sigmas if -clip <= sigmas <= clip else (clip if sigmas > clip else -clip)
        return scaled

    def standardised(self, features: Usable) -> dict[str, float]:
        """Known features in standard deviations from their mean, cut at `clip_sigmas`. Changes nothing."""
        known, clip = self._features, self._clip
        scaled = {}
        for name, value in features.items():
            statistics = known.get(name)
            if statistics is not None:
                _, mean, variance = statistics
                sigmas = (value - mean) / variance**0.5 if variance else 0.0
                scaled[name] = sigmas if -clip <= sigmas <= clip else (clip if sigmas > clip else -clip)
        return scaled

    @property
    def names(self) -> list[str]:
        """The features it knows, in the order in which they were first seen."""
        return list(self._features)

    def state(self) -> dict[str, Any]:
        columns = zip(*self._features.values(), strict=True) if self._features else ((), (), ())
        seen, means, variances = map(list, columns)
        return {"features": list(self._features), "seen": seen, "means": means, "variances": variances}

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; raises ValueError when a number is not finite or a column has another length."""
        names: Sequence[str] = [str(name) for name in state["features"]]
        rows = zip(names, map(int, state["seen"]), finite(state["means"]), finite(state["variances"]), strict=True)
        self._features = {name: [count, mean, variance] for name, count, mean, variance in rows}
