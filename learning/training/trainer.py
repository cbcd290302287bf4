"""One training from a sample file to an answer: search, fit, bundle, verdicts on signals that no model has seen.

What was judged is what may be deployed: the model is not trained again on the window it was judged on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

import numpy as np

from domain.clock import EPOCH
from domain.errors import InvalidInput
from domain.identity import digest
from domain.numbers import significant
from learning.families import FAMILIES, Family, families_in
from learning.families.candidates import Candidate, candidates_of
from learning.families.importance import permutation_importance
from learning.judgement.blocks import MINIMUM_BLOCKS, time_blocks
from learning.judgement.verdict import Opinion, Verdict, judge
from learning.parquet import read_samples
from learning.quality import QualitySettings, quality_of
from learning.registry.bundle import Bundle, BundleContent, LoadedModel, load_bundle, write_bundle
from learning.table import Floats, Ints, SampleTable
from learning.training.job import Pinned, Progress, TrainingJob
from learning.training.search import Ground, Trial, best_of, embargo_of, fitted, ground_of, tried
from learning.training.settings import TrainingSettings
from learning.validation.deflated import deflated_sharpe
from learning.validation.folds import FEWEST_TRAINING_ROWS, Fold, verdict_split
from learning.validation.overfitting import probability_of_overfitting
from learning.validation.spans import Spans

Answer = dict[str, Any]
MOST_TESTS = 3
"""So often a challenger is judged before a newer one takes its place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Judged:
    """A model's verdict. `learned_to_choose` is whether its cut-off leaves out any of what it was trained on."""

    model_id: str
    verdict: Verdict
    learned_to_choose: bool


def run(job: TrainingJob, told: Progress) -> Answer:
    """Train, judge and answer, as plain JSON values: see `docs/learning.md` for the figures.

    Raises `InvalidInput` when the samples or the families cannot be used, the models' bundles are not what the
    journal says, or one of the folds has nothing to learn from.
    """
    told("reading the samples", 0, 1)
    whole = read_samples(job.samples).table
    table = windowed(whole, job)
    settings = job.settings
    ends = table.decision_id[[0, -1]].tolist() if len(table) else []
    cycle = digest("training", job.terms(), len(table), *ends)
    basis: Answer = {"cycle": cycle, "samples": len(table), "alpha": job.alpha, "against": job.against}
    if len(table) < settings.minimum_samples:
        return {**basis, **_nothing(f"not trained: {len(table)} of {settings.minimum_samples} resolved samples")}
    split = _window_of(table, settings)
    known, unseen = table.take(split.train), table.take(split.test)
    quality = quality_of(known, _demanded(settings), minimum_samples=FEWEST_TRAINING_ROWS)
    basis["quality"] = _plain(asdict(quality))
    if not quality.ok:
        return {**basis, **_nothing(f"not trained: {'; '.join(quality.faults)}")}
    known = _without(known, quality.features_dropped)
    families = FAMILIES if job.families is None else families_in(job.families)
    ground = ground_of(known, known.features, known.names, settings)
    candidates = _candidates(settings, len(known), families)
    trials = tried(ground, candidates, families, settings, told)
    chosen = best_of(trials)
    told(f"training {chosen.candidate.label} on {len(known)} samples", 0, 1)
    content = _content(job, ground, chosen, trials, families)
    bundle = write_bundle(job.models, content)
    told("judging on unseen signals", 0, 1)
    new = load_bundle(job.models, bundle.model_id, sha256=bundle.sha256, schema=table.schema)
    judged = _verdicts(job, whole, new)
    if not judged:
        figures = {**_search_figures(ground, chosen, trials), "model": new.model_id, "threshold": new.threshold}
        return {**basis, **_nothing("kept current model: the same samples gave it again"), **figures}
    return {
        **basis,
        **_search_figures(ground, chosen, trials),
        **_conclusion(job, new, judged),
        "record": _record(bundle, job.at),
        "window": {"from": _iso(unseen.decided_at[0]), "to": _iso(unseen.decided_at[-1]), "signals": len(unseen)},
    }


def _window_of(table: SampleTable, settings: TrainingSettings) -> Fold:
    """The untouched window and what may be learned before it: nothing of the window, not even how long its labels
    took, has a say in that."""
    before = table.take(slice(0, max(1, int(len(table) * (1 - settings.verdict_share)))))
    embargo = embargo_of(before, settings)
    return verdict_split(Spans.of(table), share=settings.verdict_share, embargo=embargo, lag=settings.lag)


def _candidates(settings: TrainingSettings, samples: int, families: Mapping[str, Family]) -> tuple[Candidate, ...]:
    if samples < settings.small_below:
        return candidates_of(settings.families[:1], (), 1, seed=settings.seed, families=families)
    return candidates_of(settings.families, settings.ensembles, settings.budget, seed=settings.seed, families=families)


def _demanded(settings: TrainingSettings) -> QualitySettings:
    return QualitySettings(
        minimum_per_class=settings.minimum_per_class,
        largest_imbalance=settings.largest_imbalance,
        largest_missing=settings.largest_missing,
        minimum_samples=FEWEST_TRAINING_ROWS,
    )


def windowed(table: SampleTable, job: TrainingJob) -> SampleTable:
    """The samples within the configured window before the newest of them."""
    window = job.settings.window
    if window is None or not len(table):
        return table
    oldest = int(table.decided_at[-1]) - int(window.total_seconds() * 1e6)
    return table.take(table.decided_at >= oldest)


def _without(table: SampleTable, dropped: tuple[str, ...]) -> SampleTable:
    kept = tuple(name for name in table.names if name not in dropped)
    if not kept:
        raise InvalidInput("no feature is left: each is constant or missing in most samples")
    return replace(table, features=table.project(kept), names=kept)


# -- the verdicts ---------------------------------------------------------------------------------------------


def _verdicts(job: TrainingJob, table: SampleTable, new: LoadedModel) -> list[_Judged]:
    """The one that waits and the new model, each on what neither it nor the champion was trained on. The error that the
    cycle may spend is the waiting one's: the new model is tested only where none waits."""
    champion = _loaded(job, job.champion, table)
    waiting = _loaded(job, job.challenger, table)
    models = {each.model_id: each for each in (waiting, new) if each is not None and each.model_id != _id(champion)}
    first = next(iter(models), None)
    return [
        _Judged(
            model_id=name,
            verdict=_verdict(job, table, model, champion, alpha=job.alpha if name == first else 0.0),
            learned_to_choose=bool(model.manifest.scores["left_out"]),
        )
        for name, model in models.items()
    ]


def _verdict(
    job: TrainingJob, table: SampleTable, model: LoadedModel, champion: LoadedModel | None, *, alpha: float
) -> Verdict:
    rows = unseen_rows(table, model, champion, job)
    unseen = table.take(rows)
    settings = job.settings
    return judge(
        unseen.r_net,
        (unseen.r_net > 0).astype(np.int64),
        _opinion(model, unseen),
        None if champion is None else _opinion(champion, unseen),
        time_blocks(unseen.decided_at, unseen.resolved_at) if len(unseen) else np.empty(0, dtype=np.int64),
        alpha=alpha,
        minimum_resolved=settings.minimum_resolved,
        minimum_taken=settings.minimum_taken,
        seed=settings.seed,
    )


def unseen_rows(table: SampleTable, model: LoadedModel, champion: LoadedModel | None, job: TrainingJob) -> Ints:
    """Samples decided after the last label that either model learned from was known, and the embargo over."""
    last = max(each.manifest.known_until for each in (model, champion) if each is not None)
    begins = last + job.settings.lag + embargo_of(table, job.settings)
    found: Ints = np.flatnonzero(table.decided_at > (begins - EPOCH).total_seconds() * 1e6).astype(np.int64)
    return found


def _opinion(model: LoadedModel, table: SampleTable) -> Opinion:
    return Opinion(p=model.probabilities(table), threshold=model.threshold)


def _loaded(job: TrainingJob, pinned: Pinned | None, table: SampleTable) -> LoadedModel | None:
    if pinned is None:
        return None
    return load_bundle(job.models, pinned.model_id, sha256=pinned.sha256, schema=table.schema)


def _id(model: LoadedModel | None) -> str | None:
    return None if model is None else model.model_id


# -- the answer -----------------------------------------------------------------------------------------------


def _conclusion(job: TrainingJob, new: LoadedModel, judged: list[_Judged]) -> Answer:
    """Who is deployed, who goes on challenging, and the figures of whom the sentence speaks about.

    Who challenges never depends on how a model did on signals that it has yet to be judged on: the one that waits keeps
    its place until it was judged and lost, or was judged `MOST_TESTS` times; then the newest takes it.
    """
    winner = next((each for each in judged if each.verdict.deploy), None)
    told = winner or next((each for each in judged if each.verdict.spent), judged[-1])
    waiting = next((each for each in judged if job.challenger and each.model_id == job.challenger.model_id), None)
    staying = waiting if waiting is not None and not _has_lost(waiting, job) else judged[-1]
    keeps = winner is None and staying.learned_to_choose and not (staying is not waiting and _has_lost(staying, job))
    challenge = staying.model_id if keeps else None
    return {
        "model": new.model_id,
        "threshold": new.threshold,
        "verdicts": [{"model": each.model_id, **each.verdict.document()} for each in judged],
        **told.verdict.document(),
        "deploy": None if winner is None else winner.model_id,
        "deployed": winner is not None,
        "challenge": challenge,
        "reason": told.verdict.reason if winner is None else f"deployed {told.model_id}: {told.verdict.reason}",
    }


def _has_lost(judged: _Judged, job: TrainingJob) -> bool:
    """Whether a verdict that was tested leaves nothing to wait for."""
    verdict, pinned = judged.verdict, job.challenger
    if not verdict.spent:
        return False
    before = pinned.tests if pinned is not None and pinned.model_id == judged.model_id else 0
    return before + 1 >= MOST_TESTS or verdict.ev_gain is None or verdict.ev_gain <= 0


def _nothing(reason: str) -> Answer:
    """The answer of a cycle in which nothing was trained."""
    figures = ("model", "auc", "auc_ci", "brier", "threshold", "ev_filtered", "ev_unfiltered", "ev_gain", "ev_gain_ci")
    return {
        **dict.fromkeys(figures),
        "trials": 0,
        "candidates": [],
        "verdicts": [],
        "record": None,
        "deploy": None,
        "deployed": False,
        "challenge": None,
        "reason": reason,
    }


def _search_figures(ground: Ground, chosen: Trial, trials: tuple[Trial, ...]) -> Answer:
    """What was tried, and how much of the best result trying alone explains."""
    r = ground.table.r_net
    taken = [trial.calibrated >= trial.choice.threshold for trial in trials]
    count = int(ground.blocks[-1]) + 1
    earned = [np.bincount(ground.blocks, weights=np.where(each, r, 0.0)) for each in taken]
    performance = np.column_stack(earned).astype(np.float64)
    pbo = None
    if len(trials) > 1 and count >= MINIMUM_BLOCKS:
        even = _even_blocks(performance, 16)
        pbo = probability_of_overfitting(even).pbo
    mine = np.where(chosen.calibrated >= chosen.choice.threshold, r, 0.0)
    sharpes = performance.mean(axis=0) / np.maximum(performance.std(axis=0), 1e-12)
    deflated = deflated_sharpe(
        mine,
        trials=len(trials),
        trial_sharpe_variance=float(np.var(sharpes)) if len(trials) > 1 else None,
        effective=ground.effective,
    )
    base = float(np.average(ground.table.label, weights=ground.weights))
    return {
        "trials": len(trials),
        "chosen": chosen.candidate.label,
        "family": chosen.candidate.family,
        "candidates": [
            {
                "candidate": trial.candidate.label,
                "log_loss": trial.loss,
                "log_loss_error": trial.loss_error,
                "threshold": trial.choice.threshold,
                "pays": trial.choice.pays,
                "ev_per_signal": trial.choice.ev_per_signal,
            }
            for trial in trials
        ],
        "base_rate": base,
        "base_rate_log_loss": -(base * float(np.log(base)) + (1 - base) * float(np.log(1 - base))),
        "effective_samples": ground.effective,
        "probability_of_overfitting": pbo,
        "deflated_sharpe": deflated.probability,
    }


def _even_blocks(performance: Floats, parts: int) -> Floats:
    """The rows of `performance` summed into `parts` neighbouring stretches."""
    return np.stack([rows.sum(axis=0) for rows in np.array_split(performance, parts)])


def _content(
    job: TrainingJob, ground: Ground, chosen: Trial, trials: tuple[Trial, ...], families: Mapping[str, Family]
) -> BundleContent:
    settings, table = job.settings, ground.table
    model = fitted(ground, chosen, trials, families, settings)
    threshold = chosen.choice.threshold if settings.threshold is None else settings.threshold
    importance = permutation_importance(model.part, ground.X, table.label, ground.weights, seed=settings.seed)
    return BundleContent(
        family=chosen.candidate.family.replace("_", "-"),
        created_by=f"ratchet {version('ratchet-trader')}",
        model=model,
        calibrator=chosen.calibrator,
        threshold=significant(threshold),
        schema=table.schema,
        samples=len(table),
        trained_from=_at(int(table.decided_at[0])),
        trained_until=_at(int(table.decided_at[-1])),
        known_until=_at(int(table.resolved_at.max())),
        seed=settings.seed,
        versions={name: version(name) for name in ("numpy", "scikit-learn", "scipy")},
        settings=_plain(settings.document()),
        scores={
            "log_loss": chosen.loss,
            "log_loss_error": chosen.loss_error,
            "trials": len(trials),
            "effective_samples": ground.effective,
            "candidate": chosen.candidate.label,
            "left_out": int((chosen.calibrated < threshold).sum()),
        },
        importances={name: significant(float(each)) for name, each in zip(ground.names, importance.mean, strict=True)},
    )


def _plain(document: Mapping[str, object]) -> dict[str, object]:
    """As JSON has it; a number that is not finite is None."""
    found: dict[str, object] = json.loads(json.dumps(document), parse_constant=lambda _name: None)
    return found


def _record(bundle: Bundle, at: datetime) -> Answer:
    """The journal's record of the new bundle, as plain values."""
    record = bundle.record(at)
    times = {name: getattr(record, name).isoformat() for name in ("created_at", "trained_from", "trained_until")}
    values = {field.name: getattr(record, field.name) for field in fields(record) if field.name not in times}
    return {**values, "document": dict(record.document), **times}


def _at(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _iso(micros: Any) -> str:
    return _at(int(micros)).isoformat()
