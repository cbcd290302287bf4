"""Whether the champion's probabilities still mean what they say.

Two figures. Spiegelhalter's (1986) z: sum of (y - p)(1 - 2p) over its standard deviation under perfect calibration,
which shows forecasts that are too bold or too shy. Calibration in the large: sum of (y - p) likewise, which shows a
level that is off, where Spiegelhalter's z is blind at p = 1/2. Every label counts by its uniqueness within its
instrument, so that k labels on one stretch count as one.

Instruments move together, and uniqueness within instruments does not know. Counted over all instruments at once it
would take them for one, and finds nothing in thousands of outcomes. So the standard deviation is the larger of two: the
model's, and the one measured between stretches of two mean label lives (a cluster-robust one, Liang and Zeger 1986,
around the mean shift, so that a shift does not hide itself). The critical value is Student's with one degree less than
stretches, for alpha / 2 each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from domain.errors import InvalidInput
from learning.drift.findings import DriftFinding, DriftKind
from learning.table import Floats, Ints, SampleTable
from learning.uniqueness import average_uniqueness

DETECTOR = "calibration"
MINIMUM_EFFECTIVE = 20.0
MOST_STRETCHES = 30
LEAST_STRETCHES = 8
_LIVES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationDrift:
    """How far recent forecasts were off. `effective` is what the `samples` with a forecast were worth.

    `mean_forecast` and `win_rate` are weighted by uniqueness, None without samples. The z figures are None where
    `why` says that there is too little to judge by; `critical` is what either must exceed in size.
    """

    samples: int
    effective: float
    stretches: int
    mean_forecast: float | None
    win_rate: float | None
    spiegelhalter: float | None
    in_the_large: float | None
    critical: float | None
    why: str = ""

    @property
    def drifted(self) -> bool:
        return self._largest > 0

    @property
    def _largest(self) -> float:
        """By how much the larger figure exceeds the critical value; 0 where neither does."""
        figures = [abs(z) for z in (self.spiegelhalter, self.in_the_large) if z is not None]
        return max([0.0, *(z - self.critical for z in figures if self.critical is not None)])

    def finding(self, at: datetime) -> DriftFinding | None:
        """The finding, None where calibration holds."""
        if not self.drifted or self.mean_forecast is None or self.win_rate is None:
            return None
        z, large = self.spiegelhalter or 0.0, self.in_the_large or 0.0
        told = f"forecasts of {self.mean_forecast:.3f} on average, {self.win_rate:.3f} won: z {z:+.1f} for spread and "
        return DriftFinding(
            kind=DriftKind.CALIBRATION,
            detector=DETECTOR,
            subject="in the large" if abs(large) >= abs(z) else "spiegelhalter",
            at=at,
            before=self.mean_forecast,
            after=self.win_rate,
            told=f"{told}{large:+.1f} for level, chance reaches {self.critical or 0.0:.1f}",
        )


def calibration_drift(recent: SampleTable, forecasts: Floats, *, alpha: float = 0.001) -> CalibrationDrift:
    """Whether `forecasts`, shape (n,), said at the decisions of `recent`, fit the labels that came.

    NaN where the champion said nothing: those rows are left out. The newest 2,000 rows or so serve best: fewer hold
    too few stretches where labels overlap. `alpha` is the chance of drift where nothing changed. Raises
    `InvalidInput` for another length, a forecast outside [0, 1] and an alpha outside (0, 1).
    """
    if forecasts.shape != (len(recent),):
        raise InvalidInput(f"forecasts are {forecasts.shape}, the samples {len(recent)}")
    said = ~np.isnan(forecasts)
    if bool(((forecasts[said] < 0) | (forecasts[said] > 1)).any()):
        raise InvalidInput("a forecast does not lie in [0, 1]")
    if not 0 < alpha < 1:
        raise InvalidInput(f"alpha is {alpha}; it must lie in (0, 1)")
    table, p = recent.take(said), forecasts[said]
    weight = average_uniqueness(table)
    effective = float(weight.sum())
    stretch, count = _stretches(table)
    why = _why_not(effective, count)
    z = large = critical = None
    if not why:
        from scipy.special import stdtrit  # noqa: PLC0415 - scipy is slow to import

        off = weight * (table.label - p)
        spread = weight * p * (1 - p)
        z = _sigmas(off * (1 - 2 * p), spread * (1 - 2 * p) ** 2, stretch, count)
        large = _sigmas(off, spread, stretch, count)
        critical = float(stdtrit(count - 1, 1 - alpha / 4))
    return CalibrationDrift(
        samples=len(table),
        effective=effective,
        stretches=count,
        mean_forecast=float(weight @ p) / effective if len(table) else None,
        win_rate=float(weight @ table.label) / effective if len(table) else None,
        spiegelhalter=z,
        in_the_large=large,
        critical=critical,
        why=why,
    )


def _stretches(table: SampleTable) -> tuple[Ints, int]:
    """The stretch of each sample by its decision, and how many stretches there are."""
    if not len(table):
        return np.zeros(0, dtype=np.int64), 0
    since = table.decided_at - table.decided_at[0]
    span, life = float(since[-1]) + 1, float((table.resolved_at - table.decided_at).mean())
    count = int(min(MOST_STRETCHES, max(span // max(_LIVES * life, 1.0), 1)))
    return (since * count / span).astype(np.int64), count


def _why_not(effective: float, stretches: int) -> str:
    if effective < MINIMUM_EFFECTIVE:
        return f"{effective:.0f} independent labels of {MINIMUM_EFFECTIVE:.0f}"
    if stretches < LEAST_STRETCHES:
        return f"{stretches} stretches of {LEAST_STRETCHES}: labels live too long for so short a time"
    return ""


def _sigmas(off: Floats, variance: Floats, stretch: Ints, count: int) -> float:
    """The sum of `off` in standard deviations: the model's or those between stretches, whichever are larger."""
    total, expected = float(off.sum()), float(variance.sum())
    if expected <= 0:
        return 0.0
    sums, shares = np.bincount(stretch, off, count), np.bincount(stretch, variance, count) / expected
    around = sums - total * shares
    measured = float((around * around).sum()) * count / (count - 1)
    return float(total / np.sqrt(max(expected, measured)))
