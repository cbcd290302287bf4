"""Models, what they said and how they were judged as rows, and back."""

from __future__ import annotations

from domain.learning import (
    DriftEvent,
    Evaluation,
    EvaluationKind,
    JudgedPrediction,
    ModelEvent,
    ModelEventKind,
    ModelRecord,
    Prediction,
    PredictionRole,
)
from journal.codec import AnyRow, RowValues, free_text, json_text, micros, moment, parsed


def model_row(model: ModelRecord) -> RowValues:
    return (
        model.model_id,
        micros(model.created_at),
        model.family,
        model.sha256,
        model.schema,
        int(model.samples),
        micros(model.trained_from),
        micros(model.trained_until),
        float(model.threshold),
        int(model.seed),
        json_text(dict(model.document)),
    )


def model_of(row: AnyRow) -> ModelRecord:
    return ModelRecord(
        model_id=row.model_id,
        created_at=moment(row.created_at),
        family=row.family,
        sha256=row.sha256,
        schema=row.feature_schema,
        samples=row.samples,
        trained_from=moment(row.trained_from),
        trained_until=moment(row.trained_until),
        threshold=row.threshold,
        seed=row.seed,
        document=parsed(row.document),
    )


def model_event_row(event: ModelEvent) -> RowValues:
    return (
        event.event_id,
        micros(event.at),
        event.model_id,
        event.kind.value,
        free_text(event.reason),
        free_text(event.by),
        bool(event.simulated),
    )


def model_event_of(row: AnyRow) -> ModelEvent:
    return ModelEvent(
        event_id=row.event_id,
        at=moment(row.at),
        model_id=row.model_id,
        kind=ModelEventKind(row.kind),
        reason=row.reason,
        by=row.caused_by,
        simulated=row.simulated,
    )


def prediction_row(prediction: Prediction) -> RowValues:
    return (
        prediction.decision_id,
        prediction.model_id,
        prediction.role.value,
        float(prediction.forecast),
        float(prediction.threshold),
        micros(prediction.at),
    )


def prediction_of(row: AnyRow) -> Prediction:
    return Prediction(
        decision_id=row.decision_id,
        model_id=row.model_id,
        role=PredictionRole(row.role),
        forecast=row.forecast,
        threshold=row.threshold,
        at=moment(row.at),
    )


def judged_of(row: AnyRow) -> JudgedPrediction:
    """From a prediction's row joined with the sample of its decision."""
    return JudgedPrediction(
        decision_id=row.decision_id,
        forecast=row.forecast,
        threshold=row.threshold,
        label=row.label,
        r_net=row.r_net,
        decided_at=moment(row.decided_at),
        resolved_at=moment(row.resolved_at),
    )


def evaluation_row(evaluation: Evaluation) -> RowValues:
    return (
        evaluation.evaluation_id,
        micros(evaluation.at),
        evaluation.kind.value,
        evaluation.model_id,
        json_text(dict(evaluation.document)),
    )


def evaluation_of(row: AnyRow) -> Evaluation:
    return Evaluation(
        evaluation_id=row.evaluation_id,
        at=moment(row.at),
        kind=EvaluationKind(row.kind),
        model_id=row.model_id,
        document=parsed(row.document),
    )


def drift_event_row(event: DriftEvent) -> RowValues:
    return (
        event.event_id,
        micros(event.at),
        event.detector,
        event.stream,
        float(event.value),
        float(event.critical),
        free_text(event.detail),
    )


def drift_event_of(row: AnyRow) -> DriftEvent:
    return DriftEvent(
        event_id=row.event_id,
        at=moment(row.at),
        detector=row.detector,
        stream=row.stream,
        value=row.value,
        critical=row.critical,
        detail=row.detail,
    )
