"""A learning cycle between journal and trainer: what it is given, and how its answer is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from daemon.casting import MODELS, begin_blend, standing_in
from daemon.config import Config
from domain.clock import EPOCH
from domain.errors import InvalidInput
from domain.learning import EvaluationKind
from journal.batch import Batch
from journal.reader import Reader
from learning.accumulated import load, merged, since
from learning.cycle import DAEMON, Conclusion, concluded
from learning.judgement.spending import ErrorBudget, Spent
from learning.parquet import write_samples
from learning.table import SampleTable, table_of
from learning.training.job import Pinned, TrainingJob
from learning.training.settings import TrainingSettings

SAMPLES: Final = "samples"
"""The folder of samples collected from backtests, beside an account's journal."""
TRAINING: Final = "training"
"""The folder of the training under way."""
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What a cycle needs to know of an account: its files, its features, the length of its bars."""

    folder: Path
    config: Config
    schema: str
    bar: timedelta

    @property
    def models(self) -> Path:
        return self.folder / MODELS

    @property
    def training(self) -> Path:
        return self.folder / TRAINING


def training_settings_of(config: Config, bar: timedelta) -> TrainingSettings:
    """How trainings of this configuration go; a label may be known one bar later than it is dated."""
    section = config.training
    return TrainingSettings(
        families=section.families,
        ensembles=section.ensembles,
        budget=section.budget,
        small_below=section.small_below,
        splits=section.splits,
        verdict_share=section.verdict_share,
        lag_s=int(bar.total_seconds()),
        minimum_samples=section.minimum_samples,
        minimum_resolved=section.minimum_resolved,
        minimum_per_class=section.minimum_per_class,
        largest_imbalance=section.largest_imbalance,
        largest_missing=section.largest_missing,
        window_days=section.window_days,
        half_life_days=section.half_life_days,
        balanced=section.balanced,
        threshold=config.learning.threshold,
        seed=section.seed,
    )


def collected_samples(
    read: Reader, account: Account, *, limit: int | None = None, until: datetime | None = None
) -> SampleTable:
    """The account's own samples, the first `limit` of them, and those collected from backtests, as far back as they are
    kept before the newest of them; none that was resolved after `until`."""
    own = table_of(read.samples(limit), account.schema)
    more = load(account.folder / SAMPLES, schema=account.schema).table
    if until is not None:
        own, more = (table.take(table.resolved_at <= (until - EPOCH) // _MICROSECOND) for table in (own, more))
    tables = [table for table in (own, more) if len(table)]
    if not tables:
        return own
    whole = merged(tables)
    return since(whole, decided_at(whole, -1) - timedelta(days=account.config.training.retention_days))


def verdict_error(read: Reader, config: Config, table: SampleTable, now: datetime) -> float:
    """The error that a verdict at `now` may spend: none before the next one is due."""
    spent = spent_errors(read)
    every = timedelta(days=config.training.verdict_every_days)
    if spent and now - spent[-1].at < every:
        return 0.0
    budget = ErrorBudget(rate=config.training.promotions_a_year)
    return budget.available(now, spent, started_at=min(decided_at(table, 0), now))


def spent_errors(read: Reader) -> Sequence[Spent]:
    """Every verdict that was tested, in order of time: a clock that was set back changes the journal's order."""
    verdicts = sorted(read.evaluations(EvaluationKind.VERDICT), key=lambda each: each.at)
    found: list[Spent] = []
    for each in verdicts:
        alpha = each.document["spent"]
        if isinstance(alpha, float) and alpha > 0:
            found.append(Spent(at=each.at, alpha=alpha))
    return found


def decided_at(table: SampleTable, row: int) -> datetime:
    """When a sample's decision was taken."""
    return EPOCH + timedelta(microseconds=int(table.decided_at[row]))


def prepared(read: Reader, account: Account, table: SampleTable, now: datetime) -> TrainingJob:
    """Lay down the samples of a cycle and say what is to be done with them. Raises `InvalidInput` without samples."""
    if not len(table):
        raise InvalidInput("there are no samples to train on: trade, replay, or run `ratchet learn accumulate`")
    account.training.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = account.training / "samples.parquet"
    write_samples(table, file)
    return job_of(read, account, file, table, now)


def job_of(read: Reader, account: Account, file: Path, table: SampleTable, now: datetime) -> TrainingJob:
    """What is to be done with a file that holds the samples of `table`; who is to be beaten spoke at `now`, which may
    lie back where a training was broken off."""
    standing = standing_in(read, account.config, until=now)
    return TrainingJob(
        samples=file,
        models=account.models,
        settings=training_settings_of(account.config, account.bar),
        alpha=verdict_error(read, account.config, table, now),
        at=now,
        champion=_pinned(read, standing.champion),
        challenger=_pinned(read, standing.challenger),
        families=account.config.training.families_folder,
    )


def written_down(
    read: Reader, config: Config, answer: Mapping[str, Any], *, at: datetime, by: str = DAEMON, simulated: bool = False
) -> tuple[Conclusion, Batch]:
    """What a training's answer changes, and the transaction that says so."""
    conclusion = concluded(answer, standing_in(read, config), at=at, by=by, simulated=simulated)
    batch = Batch()
    if conclusion.record is not None and read.model(conclusion.record.model_id) is None:
        batch.add(conclusion.record)
    for evaluation in conclusion.evaluations:
        batch.add(evaluation)
    for event in conclusion.events:
        batch.add(event)
    if conclusion.deployed is not None:
        begin_blend(batch)
    return conclusion, batch


def _pinned(read: Reader, model_id: str | None) -> Pinned | None:
    record = None if model_id is None else read.model(model_id)
    if record is None:
        return None
    verdicts = read.evaluations(EvaluationKind.VERDICT, model_id=record.model_id)
    tests = sum(1 for each in verdicts if each.document["spent"])
    return Pinned(model_id=record.model_id, sha256=record.sha256, tests=tests)
