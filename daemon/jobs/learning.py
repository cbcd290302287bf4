"""When the models are looked after: the daily evaluation, the weekly training, the monthly one, and on a trigger.

The daily evaluation confirms the champion or takes it back: where the champion before it, or no filter at all, earned
more on the same signals since it was deployed, beyond chance, that one comes back. Taking back needs no patience of a
year's error budget: it only ever turns towards less.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from daemon.casting import begin_blend, standing_in
from daemon.config.sections import ScheduleSection
from daemon.cycles import Account
from daemon.jobs.drift import WeeklyDrift
from daemon.jobs.training import Training, recast
from daemon.learn.evaluate import comprehensive_evaluation
from daemon.metrics import Metrics
from daemon.schedule import At, Job, between_scans, standard_job
from daemon.watching import Snapshots
from daemon.wiring import Trading
from domain.clock import EPOCH
from domain.identity import digest
from domain.learning import Evaluation, EvaluationKind, JudgedPrediction, ModelEvent, ModelEventKind
from journal.batch import Batch
from learning.cycle import DAEMON, UNFILTERED
from learning.judgement.blocks import time_blocks
from learning.judgement.verdict import Opinion, Verdict, judge
from learning.registry.state import Standing

BACK_ERROR: Final = 0.01
"""The error at which a champion is taken back at one evaluation."""
BACK_RESOLVED: Final = 100
BACK_TAKEN: Final = 20
CONFIRMED_BY: Final = 20
"""Signals let through since the last confirmation that can confirm a champion again."""
_MICROSECOND = timedelta(microseconds=1)


class DailyEvaluation:
    """What the champion's word was worth since it was deployed, beside its predecessor's and no filter's."""

    def __init__(
        self, trading: Trading, account: Account, metrics: Metrics, snapshots: Snapshots, *, simulated: bool
    ) -> None:
        self._trading = trading
        self._account = account
        self._metrics = metrics
        self._snapshots = snapshots
        self._simulated = simulated

    async def run(self, at: datetime) -> str | None:
        """Judge, write it down, and act on it; None where no model is deployed."""
        self._snapshots.measure_model()
        await self._trading.writer.flush()
        standing = standing_in(self._trading.journal.read, self._account.config)
        since = 0.0 if standing.champion is None or standing.since is None else (standing.since - EPOCH).total_seconds()
        self._metrics.learning.champion_since(since)
        if standing.champion is None or standing.since is None or self._is_done(at):
            return None
        champion = self._since(standing.champion, standing.since)
        rival, said = self._rival(standing, champion)
        verdict = _taken_back(champion, said)
        event = _event(standing, verdict, rival, at, fresh=_fresh(champion, standing), simulated=self._simulated)
        sentence = event.reason if event is not None else f"{standing.champion} stays: {verdict.reason}"
        batch = Batch()
        batch.add(_evaluation(standing, verdict, rival, sentence, at))
        if event is not None:
            batch.add(event)
        changed = event is not None and event.kind is ModelEventKind.ROLLED_BACK
        if changed:
            begin_blend(batch)
        self._trading.writer.defer(batch)
        self._metrics.learning.evaluated(champion_ev=verdict.ev_champion, unfiltered_ev=verdict.ev_unfiltered)
        await recast(self._trading, self._account, at, fresh_blend=changed)
        return sentence

    async def comprehensive(self, at: datetime) -> None:
        """Everything there is to say of the models and their samples, written down."""
        await self._trading.writer.flush()
        batch = Batch()
        batch.add(comprehensive_evaluation(self._trading.journal.read, self._account, at))
        self._trading.writer.defer(batch)

    def _is_done(self, at: datetime) -> bool:
        """Whether this evaluation is written down already: after a crash a replay runs it again."""
        newest = self._trading.journal.read.evaluations(EvaluationKind.DAILY, limit=1, newest_first=True)
        return bool(newest) and newest[0].at == at

    def _since(self, model_id: str, since: datetime) -> dict[str, JudgedPrediction]:
        judged = self._trading.journal.read.judged(model_id)
        return {each.decision_id: each for each in judged if each.decided_at >= since}

    def _rival(
        self, standing: Standing, champion: dict[str, JudgedPrediction]
    ) -> tuple[str, dict[str, JudgedPrediction] | None]:
        """Whom a rollback would go to, and what that one said of the same signals; None for no filter at all."""
        if standing.previous is None or standing.since is None:
            return "", None
        said = self._since(standing.previous, standing.since)
        return standing.previous, {name: each for name, each in said.items() if name in champion}


def _taken_back(champion: dict[str, JudgedPrediction], rival: dict[str, JudgedPrediction] | None) -> Verdict:
    """The rival judged against the champion, on the signals that both spoke about."""
    names = champion if rival is None else rival
    rows = sorted((champion[name] for name in names), key=lambda each: (each.decided_at, each.decision_id))
    r = np.array([each.r_net for each in rows])
    decided = np.array([(each.decided_at - EPOCH) // _MICROSECOND for each in rows], dtype=np.int64)
    resolved = np.array([(each.resolved_at - EPOCH) // _MICROSECOND for each in rows], dtype=np.int64)
    mine = _opinion(rows)
    if rival is None:
        other = Opinion(p=np.ones(len(rows)), threshold=0.0)
    else:
        other = _opinion([rival[each.decision_id] for each in rows])
    return judge(
        r,
        (r > 0).astype(np.int64),
        other,
        mine,
        time_blocks(decided, resolved) if rows else np.empty(0, dtype=np.int64),
        alpha=BACK_ERROR,
        minimum_resolved=BACK_RESOLVED,
        minimum_taken=BACK_TAKEN,
        seed=0,
    )


def _opinion(rows: Sequence[JudgedPrediction]) -> Opinion:
    """What one model said, its cut-off being the one it had at the time: shifted so that all rows share one."""
    takes = np.array([each.forecast >= each.threshold for each in rows], dtype=np.bool_)
    threshold = rows[-1].threshold if rows else 0.0
    p = np.array([each.forecast for each in rows])
    consistent = (p >= threshold) == takes
    return Opinion(p=np.where(consistent, p, takes.astype(np.float64)), threshold=threshold)


def _fresh(champion: dict[str, JudgedPrediction], standing: Standing) -> int:
    """How many signals that the champion let through have become known since it was last confirmed."""
    since = standing.confirmed_at
    known = [each for each in champion.values() if since is None or each.resolved_at > since]
    return sum(each.forecast >= each.threshold for each in known)


def _event(
    standing: Standing, verdict: Verdict, rival: str, at: datetime, *, fresh: int, simulated: bool
) -> ModelEvent | None:
    """A rollback where the rival is better beyond chance, a renewal where the champion did not lose, else nothing."""
    if verdict.deploy:
        kind, name = ModelEventKind.ROLLED_BACK, rival
        reason = f"{standing.champion} fell behind {rival or UNFILTERED}: {verdict.reason}"
    elif fresh >= CONFIRMED_BY and _confirmed(verdict):
        kind, name = ModelEventKind.RENEWED, standing.champion or ""
        reason = f"{verdict.ev_champion:+.3f} R a trade over {verdict.champion_taken} signals let through"
    else:
        return None
    return ModelEvent(
        event_id=digest("model_event", kind, name, at.isoformat()),
        at=at,
        model_id=name,
        kind=kind,
        reason=reason,
        by=DAEMON,
        simulated=simulated,
    )


def _confirmed(verdict: Verdict) -> bool:
    """Whether what the champion let through earned at least what all signals did."""
    if verdict.ev_champion is None or verdict.ev_unfiltered is None:
        return False
    return verdict.ev_champion >= verdict.ev_unfiltered


def _evaluation(standing: Standing, verdict: Verdict, rival: str, sentence: str, at: datetime) -> Evaluation:
    document: dict[str, Any] = {**verdict.document(), "rival": rival or UNFILTERED, "sentence": sentence}
    return Evaluation(
        evaluation_id=digest("evaluation", EvaluationKind.DAILY, at.isoformat()),
        at=at,
        kind=EvaluationKind.DAILY,
        model_id=standing.champion or "",
        document=document,
    )


def learning_jobs(
    training: Training, evaluation: DailyEvaluation, drift: WeeklyDrift, plan: ScheduleSection, bar: timedelta
) -> tuple[Job, ...]:
    """The jobs of the learning cycle, at their configured times; on bars of length `bar`."""

    async def weekly(at: datetime) -> str | None:
        return await training.ask("the weekly retraining", at)

    async def monthly(at: datetime) -> str | None:
        await evaluation.comprehensive(at)
        return await training.ask("the monthly retraining, regardless", at)

    return (
        standard_job("training", training.run, trigger=between_scans(bar)),
        standard_job("evaluation", evaluation.run, trigger=At(at=plan.evaluation_at)),
        standard_job("drift", drift.run, trigger=At(at=plan.drift_at, weekday="sat")),
        standard_job("retraining", weekly, trigger=At(at=plan.retraining_at, weekday="sun")),
        standard_job("comprehensive", monthly, trigger=At(at=plan.comprehensive_at, day=1)),
    )
