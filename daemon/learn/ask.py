"""Asking for a training: what is new since the last one, what calls for the next, and one now where no daemon runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np

from daemon.casting import standing_in
from daemon.config import Config
from daemon.cycles import SAMPLES, Account, collected_samples, decided_at, prepared
from daemon.jobs.training import ASKED_AT
from daemon.learn.account import OpenAccount
from daemon.learn.train import conclude
from domain.clock import EPOCH
from domain.decisions import SampleSource
from domain.learning import ONLINE, Evaluation, EvaluationKind, JudgedPrediction
from journal.reader import Reader
from learning.accumulated import load, since
from learning.drift.calibration import DETECTOR as CALIBRATION_DETECTOR
from learning.drift.features import DETECTOR as FEATURES_DETECTOR
from learning.drift.findings import DriftFinding, DriftKind
from learning.parquet import read_samples
from learning.quality import Quality, QualitySettings, quality_of
from learning.table import Mask, SampleTable
from learning.training.job import Progress
from learning.training.process import ProcessTrainer
from learning.triggers import MINIMUM_TO_BEGIN, Share, Trigger, TriggerSettings, TriggerState, due
from learning.uniqueness import effective_samples

OWN: Final = (SampleSource.REAL.value, SampleSource.SHADOW.value)
"""The sources of samples that are an account's own; all others were collected."""
EVEN: Final = 0.5
_KINDS = {FEATURES_DETECTOR: DriftKind.FEATURES, CALIBRATION_DETECTOR: DriftKind.CALIBRATION}
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stock:
    """The samples that a training would read now, how many of them no training has read yet, and the last training.

    `trained` is the newest training that had something to learn from, None before the first; `at` is when that one
    read its samples.
    """

    table: SampleTable
    new: int
    trained: Evaluation | None
    at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """What a look at the samples came to. `told` says in a sentence whether a training is called for, and why."""

    quality: Quality
    triggers: tuple[Trigger, ...]
    stock: Stock
    trains: bool
    told: str

    def document(self) -> dict[str, Any]:
        """All of it as plain values; an imbalance without end as None."""
        quality = asdict(self.quality)
        if not np.isfinite(self.quality.imbalance):
            quality["imbalance"] = None
        return {
            "samples": len(self.stock.table),
            "new": self.stock.new,
            "quality": {**quality, "ok": self.quality.ok},
            "triggers": [
                {"kind": each.kind.value, "reason": each.reason, "trains": each.trains} for each in self.triggers
            ],
            "trains": self.trains,
            "decided": self.told,
        }


def last_training(read: Reader) -> Evaluation | None:
    """The newest training that had something to learn from: it tried at least one candidate."""
    trainings = read.evaluations(EvaluationKind.TRAINING, newest_first=True)
    return next((each for each in trainings if each.document.get("trials")), None)


def stock_of(read: Reader, account: Account) -> Stock:
    """The samples within the training window, with what is new among them."""
    trained, whole = last_training(read), collected_samples(read, account)
    if len(whole):
        whole = since(whole, decided_at(whole, -1) - timedelta(days=account.config.training.window_days))
    at = None if trained is None else _read_at(trained)
    new = len(whole) if at is None else int(_new(whole, account, at).sum())
    return Stock(table=whole, new=new, trained=trained, at=at)


def shortage(read: Reader, account: Account) -> str:
    """Why a training would learn next to nothing, in a sentence; empty where enough is new."""
    least = account.config.training.minimum_new
    trained = last_training(read)
    if trained is not None:
        # Usually the account's own newest samples are enough, and the rest need not be read.
        newest = read.samples(least, newest_first=True)
        if len(newest) == least and all(sample.resolved_at > _read_at(trained) for sample in newest):
            return ""
    stock = stock_of(read, account)
    if stock.new >= least:
        return ""
    when = "" if stock.at is None else f" since the training of {stock.at:%Y-%m-%d %H:%M} UTC"
    return f"{stock.new} new samples{when}, and a training takes {least}; --force trains regardless"


def quality_settings(config: Config) -> QualitySettings:
    """What the configuration asks of samples."""
    section = config.training
    return QualitySettings(
        minimum_per_class=section.minimum_per_class,
        largest_imbalance=section.largest_imbalance,
        largest_missing=section.largest_missing,
        minimum_samples=section.minimum_samples,
    )


def decide(read: Reader, account: Account, now: datetime) -> Decided:
    """Whether anything calls for a training, and whether the samples allow one."""
    section, stock = account.config.training, stock_of(read, account)
    quality = quality_of(stock.table, quality_settings(account.config), minimum_samples=section.minimum_samples)
    triggers = due(_state(read, account, stock, now), _trigger_settings(account.config), now)
    calling = [each for each in triggers if each.trains]
    if calling and quality.ok:
        told = f"training: {'; '.join(each.reason for each in calling)}"
    elif triggers and not quality.ok:
        told = f"not trained: {'; '.join(quality.faults)}"
    elif triggers:
        told = f"not trained: {'; '.join(each.reason for each in triggers)}"
    else:
        told = f"not trained: nothing calls for it, {stock.new} samples are new since the last training"
    return Decided(quality=quality, triggers=triggers, stock=stock, trains=bool(calling) and quality.ok, told=told)


def train_now(opened: OpenAccount, *, cause: str, by: str, now: datetime, told: Progress) -> dict[str, Any]:
    """One training on the account's samples, written down like those of its daemon, which does not run.

    Raises `InvalidInput` without samples, `TrainingFailed` when there is no answer.
    """
    read, account = opened.journal.read, opened.account
    job = prepared(read, account, collected_samples(read, account, until=now), now)
    section = account.config.training
    deadline = timedelta(minutes=section.deadline_minutes)
    trainer = ProcessTrainer(folder=account.training, deadline=deadline, memory_mb=section.memory_mb, niceness=0)
    answer = {**asyncio.run(trainer.train(job, told)), "cause": cause}
    conclude(opened, account, answer, now, by=by)
    answer.pop("record", None)
    return {**answer, "notes": [], "folder": opened.paths.folder.name}


# -- what is new ----------------------------------------------------------------------------------------------


def _read_at(trained: Evaluation) -> datetime:
    """When a training read its samples: as it was asked for, which it or its model says, not as it ended."""
    record, asked_at = trained.document.get("record"), trained.document.get(ASKED_AT)
    if asked_at is not None:
        return datetime.fromisoformat(str(asked_at))
    return datetime.fromisoformat(str(record["created_at"])) if isinstance(record, dict) else trained.at


def _new(table: SampleTable, account: Account, at: datetime) -> Mask:
    """Own samples that were resolved after `at`, and collected ones that no file held by then."""
    own = np.isin(table.source, OWN)
    resolved: Mask = table.resolved_at > (at - EPOCH) // _MICROSECOND
    return np.where(own, resolved, ~np.isin(table.decision_id, _collected_by(account, at)))


def _collected_by(account: Account, at: datetime) -> list[str]:
    """The decisions in the files of collected samples that were there at this time."""
    known: list[str] = []
    for path in load(account.folder / SAMPLES, schema=account.schema).files:
        if _written_at(path) <= at:
            known.extend(read_samples(path).table.decision_id.tolist())
    return known


def _written_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


# -- what calls for a training --------------------------------------------------------------------------------


def _trigger_settings(config: Config) -> TriggerSettings:
    section = config.training
    return TriggerSettings(
        minimum_samples=max(section.minimum_samples, MINIMUM_TO_BEGIN),
        minimum_new=max(section.minimum_new, 1),
        window=timedelta(days=section.window_days),
        expires_after=timedelta(days=section.expires_after_days),
    )


def _state(read: Reader, account: Account, stock: Stock, now: datetime) -> TriggerState:
    """What triggers are asked about. What was said at deployment is no part of it: of that the journal has R alone."""
    standing = standing_in(read, account.config)
    known = TriggerState(
        samples=len(stock.table), new=stock.new, trained_at=None if stock.trained is None else stock.trained.at
    )
    if standing.champion is None or standing.champion == ONLINE or standing.since is None:
        return known
    record, began = read.model(standing.champion), standing.since
    window = set(stock.table.decision_id.tolist())
    judged = read.judged(standing.champion)
    said = [each for each in judged if each.decided_at >= began and each.decision_id in window]
    return TriggerState(
        samples=known.samples,
        new=known.new,
        trained_at=known.trained_at,
        champion_trained_at=None if record is None else record.created_at,
        accuracy=_share([(each.forecast >= EVEN) == (each.label == 1) for each in said], said, stock.table),
        base_rate=None if not said else sum(each.label for each in said) / len(said),
        success=_success(said, stock.table),
        break_even=_break_even([each.r_net for each in said if each.forecast >= each.threshold]),
        findings=tuple(findings_since(read, max(began, now - timedelta(days=account.config.training.window_days)))),
    )


def findings_since(read: Reader, at: datetime) -> list[DriftFinding]:
    """What detectors found from `at` on, the oldest first."""
    return [
        DriftFinding(
            kind=_KINDS.get(each.detector, DriftKind.ERRORS),
            detector=each.detector,
            subject=each.stream,
            at=each.at,
            before=each.critical,
            after=each.value,
            told=each.detail,
        )
        for each in read.drift_events()
        if each.at >= at and each.detail
    ]


def _success(said: Sequence[JudgedPrediction], table: SampleTable) -> Share | None:
    through = [each for each in said if each.forecast >= each.threshold]
    return _share([each.label == 1 for each in through], through, table)


def _share(hits: Sequence[bool], said: Sequence[JudgedPrediction], table: SampleTable) -> Share | None:
    """The share of hits, and how many samples without overlap these are worth."""
    if not said:
        return None
    rows = np.isin(table.decision_id, [each.decision_id for each in said])
    return Share(value=sum(hits) / len(said), samples=len(said), effective=effective_samples(table.take(rows)))


def _break_even(r: Sequence[float]) -> float | None:
    """The share of winners at which gains and losses of these mean sizes even out."""
    won, lost = [each for each in r if each > 0], [-each for each in r if each < 0]
    if not won or not lost:
        return None
    gain, loss = sum(won) / len(won), sum(lost) / len(lost)
    return loss / (gain + loss)
