"""When a drawdown latches, a challenger is trained in shadow, once for each hold; the champion never notices."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from trading_rig import COIN, HOUR, Rig, config_of, flat
from trading_story import journal_of, lively_config, play, simulated, verified

from daemon.jobs import retraining
from daemon.jobs.retraining import CALLING, DrawdownRetraining
from daemon.jobs.standing import standing_jobs
from daemon.metrics import Metrics, Vocabulary
from domain.decisions import DecisionStatus, MlView
from domain.holds import Effect, Hold, HoldCause, new_hold
from journal.batch import Batch
from learning.challenger import RETRAINING_KEY
from learning.online import OnlineFilter, OnlineSettings
from trading.aftermath import MODEL_KEY

SHALLOW = {"max_drawdown": "0.002", "emergency_drawdown": "0.004"}
"""Limits that the story's losses cross again and again."""

QUICK = {"learning_rate": 0.05}
"""Not the default: a challenger that learned by other rules than the champion's would be seen to differ."""


# -- the job by itself ------------------------------------------------------------------------------------------------


class Watched:
    """The job over a rig, as a start of the daemon makes it, with metrics of its own."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._metrics = Metrics(currency="USD", words=Vocabulary())
        self._job = DrawdownRetraining(rig.trading, self._metrics, config_of())

    async def run(self) -> str | None:
        found = await self._job.run(self.rig.clock.now())
        await self.rig.writer.flush()
        return found

    @property
    def counted(self) -> float | None:
        return self._metrics.registry.get_sample_value("ratchet_drawdown_retrainings_total")


def answers(rig: Rig) -> list[dict[str, Any]]:
    text = rig.journal.read.state(RETRAINING_KEY)
    return [] if text is None else json.loads(text)


def opinion(rig: Rig) -> MlView:
    """What the champion says now of the rig's one feature."""
    return rig.session.aftermath.model.predict(rig.decide().features)


async def with_labels(begin, count: int = 4) -> Rig:
    """After so many bars, on each of which a decision was taken and denied; the shadows end within two bars."""
    rig = await begin([bar for _ in range(count + 2) for bar in (*flat(100, 1), *flat(94, 1))])
    for _ in range(2 * count):
        await rig.closes()
        decision = replace(rig.decide(status=DecisionStatus.DENIED, entry=98.0, stop=95.0), ml=opinion(rig))
        batch = Batch()
        batch.add(decision)
        rig.session.shadows.follow(decision, rig.session.view.closed[COIN])
        await rig.writer.commit(batch)
        await rig.opens()
    await rig.writer.flush()
    return rig


async def latch(
    rig: Rig,
    cause: HoldCause = HoldCause.DRAWDOWN,
    effect: Effect = Effect.NO_ENTRIES,
    *,
    since: timedelta = timedelta(0),
) -> Hold:
    hold = new_hold(cause, effect, since=rig.clock.now() + since, detail="a test", latched=True)
    batch = Batch()
    rig.session.holds.set(hold, batch)
    await rig.writer.commit(batch)
    return hold


async def test_where_nothing_latched_nothing_is_trained(begin):
    rig = await with_labels(begin)
    job = Watched(rig)
    assert await job.run() is None
    await latch(rig, HoldCause.OPERATOR, Effect.HALT)
    passing = new_hold(
        HoldCause.DRAWDOWN, Effect.NO_ENTRIES, since=rig.clock.now(), detail="a test", until=rig.clock.now() + HOUR
    )
    rig.session.holds.set(passing, Batch())
    assert await job.run() is None
    assert answers(rig) == []
    assert job.counted == 0


@pytest.mark.parametrize("cause", sorted(CALLING))
async def test_a_latched_hold_is_answered_once_also_after_a_restart(begin, cause):
    rig = await with_labels(begin)
    known = len(rig.journal.read.samples())
    hold = await latch(rig, cause)
    job = Watched(rig)
    sentence = await job.run()
    assert sentence is not None
    assert f"{cause} of 2024-03-05 08:00 UTC: a challenger learned {known} of {known} samples" in sentence
    assert sentence.endswith("the champion stays")
    (answer,) = answers(rig)
    assert (answer["hold_id"], answer["cause"], answer["sentence"]) == (hold.hold_id, cause, sentence)
    assert answer["judged"] == answer["challenger"]["scored"] == answer["champion"]["scored"] == known >= 4
    assert answer["alike"] == known, "by the same rules from the same samples it is the champion again"
    assert job.counted == 1
    assert await job.run() is None
    await rig.reopen()
    assert await Watched(rig).run() is None
    assert answers(rig) == [answer]
    assert await rig.faults() == []


async def test_what_is_learned_after_a_hold_was_noticed_takes_no_part_also_after_a_restart(begin, monkeypatch):
    rig = await with_labels(begin)
    known = len(rig.journal.read.samples())
    await latch(rig)
    monkeypatch.setattr(retraining, "STEPS_A_RUN", 1)
    monkeypatch.setattr(retraining, "STEPS_A_TURN", 1)
    await Watched(rig).run()
    monkeypatch.undo()
    await rig.step(3)
    await rig.writer.flush()
    await rig.reopen()
    assert len(rig.journal.read.samples()) > known
    await Watched(rig).run()
    (answer,) = answers(rig)
    assert answer["samples"] == known


async def test_a_hold_that_a_person_cleared_before_the_job_came_by_is_answered_all_the_same(begin):
    rig = await with_labels(begin)
    job = Watched(rig)
    assert await job.run() is None
    hold = await latch(rig)
    batch = Batch()
    rig.clock.move_to(rig.clock.now() + timedelta(minutes=1))
    rig.trading.commands.resume(who="a test", why="seen", batch=batch)
    await rig.writer.commit(batch)
    assert rig.session.holds.all() == ()
    assert await job.run() is not None
    assert [answer["hold_id"] for answer in answers(rig)] == [hold.hold_id]


async def test_holds_are_answered_one_a_run_the_oldest_first(begin):
    rig = await with_labels(begin)
    younger = await latch(rig, HoldCause.EMERGENCY, Effect.REDUCE_ONLY)
    older = await latch(rig, since=-HOUR)
    job = Watched(rig)
    assert "drawdown" in (await job.run() or "")
    assert "emergency" in (await job.run() or "")
    assert await job.run() is None
    assert [answer["hold_id"] for answer in answers(rig)] == [older.hold_id, younger.hold_id]
    assert job.counted == 2


async def test_a_long_training_is_done_in_stretches_and_comes_to_the_same(begin, monkeypatch):
    rig, other = await with_labels(begin), await with_labels(begin)
    for each in (rig, other):
        await latch(each)
    assert await Watched(other).run() is not None
    monkeypatch.setattr(retraining, "STEPS_A_RUN", 4)
    monkeypatch.setattr(retraining, "STEPS_A_TURN", 2)
    job = Watched(rig)
    assert (await job.run() or "").endswith("a challenger is being trained, 10 steps to go")
    await rig.reopen()
    job = Watched(rig)
    told = [await job.run() for _ in range(4)]
    assert [sentence.rpartition(", ")[2] for sentence in told[:3]] == [f"{left} steps to go" for left in (10, 6, 2)]
    assert answers(rig) == answers(other)
    assert await job.run() is None


async def test_the_champion_is_left_as_it_is(begin):
    rig = await with_labels(begin)
    before = rig.session.aftermath.model.online.checkpoint()
    stored = rig.journal.read.state(MODEL_KEY)
    await latch(rig)
    assert await Watched(rig).run() is not None
    assert rig.session.aftermath.model.online.checkpoint() == before
    assert rig.journal.read.state(MODEL_KEY) == stored


# -- in a whole replay ------------------------------------------------------------------------------------------------


def kept(folder: Path) -> list[dict[str, Any]]:
    with journal_of(folder) as journal:
        text = journal.read.state(RETRAINING_KEY)
        return [] if text is None else json.loads(text)


def latched(folder: Path) -> list[Hold]:
    with journal_of(folder) as journal:
        return [hold for hold in journal.read.holds() if hold.latched and hold.cause in CALLING]


def without_the_job(*arguments: Any) -> tuple[Any, ...]:
    return tuple(job for job in standing_jobs(*arguments) if job.name != "drawdown_retraining")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story with shallow limits, played in one go."""
    folder = tmp_path_factory.mktemp("told")
    assert play(simulated(), lively_config(risk=SHALLOW, learning=QUICK), folder)
    return folder


def test_a_replay_answers_every_hold_that_latched_and_each_once(told):
    holds = latched(told)
    assert len(holds) > 2
    assert {hold.cause for hold in holds} == CALLING
    assert [answer["hold_id"] for answer in kept(told)] == [
        hold.hold_id for hold in sorted(holds, key=lambda hold: (hold.since, hold.hold_id))
    ]
    assert all(answer["sentence"].endswith("the champion stays") for answer in kept(told))
    assert [answer["alike"] for answer in kept(told)] == [answer["judged"] for answer in kept(told)]
    assert kept(told)[-1]["judged"] > 20


def test_what_the_champion_is_said_to_have_said_is_what_its_decisions_say(told):
    with journal_of(told) as journal:
        last = kept(told)[-1]
        known = journal.read.samples(last["samples"])
        decisions = {each.decision_id: each for each in journal.read.decisions()}
        model = OnlineFilter(OnlineSettings(), schema=known[0].features.schema)
        for sample in known:
            model.learn(sample, decisions[sample.decision_id].ml)
    overall = model.report().overall
    assert len(known) == last["champion"]["scored"] == overall.scored > 20
    for name in ("log_loss", "base_rate_log_loss", "brier", "auc"):
        assert last["champion"][name] == pytest.approx(getattr(overall, name))


def test_neither_decisions_nor_orders_nor_the_model_depend_on_the_job(told, tmp_path, monkeypatch):
    monkeypatch.setattr("daemon.story.standing_jobs", without_the_job)
    assert play(simulated(), lively_config(risk=SHALLOW, learning=QUICK), tmp_path / "without")
    assert kept(tmp_path / "without") == []
    assert verified(tmp_path / "without").digest == verified(told).digest
    with journal_of(told) as one, journal_of(tmp_path / "without") as other:
        assert one.read.state(MODEL_KEY) == other.read.state(MODEL_KEY)


def test_a_replay_that_broke_off_around_a_latch_comes_to_the_same_answers(told, tmp_path):
    config, folder = lively_config(risk=SHALLOW, learning=QUICK), tmp_path / "broken"
    since = [hold.since for hold in latched(told)]
    for moment in (since[0], since[0] + HOUR, since[1] + 2 * HOUR):
        assert not play(simulated(), config, folder, stop_at=moment)
    assert play(simulated(), config, folder)
    assert kept(folder) == kept(told)
    assert play(simulated(), config, folder)
    assert kept(folder) == kept(told)
    assert verified(folder).ok
