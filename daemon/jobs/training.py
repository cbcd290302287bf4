"""Training beside trading: asked for by the schedule, a trigger or a person, moved on between scans, then concluded.

What is asked for is journaled at once, with the number of samples there are by then; a training that was broken off
begins again with the same samples and comes to the same model. Its answer, whoever is deployed by it and what that was
decided on are one transaction.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from daemon.casting import BLENDED, casting_of, hold_to_technical, watch_over
from daemon.config import Config
from daemon.cycles import Account, collected_samples, prepared, written_down
from daemon.metrics import Metrics
from daemon.wiring import Trading
from domain.errors import InvalidInput, TrainingFailed
from domain.identity import digest
from domain.learning import Evaluation, EvaluationKind
from journal.batch import Batch
from learning.blending import ForecastBlend
from learning.cycle import DAEMON
from learning.registry.bundle import prune
from learning.training.job import Progress, TrainingJob
from learning.training.process import ProcessTrainer

CYCLE_KEY: Final = "learning_cycle"
"""The training that is asked for or under way, as a document; `null` when there is none."""
ASKED_AT: Final = "asked_at"
"""Where a training's evaluation says when it was asked for: by it the same call, heard again after a crash, is
known."""


class Trainer(Protocol):
    """Whoever trains: in a process of its own, or where it is called."""

    async def train(self, job: TrainingJob, told: Progress) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A training that somebody asked for. `samples` is how many of the account's own it may learn from."""

    cause: str
    at: datetime
    samples: int
    by: str

    def document(self) -> dict[str, object]:
        return {"cause": self.cause, "at": self.at.isoformat(), "samples": self.samples, "by": self.by}

    @classmethod
    def read(cls, text: str | None) -> Asked | None:
        document = None if text is None else json.loads(text)
        if document is None:
            return None
        return cls(**{**document, "at": datetime.fromisoformat(document["at"])})


class Training:
    """One training at a time, from being asked for to its conclusion. Whoever calls holds the session's lock."""

    def __init__(
        self,
        trading: Trading,
        account: Account,
        trainer: Trainer,
        metrics: Metrics,
        *,
        inline: bool,
        simulated: bool = False,
    ) -> None:
        """`inline` trains within a run, as replays do; its answer takes effect when its time has come."""
        self._trading = trading
        self._account = account
        self._trainer = trainer
        self._metrics = metrics
        self._inline = inline
        self._simulated = simulated
        self._asked = Asked.read(trading.journal.read.state(CYCLE_KEY))
        self._task: asyncio.Task[dict[str, Any]] | None = None
        self._step = ""
        self._looked_until = self._asked_until()

    @property
    def under_way(self) -> Asked | None:
        return self._asked

    async def ask(self, cause: str, at: datetime, *, by: str = DAEMON) -> str:
        """Note that a training is wanted; it begins with the next `run`. What came of it, in one sentence."""
        if self._asked is not None:
            return f"a training is under way already ({self._asked.cause})"
        await self._trading.writer.flush()
        answered = self._asked_until()
        if answered is not None and at <= answered:
            return f"a training that was asked for at {answered.isoformat()} is answered already"
        samples = self._trading.journal.read.counts()["samples"]
        self._asked = Asked(cause=cause, at=at, samples=samples, by=by)
        self._looked_until = at
        self._keep(self._asked, Batch())
        return f"a training was asked for: {cause}"

    async def run(self, at: datetime) -> str | None:
        """Begin, look after, or conclude; None when there is nothing to do."""
        if self._asked is None:
            return await self._look_for_drift(at)
        if self._task is None:
            refusal = await self._begin(self._asked)
            if refusal is not None:
                return self._failed(self._asked, refusal, at)
        task = self._task
        if task is None or not task.done():
            return f"training ({self._asked.cause}): {self._step}"
        delay = timedelta(minutes=self._account.config.training.effect_delay_minutes)
        if self._inline and at < self._asked.at + delay:
            return None
        return await self._conclude(self._asked, task, at)

    async def close(self) -> None:
        """Stop what is under way; it begins again at the next start."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # -- the parts --------------------------------------------------------------------------------------------

    async def _look_for_drift(self, at: datetime) -> str | None:
        """A finding of drift calls for a challenger, once: what was found before the last training was asked for is
        answered by that one."""
        findings = self._trading.session.aftermath.drift.findings
        if not findings or (self._looked_until is not None and findings[-1].at <= self._looked_until):
            return None
        return await self.ask(findings[-1].told, at)

    def _asked_until(self) -> datetime | None:
        """When the newest training was asked for that is under way or has been concluded."""
        if self._asked is not None:
            return self._asked.at
        newest = self._trading.journal.read.evaluations(EvaluationKind.TRAINING, limit=1, newest_first=True)
        asked_at = newest[0].document.get(ASKED_AT) if newest else None
        return None if asked_at is None else datetime.fromisoformat(str(asked_at))

    async def _begin(self, asked: Asked) -> str | None:
        """Start the trainer; gives back why that cannot be."""
        await self._trading.writer.flush()
        read = self._trading.journal.read
        try:
            table = await self._aside(collected_samples, read, self._account, limit=asked.samples, until=asked.at)
            job = await self._aside(prepared, read, self._account, table, asked.at)
        except InvalidInput as fault:
            return str(fault)
        self._task = asyncio.ensure_future(self._trainer.train(job, self._tell))
        if self._inline:
            await asyncio.gather(self._task, return_exceptions=True)
        return None

    async def _aside(self, work: Any, *arguments: Any, **named: Any) -> Any:
        """Thousands of rows are read beside the loop when live; a replay has no other thread."""
        if self._inline:
            return work(*arguments, **named)
        return await asyncio.to_thread(work, *arguments, **named)

    def _tell(self, step: str, done: int, of: int) -> None:
        self._step = f"{step} ({done} of {of})" if of > 1 else step

    async def _conclude(self, asked: Asked, task: asyncio.Task[dict[str, Any]], at: datetime) -> str:
        self._task = None
        try:
            answer = {**task.result(), "cause": asked.cause, ASKED_AT: asked.at.isoformat()}
            conclusion, batch = written_down(
                self._trading.journal.read,
                self._account.config,
                answer,
                at=at,
                by=asked.by,
                simulated=self._simulated,
            )
        except (TrainingFailed, InvalidInput) as fault:
            return self._failed(asked, str(fault), at)
        self._keep(None, batch)
        self._asked = None
        self._metrics.learning.trained(answer, deployed=conclusion.deployed is not None)
        if conclusion.events:
            await recast(self._trading, self._account, at, fresh_blend=conclusion.deployed is not None)
        return conclusion.sentence

    def _failed(self, asked: Asked, why: str, at: datetime) -> str:
        """A training without an answer: told, kept, and asked for again when the schedule comes round."""
        batch = Batch()
        batch.add(
            Evaluation(
                evaluation_id=digest("evaluation", "failed", asked.cause, asked.at.isoformat()),
                at=at,
                kind=EvaluationKind.TRAINING,
                model_id="",
                document={
                    "cause": asked.cause,
                    ASKED_AT: asked.at.isoformat(),
                    "samples": asked.samples,
                    "deployed": False,
                    "reason": why,
                },
            )
        )
        self._keep(None, batch)
        self._asked = None
        self._task = None
        self._metrics.learning.training_failed()
        return f"not trained: {why}"

    def _keep(self, asked: Asked | None, batch: Batch) -> None:
        batch.put_state(CYCLE_KEY, json.dumps(None if asked is None else asked.document(), sort_keys=True))
        self._trading.writer.defer(batch)


async def recast(trading: Trading, account: Account, at: datetime, *, fresh_blend: bool) -> None:
    """Take over the models of the journal's standing: load them, hold to the technical score while the champion cannot
    speak, and remove bundles that nobody needs any more."""
    session, read = trading.session, trading.journal.read
    await trading.writer.flush()
    casting = casting_of(read, account.config, account.models, schema=session.aftermath.model.schema)
    blend = ForecastBlend(BLENDED) if fresh_blend else None
    session.aftermath.model.installed(casting.cast, blend=blend)
    if fresh_blend:
        watch_over(session.aftermath.drift, read, casting)
    batch = Batch()
    hold_to_technical(session.holds, casting, session.aftermath.drift.findings, at, batch)
    if len(batch):
        trading.writer.defer(batch)
    prune(account.models, casting.standing.in_use, least=account.config.training.keep)


def account_of(trading: Trading, folder: Path, config: Config) -> Account:
    """The account as its learning cycle knows it."""
    session = trading.session
    return Account(folder=folder, config=config, schema=session.aftermath.model.schema, bar=session.view.timeframe.span)


def process_trainer(account: Account) -> ProcessTrainer:
    """The trainer of a live run."""
    section = account.config.training
    deadline = timedelta(minutes=section.deadline_minutes)
    return ProcessTrainer(folder=account.training, deadline=deadline, memory_mb=section.memory_mb)
