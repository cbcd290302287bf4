"""The learning cycle over one account: asked for, trained, concluded; broken off anywhere, the same comes
of it, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from trading_rig import HOUR, START, Rig, flat
from training_table import planted

from daemon.cycles import SAMPLES, Account, collected_samples, spent_errors, verdict_error
from daemon.jobs.training import CYCLE_KEY, Asked, Training, account_of
from daemon.metrics import Metrics, Vocabulary
from domain.clock import to_epoch
from domain.errors import TrainingFailed
from domain.learning import (
    Evaluation,
    EvaluationKind,
    ModelEvent,
    ModelEventKind,
)
from journal.batch import Batch
from learning.accumulated import add
from learning.filter import BLEND_KEY
from learning.registry.state import standing_of
from learning.training.job import Progress, TrainingJob
from learning.training.process import InlineTrainer
from signals.features import SCHEMA_HASH

TRAINING = {
    "families": ["logistic"],
    "ensembles": [],
    "budget": 1,
    "splits": 3,
    "minimum_samples": 200,
    "minimum_resolved": 80,
    "minimum_per_class": 30,
    "window_days": 3650,
}
DAY = timedelta(days=1)


class Killed(BaseException):
    """The process ends here."""


def metrics() -> Metrics:
    return Metrics(currency="USD", words=Vocabulary())


class Cycle:
    """The training job over a rig, as a start of the daemon makes it."""

    def __init__(self, rig: Rig, trainer: Any = None) -> None:
        self.rig = rig
        self.account: Account = account_of(rig.trading, rig._folder, rig._config)
        self.training = Training(
            rig.trading, self.account, trainer or InlineTrainer(), metrics(), inline=True, simulated=True
        )


async def account(begin: Any, **sections: Any) -> Rig:
    """An account whose backtests have taught it something."""
    rig = await begin(flat(100, 8), training=TRAINING | sections)
    first = to_epoch(START - timedelta(days=160)) * 1_000_000
    add(rig._folder / SAMPLES, planted(schema=SCHEMA_HASH, first=first))
    return rig


def facts(rig: Rig) -> dict[str, Any]:
    """Everything that a cycle writes down."""
    read = rig.journal.read
    return {
        "models": [each.model_id for each in read.models()],
        "events": [(each.event_id, each.kind, each.model_id, each.at) for each in read.model_events()],
        "evaluations": [(each.evaluation_id, each.kind, each.model_id, each.at) for each in read.evaluations()],
        "cycle": read.state(CYCLE_KEY),
        "blend": read.state(BLEND_KEY),
        "speaks": standing_of(read.model_events()).champion,
        "cast": getattr(rig.session.aftermath.model.cast.champion, "model_id", None),
    }


ASKED = START + 2 * HOUR
MOMENTS = [ASKED + number * timedelta(minutes=20) for number in range(4)]


async def told(rig: Rig, trainer: Any = None) -> None:
    """The whole story from the ask on; heard again after a crash, it goes on from what is journaled."""
    cycle = Cycle(rig, trainer)
    await cycle.training.ask("the weekly retraining", ASKED)
    await rig.writer.flush()
    for at in MOMENTS:
        await cycle.training.run(at)
        await rig.writer.flush()


async def test_what_is_asked_for_is_trained_judged_deployed_and_written_down_once(begin):
    rig = await account(begin)
    await told(rig)
    found = facts(rig)
    (model,) = found["models"]
    assert [(kind, name) for _, kind, name, _ in found["events"]] == [
        (ModelEventKind.REGISTERED, model),
        (ModelEventKind.DEPLOYED, model),
    ]
    assert found["speaks"] == found["cast"] == model
    assert found["cycle"] == "null"
    assert rig.journal.read.model_events()[-1].simulated
    (training,) = rig.journal.read.evaluations(EvaluationKind.TRAINING)
    assert training.document["cause"] == "the weekly retraining"
    assert training.at == MOMENTS[2], "an answer takes effect half an hour after it was asked for, in a replay"
    assert await rig.faults() == []


async def test_two_replays_write_the_same_facts_wherever_they_lie(begin):
    one, other = await account(begin), await account(begin)
    await told(one)
    await told(other)
    assert facts(one) == facts(other)


def dying(rig: Rig, number: int, after: bool) -> Callable[[Batch], int]:
    """The journal's commit, the process ending at the `number`-th one, before or after it is durable."""
    commit, count = rig.journal.commit, Counter[str]()

    def watched(batch: Batch) -> int:
        if len(batch):
            count["commits"] += 1
        if len(batch) and count["commits"] == number and not after:
            raise Killed
        found = commit(batch)
        if len(batch) and count["commits"] == number and after:
            raise Killed
        return found

    return watched


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
async def test_killed_at_any_commit_and_started_again_the_same_comes_of_it_once(begin, number, after):
    whole, rig = await account(begin), await account(begin)
    await told(whole)
    rig.journal.commit = dying(rig, number, after)
    with pytest.raises(Killed):
        await told(rig)
    await rig.reopen()
    await told(rig)
    assert facts(rig) == facts(whole)
    assert await rig.faults() == []


async def test_killed_while_it_trains_it_begins_again_with_the_same_samples(begin):
    class Dying(InlineTrainer):
        async def train(self, job: TrainingJob, told: Progress) -> dict[str, Any]:
            await super().train(job, told)
            raise Killed

    whole, rig = await account(begin), await account(begin)
    await told(whole)
    cycle = Cycle(rig)
    await cycle.training.ask("the weekly retraining", ASKED)
    await rig.writer.flush()
    job = Cycle(rig, Dying()).training
    with pytest.raises(Killed):
        await job._trainer.train(await prepared_job(rig), lambda *_: None)
    await rig.reopen()
    await told(rig)
    assert facts(rig) == facts(whole)


async def prepared_job(rig: Rig) -> TrainingJob:
    from daemon.cycles import prepared

    account = account_of(rig.trading, rig._folder, rig._config)
    read = rig.journal.read
    return prepared(read, account, collected_samples(read, account, until=ASKED), ASKED)


async def test_the_same_call_heard_again_after_its_answer_is_known(begin):
    rig = await account(begin)
    await told(rig)
    before = facts(rig)
    await rig.reopen()
    said = await Cycle(rig).training.ask("the weekly retraining", ASKED)
    assert said.endswith("is answered already")
    assert await Cycle(rig).training.run(ASKED + DAY) is None
    assert facts(rig) == before


async def test_one_training_at_a_time(begin):
    rig = await account(begin)
    cycle = Cycle(rig)
    assert (await cycle.training.ask("one", ASKED)).startswith("a training was asked for")
    assert await cycle.training.ask("another", ASKED) == "a training is under way already (one)"
    assert cycle.training.under_way == Asked(cause="one", at=ASKED, samples=0, by="daemon")


class Failing:
    async def train(self, job: TrainingJob, told: Progress) -> dict[str, Any]:
        raise TrainingFailed("the training ended with status -9 and no answer: it said nothing")


class Foreign:
    async def train(self, job: TrainingJob, told: Progress) -> dict[str, Any]:
        answer = await InlineTrainer().train(job, told)
        return {**answer, "deploy": None, "challenge": "somebody-else"}


@pytest.mark.parametrize("trainer", [Failing(), Foreign()], ids=["no answer", "an answer that cannot be"])
async def test_a_training_that_fails_changes_nothing_and_is_not_begun_again_for_ever(begin, trainer):
    rig = await account(begin)
    model = rig.session.aftermath.model
    before = (model.cast, model.online.checkpoint())
    await told(rig, trainer)
    found = facts(rig)
    assert (found["models"], found["events"], found["cycle"]) == ([], [], "null")
    (failed,) = rig.journal.read.evaluations()
    assert failed.document["deployed"] is False
    assert failed.document["reason"]
    assert (model.cast, model.online.checkpoint()) == before
    assert await Cycle(rig).training.run(ASKED + DAY) is None


async def test_without_samples_it_says_so(begin):
    rig = await begin(flat(100, 8), training=TRAINING)
    cycle = Cycle(rig)
    await cycle.training.ask("the weekly retraining", ASKED)
    assert (await cycle.training.run(MOMENTS[0]) or "").startswith("not trained: there are no samples to train on")


async def test_where_the_champion_changed_meanwhile_the_answer_deploys_nobody(begin):
    rig = await account(begin)
    cycle = Cycle(rig)
    await told(rig)
    first = facts(rig)["speaks"]
    again = ASKED + 3 * DAY
    add(rig._folder / SAMPLES, planted(100, seed=9, schema=SCHEMA_HASH, first=to_epoch(START - 9 * DAY) * 1_000_000))
    cycle = Cycle(rig)
    await cycle.training.ask("another", again)
    await cycle.training.run(again)
    back = ModelEvent(
        event_id="back", at=again, model_id="", kind=ModelEventKind.ROLLED_BACK, reason="a test", by="a test"
    )
    batch = Batch()
    batch.add(replace(back, at=again + timedelta(minutes=1)))
    await rig.writer.commit(batch)
    await cycle.training.run(again + HOUR)
    await rig.writer.flush()
    assert standing_of(rig.journal.read.model_events()).champion is None
    (last,) = rig.journal.read.evaluations(EvaluationKind.TRAINING, limit=1, newest_first=True)
    assert last.document["against"] == first


async def test_what_was_resolved_after_the_ask_takes_no_part(begin):
    rig = await account(begin)
    cycle = Cycle(rig)
    late = to_epoch(START - 3 * DAY) * 1_000_000
    add(rig._folder / SAMPLES, planted(40, seed=4, schema=SCHEMA_HASH, first=late))
    table = collected_samples(rig.journal.read, cycle.account, until=START)
    whole = collected_samples(rig.journal.read, cycle.account)
    assert int(table.resolved_at.max()) <= to_epoch(START) * 1_000_000 < int(whole.resolved_at.max())


async def test_verdicts_out_of_order_do_not_silence_the_next(begin):
    rig = await account(begin)
    batch = Batch()
    for number, at in enumerate((START, START - 90 * DAY)):
        batch.add(
            Evaluation(
                evaluation_id=f"v{number}",
                at=at,
                kind=EvaluationKind.VERDICT,
                model_id="a",
                document={"spent": 0.01},
            )
        )
    await rig.writer.commit(batch)
    cycle = Cycle(rig)
    read, table = rig.journal.read, collected_samples(rig.journal.read, cycle.account)
    assert [each.at for each in spent_errors(read)] == [START - 90 * DAY, START]
    assert verdict_error(read, rig._config, table, START + DAY) == 0.0, "the next is not due yet"
    assert 0 < verdict_error(read, rig._config, table, START + 60 * DAY) < 0.05
