"""Which jobs a run has. Live and replay declare the same ones; the scan itself is driven by the feed."""

from __future__ import annotations

from datetime import datetime, timedelta

from daemon.config import Config
from daemon.jobs.data_quality import DataQuality
from daemon.jobs.portfolio import RefreshPortfolio
from daemon.jobs.reconciliation import Reconciliation
from daemon.jobs.retraining import DrawdownRetraining
from daemon.jobs.weights import EnsembleWeights
from daemon.metrics import Metrics
from daemon.schedule import At, Every, Job, standard_job
from daemon.watching import Snapshots
from daemon.wiring import Trading


def standing_jobs(trading: Trading, metrics: Metrics, snapshots: Snapshots, config: Config) -> tuple[Job, ...]:
    """Reconciliation, ensemble and portfolio weights, data quality and the model's figures, at their configured times;
    and what follows a drawdown in shadow.

    Whoever runs one holds the session's lock.
    """
    plan = config.schedule

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
        standard_job(
            "portfolio_weights",
            RefreshPortfolio(trading, metrics).run,
            trigger=At(at=plan.portfolio_weights_at),
        ),
        standard_job("data_quality", DataQuality(trading).run, trigger=At(at=plan.data_quality_at)),
        standard_job("evaluation", measure),
        standard_job(
            "drawdown_retraining",
            DrawdownRetraining(trading, metrics, config).run,
            trigger=_between_scans(trading.session.view.timeframe.span),
        ),
    )


def _between_scans(span: timedelta) -> Every:
    """Hourly, or twice a bar where bars are short, and not when one closes; in a replay that is once at each moment,
    and a run that found nothing to do leaves no record there."""
    period = min(timedelta(hours=1), span / 2)
    return Every(period=period, offset=period / 2)
