"""`ratchet learn train`: one training now, on the account's samples or a file, judged and, if better, deployed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.casting import standing_in
from daemon.config import Config
from daemon.cycles import Account, collected_samples, job_of, prepared, written_down
from daemon.learn.account import OpenAccount, opened_account
from learning.parquet import read_samples
from learning.registry.bundle import prune
from learning.training.job import Progress
from learning.training.process import ProcessTrainer
from learning.training.settings import TrainingSettings
from signals.features import SCHEMA_HASH

Change = Callable[[TrainingSettings], TrainingSettings]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainOptions:
    """One training. `samples` None takes the account's own; `change` overrides the configuration; `by` is who asked."""

    config: Config
    samples: Path | None
    state: Path | None
    change: Change
    by: str


def train(options: TrainOptions, now: datetime, environ: Mapping[str, str], told: Progress) -> dict[str, Any]:
    """The training's answer, after it was written down and its model, where it won, deployed.

    Raises `Refused` while the account's daemon runs, `TrainingFailed` and `InvalidInput` as trainings do.
    """
    schema: str = SCHEMA_HASH
    notes: tuple[str, ...] = ()
    if options.samples is not None:
        file = read_samples(options.samples)
        schema, notes = file.table.schema, file.notes
    with opened_account(options.config, environ, options.state, schema=schema) as opened:
        answer = _trained(options, opened, now, told)
    return {**answer, "notes": list(notes), "folder": opened.paths.folder.name}


def _trained(options: TrainOptions, opened: OpenAccount, now: datetime, told: Progress) -> dict[str, Any]:
    read, account = opened.journal.read, opened.account
    if options.samples is None:
        job = prepared(read, account, collected_samples(read, account, until=now), now)
    else:
        # A file is taken whole unless a window is asked for: nobody knows what its newest sample is to the user.
        job = job_of(read, account, options.samples.absolute(), read_samples(options.samples).table, now)
        job = replace(job, settings=replace(job.settings, window_days=None))
    job = replace(job, settings=options.change(job.settings))
    section = options.config.training
    trainer = ProcessTrainer(
        folder=account.training,
        deadline=timedelta(minutes=section.deadline_minutes),
        memory_mb=section.memory_mb,
        niceness=0,
    )
    answer = asyncio.run(trainer.train(job, told))
    conclude(opened, account, {**answer, "cause": "a person asked"}, now, by=options.by)
    return answer


def conclude(opened: OpenAccount, account: Account, answer: Mapping[str, Any], now: datetime, *, by: str) -> str:
    """Write a training's answer down in one transaction; gives the sentence that says what came of it."""
    conclusion, batch = written_down(opened.journal.read, account.config, answer, at=now, by=by)
    opened.journal.commit(batch)
    in_use = standing_in(opened.journal.read, account.config).in_use
    prune(account.models, in_use, least=account.config.training.keep)
    return conclusion.sentence
