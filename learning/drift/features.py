"""Changed features: the population stability index against what it does by chance, given how much features last.

PSI = sum over bins of (p - q) ln(p / q), with p and q the shares of the reference and of the recent rows. Under no
change it is about (1/n + 1/m) times a chi-square with bins - 1 degrees of freedom (Yurdakul and Naranjo 2020), for n
and m independent rows. The usual fixed limits of 0.1 and 0.25 know neither n nor m: at 100 rows of a slow feature,
PSI exceeds 0.25 in most cases in which nothing changed. Here n and m are what the rows are worth (`dependence`), and
the significance is divided by the number of features tested (Bonferroni). A feature that lasts so long that its rows
are worth fewer than 20 is not tested; it says so. That is the common case for regimes and calendar features, and
right: nobody can tell from two months whether the months have changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from domain.errors import InvalidInput
from learning.drift.dependence import RowBlocks
from learning.drift.findings import DriftFinding, DriftKind
from learning.table import Floats, Ints, SampleTable

DETECTOR = "psi"
MINIMUM_ROWS = 500
MINIMUM_INDEPENDENT = 20
"""Independent rows on either side below which a feature is not tested."""
BINS = 10
_A_BIN = 10
"""Independent rows wanted for each bin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Psi:
    """One feature's stability index: `value`, in nats, from `bins` bins that held anything.

    `reference` and `recent` are the independent rows the two sides were worth.
    """

    value: float
    bins: int
    reference: float
    recent: float

    def critical(self, alpha: float) -> float:
        """The value exceeded with probability `alpha` where nothing changed; infinite for a single bin."""
        if not 0 < alpha < 1:
            raise InvalidInput(f"alpha is {alpha}; it must lie in (0, 1)")
        if self.bins < 2:
            return math.inf
        from scipy.special import chdtri  # noqa: PLC0415 - scipy is slow to import

        return float(chdtri(self.bins - 1, alpha)) * (1 / self.reference + 1 / self.recent)


@dataclass(frozen=True, kw_only=True, slots=True)
class FeaturePsi:
    """One feature: its index and critical value, None where it was not tested, and then `why`."""

    name: str
    psi: Psi | None
    critical: float | None
    why: str = ""

    @property
    def drifted(self) -> bool:
        return self.psi is not None and self.critical is not None and self.psi.value > self.critical


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureDrift:
    """All features of two tables, in the order of their names' columns; `why` where none could be tested."""

    features: tuple[FeaturePsi, ...]
    alpha: float
    reference_rows: int
    recent_rows: int
    why: str = ""

    @property
    def tested(self) -> int:
        return sum(feature.psi is not None for feature in self.features)

    @property
    def drifted(self) -> bool:
        """Whether any feature drifted; over all of them this is chance with probability `alpha` at most."""
        return any(feature.drifted for feature in self.features)

    def finding(self, at: datetime) -> DriftFinding | None:
        """The finding of the feature farthest above its critical value; None where none drifted."""
        drifted = [feature for feature in self.features if feature.drifted]
        if not drifted:
            return None
        worst = max(drifted, key=_excess)
        value, critical = worst.psi.value if worst.psi else 0.0, worst.critical or 0.0
        told = f"{len(drifted)} of {self.tested} features drifted, {worst.name} most: PSI {value:.3f}, "
        return DriftFinding(
            kind=DriftKind.FEATURES,
            detector=DETECTOR,
            subject=worst.name,
            at=at,
            before=critical,
            after=value,
            told=f"{told}chance reaches {critical:.3f}",
        )


def population_stability(reference: Floats, recent: Floats, *, bins: int = BINS, rows_worth_one: float = 1.0) -> Psi:
    """How far two samples of one feature are apart; `reference` (n,) and `recent` (m,), NaN where missing.

    A feature of at most `bins` distinct values has a bin for each, and one for values never seen; any other has the
    reference's quantiles, each bin with its lower edge, the outer ones open. Missing values are a bin of their own.
    Half a row is added to each bin that holds anything on either side, so that an empty one gives no infinity.
    `rows_worth_one` rows count as one. Raises `InvalidInput` when a side is empty, for fewer than 2 bins and for a
    worth below 1.
    """
    if not (len(reference) and len(recent)):
        raise InvalidInput(f"a stability index of {len(reference)} against {len(recent)} rows; both need 1 or more")
    if bins < 2 or not rows_worth_one >= 1:
        raise InvalidInput(f"{bins} bins must be 2 or more and {rows_worth_one} rows worth one row 1 or more")
    before, after = _counts(reference, recent, bins)
    used = (before + after) > 0
    ours, theirs = before[used] / rows_worth_one + 0.5, after[used] / rows_worth_one + 0.5
    ours, theirs = ours / ours.sum(), theirs / theirs.sum()
    return Psi(
        value=float(((ours - theirs) * np.log(ours / theirs)).sum()),
        bins=int(used.sum()),
        reference=len(reference) / rows_worth_one,
        recent=len(recent) / rows_worth_one,
    )


def feature_drift(
    reference: SampleTable, recent: SampleTable, *, alpha: float = 0.001, minimum_rows: int = MINIMUM_ROWS
) -> FeatureDrift:
    """Which features of `recent` are distributed otherwise than in `reference`, the rows the champion learned from.

    `alpha` is the chance that a table in which nothing changed is called drifted. Nothing is tested under
    `minimum_rows` rows on either side. Raises `InvalidInput` when the two have different features.
    """
    if (reference.schema, reference.names) != (recent.schema, recent.names):
        raise InvalidInput(f"features {reference.schema} cannot be compared with features {recent.schema}")
    if not 0 < alpha < 1 or minimum_rows < 1:
        raise InvalidInput(f"alpha {alpha} must lie in (0, 1) and minimum_rows {minimum_rows} be 1 or more")
    least = min(len(reference), len(recent))
    short = f"{least} rows on one side, {minimum_rows} are needed" if least < minimum_rows else ""
    tested = [] if short else _tested(reference, recent)
    share = alpha / max(1, sum(psi is not None for _, psi, _ in tested))
    return FeatureDrift(
        features=tuple(
            FeaturePsi(name=name, psi=psi, critical=None if psi is None else psi.critical(share), why=why)
            for name, psi, why in tested
        ),
        alpha=alpha,
        reference_rows=len(reference),
        recent_rows=len(recent),
        why=short,
    )


def _tested(reference: SampleTable, recent: SampleTable) -> list[tuple[str, Psi | None, str]]:
    ours, theirs = RowBlocks(reference.instrument), RowBlocks(recent.instrument)
    found: list[tuple[str, Psi | None, str]] = []
    for column, name in enumerate(reference.names):
        before, after = reference.features[:, column], recent.features[:, column]
        worth = max(ours.rows_worth_one(before), theirs.rows_worth_one(after))
        independent = min(len(before), len(after)) / worth
        if independent < MINIMUM_INDEPENDENT:
            found.append((name, None, f"it lasts: {independent:.0f} independent rows of {MINIMUM_INDEPENDENT} needed"))
            continue
        bins = min(BINS, max(2, int(independent) // _A_BIN))
        found.append((name, population_stability(before, after, bins=bins, rows_worth_one=worth), ""))
    return found


def _counts(reference: Floats, recent: Floats, bins: int) -> tuple[Floats, Floats]:
    """Rows in each bin on either side; the last two bins hold what was never seen and what is missing."""
    known = reference[~np.isnan(reference)]
    levels = np.unique(known)
    discrete = len(levels) <= bins
    if discrete:
        edges = levels[1:]
    else:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1], method="higher"))
        edges = edges[edges > levels[0]]
    width = len(edges) + 3

    def counted(values: Floats) -> Floats:
        places: Ints = np.searchsorted(edges, values, side="right")
        if discrete:
            places = np.where(np.isin(values, levels), places, width - 2)
        places = np.where(np.isnan(values), width - 1, places)
        return np.bincount(places, minlength=width).astype(np.float64)

    return counted(reference), counted(recent)


def _excess(feature: FeaturePsi) -> float:
    return feature.psi.value / feature.critical if feature.psi is not None and feature.critical else 0.0
