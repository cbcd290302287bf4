"""Overlapping labels as a stream of nearly independent numbers: one mean a stretch that overlaps no other.

Detectors of change take each number for a new observation. Labels that live through the same stretch of market are
not: with about 45 alive at a time and nothing changed, 10,000 wins and losses raised 3 to 64 alarms of ADWIN and 17 to
103 of Page-Hinkley; as stretches they raised none and 0.03 to 0.5 (`python -m bench.studies.drift_alarms`). So outcomes
are averaged over stretches, batch means (Law and Carson 1979). A stretch ends with the first sample that was decided
after the stretch's first label had ended. Labels still cross into the next one; what that leaves was measured with the
rest. Nothing is assumed of how instruments move together: all of them share one stretch. Where labels do not overlap,
each stretch is one sample.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain.clock import require_utc
from domain.errors import InvalidInput

RECENT_FORECASTS = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftSample:
    """One resolved decision: its label (1 when net R > 0) and what the champion had said when it was taken.

    `forecast` is P(net R > 0) in [0, 1], None where the champion said nothing.
    """

    decided_at: datetime
    resolved_at: datetime
    label: int
    forecast: float | None

    def __post_init__(self) -> None:
        if require_utc(self.resolved_at, "resolved_at") < require_utc(self.decided_at, "decided_at"):
            raise InvalidInput(f"a sample decided at {self.decided_at.isoformat()} was resolved before that")
        if self.label not in (0, 1):
            raise InvalidInput(f"a label is {self.label}; it must be 0 or 1")
        if self.forecast is not None and not 0 <= self.forecast <= 1:
            raise InvalidInput(f"a forecast is {self.forecast}; it must lie in [0, 1] or be missing")


class StretchMeans(NamedTuple):
    """Means over one stretch, each in [0, 1]; `brier` and `hit` None where the champion said nothing in it."""

    win: float
    brier: float | None
    hit: float | None


class Stretches:
    """Gathers resolved samples, in the order in which they were heard of, into stretches."""

    __slots__ = ("_brier", "_forecasts", "_hits", "_sides", "_until", "_wins", "count")

    def __init__(self) -> None:
        self._until: datetime | None = None
        self._sides = _Sides()
        self._clear()

    def add(self, sample: DriftSample) -> StretchMeans | None:
        """Take one sample; gives the means of the stretch that it ended."""
        ended = None
        if self._until is None:
            self._until = sample.resolved_at
        elif sample.decided_at >= self._until:
            ended = self._means()
            self._until = sample.resolved_at
            self._clear()
        self.count += 1
        self._wins += sample.label
        if sample.forecast is not None:
            self._forecasts += 1
            self._brier += (sample.forecast - sample.label) ** 2
            self._hits += self._sides.hit(sample.forecast, sample.label)
        return ended

    def _means(self) -> StretchMeans:
        spoken = self._forecasts
        return StretchMeans(
            win=self._wins / self.count,
            brier=self._brier / spoken if spoken else None,
            hit=self._hits / spoken if spoken else None,
        )

    def _clear(self) -> None:
        self.count = 0
        self._wins = 0
        self._forecasts = 0
        self._brier = 0.0
        self._hits = 0.0


class _Sides:
    """Whether forecast and label fell on the same side.

    The side of a forecast is taken against the median of the recent ones, not against a threshold: with half of the
    forecasts on either side, the share of hits is 1/2 + (win rate above - win rate below) / 2. It then measures
    ranking alone; a changed base rate or a level that is off moves it little, and neither does a threshold that all
    forecasts lie below.
    """

    __slots__ = ("_in_order", "_recent")

    def __init__(self) -> None:
        self._recent: deque[float] = deque()
        self._in_order: list[float] = []

    def hit(self, forecast: float, label: int) -> float:
        """1 for the same side, 0 for the other, 1/2 for a forecast at the median of those before it."""
        known = self._in_order
        middle = known[len(known) // 2] if known else forecast
        if len(self._recent) == RECENT_FORECASTS:
            known.pop(bisect_left(known, self._recent.popleft()))
        self._recent.append(forecast)
        insort(known, forecast)
        return 0.5 if forecast == middle else float((forecast > middle) == (label == 1))
