"""Models, who of them spoke when, what they said, how they were judged, and drift."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    _create_models()
    _create_model_events()
    _create_predictions()
    _create_evaluations()
    _create_drift_events()


def _create_fact_table(name: str, *items: SchemaItem) -> None:
    row_id = sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)
    sequence = sa.Column("sequence", sa.BigInteger(), nullable=False)
    op.create_table(name, row_id, sequence, *items, sa.PrimaryKeyConstraint("row_id", name=op.f(f"pk_{name}")))


def _create_models() -> None:
    _create_fact_table(
        "models",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("feature_schema", sa.Text(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("trained_from", sa.BigInteger(), nullable=False),
        sa.Column("trained_until", sa.BigInteger(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.UniqueConstraint("model_id", name=op.f("uq_models_model_id")),
    )


def _create_model_events() -> None:
    _create_fact_table(
        "model_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("caused_by", sa.Text(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("event_id", name=op.f("uq_model_events_event_id")),
    )


def _create_predictions() -> None:
    _create_fact_table(
        "predictions",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("forecast", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("decision_id", "model_id", name=op.f("uq_predictions_decision_id_model_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.decision_id"], name=op.f("fk_predictions_decision_id")),
    )
    op.create_index(op.f("ix_predictions_model_id_row_id"), "predictions", ["model_id", "row_id"], unique=False)


def _create_evaluations() -> None:
    _create_fact_table(
        "evaluations",
        sa.Column("evaluation_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.UniqueConstraint("evaluation_id", name=op.f("uq_evaluations_evaluation_id")),
    )


def _create_drift_events() -> None:
    _create_fact_table(
        "drift_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("detector", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("critical", sa.Double(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.UniqueConstraint("event_id", name=op.f("uq_drift_events_event_id")),
    )
