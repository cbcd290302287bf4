"""Candidates compared on what they say of rows that they were not trained on; the verdict's window is never touched.

Chosen is, among the candidates whose log-loss lies within one standard error of the best, the one with the highest net
expected value (one-standard-error rule: Breiman et al. 1984; log-loss before a cut-off: docs/learning.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from domain.errors import InvalidInput
from learning.families import Family, family_named
from learning.families.candidates import Candidate
from learning.families.ensembles import Member, combine, combined_out_of_fold
from learning.families.fitting import fitted as fit
from learning.judgement.blocks import time_blocks
from learning.judgement.calibration import Calibrator, choose_calibrator
from learning.judgement.scores import log_losses
from learning.judgement.threshold import ThresholdChoice, choose_threshold
from learning.portable.model import PortableModel
from learning.portable.odds import probability_of
from learning.portable.parts import Part
from learning.table import Floats, Ints, SampleTable
from learning.training.job import Progress
from learning.training.settings import TrainingSettings
from learning.uniqueness import effective_samples, training_weights
from learning.validation.combinatorial import Combinatorial
from learning.validation.folds import Fold
from learning.validation.out_of_fold import out_of_fold
from learning.validation.spans import Spans

_SPAN_QUANTILE = 0.95
_TEST_GROUPS = 2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trial:
    """One candidate and what it said of every row, never trained on it: `said` (n,) as it came out of the model, and
    calibrated. `loss` is the weighted mean log-loss of the calibrated ones, `loss_error` its standard error over
    blocks; `choice` the cut-off with the most net expected value."""

    candidate: Candidate
    said: Floats
    calibrator: Calibrator
    calibrated: Floats
    loss: float
    loss_error: float
    choice: ThresholdChoice


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ground:
    """The rows that candidates are compared on and trained with, and how they are held out."""

    table: SampleTable
    X: Floats
    names: tuple[str, ...]
    weights: Floats
    effective: float
    blocks: Ints
    folds: tuple[Fold, ...]


def ground_of(table: SampleTable, X: Floats, names: tuple[str, ...], settings: TrainingSettings) -> Ground:
    """Raises `InvalidInput` where purging leaves a fold without enough rows."""
    weights = training_weights(table, half_life=settings.half_life)
    scheme = Combinatorial(
        groups=settings.splits, test_groups=_TEST_GROUPS, embargo=embargo_of(table, settings), lag=settings.lag
    )
    return Ground(
        table=table,
        X=X,
        names=names,
        weights=weights,
        effective=effective_samples(table, pooled=True),
        blocks=time_blocks(table.decided_at, table.resolved_at),
        folds=scheme.split(Spans.of(table)),
    )


def embargo_of(table: SampleTable, settings: TrainingSettings) -> timedelta:
    """What is configured, else the 95th percentile of how long labels take."""
    if settings.embargo_s is not None:
        return timedelta(seconds=settings.embargo_s)
    lasted = np.quantile(table.resolved_at - table.decided_at, _SPAN_QUANTILE, method="higher")
    return timedelta(microseconds=int(lasted))


def tried(
    ground: Ground,
    candidates: Sequence[Candidate],
    families: Mapping[str, Family],
    settings: TrainingSettings,
    told: Progress,
) -> tuple[Trial, ...]:
    """Every candidate's out-of-fold record; ensembles join the first candidate of each family."""
    steps, done = len(candidates) * len(ground.folds), 0
    trials: list[Trial] = []
    for candidate in candidates:
        told(f"trying {candidate.label}", done, steps)
        if candidate.is_ensemble:
            members = [trial.said for trial in _members(trials)]
            said = combined_out_of_fold(
                candidate.family,
                np.column_stack(members),
                ground.table.label,
                ground.weights,
                ground.X,
                ground.names,
                [(fold.train, fold.test) for fold in ground.folds],
                effective=ground.effective,
            )
        else:
            said = _out_of_fold(ground, candidate, family_named(candidate.family, families), settings)
        trials.append(_trial(ground, candidate, said, settings))
        done += len(ground.folds)
    told("all candidates tried", steps, steps)
    return tuple(trials)


def best_of(trials: Sequence[Trial]) -> Trial:
    """The candidate to be trained on all rows before the verdict."""
    least = min(trials, key=lambda trial: trial.loss)
    near = [trial for trial in trials if trial.loss <= least.loss + least.loss_error]
    return max(near, key=lambda trial: (trial.choice.ev_per_signal, -trial.loss))


def fitted(
    ground: Ground, chosen: Trial, trials: Sequence[Trial], families: Mapping[str, Family], settings: TrainingSettings
) -> PortableModel:
    """The chosen candidate trained on all rows of the ground."""
    if not chosen.candidate.is_ensemble:
        return PortableModel(names=ground.names, part=_fit(ground, chosen.candidate, families, settings))
    joined = _members(trials)
    members = [
        Member(label=trial.candidate.label, part=_fit(ground, trial.candidate, families, settings)) for trial in joined
    ]
    part = combine(
        chosen.candidate.family,
        members,
        np.column_stack([trial.said for trial in joined]),
        ground.table.label,
        ground.weights,
        ground.X,
        ground.names,
        effective=ground.effective,
    )
    return PortableModel(names=ground.names, part=part)


def _members(trials: Sequence[Trial]) -> list[Trial]:
    """The best trial of each family so far, in the order in which families were named."""
    best: dict[str, Trial] = {}
    for trial in trials:
        known = best.get(trial.candidate.family)
        if not trial.candidate.is_ensemble and (known is None or trial.loss < known.loss):
            best[trial.candidate.family] = trial
    if len(best) < 2:
        raise InvalidInput("an ensemble joins at least 2 families")
    return list(best.values())


def _fit(ground: Ground, candidate: Candidate, families: Mapping[str, Family], settings: TrainingSettings) -> Part:
    family = family_named(candidate.family, families)
    return _fitted_on(ground, candidate, family, settings, np.arange(len(ground.table), dtype=np.int64))


def _out_of_fold(ground: Ground, candidate: Candidate, family: Family, settings: TrainingSettings) -> Floats:
    def fit_predict(train: Ints, test: Ints) -> Floats:
        part = _fitted_on(ground, candidate, family, settings, train)
        return probability_of(part.log_odds(ground.X[test]))

    return out_of_fold(len(ground.table), ground.folds, fit_predict).p


def _fitted_on(ground: Ground, candidate: Candidate, family: Family, settings: TrainingSettings, rows: Ints) -> Part:
    """A candidate trained on these rows, and on no other."""
    return fit(
        family,
        candidate.settings,
        ground.X,
        ground.table.label,
        ground.weights,
        rows,
        seed=settings.seed,
        balance=settings.balanced,
    )


def _trial(ground: Ground, candidate: Candidate, said: Floats, settings: TrainingSettings) -> Trial:
    table, w = ground.table, ground.weights
    calibrator = choose_calibrator(said, table.label, w, effective=ground.effective)
    calibrated = calibrator.apply(said)
    losses = log_losses(calibrated, table.label)
    loss = float(np.average(losses, weights=w))
    choice = choose_threshold(
        calibrated, table.r_net, blocks=ground.blocks, minimum_taken=settings.minimum_taken, seed=settings.seed
    )
    return Trial(
        candidate=candidate,
        said=said,
        calibrator=calibrator,
        calibrated=calibrated,
        loss=loss,
        loss_error=_standard_error(losses - loss, w, ground.blocks),
        choice=choice,
    )


def _standard_error(residuals: Floats, w: Floats, blocks: Ints) -> float:
    """Of a weighted mean whose rows come in dependent blocks: the sums of blocks are the independent ones."""
    sums = np.bincount(blocks, weights=residuals * w)
    return float(np.sqrt((sums**2).sum()) / w.sum())
