"""Detectors of a changed mean in a bounded stream, in units of the stream's own spread.

Means of stretches spread between 0.04 (Brier score, weak forecasts, many labels a stretch) and 0.5 (single labels).
Limits in fixed units are deaf at one end and alarm at the other, so both detectors standardise: ADWIN by the first
values, Page-Hinkley by all values before. Values are cut off in standard deviations, so that what they see is bounded.
`add` takes one value in [0, 1]; it gives more than 0 when the mean was just found to have risen, less when it fell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import import_module
from typing import Any

LEAST_SPREAD = 0.02
"""Standard deviation below which a stream counts as having this one: a lone win after many losses is no change."""
CUT_SIGMAS = 4.0


class AdaptiveWindow:
    """ADWIN (Bifet and Gavalda 2007), river's, on values mapped to [0, 1] by the first `scale` of them.

    The middle half of that range is one standard deviation either way of their mean; what lies beyond one is cut off.
    """

    __slots__ = ("_count", "_first", "_mean", "_scale", "_spread", "_total", "_window")

    def __init__(self, *, delta: float, scale: int) -> None:
        # river takes most of a second to import (through scipy.stats): only who watches pays.
        self._window: Any = import_module("river.drift").ADWIN(delta=delta, clock=1)
        self._scale = scale
        self._first: list[float] | None = []
        self._mean = 0.0
        self._spread = 1.0
        self._count = 0
        self._total = 0.0

    def add(self, value: float) -> float:
        if self._first is None:
            return self._feed(value)
        self._first.append(value)
        if len(self._first) < self._scale:
            return 0.0
        first, self._first = self._first, None
        self._mean, self._spread = _mean_and_spread(first)
        found = 0.0
        for each in first:
            found = self._feed(each) or found
        return found

    def _feed(self, value: float) -> float:
        mapped = min(max(0.5 + (value - self._mean) / self._spread / 2, 0.0), 1.0)
        self._count += 1
        self._total += mapped
        window = self._window
        window.update(mapped)
        if not window.drift_detected:
            return 0.0
        # The window now holds what is left after the cut; its mean against that of all that was seen is the direction.
        before = self._total / self._count
        self._count, self._total = 0, 0.0
        return 1.0 if window.estimation > before else -1.0


class PageHinkley:
    """Page's (1954) cumulative sums, both ways, of values standardised by mean and spread of those before them.

    That is Hawkins's (1987) self-starting form. river's Page-Hinkley has its limit in the stream's unit and would
    need another for each stream; fed with standardised values it subtracts a second mean and found changes later.
    """

    __slots__ = ("_allowance", "_count", "_fallen", "_limit", "_mean", "_minimum", "_risen", "_squares")

    def __init__(self, *, allowance: float, limit: float, minimum: int) -> None:
        """`allowance` and `limit` in standard deviations; nothing is said of the first `minimum` values."""
        self._allowance = allowance
        self._limit = limit
        self._minimum = minimum
        self._count = 0
        self._mean = 0.0
        self._squares = 0.0
        self._risen = 0.0
        self._fallen = 0.0

    def add(self, value: float) -> float:
        if self._count >= self._minimum:
            spread = max(math.sqrt(self._squares / self._count), LEAST_SPREAD)
            sigmas = min(max((value - self._mean) / spread, -CUT_SIGMAS), CUT_SIGMAS)
            risen, fallen = self._risen + sigmas - self._allowance, self._fallen - sigmas - self._allowance
            self._risen = risen if risen > 0 else 0.0
            self._fallen = fallen if fallen > 0 else 0.0
        self._count += 1
        off = value - self._mean
        self._mean += off / self._count
        self._squares += off * (value - self._mean)
        if self._risen > self._limit:
            return 1.0
        return -1.0 if self._fallen > self._limit else 0.0


def _mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return mean, max(math.sqrt(variance), LEAST_SPREAD)
