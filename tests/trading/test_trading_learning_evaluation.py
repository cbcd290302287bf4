"""The daily evaluation: a champion is confirmed or taken back by what it said of signals since it was deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from trading_rig import HOUR, START, Rig, flat

from daemon.jobs.learning import DailyEvaluation
from daemon.jobs.training import account_of, recast
from daemon.metrics import Metrics, Vocabulary
from domain.decisions import DecisionStatus, Sample, SampleSource
from domain.learning import EvaluationKind, ModelEvent, ModelEventKind, ModelRecord, Prediction, PredictionRole
from domain.orders import Side
from journal.batch import Batch
from learning.filter import BLEND_KEY
from learning.registry.state import standing_of
from signals.features import SCHEMA_HASH

DAY = timedelta(days=1)


def metrics() -> Metrics:
    return Metrics(currency="USD", words=Vocabulary())


def evaluation(rig: Rig) -> DailyEvaluation:
    account = account_of(rig.trading, rig._folder, rig._config)
    snapshots: Any = SimpleNamespace(measure_model=lambda: None)
    return DailyEvaluation(rig.trading, account, metrics(), snapshots, simulated=True)


async def deployed(rig: Rig, *names: str) -> None:
    """These models, each deployed after the one before, without bundles."""
    batch = Batch()
    for number, name in enumerate(names):
        batch.add(
            ModelRecord(
                model_id=name,
                created_at=START - 9 * DAY,
                family="logistic",
                sha256="a" * 64,
                schema=SCHEMA_HASH,
                samples=9,
                trained_from=START - 90 * DAY,
                trained_until=START - 10 * DAY,
                threshold=0.5,
                seed=0,
                document={},
            )
        )
        for kind in (ModelEventKind.REGISTERED, ModelEventKind.DEPLOYED):
            at = START - (8 - number) * DAY
            batch.add(
                ModelEvent(event_id=f"{name}-{kind}", at=at, model_id=name, kind=kind, reason="a test", by="a test")
            )
    await rig.writer.commit(batch)


def r_of(number: int) -> float:
    return 1.0 if np.random.default_rng(number).random() < 0.4 else -1.0


async def resolved(rig: Rig, count: int, said: dict[str, Callable[[int], float]]) -> None:
    """Decisions every two hours since the deployment with what models said of them, and what became of each."""
    await rig.step(2)
    pattern = rig.decide(status=DecisionStatus.DENIED)
    batch = Batch()
    for number in range(count):
        at = START + number * 2 * HOUR
        decision = replace(
            pattern,
            decision_id=f"d{number:04d}",
            bar_opened_at=at - HOUR,
            decided_at=at,
            signal=replace(pattern.signal, bar_opened_at=at - HOUR),
        )
        batch.add(decision)
        for role, (name, forecast) in zip(
            (PredictionRole.CHAMPION, PredictionRole.PREVIOUS), said.items(), strict=False
        ):
            batch.add(
                Prediction(
                    decision_id=decision.decision_id,
                    model_id=name,
                    role=role,
                    forecast=forecast(number),
                    threshold=0.5,
                    at=at,
                )
            )
        r_net = r_of(number)
        batch.add(
            Sample(
                decision_id=decision.decision_id,
                decided_at=at,
                resolved_at=at + HOUR,
                instrument=decision.instrument,
                side=Side.BUY,
                strategy="ma_cross",
                features=decision.features,
                r_net=r_net,
                label=int(r_net > 0),
                weight=1.0,
                source=SampleSource.SHADOW,
            )
        )
    await rig.writer.commit(batch)


def right(number: int) -> float:
    """Right of four signals in five."""
    knows = np.random.default_rng(number + 50_000).random() < 0.8
    return 0.7 if (r_of(number) > 0) is knows else 0.3


def wrong(number: int) -> float:
    return 1 - right(number)


def guess(number: int) -> float:
    return 0.7 if number % 2 else 0.3


async def evaluated(rig: Rig, at: datetime) -> tuple[str | None, list[tuple[ModelEventKind, str]]]:
    sentence = await evaluation(rig).run(at)
    await rig.writer.flush()
    return sentence, [(each.kind, each.model_id) for each in rig.journal.read.model_events() if each.at == at]


END = START + timedelta(days=40)


async def test_a_champion_that_fell_behind_its_predecessor_gives_it_back_its_place(begin):
    rig = await begin(flat(100, 8))
    await deployed(rig, "old", "new")
    await resolved(rig, 400, {"new": wrong, "old": right})
    sentence, events = await evaluated(rig, END)
    assert events == [(ModelEventKind.ROLLED_BACK, "old")], sentence
    assert (sentence or "").startswith("new fell behind old: ")
    assert standing_of(rig.journal.read.model_events()).champion == "old"
    assert rig.journal.read.state(BLEND_KEY) is not None


async def test_a_champion_that_lets_only_losers_through_is_taken_back(begin):
    rig = await begin(flat(100, 8))
    await deployed(rig, "new")
    await resolved(rig, 400, {"new": lambda number: 0.7 if r_of(number) < 0 and number % 2 else 0.3})
    sentence, events = await evaluated(rig, END)
    assert events == [(ModelEventKind.ROLLED_BACK, "")]
    assert (sentence or "").startswith("new fell behind unfiltered trading: ")


async def test_a_champion_that_leaves_out_what_pays_is_taken_back(begin, monkeypatch):
    monkeypatch.setitem(globals(), "r_of", lambda number: 1.5 if number % 5 < 3 else -1.0)
    rig = await begin(flat(100, 8))
    await deployed(rig, "new")
    await resolved(rig, 400, {"new": lambda number: 0.7 if number % 5 in (0, 3, 4) else 0.3})
    sentence, events = await evaluated(rig, END)
    assert events == [(ModelEventKind.ROLLED_BACK, "")]
    assert (sentence or "").startswith("new fell behind unfiltered trading: ")
    assert standing_of(rig.journal.read.model_events()).champion is None


async def test_a_champion_that_is_right_is_confirmed_and_only_by_what_came_since(begin):
    rig = await begin(flat(100, 8))
    await deployed(rig, "new")
    await resolved(rig, 400, {"new": right})
    sentence, events = await evaluated(rig, END)
    assert events == [(ModelEventKind.RENEWED, "new")], sentence
    assert standing_of(rig.journal.read.model_events()).confirmed_at == END
    assert (await evaluated(rig, END + DAY))[1] == [], "nothing new was heard since"


async def test_too_little_evidence_changes_nothing(begin):
    rig = await begin(flat(100, 8))
    await deployed(rig, "old", "new")
    await resolved(rig, 18, {"new": wrong, "old": right})
    sentence, events = await evaluated(rig, END)
    assert events == []
    assert "18 of 100 resolved signals" in (sentence or "")


async def test_with_nobody_deployed_nothing_is_evaluated(begin):
    rig = await begin(flat(100, 8))
    assert await evaluated(rig, END) == (None, [])
    assert rig.journal.read.evaluations() == []


async def test_an_evaluation_that_is_run_again_after_a_crash_is_written_once(begin):
    rig = await begin(flat(100, 8))
    await deployed(rig, "new")
    await resolved(rig, 400, {"new": guess})
    await evaluated(rig, END)
    assert await evaluation(rig).run(END) is None
    await rig.writer.flush()
    assert len(rig.journal.read.evaluations(EvaluationKind.DAILY)) == 1


async def test_models_are_looked_after_where_there_is_no_folder_of_them(begin, tmp_path: Path):
    rig = await begin(flat(100, 8))
    account = account_of(rig.trading, rig._folder, rig._config)
    assert not account.models.exists()
    await recast(rig.trading, account, rig.clock.now(), fresh_blend=False)
    assert not account.models.exists()
