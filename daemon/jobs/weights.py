"""Daily: the strategies' weights in the ensemble, from the record of how their proposals ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from daemon.parts import WEIGHTS_KEY
from daemon.wiring import Trading
from journal.batch import Batch


class EnsembleWeights:
    """Refreshes the weights; the ones fixed by configuration stay as they are."""

    def __init__(self, trading: Trading, fixed: Mapping[str, float]) -> None:
        self._trading = trading
        self._fixed = fixed

    async def run(self, at: datetime) -> None:
        session = self._trading.session
        weights = self._trading.record.weights(at)
        session.weights = {**weights, **self._fixed}
        batch = Batch()
        batch.put_state(WEIGHTS_KEY, json.dumps(dict(weights), sort_keys=True))
        self._trading.writer.defer(batch)
