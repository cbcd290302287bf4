"""Every minute live, every bar in a replay: our books against the venue's own report."""

from __future__ import annotations

from datetime import datetime

from daemon.metrics import Metrics
from daemon.wiring import Trading
from domain.clock import EPOCH
from journal.batch import Batch


class Reconciliation:
    """Runs the reconciler and tells the metrics what it found."""

    def __init__(self, trading: Trading, metrics: Metrics) -> None:
        self._trading = trading
        self._metrics = metrics

    async def run(self, _at: datetime) -> None:
        session = self._trading.session
        batch = Batch()
        findings = await session.reconciler.run(batch)
        for finding in findings:
            self._metrics.service.mismatched(finding.kind)
        if session.reconciler.last_at is not None:
            self._metrics.service.reconciled((session.reconciler.last_at - EPOCH).total_seconds())
        if len(batch):
            self._trading.writer.defer(batch)
