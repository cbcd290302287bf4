"""Daily: portfolio weights from the returns known so far; sizes follow them from the next scan on."""

from __future__ import annotations

from datetime import datetime

from daemon.metrics import Metrics
from daemon.wiring import Trading
from journal.batch import Batch


class RefreshPortfolio:
    """Computes the weights anew and tells what came of it."""

    def __init__(self, trading: Trading, metrics: Metrics) -> None:
        self._trading = trading
        self._metrics = metrics

    async def run(self, at: datetime) -> str | None:
        """See `Portfolio.refresh`; the sentence is kept with the run where there are no weights, or other ones."""
        batch = Batch()
        found = self._trading.portfolio.refresh(self._trading.session.view, at, batch)
        self._trading.writer.defer(batch)
        self._metrics.risk.weighed(found.weights, fell_back=found.fell_back)
        return found.reason or None
