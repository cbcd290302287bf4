"""One report on one model: everything that can be said of forecasts made at the decision, once their labels are there.

Nothing in it decides anything. Where a figure is not defined it is None, and the report says in words what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from domain.errors import InvalidInput
from learning.judgement.blocks import MINIMUM_BLOCKS, time_blocks
from learning.judgement.bootstrap import paired_gain
from learning.judgement.columns import Column, Floats, Ints, probabilities_of
from learning.judgement.ranking import auc, auc_interval
from learning.judgement.scores import (
    CalibrationLine,
    ReliabilityBin,
    base_rate,
    brier,
    calibration_line,
    ece,
    log_loss,
    reliability,
)
from learning.judgement.threshold import ev_bands, ev_curve
from learning.report.grades import Combined, Grade, combined_score, grade_of
from learning.report.groups import GroupLine, groups_of
from learning.report.measured import NOT_DEFINED, Measured, degradation, share, stability
from learning.report.plain import plain
from learning.report.targets import TargetLine, targets
from learning.table import Mask, SampleTable
from learning.uniqueness import effective_samples

FIGURES = ("accuracy", "precision", "recall", "f1", "auc", "stability")
GRADED = ("accuracy", "precision", "stability")
CURVE_POINTS = 11
GAIN_ALPHA = 0.05
_GAIN_RESAMPLES = 2_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Said:
    """What a model said of each row of a table: `p` (n,), and the `threshold` (n,) that it went by then."""

    model: str
    p: Floats
    threshold: Floats

    def __post_init__(self) -> None:
        probabilities_of(self.p)
        probabilities_of(self.threshold, len(self.p), "threshold")

    @property
    def takes(self) -> Mask:
        """Which rows pass."""
        found: Mask = self.p >= self.threshold
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class AtDeployment:
    """The figures of the verdict that a champion was deployed on, on signals that no model had seen."""

    auc: Measured
    ev_filtered: float | None
    brier: float | None
    log_loss: float | None
    resolved: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Importances:
    """How many nats of log-loss a model loses without a feature, largest first.

    `across_folds` is how alike several folds rank the features, `across_trainings` how alike successive trainings do,
    both as mean rank correlations in [-1, 1], None where that is not known.
    """

    features: Mapping[str, float]
    across_folds: float | None = None
    across_trainings: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Probabilities:
    """How well probabilities fit what came. Losses in nats; the base rate is the share of winners of these rows, which
    nobody knew beforehand: to beat it is harder than to beat what was known at the time."""

    brier: float
    base_rate_brier: float
    log_loss: float
    base_rate_log_loss: float
    ece: float
    line: CalibrationLine | None
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CurvePoint:
    """Taking p >= `threshold`: EV per trade None where nothing is taken; `low` and `high` bound EV per signal."""

    threshold: float
    taken: int
    coverage: float
    ev_per_trade: float | None
    ev_per_signal: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """Net expected value in R a trade: of what passes, of all signals, and the difference. No interval under
    `MINIMUM_BLOCKS` blocks or where nothing passes."""

    filtered: Measured
    unfiltered: Measured
    gain: Measured


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All figures of one model on `samples` rows, worth `effective` independent ones, in `blocks` stretches of time.

    `figures` are accuracy, precision (the success rate of what passes), recall, f1, auc, stability and degradation
    (of the AUC since deployment). `majority` is the accuracy of always saying the more frequent class. `grades` are of
    figures that are shares, each by itself. Without a row everything is None or empty, and `why` says so.
    """

    model: str
    samples: int
    effective: float
    blocks: int
    base_rate: float | None
    majority: float | None
    taken: int
    coverage: float | None
    threshold: float | None
    figures: Mapping[str, Measured]
    deployment: AtDeployment | None
    probabilities: Probabilities | None
    value: Value | None
    curve: tuple[CurvePoint, ...]
    grades: Mapping[str, Grade]
    combined: Combined
    targets: tuple[TargetLine, ...]
    groups: Mapping[str, tuple[GroupLine, ...]]
    importances: Importances | None
    why: str = ""

    def document(self) -> dict[str, object]:
        """Everything as strict JSON values: intervals as [low, high], what is not finite as None, no tuples."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}


def report_of(
    table: SampleTable,
    said: Said,
    *,
    deployment: AtDeployment | None = None,
    importances: Importances | None = None,
    seed: int = 0,
) -> Report:
    """The report on what `said` says of the rows of `table`, forecasts made before the labels were known.

    Raises `InvalidInput` when the two have different lengths.
    """
    if len(said.p) != len(table):
        raise InvalidInput(f"{len(said.p)} forecasts of {len(table)} samples; there must be one for each")
    rows = len(table)
    blocks = time_blocks(table.decided_at, table.resolved_at) if rows else np.empty(0, dtype=np.int64)
    count = int(blocks[-1]) + 1 if rows else 0
    labels, takes = table.label.astype(np.float64), said.takes
    rate = base_rate(labels) if rows else None
    figures = _figures(said, labels, blocks, seed) if rows else dict.fromkeys(FIGURES, NOT_DEFINED)
    figures["degradation"] = NOT_DEFINED if deployment is None else degradation(figures["auc"], deployment.auc)
    probabilities = _probabilities(said.p, labels) if rows else None
    return Report(
        model=said.model,
        samples=rows,
        effective=effective_samples(table, pooled=True) if rows else 0.0,
        blocks=count,
        base_rate=rate,
        majority=None if rate is None else max(rate, 1 - rate),
        taken=int(takes.sum()),
        coverage=float(takes.mean()) if rows else None,
        threshold=float(said.threshold[-1]) if rows else None,
        figures=figures,
        deployment=deployment,
        probabilities=probabilities,
        value=_value(table.r_net, takes.astype(np.float64), blocks, seed) if rows else None,
        curve=_curve(said.p, table.r_net, blocks, seed) if rows else (),
        grades=_grades(figures),
        combined=_combined(figures, probabilities),
        targets=targets(figures),
        groups=groups_of(table, takes) if rows else {},
        importances=importances,
        why=_short_of(rows, count, int(takes.sum())),
    )


def _figures(said: Said, labels: Floats, blocks: Ints, seed: int) -> dict[str, Measured]:
    takes, every = said.takes.astype(np.float64), np.ones(len(labels))
    hits, won = (takes == labels).astype(np.float64), takes * labels
    return {
        "accuracy": share(hits, every, blocks, seed=seed),
        "precision": share(won, takes, blocks, seed=seed),
        "recall": share(won, labels, blocks, seed=seed),
        "f1": share(2 * won, takes + labels, blocks, seed=seed),
        "auc": Measured(value=auc(said.p, labels), interval=auc_interval(said.p, labels, blocks, seed=seed)),
        "stability": stability(hits, blocks),
    }


def _short_of(rows: int, blocks: int, taken: int) -> str:
    """What these rows cannot tell, as a sentence; nothing where they can."""
    if not rows:
        return "no forecast has met its label yet: there is nothing to judge"
    found = []
    if blocks < MINIMUM_BLOCKS:
        found.append(f"{blocks} independent stretches of {MINIMUM_BLOCKS}: no interval can be given")
    if not taken:
        found.append("nothing passed the threshold: there is no success rate")
    return "; ".join(found)


def _probabilities(p: Floats, labels: Floats) -> Probabilities:
    rate = np.full(len(labels), base_rate(labels))
    return Probabilities(
        brier=brier(p, labels),
        base_rate_brier=brier(rate, labels),
        log_loss=log_loss(p, labels),
        base_rate_log_loss=log_loss(rate, labels),
        ece=ece(p, labels),
        line=calibration_line(p, labels),
        reliability=reliability(p, labels),
    )


def _value(r: Floats, taken: Floats, blocks: Ints, seed: int) -> Value:
    all_of_them, none = np.ones(len(r)), np.zeros(len(r))
    return Value(
        filtered=_earned(r, taken, none, blocks, seed),
        unfiltered=_earned(r, all_of_them, none, blocks, seed),
        gain=_earned(r, taken, all_of_them, blocks, seed),
    )


def _earned(r: Floats, a: Floats, b: Floats, blocks: Ints, seed: int) -> Measured:
    """Mean R of what a takes less that of what b takes, 0 where b takes nothing."""
    if not a.any():
        return NOT_DEFINED
    point = float(r[a > 0].mean()) - (float(r[b > 0].mean()) if b.any() else 0.0)
    if int(blocks[-1]) + 1 < MINIMUM_BLOCKS:
        return Measured(value=point)
    found = paired_gain(r, a, b, blocks, alpha=GAIN_ALPHA, resamples=_GAIN_RESAMPLES, seed=seed)
    return Measured(value=point, interval=found.interval)


def _curve(p: Floats, r: Column, blocks: Ints, seed: int) -> tuple[CurvePoint, ...]:
    """At the deciles of what was said: 0, which takes all, and upwards."""
    inner = np.quantile(p, np.linspace(0, 1, CURVE_POINTS)[1:-1], method="higher")
    cuts = np.unique(np.concatenate([[0.0], inner]))
    curve, bands = ev_curve(p, r, None, cuts), ev_bands(p, r, blocks, cuts, seed=seed)
    return tuple(
        CurvePoint(
            threshold=float(curve.threshold[place]),
            taken=int(curve.taken[place]),
            coverage=float(curve.coverage[place]),
            ev_per_trade=float(curve.ev_per_trade[place]) if curve.taken[place] else None,
            ev_per_signal=float(curve.ev_per_signal[place]),
            low=float(bands.low[place]),
            high=float(bands.high[place]),
        )
        for place in range(len(cuts))
    )


def _grades(figures: Mapping[str, Measured]) -> dict[str, Grade]:
    shares = {name: figures[name].value for name in GRADED}
    return {name: grade_of(value) for name, value in shares.items() if value is not None}


def _combined(figures: Mapping[str, Measured], probabilities: Probabilities | None) -> Combined:
    return combined_score(
        accuracy=figures["accuracy"].value,
        success=figures["precision"].value,
        auc=figures["auc"].value,
        ece=None if probabilities is None else probabilities.ece,
        stability=figures["stability"].value,
        beats_base_rate=None if probabilities is None else probabilities.log_loss < probabilities.base_rate_log_loss,
    )
