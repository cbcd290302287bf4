"""Weekly: are signals still of the kind that the champion learned from, and does it still mean what it says?

The watch on outcomes looks at every label as it lands; these two look at whole tables, and only while a model is
deployed. What they find stands beside the watch's findings: one asks for a challenger, two of different kinds hold the
filter back.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from daemon.casting import standing_in
from daemon.cycles import Account
from daemon.jobs.training import recast
from daemon.learn.evaluate import drift_findings
from daemon.metrics import Metrics
from daemon.wiring import Trading
from domain.learning import ONLINE
from journal.batch import Batch
from trading.drift import event_of


class WeeklyDrift:
    """Compares features with those of training, and forecasts with what came of them."""

    def __init__(self, trading: Trading, account: Account, metrics: Metrics, *, inline: bool) -> None:
        """`inline` reads where it is called, as replays do; live, thousands of rows are read beside the loop."""
        self._trading = trading
        self._account = account
        self._metrics = metrics
        self._inline = inline

    async def run(self, at: datetime) -> str | None:
        """What was found, in one sentence; None where no model is deployed."""
        await self._trading.writer.flush()
        read = self._trading.journal.read
        champion = standing_in(read, self._account.config).champion
        if champion is None or champion == ONLINE:
            return None
        if self._inline:
            found = drift_findings(read, self._account, at)
        else:
            found = await asyncio.to_thread(drift_findings, read, self._account, at)
        known = {each.event_id for each in read.drift_events()}
        batch = Batch()
        for finding in found:
            event = event_of(finding, champion)
            if event.event_id not in known:
                batch.add(event)
                self._metrics.learning.drifted(event.detector)
                self._trading.session.aftermath.drift.findings.append(finding)
        if len(batch):
            self._trading.writer.defer(batch)
            await recast(self._trading, self._account, at, fresh_blend=False)
        return "; ".join(finding.told for finding in found) or "no drift of features or calibration"
