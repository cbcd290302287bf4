"""How the model fares: on what it said when decisions were taken, once their labels are there. Only reads.

Every figure is of forecasts that were journaled at the decision. None is of a model asked again afterwards, when it may
have learned the very labels it is asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from daemon.casting import standing_in
from daemon.cycles import Account, collected_samples, decided_at, spent_errors, verdict_error
from daemon.learn.show import history_of
from domain.clock import EPOCH
from domain.identity import digest
from domain.learning import ONLINE, Evaluation, EvaluationKind, ModelRecord
from journal.reader import Reader
from learning.accumulated import since as decided_since
from learning.drift.calibration import calibration_drift
from learning.drift.features import FeatureDrift, FeaturePsi, feature_drift
from learning.drift.findings import DriftFinding
from learning.judgement.interval import Interval
from learning.quality import Quality, QualitySettings, quality_of
from learning.registry.state import Standing
from learning.report.groups import attributed
from learning.report.measured import LEVEL, Measured
from learning.report.plain import plain
from learning.report.report import AtDeployment, Importances, Report, Said, report_of
from learning.table import SampleTable, table_of

DRIFT_DAYS: Final = 30
CALIBRATED_ON: Final = 2_000
"""The newest forecasts that calibration is looked at on."""
HISTORY: Final = 20
COMPARED_TRAININGS: Final = 5
NOTHING_DEPLOYED: Final = (
    "nothing is deployed: no model has beaten unfiltered trading on unseen signals yet; the figures are of the online "
    "learner"
)
_HEARD: Final = {True: "which speaks because the configuration lets it", False: "which is heard and not followed"}
_MICROSECOND: Final = timedelta(microseconds=1)

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Heard:
    """What whoever is to be judged said, with the samples that its decisions became, and who that is in a sentence."""

    table: SampleTable
    said: Said
    sentence: str


def evaluate(read: Reader, account: Account) -> Document:
    """The report on the present champion since it was deployed, or on the online learner while there is none."""
    standing = standing_in(read, account.config)
    heard = heard_in(read, account, standing)
    return {
        "model": heard.said.model,
        "deployed": standing.champion is not None,
        "since": None if standing.since is None else standing.since.isoformat(),
        "sentence": heard.sentence,
        "report": _report(read, account, standing, heard).document(),
        "attribution": plain(attributed(read.outcomes())),
    }


def daily_figures(read: Reader, account: Account) -> Document:
    """The few figures that a day's evaluation keeps, so that their history can be shown; None where not defined."""
    standing = standing_in(read, account.config)
    report = _report(read, account, standing, heard_in(read, account, standing))
    return {
        "samples": report.samples,
        "effective": report.effective,
        **{name: measured.value for name, measured in report.figures.items()},
        "brier": None if report.probabilities is None else report.probabilities.brier,
        "ece": None if report.probabilities is None else report.probabilities.ece,
        "score": report.combined.score,
        "grade": None if report.combined.grade is None else report.combined.grade.value,
    }


def comprehensive(read: Reader, account: Account, at: datetime) -> Document:
    """Samples, evaluation, drift, trials, what a training now would have, and history: what is looked at monthly."""
    whole = collected_samples(read, account)
    return {
        "at": at.isoformat(),
        "quality": quality(whole, account),
        "evaluation": evaluate(read, account),
        "drift": drift(read, account, at, whole=whole),
        "trials": trials(read, at),
        "training": training_now(read, account, at, whole),
        "history": history_of(read, HISTORY),
    }


def comprehensive_evaluation(read: Reader, account: Account, at: datetime) -> Evaluation:
    """`comprehensive` as the journal keeps it."""
    return Evaluation(
        evaluation_id=digest("evaluation", EvaluationKind.COMPREHENSIVE, at.isoformat()),
        at=at,
        kind=EvaluationKind.COMPREHENSIVE,
        model_id=standing_in(read, account.config).champion or "",
        document=comprehensive(read, account, at),
    )


def newest_moment(read: Reader) -> datetime | None:
    """When the journal last had a scan or a label: a replay's journal lives in the time of its candles."""
    scan, newest = read.last_scan(), read.samples(limit=1, newest_first=True)
    moments = [*(() if scan is None else (scan.at,)), *(each.resolved_at for each in newest)]
    return max(moments, default=None)


# -- who said what --------------------------------------------------------------------------------------------


def heard_in(read: Reader, account: Account, standing: Standing) -> Heard:
    """What the champion said since it was deployed, else what the online learner said while there was none.

    What a model said before it was deployed is left out: it was deployed because that was good.
    """
    table = table_of(read.samples(), account.schema)
    if standing.since is not None:
        table = table.take(table.decided_at >= (standing.since - EPOCH) // _MICROSECOND)
    if standing.champion is not None and standing.champion != ONLINE:
        judged = read.judged(standing.champion)
        spoken = {each.decision_id: (each.forecast, each.threshold) for each in judged}
        sentence = f"{standing.champion} is deployed: what it said of signals since then"
    else:
        made = [(each.decision_id, each.ml) for each in read.decisions()]
        spoken = {name: (ml.forecast, ml.threshold) for name, ml in made if ml.forecast is not None}
        speaks = account.config.learning.online == "speaks"
        sentence = f"{NOTHING_DEPLOYED}, {_HEARD[speaks]}"
        if standing.champion == ONLINE:
            sentence = "the online learner is deployed: what it said of signals since then"
    names = table.decision_id.tolist()
    table = table.take(np.array([name in spoken for name in names], dtype=np.bool_))
    found = np.array([spoken[name] for name in table.decision_id.tolist()], dtype=np.float64).reshape(-1, 2)
    said = Said(model=standing.champion or ONLINE, p=found[:, 0], threshold=found[:, 1])
    return Heard(table=table, said=said, sentence=sentence)


def _report(read: Reader, account: Account, standing: Standing, heard: Heard) -> Report:
    record = _record(read, standing)
    return report_of(
        heard.table,
        heard.said,
        deployment=None if record is None else _at_deployment(read, record.model_id),
        importances=None if record is None else _importances(read, record),
        seed=account.config.training.seed,
    )


def _record(read: Reader, standing: Standing) -> ModelRecord | None:
    champion = standing.champion
    return None if champion is None or champion == ONLINE else read.model(champion)


def _at_deployment(read: Reader, model_id: str) -> AtDeployment | None:
    """The verdict that the model was deployed on; None where a person deployed it without one."""
    for each in read.evaluations(EvaluationKind.VERDICT, model_id=model_id, newest_first=True):
        told: Mapping[str, Any] = each.document
        if told["deploy"]:
            ends = told["auc_ci"]
            known = ends is not None and None not in ends
            interval = Interval(low=ends[0], high=ends[1], level=LEVEL) if known else None
            return AtDeployment(
                auc=Measured(value=told["auc"], interval=interval),
                ev_filtered=told["ev_filtered"],
                brier=told["brier"],
                log_loss=told["log_loss"],
                resolved=told["resolved"],
            )
    return None


def _importances(read: Reader, record: ModelRecord) -> Importances:
    """The bundle's, and whether the last trainings leaned on the same features."""
    from learning.families.importance import stability  # noqa: PLC0415 - the families are slow to import

    own = _importance_of(record)
    others = [_importance_of(each) for each in read.models() if each.schema == record.schema][-COMPARED_TRAININGS:]
    names = sorted(set().union(*others))
    ranked = np.array([[each.get(name, 0.0) for name in names] for each in others]).reshape(len(others), len(names))
    scores = record.document.get("scores")
    across = scores.get("importance_stability") if isinstance(scores, Mapping) else None
    return Importances(
        features=dict(sorted(own.items(), key=lambda each: (-each[1], each[0]))),
        across_folds=across if isinstance(across, float) else None,
        across_trainings=stability(ranked),
    )


def _importance_of(record: ModelRecord) -> dict[str, float]:
    found = record.document.get("importances")
    return {str(name): float(value) for name, value in found.items()} if isinstance(found, Mapping) else {}


# -- samples --------------------------------------------------------------------------------------------------


def training_window(whole: SampleTable, account: Account) -> SampleTable:
    """The samples that a training now would read."""
    if not len(whole):
        return whole
    return decided_since(whole, decided_at(whole, -1) - timedelta(days=account.config.training.window_days))


def quality(whole: SampleTable, account: Account) -> Document:
    """The quality of the samples in the training window, and what forbids a training. The training itself looks once
    more, at the part of them that the verdict does not keep."""
    found = _quality(training_window(whole, account), account)
    return {"ok": found.ok, **_document(plain(found))}


def _quality(table: SampleTable, account: Account) -> Quality:
    section = account.config.training
    settings = QualitySettings(
        minimum_per_class=section.minimum_per_class,
        largest_imbalance=section.largest_imbalance,
        largest_missing=section.largest_missing,
        minimum_samples=section.minimum_samples,
    )
    return quality_of(table, settings, minimum_samples=section.minimum_samples)


def training_now(read: Reader, account: Account, at: datetime, whole: SampleTable) -> Document:
    """What a training at `at` would have to work with; nothing is trained."""
    section, table = account.config.training, training_window(whole, account)
    last = read.evaluations(EvaluationKind.TRAINING, limit=1, newest_first=True)
    trained_at = last[0].at if last else None
    new = len(table)
    if trained_at is not None:
        new = int((table.resolved_at > (trained_at - EPOCH) // _MICROSECOND).sum())
    few = len(table) * (1 - section.verdict_share) < section.small_below
    faults = list(_quality(table, account).faults)
    error = verdict_error(read, account.config, whole, at) if len(whole) else 0.0
    return {
        "samples": len(table),
        "collected": len(whole),
        "new": new,
        "needed": section.minimum_samples,
        "window_days": section.window_days,
        "last_trained_at": None if trained_at is None else trained_at.isoformat(),
        "families": list(section.families[:1] if few else section.families),
        "trials": 1 if few else section.budget,
        "verdict_error": error,
        "would_train": not faults,
        "faults": faults,
    }


def trials(read: Reader, at: datetime) -> Document:
    """Everything that was ever tried: each trial counts against the best result, each verdict against the year."""
    trainings = read.evaluations(EvaluationKind.TRAINING)
    spent = [each for each in spent_errors(read) if each.at > at - timedelta(days=365)]
    last = trainings[-1] if trainings else None
    return {
        "trainings": len(trainings),
        "trials": sum(_count(each.document.get("trials")) for each in trainings),
        "verdicts_this_year": len(spent),
        "error_spent_this_year": sum(each.alpha for each in spent),
        "last": None
        if last is None
        else {
            "at": last.at.isoformat(),
            "reason": last.document.get("reason"),
            "chosen": last.document.get("chosen"),
            "probability_of_overfitting": last.document.get("probability_of_overfitting"),
            "deflated_sharpe": last.document.get("deflated_sharpe"),
        },
    }


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


# -- drift ----------------------------------------------------------------------------------------------------


def drift(read: Reader, account: Account, at: datetime, *, whole: SampleTable | None = None) -> Document:
    """What detectors found in the last 30 days, and what the features and the calibration are like now."""
    standing = standing_in(read, account.config)
    begins = at - timedelta(days=DRIFT_DAYS)
    found = [each for each in read.drift_events() if begins < each.at <= at]
    collected = collected_samples(read, account) if whole is None else whole
    return {
        "from": begins.isoformat(),
        "until": at.isoformat(),
        "findings": [
            {
                "at": each.at.isoformat(),
                "detector": each.detector,
                "stream": each.stream,
                "before": each.critical,
                "after": each.value,
                "told": each.detail,
            }
            for each in reversed(found)
        ],
        "features": _feature_drift(_record(read, standing), collected),
        "calibration": _calibration(heard_in(read, account, standing)),
    }


def drift_findings(read: Reader, account: Account, at: datetime) -> tuple[DriftFinding, ...]:
    """What the comparisons of whole tables find in the champion's features and forecasts; none without a champion."""
    standing = standing_in(read, account.config)
    record = _record(read, standing)
    if record is None:
        return ()
    heard = heard_in(read, account, standing)
    newest = slice(-CALIBRATED_ON, None)
    compared = _compared(record, collected_samples(read, account))
    found = (compared.finding(at), calibration_drift(heard.table.take(newest), heard.said.p[newest]).finding(at))
    return tuple(each for each in found if each is not None)


def _compared(record: ModelRecord, whole: SampleTable) -> FeatureDrift:
    """The features of the champion's training window against those of all that was decided since."""
    from_, until = ((each - EPOCH) // _MICROSECOND for each in (record.trained_from, record.trained_until))
    inside = (whole.decided_at >= from_) & (whole.decided_at <= until)
    return feature_drift(whole.take(inside), whole.take(whole.decided_at > until))


def _feature_drift(record: ModelRecord | None, whole: SampleTable) -> Document:
    """The champion's training window against all that was decided since; without one there is nothing to compare."""
    if record is None:
        return {"why": "no trained model is deployed: there is no training window to compare with", "features": []}
    found = _compared(record, whole)
    lines = sorted(found.features, key=lambda each: (-_excess(each), each.name))
    return {
        "why": found.why,
        "alpha": found.alpha,
        "reference_rows": found.reference_rows,
        "recent_rows": found.recent_rows,
        "tested": found.tested,
        "drifted": [each.name for each in lines if each.drifted],
        "features": [
            {
                "feature": each.name,
                "psi": None if each.psi is None else each.psi.value,
                "critical": plain(each.critical),
                "drifted": each.drifted,
                "why": each.why,
            }
            for each in lines
        ],
    }


def _excess(line: FeaturePsi) -> float:
    return line.psi.value / line.critical if line.psi is not None and line.critical else -1.0


def _calibration(heard: Heard) -> Document:
    newest = slice(-CALIBRATED_ON, None)
    found = calibration_drift(heard.table.take(newest), heard.said.p[newest])
    return {"model": heard.said.model, "drifted": found.drifted, **_document(plain(found))}


def _document(value: object) -> Document:
    return dict(value) if isinstance(value, Mapping) else {}
