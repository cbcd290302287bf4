"""The first tables of the durable record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "r0001"
down_revision = None


def upgrade() -> None:
    _create_bars()
    _create_calendar_events()
    _create_cash_events()
    _create_commands()
    _create_bookkeeping()
    _create_decisions()
    _create_equity()
    _create_fills()
    _create_holds()
    _create_incidents()
    _create_intents()
    _create_job_runs()
    _create_texts()
    _create_positions()
    _create_scans()
    _create_orders()
    _create_outcomes()
    _create_samples()


def _create_fact_table(name: str, *items: SchemaItem) -> None:
    row_id = sa.Column("row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)
    sequence = sa.Column("sequence", sa.BigInteger(), nullable=False)
    op.create_table(name, row_id, sequence, *items, sa.PrimaryKeyConstraint("row_id", name=op.f(f"pk_{name}")))


def _create_bars() -> None:
    op.create_table(
        "bars",
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("close", sa.Double(), nullable=False),
        sa.Column("volume", sa.Double(), nullable=True),
        sa.Column("half_spread", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("instrument", "timeframe", "opened_at", name=op.f("pk_bars")),
        sqlite_with_rowid=False,
    )


def _create_calendar_events() -> None:
    op.create_table(
        "calendar_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("precise", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("impact", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("actual", sa.Double(), nullable=True),
        sa.Column("forecast", sa.Double(), nullable=True),
        sa.Column("previous", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_calendar_events")),
    )


def _create_cash_events() -> None:
    _create_fact_table(
        "cash_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=True),
        sa.UniqueConstraint("event_id", name=op.f("uq_cash_events_event_id")),
    )


def _create_commands() -> None:
    _create_fact_table(
        "commands",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("command_id", name=op.f("uq_commands_command_id")),
    )


def _create_bookkeeping() -> None:
    op.create_table(
        "commits",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("facts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_commits")),
    )
    op.create_table(
        "state",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_state")),
    )


def _create_decisions() -> None:
    _create_fact_table(
        "decisions",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("bar_opened_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("technical_score", sa.Double(), nullable=False),
        sa.Column("agreement", sa.Double(), nullable=False),
        sa.Column("entry_price", sa.Double(), nullable=False),
        sa.Column("stop_price", sa.Double(), nullable=False),
        sa.Column("target_price", sa.Double(), nullable=False),
        sa.Column("atr", sa.Double(), nullable=False),
        sa.Column("bars_since_signal", sa.BigInteger(), nullable=False),
        sa.Column("votes", sa.Text(), nullable=False),
        sa.Column("feature_schema", sa.Text(), nullable=False),
        sa.Column("features", sa.Text(), nullable=False),
        sa.Column("sentiment_count", sa.BigInteger(), nullable=True),
        sa.Column("sentiment_score", sa.Double(), nullable=True),
        sa.Column("sentiment_confidence", sa.Double(), nullable=True),
        sa.Column("sentiment_age_s", sa.Double(), nullable=True),
        sa.Column("social_score", sa.Double(), nullable=True),
        sa.Column("event_score", sa.Double(), nullable=True),
        sa.Column("ml_verdict", sa.Text(), nullable=False),
        sa.Column("ml_probability", sa.Double(), nullable=True),
        sa.Column("ml_confidence", sa.Double(), nullable=True),
        sa.Column("ml_forecast", sa.Double(), nullable=True),
        sa.Column("ml_base_rate", sa.Double(), nullable=True),
        sa.Column("ml_threshold", sa.Double(), nullable=False),
        sa.Column("ml_model", sa.Text(), nullable=False),
        sa.Column("ml_seen", sa.BigInteger(), nullable=False),
        sa.Column("ml_why", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("risk_amount", sa.Text(), nullable=False),
        sa.Column("strategy_hash", sa.Text(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.UniqueConstraint(
            "account",
            "instrument",
            "timeframe",
            "bar_opened_at",
            name=op.f("uq_decisions_account_instrument_timeframe_bar_opened_at"),
        ),
        sa.UniqueConstraint("decision_id", name=op.f("uq_decisions_decision_id")),
    )


def _create_equity() -> None:
    _create_fact_table(
        "equity",
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.Text(), nullable=False),
        sa.Column("floating", sa.Text(), nullable=False),
        sa.Column("equity", sa.Text(), nullable=False),
        sa.Column("peak", sa.Text(), nullable=False),
        sa.Column("drawdown", sa.Double(), nullable=False),
        sa.Column("exposure", sa.Text(), nullable=False),
        sa.Column("open_positions", sa.BigInteger(), nullable=False),
    )


def _create_fills() -> None:
    _create_fact_table(
        "fills",
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("price", sa.Text(), nullable=False),
        sa.Column("fee", sa.Text(), nullable=False),
        sa.Column("fx_rate", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("venue", "trade_id", name=op.f("uq_fills_venue_trade_id")),
    )


def _create_holds() -> None:
    _create_fact_table(
        "holds",
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("latched", sa.Boolean(), nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.Column("cleared_by", sa.Text(), nullable=True),
        sa.Column("cleared_why", sa.Text(), nullable=True),
        sa.Column("simulated", sa.Boolean(), nullable=False),
    )
    op.create_index(op.f("ix_holds_hold_id_row_id"), "holds", ["hold_id", "row_id"], unique=False)


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incidents")),
    )


def _create_intents() -> None:
    _create_fact_table(
        "intents",
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("cause_kind", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Text(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("position_id", sa.Text(), nullable=False),
        sa.Column("limit_price", sa.Text(), nullable=True),
        sa.Column("stop_price", sa.Text(), nullable=True),
        sa.Column("time_in_force", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("reduce_only", sa.Boolean(), nullable=False),
        sa.Column("oco_group", sa.Text(), nullable=True),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approval_instrument", sa.Text(), nullable=False),
        sa.Column("approval_side", sa.Text(), nullable=False),
        sa.Column("approval_quantity", sa.Text(), nullable=False),
        sa.Column("approval_reduce_only", sa.Boolean(), nullable=False),
        sa.Column("approval_granted_at", sa.BigInteger(), nullable=False),
        sa.Column("approval_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("approval_rules", sa.Text(), nullable=False),
        sa.Column("approval_limits_digest", sa.Text(), nullable=False),
        sa.UniqueConstraint("client_order_id", name=op.f("uq_intents_client_order_id")),
    )


def _create_job_runs() -> None:
    _create_fact_table(
        "job_runs",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
    )


def _create_texts() -> None:
    op.create_table(
        "news",
        sa.Column("news_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("publisher", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("social", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("news_id", name=op.f("pk_news")),
    )
    op.create_index(op.f("ix_news_received_at"), "news", ["received_at"], unique=False)
    op.create_table(
        "sentiment_scores",
        sa.Column("news_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("negative", sa.Double(), nullable=False),
        sa.Column("neutral", sa.Double(), nullable=False),
        sa.Column("positive", sa.Double(), nullable=False),
        sa.Column("unknown", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("news_id", "model", name=op.f("pk_sentiment_scores")),
    )


def _create_positions() -> None:
    _create_fact_table(
        "positions",
        sa.Column("position_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("entered", sa.Text(), nullable=False),
        sa.Column("entry_price", sa.Text(), nullable=False),
        sa.Column("exited", sa.Text(), nullable=False),
        sa.Column("exit_price", sa.Text(), nullable=False),
        sa.Column("realized", sa.Text(), nullable=False),
        sa.Column("fees", sa.Text(), nullable=False),
    )
    op.create_index(op.f("ix_positions_position_id_row_id"), "positions", ["position_id", "row_id"], unique=False)


def _create_scans() -> None:
    _create_fact_table(
        "scans",
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("bars", sa.BigInteger(), nullable=False),
        sa.Column("decisions", sa.BigInteger(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
    )


def _create_orders() -> None:
    _create_fact_table(
        "orders",
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("filled", sa.Text(), nullable=False),
        sa.Column("average_price", sa.Text(), nullable=True),
        sa.Column("venue_order_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("limit_price", sa.Text(), nullable=True),
        sa.Column("stop_price", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_order_id"], ["intents.client_order_id"], name=op.f("fk_orders_client_order_id")
        ),
        sa.UniqueConstraint("client_order_id", "version", name=op.f("uq_orders_client_order_id_version")),
    )


def _create_outcomes() -> None:
    _create_fact_table(
        "outcomes",
        sa.Column("outcome_id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("entry_price", sa.Double(), nullable=False),
        sa.Column("exit_price", sa.Double(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("r_net", sa.Double(), nullable=False),
        sa.Column("return_net", sa.Double(), nullable=False),
        sa.Column("mfe_r", sa.Double(), nullable=False),
        sa.Column("mae_r", sa.Double(), nullable=False),
        sa.Column("bars_held", sa.BigInteger(), nullable=False),
        sa.Column("exit_cause", sa.Text(), nullable=False),
        sa.Column("costs_r", sa.Double(), nullable=False),
        sa.Column("profit", sa.Text(), nullable=True),
        sa.Column("strategies", sa.Text(), nullable=False),
        sa.Column("sentiment_state", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.decision_id"], name=op.f("fk_outcomes_decision_id")),
        sa.UniqueConstraint("decision_id", "kind", name=op.f("uq_outcomes_decision_id_kind")),
    )


def _create_samples() -> None:
    _create_fact_table(
        "samples",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("r_net", sa.Double(), nullable=False),
        sa.Column("label", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.decision_id"], name=op.f("fk_samples_decision_id")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_samples_decision_id")),
    )
