"""The watch on outcomes: wins, the Brier score and the ranking of the champion's forecasts, as labels land.

Which direction counts is a choice for each stream. A win rate that changed either way is a finding: the base rate is
part of what a model knows. A Brier score that fell or a ranking that rose is a champion that got better, and none.
Note that the Brier score also rises when nothing but the base rate moves towards 1/2, and that near forecasts of 1/2 it
hardly moves at all; the win rate and the ranking are the sharper streams, each blind to what the other sees.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from domain.errors import InvalidInput
from learning.drift.detectors import AdaptiveWindow, PageHinkley
from learning.drift.findings import DriftFinding, DriftKind
from learning.drift.stretches import DriftSample, Stretches

_LATEST = 20
EITHER, UP, DOWN = 0, 1, -1
STREAMS = {"win": EITHER, "brier": UP, "hit": DOWN}
"""The streams, and the direction in which a change of each counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchSettings:
    """Limits of the two detectors; the defaults are those whose false alarms were measured.

    `adwin_delta` is ADWIN's significance. Page-Hinkley's `allowance` and `limit` are in standard deviations of a
    stretch's mean. `minimum` stretches must be known before Page-Hinkley, `scale` before ADWIN says anything.
    """

    adwin_delta: float = 0.002
    allowance: float = 0.15
    limit: float = 30.0
    minimum: int = 30
    scale: int = 50

    def __post_init__(self) -> None:
        if not 0 < self.adwin_delta < 1:
            raise InvalidInput(f"adwin_delta is {self.adwin_delta}; it must lie in (0, 1)")
        if not (0 <= self.allowance < 4 and 0 < self.limit < 1e6):
            raise InvalidInput(f"allowance {self.allowance} must lie in [0, 4) and limit {self.limit} in (0, 1e6)")
        if self.minimum < 2 or self.scale < 2:
            raise InvalidInput(f"minimum {self.minimum} and scale {self.scale} must be 2 stretches or more")


class DriftWatch:
    """ADWIN and Page-Hinkley on every stream, fed one resolved sample at a time; same samples, same findings.

    A watch belongs to one champion: after a deployment a new one begins. It has no stored state: it is rebuilt by
    folding the stored samples again (`restored`).
    """

    def __init__(self, settings: WatchSettings | None = None) -> None:
        chosen = WatchSettings() if settings is None else settings
        self._stretches = Stretches()
        self._streams = [_Stream(name, direction, chosen) for name, direction in STREAMS.items()]
        self.samples = 0
        """How many samples it was fed."""
        self.stretches = 0
        """How many stretches have ended: what the samples were worth to the detectors."""

    @classmethod
    def restored(cls, samples: Iterable[DriftSample], settings: WatchSettings | None = None) -> DriftWatch:
        """The watch that was fed these samples, in the order in which they were heard of."""
        watch = cls(settings)
        for sample in samples:
            watch.update(sample)
        return watch

    def update(self, sample: DriftSample) -> tuple[DriftFinding, ...]:
        """Take one sample; what it gave away, mostly nothing.

        After a finding that stream's detectors begin anew at the new level, so one change is found once.
        """
        self.samples += 1
        ended = self._stretches.add(sample)
        if ended is None:
            return ()
        self.stretches += 1
        found: list[DriftFinding] = []
        for stream, value in zip(self._streams, (ended.win, ended.brier, ended.hit), strict=True):
            if value is not None:
                found.extend(stream.add(value, sample.resolved_at))
        return tuple(found)


class _Stream:
    __slots__ = ("_adwin", "_count", "_direction", "_latest", "_name", "_page_hinkley", "_settings", "_total")

    def __init__(self, name: str, direction: int, settings: WatchSettings) -> None:
        self._name = name
        self._direction = direction
        self._settings = settings
        self._begin()

    def add(self, value: float, at: datetime) -> list[DriftFinding]:
        if len(self._latest) == _LATEST:
            self._total += self._latest[0]
            self._count += 1
        self._latest.append(value)
        by_window, by_sums = self._adwin.add(value), self._page_hinkley.add(value)
        if not (by_window or by_sums):
            return []
        turns = (("adwin", by_window), ("page_hinkley", by_sums))
        found = [self._finding(name, at) for name, turn in turns if turn and turn * self._direction >= 0]
        self._begin()
        return found

    def _begin(self) -> None:
        settings = self._settings
        self._adwin = AdaptiveWindow(delta=settings.adwin_delta, scale=settings.scale)
        self._page_hinkley = PageHinkley(allowance=settings.allowance, limit=settings.limit, minimum=settings.minimum)
        self._latest: deque[float] = deque(maxlen=_LATEST)
        self._total = 0.0
        self._count = 0

    def _finding(self, detector: str, at: datetime) -> DriftFinding:
        after = sum(self._latest) / len(self._latest)
        before = self._total / self._count if self._count else after
        told = f"{detector}: {self._name} went from {before:.3f} to {after:.3f} over the last {len(self._latest)}"
        return DriftFinding(
            kind=DriftKind.ERRORS,
            detector=detector,
            subject=self._name,
            at=at,
            before=before,
            after=after,
            told=f"{told} stretches of market",
        )
