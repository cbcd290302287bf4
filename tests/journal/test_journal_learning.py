"""Models, their events, what they said and how they were judged: kept, read, checked, hashed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import journal_models as models
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_models import CHALLENGER, CHAMPION, tell_models
from journal_records import decisions
from journal_story import START, decision_at, outcome_of_decision, sample_of_decision, story

from domain.decisions import Decision, DecisionStatus, OutcomeKind, SampleSource
from domain.errors import InvalidRecord, JournalError
from domain.learning import (
    ONLINE,
    DriftEvent,
    Evaluation,
    EvaluationKind,
    JudgedPrediction,
    ModelEvent,
    ModelEventKind,
    Prediction,
    PredictionRole,
    require_json,
)
from journal import Batch, Durability, Journal, Reader, verify
from journal.rows import Record

PLAIN: list[tuple[st.SearchStrategy[Any], Callable[[Reader], list[Any]]]] = [
    (models.models(), lambda read: read.models()),
    (models.model_events, lambda read: read.model_events()),
    (models.evaluations, lambda read: read.evaluations()),
    (models.drift_events, lambda read: read.drift_events()),
]


def kept(*added: Record) -> Reader:
    journal = Journal.open("sqlite://")
    batch = Batch()
    for record in added:
        batch.add(record)
    journal.commit(batch)
    return journal.read


@pytest.mark.parametrize(("strategy", "read"), PLAIN, ids=["model", "model event", "evaluation", "drift event"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_record_comes_back_equal(
    strategy: st.SearchStrategy[Any], read: Callable[[Reader], list[Any]], data: st.DataObject
) -> None:
    record = data.draw(strategy)
    assert read(kept(record)) == [record]


@settings(max_examples=25, deadline=None)
@given(decision=decisions(), data=st.data())
def test_a_prediction_comes_back_equal(decision: Decision, data: st.DataObject) -> None:
    prediction = data.draw(models.predictions_on(decision.decision_id))
    assert kept(decision, prediction).predictions() == [prediction]


@pytest.fixture
def spoken(told: Journal) -> Journal:
    """The story of three trades, with two models and the online learner that spoke of each decision."""
    tell_models(told)
    return told


@pytest.fixture
def closed(database: Path) -> Path:
    """The file of such a journal that nobody writes now."""
    with Journal.open(database, durability=Durability.NORMAL) as journal:
        for batch in story():
            journal.commit(batch)
        tell_models(journal)
    return database


@contextmanager
def tampered(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        yield connection


def failing(database: Path) -> dict[str, str]:
    with Journal.open(database, read_only=True) as journal:
        return {check.name: check.detail for check in verify(journal).checks if not check.ok}


def test_a_model_is_found_by_its_name(spoken: Journal) -> None:
    assert [each.model_id for each in spoken.read.models()] == [CHAMPION, CHALLENGER]
    found = spoken.read.model(CHALLENGER)
    assert found is not None
    assert found.family == "histogram_boosting"
    assert spoken.read.model("logistic-nobody") is None


def test_events_come_in_the_order_in_which_they_were_written(spoken: Journal) -> None:
    assert [each.event_id for each in spoken.read.model_events()] == [f"event-{number}" for number in range(7)]


def test_predictions_are_cut_in_the_order_asked_for(spoken: Journal) -> None:
    everything = spoken.read.predictions()
    assert len(everything) == 18
    assert spoken.read.predictions(limit=4) == everything[:4]
    assert spoken.read.predictions(limit=4, newest_first=True) == everything[:-5:-1]
    own = spoken.read.predictions(model_id=CHALLENGER)
    assert own == [each for each in everything if each.model_id == CHALLENGER]
    assert len(own) == 6
    assert spoken.read.predictions(model_id=CHALLENGER, limit=1, newest_first=True) == own[-1:]


def test_open_predictions_are_those_of_decisions_that_are_no_samples_yet(spoken: Journal) -> None:
    assert spoken.read.predictions(open_only=True) == []
    later = decision_at(START + timedelta(days=9), status=DecisionStatus.DENIED)
    waiting = replace(spoken.read.predictions()[0], decision_id=later.decision_id)
    batch = Batch()
    batch.add(later)
    batch.add(waiting)
    spoken.commit(batch)
    assert spoken.read.predictions(open_only=True) == [waiting]
    assert spoken.read.predictions(open_only=True, model_id=ONLINE) == []


def test_a_judged_prediction_says_what_was_said_and_what_became_of_it(spoken: Journal) -> None:
    samples = {each.decision_id: each for each in spoken.read.samples()}
    said = {each.decision_id: each for each in spoken.read.predictions(model_id=CHAMPION)}
    judged = spoken.read.judged(CHAMPION)
    assert [each.decision_id for each in judged] == [each.decision_id for each in spoken.read.samples()]
    assert judged == [
        JudgedPrediction(
            decision_id=each.decision_id,
            forecast=said[each.decision_id].forecast,
            threshold=0.55,
            label=samples[each.decision_id].label,
            r_net=samples[each.decision_id].r_net,
            decided_at=samples[each.decision_id].decided_at,
            resolved_at=samples[each.decision_id].resolved_at,
        )
        for each in judged
    ]
    assert {each.label for each in judged} == {0, 1}
    assert spoken.read.judged("logistic-nobody") == []


def test_judged_predictions_stand_in_the_order_in_which_samples_were_learned(journal: Journal) -> None:
    first, second = (decision_at(START + timedelta(hours=each), status=DecisionStatus.DENIED) for each in (0, 3))
    batch = Batch()
    for decision in (first, second):
        batch.add(decision)
        batch.add(
            Prediction(
                decision_id=decision.decision_id,
                model_id=ONLINE,
                role=PredictionRole.ONLINE,
                forecast=0.5,
                threshold=0.5,
                at=decision.decided_at,
            )
        )
    for decision in (second, first):
        batch.add(outcome_of_decision(decision, OutcomeKind.SHADOW))
        batch.add(sample_of_decision(decision, SampleSource.SHADOW))
    journal.commit(batch)
    assert [each.decision_id for each in journal.read.judged(ONLINE)] == [second.decision_id, first.decision_id]


def test_evaluations_and_drift_are_read_by_kind_model_and_stream(spoken: Journal) -> None:
    read = spoken.read
    assert [each.evaluation_id for each in read.evaluations()] == [f"evaluation-{number}" for number in range(3)]
    daily = read.evaluations(EvaluationKind.DAILY, newest_first=True, limit=1)
    assert [each.evaluation_id for each in daily] == ["evaluation-2"]
    assert [each.evaluation_id for each in read.evaluations(model_id=CHALLENGER)] == ["evaluation-1"]
    assert [each.event_id for each in read.drift_events(stream="label", newest_first=True)] == ["drift-2", "drift-0"]
    assert len(read.drift_events(limit=2)) == 2


def test_what_models_said_passes_every_check(spoken: Journal) -> None:
    assert [check for check in verify(spoken).checks if not check.ok] == []


@pytest.mark.parametrize(
    "doubled",
    [
        lambda read: read.models()[0],
        lambda read: read.model_events()[0],
        lambda read: read.predictions()[0],
        lambda read: replace(read.predictions()[0], role=PredictionRole.PREVIOUS, forecast=0.9),
        lambda read: read.evaluations()[0],
        lambda read: read.drift_events()[0],
    ],
)
def test_nothing_is_kept_twice(spoken: Journal, doubled: Callable[[Reader], Record]) -> None:
    batch = Batch()
    batch.add(doubled(spoken.read))
    with pytest.raises(JournalError, match="UNIQUE constraint"):
        spoken.commit(batch)


def test_a_prediction_needs_the_decision_it_is_of(spoken: Journal) -> None:
    batch = Batch()
    batch.add(replace(spoken.read.predictions()[0], decision_id="nobody"))
    with pytest.raises(JournalError, match="FOREIGN KEY constraint"):
        spoken.commit(batch)


@pytest.mark.parametrize(
    ("name", "tampering", "says"),
    [
        ("models have their hash", "UPDATE models SET sha256 = '' WHERE row_id = 1", "no SHA-256"),
        ("rows are valid records", "UPDATE models SET sha256 = upper(sha256) WHERE row_id = 1", "models:"),
        ("rows are valid records", "UPDATE models SET document = '{' WHERE row_id = 1", "models:"),
        ("rows are valid records", "UPDATE model_events SET kind = 'sold' WHERE row_id = 1", "model_events:"),
        ("rows are valid records", "UPDATE predictions SET forecast = 1 WHERE row_id = 1", "predictions:"),
        ("rows are valid records", "UPDATE evaluations SET kind = 'yearly' WHERE row_id = 1", "evaluations:"),
        ("rows are valid records", "UPDATE drift_events SET stream = '' WHERE row_id = 1", "drift_events:"),
        ("predictions have their decision", "UPDATE predictions SET decision_id = 'gone' WHERE row_id = 1", "gone"),
        ("predictions have their model", "UPDATE predictions SET model_id = 'gone' WHERE role = 'champion'", "gone"),
        ("predictions have their model", f"DELETE FROM models WHERE model_id = '{CHALLENGER}'", CHALLENGER),
        ("model events have their model", f"DELETE FROM models WHERE model_id = '{CHAMPION}'", "is deployed of"),
        ("model events have their model", "UPDATE model_events SET model_id = 'gone' WHERE row_id = 2", "gone"),
        ("commits have no gap", "DELETE FROM predictions WHERE row_id = 1", "brought"),
    ],
)
def test_a_planted_fault_fails_its_check(closed: Path, name: str, tampering: str, says: str) -> None:
    assert failing(closed) == {}
    with tampered(closed) as connection:
        assert connection.execute(tampering).rowcount > 0
    assert says in failing(closed)[name]


@pytest.mark.parametrize("table", ["models", "model_events", "predictions", "evaluations", "drift_events"])
def test_a_fact_that_is_there_twice_is_found(closed: Path, table: str) -> None:
    with tampered(closed) as connection:
        connection.execute(f"CREATE TABLE loose AS SELECT * FROM {table}")
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"ALTER TABLE loose RENAME TO {table}")
        connection.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE row_id = 1")
    assert "2 times" in failing(closed)["nothing is there twice"]


@pytest.mark.parametrize(
    ("changed", "tampering"),
    [
        (["predictions"], "UPDATE predictions SET forecast = 0.123 WHERE row_id = 1"),
        (["predictions"], "UPDATE predictions SET role = 'previous' WHERE row_id = 1"),
        (["model_events"], "UPDATE model_events SET reason = 'another' WHERE row_id = 1"),
        (["model_events"], "UPDATE model_events SET simulated = 1 WHERE row_id = 1"),
        ([], "UPDATE models SET document = '{}', created_at = created_at + 1"),
        ([], "UPDATE evaluations SET document = '{}', at = at + 1"),
        ([], "UPDATE drift_events SET at = at + 1"),
    ],
)
def test_predictions_and_events_are_hashed_and_what_tells_of_the_machine_is_not(
    closed: Path, changed: list[str], tampering: str
) -> None:
    with Journal.open(closed, read_only=True) as journal:
        before = verify(journal).digest
    with tampered(closed) as connection:
        connection.execute(tampering)
    with Journal.open(closed, read_only=True) as journal:
        after = verify(journal).digest
    assert [name for name in before if before[name] != after[name]] == changed


def test_the_digest_of_predictions_does_not_depend_on_the_order_in_which_they_were_written(journal: Journal) -> None:
    with Journal.open("sqlite://") as other:
        for each, turn in ((journal, 1), (other, -1)):
            for batch in story():
                each.commit(batch)
            said = [
                Prediction(
                    decision_id=decision.decision_id,
                    model_id=name,
                    role=PredictionRole.ONLINE,
                    forecast=0.4,
                    threshold=0.5,
                    at=decision.decided_at,
                )
                for decision in each.read.decisions()
                for name in (ONLINE, "other")
            ]
            batch = Batch()
            for prediction in said[::turn]:
                batch.add(prediction)
            each.commit(batch)
        assert verify(journal).digest == verify(other).digest


def test_thousands_of_predictions_are_one_transaction_of_inserts(told: Journal) -> None:
    told.commit(_many_predictions(told, models_each=500))
    statements: list[str] = []
    batch = _many_predictions(told, models_each=500, first=500)
    told.held.raw.set_trace_callback(statements.append)
    told.commit(batch)
    told.held.raw.set_trace_callback(None)
    assert told.read.counts()["predictions"] == 6_000
    inserted = [each for each in statements if "INSERT INTO predictions" in each]
    assert len(inserted) == 3_000
    assert len(statements) - len(inserted) <= 3  # begin, the commit's row, commit


def _many_predictions(journal: Journal, *, models_each: int, first: int = 0) -> Batch:
    batch = Batch()
    for decision in journal.read.decisions():
        for number in range(first, first + models_each):
            batch.add(
                Prediction(
                    decision_id=decision.decision_id,
                    model_id=f"m-{number}",
                    role=PredictionRole.ONLINE,
                    forecast=0.4,
                    threshold=0.5,
                    at=decision.decided_at,
                )
            )
    return batch


NAIVE = datetime(2024, 1, 1)  # noqa: DTZ001  # that it has no zone is what is refused


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_id": "../elsewhere"}, "cannot name"),
        ({"model_id": ""}, "cannot name"),
        ({"model_id": ONLINE}, "cannot name"),
        ({"family": "A Family"}, "cannot name"),
        ({"sha256": "abc"}, "not a SHA-256"),
        ({"sha256": "G" * 64}, "not a SHA-256"),
        ({"trained_from": START + timedelta(hours=1)}, "until before"),
        ({"created_at": START - timedelta(seconds=1)}, "before the last sample"),
        ({"created_at": NAIVE}, "without a zone"),
        ({"samples": 0}, "at least 1 sample"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"schema": ""}, "schema"),
        ({"threshold": 1.01}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"document": {"scores": (1, 2)}}, "tuple"),
        ({"document": {"scores": [float("inf")]}}, "finite"),
        ({"document": {"scores": {1: 2}}}, "a key is text"),
        ({"document": {"at": START}}, "datetime"),
    ],
)
def test_a_model_that_may_not_exist_is_refused_at_birth(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRecord, match=says):
        replace(models.model(), **change)


@pytest.mark.parametrize("kind", ModelEventKind)
def test_only_a_rollback_may_name_no_model(kind: ModelEventKind) -> None:
    if kind is ModelEventKind.ROLLED_BACK:
        assert models.event(kind, "", 1).model_id == ""
        return
    with pytest.raises(InvalidRecord, match="which is no model"):
        models.event(kind, "", 1)


@pytest.mark.parametrize("change", [{"event_id": ""}, {"reason": ""}, {"by": ""}, {"at": NAIVE}, {"model_id": "a/b"}])
def test_a_model_event_that_may_not_exist_is_refused_at_birth(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        replace(models.event(ModelEventKind.DEPLOYED, CHAMPION, 1), **change)


@pytest.mark.parametrize(
    "change",
    [
        {"forecast": 0.0}, {"forecast": 1.0}, {"forecast": float("nan")}, {"threshold": -0.1}, {"decision_id": ""},
        {"model_id": ""}, {"at": NAIVE},
    ],
)  # fmt: skip
def test_a_prediction_that_may_not_exist_is_refused_at_birth(change: dict[str, Any]) -> None:
    lawful = Prediction(
        decision_id="d", model_id="m", role=PredictionRole.CHAMPION, forecast=0.5, threshold=0.5, at=START
    )
    with pytest.raises(InvalidRecord):
        replace(lawful, **change)


def test_an_evaluation_and_a_drift_event_that_may_not_exist_are_refused_at_birth() -> None:
    evaluation = Evaluation(evaluation_id="e", at=START, kind=EvaluationKind.DAILY, model_id="", document={})
    drift = DriftEvent(event_id="d", at=START, detector="psi", stream="f_x", value=0.3, critical=0.2, detail="")
    for lawful, change in (
        (evaluation, {"evaluation_id": ""}),
        (evaluation, {"model_id": "A b"}),
        (evaluation, {"document": {"a": object()}}),
        (drift, {"event_id": ""}),
        (drift, {"detector": ""}),
        (drift, {"stream": ""}),
        (drift, {"value": float("nan")}),
        (drift, {"critical": float("inf")}),
    ):
        with pytest.raises(InvalidRecord):
            replace(lawful, **change)  # type: ignore[type-var]  # both are dataclasses


@given(document=models.documents)
def test_what_passes_as_json_is_the_same_after_it_was_written_and_read(document: dict[str, Any]) -> None:
    import json

    require_json(document, "it")
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_an_event_may_carry_no_model_of_its_own_kind_of_name() -> None:
    """A model's name becomes a folder: nothing that leads out of it, hides it or is too long."""
    for name in ("..", ".hidden", "a/b", "a\\b", "a\0", "A", "a" * 101, "-x", "a b", "a\n"):
        with pytest.raises(InvalidRecord):
            ModelEvent(
                event_id="e", at=START, model_id=name, kind=ModelEventKind.DEPLOYED, reason="because", by="daemon"
            )
