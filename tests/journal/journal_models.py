"""Any record of models that may exist, and a small lawful story of two models on top of the story of trades."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from journal_records import names, reals, shares, times, words
from journal_story import START

from domain.learning import (
    ONLINE,
    DriftEvent,
    Evaluation,
    EvaluationKind,
    ModelEvent,
    ModelEventKind,
    ModelRecord,
    Prediction,
    PredictionRole,
)
from journal import Batch, Journal

model_names = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,30}", fullmatch=True).filter(lambda name: name != ONLINE)
inside = st.floats(1e-6, 1 - 1e-6)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | reals | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.text(max_size=6), plain, max_size=4)


@st.composite
def models(draw: st.DrawFn) -> ModelRecord:
    moments = sorted(draw(st.tuples(times, times, times)))
    return ModelRecord(
        model_id=draw(model_names),
        created_at=moments[2],
        family=draw(model_names),
        sha256=hashlib.sha256(draw(st.binary(max_size=4))).hexdigest(),
        schema=draw(names),
        samples=draw(st.integers(1, 10**9)),
        trained_from=moments[0],
        trained_until=moments[1],
        threshold=draw(shares),
        seed=draw(st.integers(0, 2**63 - 1)),
        document=draw(documents),
    )


model_events = st.builds(
    ModelEvent,
    event_id=names,
    at=times,
    model_id=model_names,
    kind=st.sampled_from(ModelEventKind),
    reason=words,
    by=words,
    simulated=st.booleans(),
)
evaluations = st.builds(
    Evaluation,
    evaluation_id=names,
    at=times,
    kind=st.sampled_from(EvaluationKind),
    model_id=st.just("") | model_names,
    document=documents,
)
drift_events = st.builds(
    DriftEvent,
    event_id=names,
    at=times,
    detector=names,
    stream=names,
    value=reals,
    critical=reals,
    detail=words,
)


def predictions_on(decision_id: str) -> st.SearchStrategy[Prediction]:
    return st.builds(
        Prediction,
        decision_id=st.just(decision_id),
        model_id=model_names,
        role=st.sampled_from(PredictionRole),
        forecast=inside,
        threshold=shares,
        at=times,
    )


def model(name: str = "logistic-0123456789ab") -> ModelRecord:
    return ModelRecord(
        model_id=name,
        created_at=START + timedelta(hours=2),
        family="logistic",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        schema="features-1",
        samples=500,
        trained_from=START - timedelta(days=90),
        trained_until=START,
        threshold=0.55,
        seed=7,
        document={"format": 1, "importances": {"feature_00": 0.25}, "names": ["feature_00"]},
    )


def event(kind: ModelEventKind, name: str, number: int) -> ModelEvent:
    return ModelEvent(
        event_id=f"event-{number}",
        at=START + timedelta(hours=2 + number),
        model_id=name,
        kind=kind,
        reason="it said so",
        by="daemon",
    )


CHAMPION, CHALLENGER = "logistic-0123456789ab", "histogram_boosting-0123456789ab"


def tell_models(journal: Journal) -> None:
    """Two models beside the decisions that `journal` has: each decision is spoken of by three, the champion first."""
    batch = Batch()
    for record in (model(CHAMPION), replace(model(CHALLENGER), family="histogram_boosting")):
        batch.add(record)
    kinds = ModelEventKind
    story = [
        (kinds.REGISTERED, CHAMPION), (kinds.DEPLOYED, CHAMPION), (kinds.REGISTERED, CHALLENGER),
        (kinds.CHALLENGING, CHALLENGER), (kinds.DEPLOYED, ONLINE), (kinds.ROLLED_BACK, CHAMPION),
        (kinds.ROLLED_BACK, ""),
    ]  # fmt: skip
    for number, (kind, name) in enumerate(story):
        batch.add(event(kind, name, number))
    spoke = (
        (CHAMPION, PredictionRole.CHAMPION),
        (CHALLENGER, PredictionRole.CHALLENGER),
        (ONLINE, PredictionRole.ONLINE),
    )
    for place, decision in enumerate(journal.read.decisions()):
        for name, role in spoke:
            batch.add(
                Prediction(
                    decision_id=decision.decision_id,
                    model_id=name,
                    role=role,
                    forecast=0.5 + place / 100 + len(name) / 1000,
                    threshold=0.55,
                    at=decision.decided_at,
                )
            )
    for number, kind in enumerate((EvaluationKind.DAILY, EvaluationKind.VERDICT, EvaluationKind.DAILY)):
        batch.add(
            Evaluation(
                evaluation_id=f"evaluation-{number}",
                at=START + timedelta(days=number),
                kind=kind,
                model_id=CHALLENGER if kind is EvaluationKind.VERDICT else CHAMPION,
                document={"auc": 0.53, "judged": 6 + number},
            )
        )
    for number, stream in enumerate(("label", "brier", "label")):
        batch.add(
            DriftEvent(
                event_id=f"drift-{number}",
                at=START + timedelta(days=number),
                detector="adwin",
                stream=stream,
                value=0.31,
                critical=0.25,
                detail="the share of winners fell",
            )
        )
    journal.commit(batch)
