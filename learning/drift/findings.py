"""What a drift detector found, and when findings of different kinds agree."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.clock import require_utc
from domain.errors import InvalidInput

AGREEMENT_WINDOW = timedelta(days=90)
"""Measured at seven outcomes a day: a calibration that was lost is found some 90 days after the errors are. Within 30
days two kinds hardly ever agree on a real change; within 90 they do, and no more often by chance
(`python -m bench.studies.drift_alarms`). An account with many more outcomes a day can take less."""


class DriftKind(StrEnum):
    """What a detector looks at. Two detectors of one kind see the same numbers: their agreement is no evidence."""

    ERRORS = "errors"
    """Labels as they land, and how far the champion's forecasts were from them."""
    FEATURES = "features"
    """What decisions are made from."""
    CALIBRATION = "calibration"
    """Whether forecasts mean what they say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftFinding:
    """One change that one detector found.

    `subject` is the stream, the feature or the figure that changed. `before` and `after` are its values in its own
    unit; `told` is the finding as a sentence.
    """

    kind: DriftKind
    detector: str
    subject: str
    at: datetime
    before: float
    after: float
    told: str

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not (self.detector and self.subject and self.told):
            raise InvalidInput("a drift finding needs a detector, a subject and a sentence")
        if not (math.isfinite(self.before) and math.isfinite(self.after)):
            raise InvalidInput(f"drift of {self.subject} from {self.before} to {self.after}: both must be finite")


def in_force(
    findings: Iterable[DriftFinding], *, now: datetime, window: timedelta = AGREEMENT_WINDOW
) -> tuple[DriftFinding, ...]:
    """The findings of the last `window` up to and with `now`, in the order given; later ones are left out.

    Raises `InvalidInput` for a window that is not above 0.
    """
    if window <= timedelta(0):
        raise InvalidInput(f"a finding's window of {window} must be above 0")
    return tuple(finding for finding in findings if now - window < finding.at <= now)


def agreement(findings: Iterable[DriftFinding], *, now: datetime, window: timedelta = AGREEMENT_WINDOW) -> bool:
    """Whether findings of two different kinds are in force at `now`: then the size is to shrink.

    One kind alone calls for an alert and for a challenger, not for a smaller size. Nothing is deployed and no limit
    is loosened by either.
    """
    return len({finding.kind for finding in in_force(findings, now=now, window=window)}) > 1
