"""Small sample tables in which something can be learned, or nothing, and quick trainings on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from learning.parquet import write_samples
from learning.registry.bundle import LoadedModel, load_bundle
from learning.table import SampleTable
from learning.training.job import Pinned, TrainingJob
from learning.training.settings import TrainingSettings

HOUR = 3_600_000_000
FIRST = 1_700_000_000_000_000
AT = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = "schema-1"


def planted(
    rows: int = 600, *, edge: float = 2.5, seed: int = 0, schema: str = SCHEMA, names: int = 3, first: int = FIRST
) -> SampleTable:
    """A decision every six hours, alive for one to nine; the first feature tells the winner by so much log-odds."""
    draw = np.random.default_rng(seed)
    decided_at = first + np.arange(rows, dtype=np.int64) * 6 * HOUR
    features = draw.standard_normal((rows, names))
    chance = 1 / (1 + np.exp(0.4 - edge * features[:, 0]))
    r_net = np.where(draw.random(rows) < chance, 1.4, -1.1) + 0.02 * draw.standard_normal(rows)
    return SampleTable(
        decision_id=np.array([f"d{seed}-{row:05d}" for row in range(rows)], dtype=np.str_),
        decided_at=decided_at,
        resolved_at=decided_at + draw.integers(1, 10, rows) * HOUR,
        instrument=np.full(rows, "COIN"),
        side=draw.choice([1, -1], rows),
        strategy=np.full(rows, "trend"),
        r_net=r_net,
        label=(r_net > 0).astype(np.int64),
        weight=np.ones(rows),
        source=np.full(rows, "real"),
        features=features,
        names=tuple(f"f_{place}" for place in range(names)),
        schema=schema,
    )


def quick(**changes: Any) -> TrainingSettings:
    """One candidate, few folds, and minimums that a small table meets."""
    wanted: dict[str, Any] = {
        "families": ("logistic",),
        "ensembles": (),
        "budget": 1,
        "splits": 3,
        "minimum_samples": 200,
        "minimum_resolved": 80,
        "minimum_taken": 20,
        "minimum_per_class": 30,
    }
    return TrainingSettings(**(wanted | changes))


def job_on(folder: Path, table: SampleTable, *, alpha: float = 0.05, at: datetime = AT, **rest: Any) -> TrainingJob:
    """A training on this table, its files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = folder / "samples.parquet"
    write_samples(table, samples)
    settings = rest.pop("settings", quick())
    return TrainingJob(samples=samples, models=folder / "models", settings=settings, alpha=alpha, at=at, **rest)


def pinned(answer: dict[str, Any]) -> Pinned:
    """The model of an answer, as the journal would pin it."""
    return Pinned(model_id=answer["record"]["model_id"], sha256=answer["record"]["sha256"])


def model_of(job: TrainingJob, answer: dict[str, Any]) -> LoadedModel:
    pin = pinned(answer)
    return load_bundle(job.models, pin.model_id, sha256=pin.sha256, schema=None)


def after(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
