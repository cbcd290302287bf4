"""Which jobs a run has. Live and replay declare the same ones; the scan itself is driven by the feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from daemon.config import Config
from daemon.jobs.data_quality import DataQuality
from daemon.jobs.reconciliation import Reconciliation
from daemon.jobs.weights import EnsembleWeights
from daemon.metrics import Metrics
from daemon.schedule import At, Every, Job, standard_job
from daemon.watching import Snapshots
from daemon.wiring import Trading

Run = Callable[[datetime], Awaitable[None]]


def replay_jobs(trading: Trading, metrics: Metrics, snapshots: Snapshots, config: Config) -> tuple[Job, ...]:
    """The jobs of a replay: those of a live run that look at the market or the account."""
    return standing_jobs(trading, metrics, snapshots, config)


def standing_jobs(trading: Trading, metrics: Metrics, snapshots: Snapshots, config: Config) -> tuple[Job, ...]:
    """Reconciliation, ensemble weights, data quality and the model's figures, at their configured times."""
    plan = config.schedule
    quality = DataQuality(trading)

    async def look_at_quality(at: datetime) -> None:
        await quality.run(at)

    async def measure(_at: datetime) -> None:
        snapshots.measure_model()

    return (
        standard_job(
            "reconcile",
            Reconciliation(trading, metrics).run,
            trigger=Every(period=timedelta(seconds=plan.reconcile_every_s)),
        ),
        standard_job(
            "ensemble_weights",
            EnsembleWeights(trading, config.signals.weights).run,
            trigger=At(at=plan.ensemble_weights_at),
        ),
        standard_job("data_quality", look_at_quality, trigger=At(at=plan.data_quality_at)),
        standard_job("evaluation", measure),
    )
