"""Hourly or more often: when a drawdown or emergency has latched, a challenger is trained in shadow and set beside the
champion.

Nothing is deployed, whatever comes out. Each hold is answered once. When it is noticed, the number of samples there
are by then is journaled under `RETRAINING_KEY`, and with the answer what came of it: a training that was broken off
begins again with the same samples.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from daemon.config import Config
from daemon.metrics import Metrics
from daemon.settings import online_settings_of
from daemon.wiring import Trading
from domain.decisions import MlView
from domain.errors import Impossible
from domain.holds import HoldCause
from journal.batch import Batch
from learning.challenger import RETRAINING_KEY, Challenger, Comparison

CALLING: Final = frozenset({HoldCause.DRAWDOWN, HoldCause.EMERGENCY})
"""Causes whose latched holds call for a challenger."""

STEPS_A_RUN: Final = 4_000
"""A challenger's steps in one run, about a second of work: whoever runs a job keeps the scan waiting."""

STEPS_A_TURN: Final = 100
"""How many of them before the event loop gets its turn."""


class DrawdownRetraining:
    """Answers latched holds one after the other, in the order in which they were noticed."""

    def __init__(self, trading: Trading, metrics: Metrics, config: Config) -> None:
        self._trading = trading
        self._metrics = metrics
        self._settings = online_settings_of(config)
        stored = trading.journal.read.state(RETRAINING_KEY)
        self._kept: list[dict[str, Any]] = [] if stored is None else json.loads(stored)
        self._noticed = {str(each["hold_id"]) for each in self._kept}
        self._searched = False
        self._rebased_at: datetime | None = None
        self._challenger: Challenger | None = None

    async def run(self, _at: datetime) -> str | None:
        """Work on the first hold that has no answer; the answer, or how far it is, in one sentence."""
        await self._notice()
        waiting = next((each for each in self._kept if "sentence" not in each), None)
        if waiting is None:
            return None
        if self._challenger is None:
            self._challenger = await self._new_challenger(waiting["samples"])
        for _ in range(STEPS_A_RUN // STEPS_A_TURN):
            self._challenger.advance(STEPS_A_TURN)
            await asyncio.sleep(0)
            if not self._challenger.steps_left:
                return self._answer(waiting, self._challenger.comparison())
        return f"{_called_for(waiting)}: a challenger is being trained, {self._challenger.steps_left} steps to go"

    async def _notice(self) -> None:
        """Take note of what latched. A hold that a person cleared before this job came by is only in the journal."""
        rebased_at = self._trading.session.risk.state.rebased_at
        found = self._trading.session.holds.all()
        if not self._searched or rebased_at != self._rebased_at:
            await self._trading.writer.flush()
            found = tuple(self._trading.journal.read.holds())
            self._searched, self._rebased_at = True, rebased_at
        calling = [hold for hold in found if hold.latched and hold.cause in CALLING]
        new = [hold for hold in calling if hold.hold_id not in self._noticed]
        if not new:
            return
        await self._trading.writer.flush()
        samples = self._trading.journal.read.counts()["samples"]
        for hold in sorted(new, key=lambda each: (each.since, each.hold_id)):
            self._noticed.add(hold.hold_id)
            about = {"hold_id": hold.hold_id, "cause": hold.cause.value, "since": hold.since.isoformat()}
            self._kept.append({**about, "samples": samples})
        self._keep()

    async def _new_challenger(self, known: int) -> Challenger:
        read = self._trading.journal.read
        # A journal's connection takes one reader after the other: the loop need not wait for thousands of rows.
        samples = await asyncio.to_thread(read.samples, known)

        def said(decision_id: str) -> MlView:
            decision = read.decision(decision_id)
            if decision is None:
                raise Impossible(f"the journal has a sample of decision {decision_id}, and no such decision")
            return decision.ml

        return Challenger(samples, said, self._settings, schema=self._trading.session.aftermath.model.schema)

    def _answer(self, waiting: dict[str, Any], comparison: Comparison) -> str:
        sentence = f"{_called_for(waiting)}: a challenger {comparison.told}; the champion stays"
        waiting.update(asdict(comparison), sentence=sentence)
        self._challenger = None
        self._keep()
        self._metrics.learning.retrained()
        return sentence

    def _keep(self) -> None:
        batch = Batch()
        batch.put_state(RETRAINING_KEY, json.dumps(self._kept, sort_keys=True))
        self._trading.writer.defer(batch)


def _called_for(waiting: dict[str, Any]) -> str:
    return f"{waiting['cause']} of {datetime.fromisoformat(waiting['since']):%Y-%m-%d %H:%M} UTC"
