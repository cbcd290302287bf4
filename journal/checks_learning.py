"""Checks of models, their events and their predictions. Each gives its faults, in sentences."""

from __future__ import annotations

import re

from sqlalchemy import select

from domain.learning import ONLINE, PredictionRole
from journal import schema
from journal.evidence import Evidence

_SHA256 = re.compile(r"[0-9a-f]{64}")


def models_have_hashes(evidence: Evidence) -> list[str]:
    """Without its hash a bundle could be any file."""
    return [
        f"model {model_id} has the hash {sha256!r}, which is no SHA-256"
        for model_id, sha256 in evidence.columns(schema.models, "model_id", "sha256")
        if not _SHA256.fullmatch(sha256)
    ]


def predictions_have_decisions(evidence: Evidence) -> list[str]:
    decisions, predictions = schema.decisions, schema.predictions
    orphans = (
        select(predictions.c.model_id, predictions.c.decision_id)
        .outerjoin(decisions, decisions.c.decision_id == predictions.c.decision_id)
        .where(decisions.c.row_id.is_(None))
        .order_by(predictions.c.row_id)
    )
    return [f"{row[0]} spoke of decision {row[1]}, which is not there" for row in evidence.rows(orphans)]


def predictions_have_models(evidence: Evidence) -> list[str]:
    """Only the online learner speaks without a bundle."""
    models, predictions = schema.models, schema.predictions
    nameless = (
        select(predictions.c.decision_id, predictions.c.role, predictions.c.model_id)
        .outerjoin(models, models.c.model_id == predictions.c.model_id)
        .where(models.c.row_id.is_(None), predictions.c.role != PredictionRole.ONLINE.value)
        .where(predictions.c.model_id != ONLINE)
        .order_by(predictions.c.row_id)
    )
    return [
        f"of decision {row[0]} the {row[1]} {row[2]} spoke, a model that is not there"
        for row in evidence.rows(nameless)
    ]


def model_events_have_models(evidence: Evidence) -> list[str]:
    """Each event is of a model that is there; a rollback may name none, and the online learner has no bundle."""
    known = {row[0] for row in evidence.columns(schema.models, "model_id")} | {ONLINE, ""}
    names = ("event_id", "kind", "model_id")
    return [
        f"model event {event_id} is {kind} of {model_id}, a model that is not there"
        for event_id, kind, model_id in evidence.columns(schema.model_events, *names)
        if model_id not in known
    ]
