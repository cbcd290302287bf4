"""Which jobs a run has. Live and replay declare the same ones; the scan itself is driven by the feed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from daemon.config import Config
from daemon.jobs.data_quality import DataQuality
from daemon.jobs.portfolio import RefreshPortfolio
from daemon.jobs.reconciliation import Reconciliation
from daemon.jobs.retraining import DrawdownRetraining
from daemon.jobs.weights import EnsembleWeights
from daemon.metrics import Metrics
from daemon.schedule import At, Every, Job, between_scans, standard_job
from daemon.watching import Snapshots
from daemon.wiring import Trading


def standing_jobs(
    trading: Trading, metrics: Metrics, snapshots: Snapshots, config: Config, learning: Sequence[Job] = ()
) -> tuple[Job, ...]:
    """Reconciliation, ensemble and portfolio weights, data quality and the model's figures, at their configured times;
    what follows a drawdown in shadow; and the jobs of the `learning` cycle, which evaluates by itself.

    Whoever runs one holds the session's lock.
    """
    plan = config.schedule

    async def measure(_at: datetime) -> None:
        snapshots.measure_model()

    between = between_scans(trading.session.view.timeframe.span)
    evaluation = () if learning else (standard_job("evaluation", measure, trigger=At(at=plan.evaluation_at)),)
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
        standard_job(
            "portfolio_weights",
            RefreshPortfolio(trading, metrics).run,
            trigger=At(at=plan.portfolio_weights_at),
        ),
        standard_job("data_quality", DataQuality(trading).run, trigger=At(at=plan.data_quality_at)),
        standard_job("drawdown_retraining", DrawdownRetraining(trading, metrics, config).run, trigger=between),
        *evaluation,
        *learning,
    )
