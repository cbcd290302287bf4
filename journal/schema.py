"""The tables of the durable record, as SQLAlchemy Core sees them on SQLite and PostgreSQL.

Times are whole microseconds since 1970 UTC, money and quantities canonical decimal text, structures JSON text.
Facts are append-only: `row_id` tells their order and `sequence` the commit they came with. Collected tables
(bars, news, ...) take the same row twice without a change. `state` holds the current value of each key.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _text_or_null(*names: str) -> list[Column[str]]:
    return [Column(name, Text) for name in names]


def _whole(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


def _whole_or_null(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger) for name in names]


def _real(*names: str) -> list[Column[float]]:
    return [Column(name, Double, nullable=False) for name in names]


def _real_or_null(*names: str) -> list[Column[float]]:
    return [Column(name, Double) for name in names]


def _flag(*names: str) -> list[Column[bool]]:
    return [Column(name, Boolean, nullable=False) for name in names]


def _fact(name: str, *items: SchemaItem) -> Table:
    """An append-only table; SQLite's own row number is its `row_id`."""
    row_id = Column("row_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    return Table(name, metadata, row_id, Column("sequence", BigInteger, nullable=False), *items)


commits = Table(
    "commits",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("facts", BigInteger, nullable=False),
)

scans = _fact("scans", *_whole("at"), *_text("timeframe"), *_whole("bars", "decisions"), *_text("reasons"))

decisions = _fact(
    "decisions",
    *_text("decision_id", "account", "instrument", "timeframe"),
    *_whole("bar_opened_at", "decided_at"),
    *_text("side"),
    *_real("technical_score", "agreement", "entry_price", "stop_price", "target_price", "atr"),
    *_whole("bars_since_signal"),
    *_text("votes", "feature_schema", "features"),
    *_whole_or_null("sentiment_count"),
    *_real_or_null("sentiment_score", "sentiment_confidence", "sentiment_age_s", "social_score", "event_score"),
    *_text("ml_verdict"),
    *_real_or_null("ml_probability", "ml_confidence", "ml_forecast", "ml_base_rate"),
    *_real("ml_threshold"),
    *_text("ml_model"),
    *_whole("ml_seen"),
    *_text("ml_why"),
    *_real("score"),
    *_text("status", "reason", "quantity", "risk_amount", "strategy_hash", "numbers"),
    UniqueConstraint("decision_id"),
    UniqueConstraint("account", "instrument", "timeframe", "bar_opened_at"),
)

intents = _fact(
    "intents",
    *_text("client_order_id", "account", "instrument", "action", "cause_kind", "cause_id", "leg"),
    *_whole("attempt"),
    *_text("side", "kind", "quantity"),
    *_whole("created_at"),
    *_text("position_id"),
    *_text_or_null("limit_price", "stop_price"),
    *_text("time_in_force"),
    *_whole_or_null("expires_at"),
    *_flag("reduce_only"),
    *_text_or_null("oco_group", "target_id"),
    *_text("reason", "approval_instrument", "approval_side", "approval_quantity"),
    *_flag("approval_reduce_only"),
    *_whole("approval_granted_at", "approval_expires_at"),
    *_text("approval_rules", "approval_limits_digest"),
    UniqueConstraint("client_order_id"),
)

orders = _fact(
    "orders",
    *_text("client_order_id"),
    *_whole("version"),
    *_text("state"),
    *_whole("updated_at"),
    *_text("filled"),
    *_text_or_null("average_price", "venue_order_id"),
    *_text("reason", "quantity"),
    *_text_or_null("limit_price", "stop_price"),
    UniqueConstraint("client_order_id", "version"),
    ForeignKeyConstraint(["client_order_id"], ["intents.client_order_id"]),
)

fills = _fact(
    "fills",
    *_text("venue", "trade_id", "client_order_id", "instrument", "side", "quantity", "price", "fee", "fx_rate"),
    *_whole("at"),
    *_text_or_null("base_fee"),
    UniqueConstraint("venue", "trade_id"),
)

positions = _fact(
    "positions",
    *_text("position_id", "account", "instrument", "side"),
    *_whole("opened_at", "updated_at"),
    *_text("quantity", "entered", "entry_price", "exited", "exit_price", "realized", "fees"),
    *_text_or_null("dust"),
    Index(None, "position_id", "row_id"),
)

cash_events = _fact(
    "cash_events",
    *_text("event_id", "kind"),
    *_whole("at"),
    *_text("amount"),
    *_text_or_null("instrument"),
    UniqueConstraint("event_id"),
)

outcomes = _fact(
    "outcomes",
    *_text("outcome_id", "decision_id", "kind", "instrument", "timeframe", "side"),
    *_whole("opened_at", "closed_at"),
    *_real("entry_price", "exit_price"),
    *_text("quantity"),
    *_real("r_net", "return_net", "mfe_r", "mae_r"),
    *_whole("bars_held"),
    *_text("exit_cause"),
    *_real("costs_r"),
    *_text_or_null("profit"),
    *_text("strategies", "sentiment_state", "model"),
    UniqueConstraint("decision_id", "kind"),
    ForeignKeyConstraint(["decision_id"], ["decisions.decision_id"]),
)

samples = _fact(
    "samples",
    *_text("decision_id"),
    *_whole("decided_at", "resolved_at"),
    *_text("instrument", "side", "strategy"),
    *_real("r_net"),
    *_whole("label"),
    *_real("weight"),
    *_text("source"),
    UniqueConstraint("decision_id"),
    ForeignKeyConstraint(["decision_id"], ["decisions.decision_id"]),
)

models = _fact(
    "models",
    *_text("model_id"),
    *_whole("created_at"),
    *_text("family", "sha256", "feature_schema"),
    *_whole("samples", "trained_from", "trained_until"),
    *_real("threshold"),
    *_whole("seed"),
    *_text("document"),
    UniqueConstraint("model_id"),
)

model_events = _fact(
    "model_events",
    *_text("event_id"),
    *_whole("at"),
    *_text("model_id", "kind", "reason", "caused_by"),
    *_flag("simulated"),
    UniqueConstraint("event_id"),
)

predictions = _fact(
    "predictions",
    *_text("decision_id", "model_id", "role"),
    *_real("forecast", "threshold"),
    *_whole("at"),
    UniqueConstraint("decision_id", "model_id"),
    ForeignKeyConstraint(["decision_id"], ["decisions.decision_id"]),
    Index(None, "model_id", "row_id"),
)

evaluations = _fact(
    "evaluations",
    *_text("evaluation_id"),
    *_whole("at"),
    *_text("kind", "model_id", "document"),
    UniqueConstraint("evaluation_id"),
)

drift_events = _fact(
    "drift_events",
    *_text("event_id"),
    *_whole("at"),
    *_text("detector", "stream"),
    *_real("value", "critical"),
    *_text("detail"),
    UniqueConstraint("event_id"),
)

holds = _fact(
    "holds",
    *_text("hold_id", "cause", "effect"),
    *_whole("since"),
    *_text("detail"),
    *_text_or_null("scope"),
    *_whole_or_null("until"),
    *_text_or_null("condition"),
    *_flag("latched"),
    *_whole_or_null("cleared_at"),
    *_text_or_null("cleared_by", "cleared_why"),
    *_flag("simulated"),
    Index(None, "hold_id", "row_id"),
)

equity = _fact(
    "equity",
    *_whole("at"),
    *_text("balance", "floating", "equity", "peak"),
    *_real("drawdown"),
    *_text("exposure"),
    *_whole("open_positions"),
)

commands = _fact(
    "commands",
    *_text("command_id"),
    *_whole("at"),
    *_text("name", "who", "why", "arguments"),
    *_flag("simulated"),
    UniqueConstraint("command_id"),
)

job_runs = _fact("job_runs", *_text("job"), *_whole("due_at", "started_at", "finished_at"), *_text("outcome", "detail"))

incidents = Table(
    "incidents",
    metadata,
    *_text("incident_id"),
    *_whole("at"),
    *_text("kind"),
    *_text_or_null("instrument"),
    *_text("detail"),
    PrimaryKeyConstraint("incident_id"),
)

news = Table(
    "news",
    metadata,
    *_text("news_id"),
    *_whole("received_at", "published_at"),
    *_text("source", "publisher"),
    *_text_or_null("author"),
    *_text("text"),
    *_flag("social"),
    PrimaryKeyConstraint("news_id"),
    Index(None, "received_at"),
)

sentiment_scores = Table(
    "sentiment_scores",
    metadata,
    *_text("news_id", "model"),
    *_real("negative", "neutral", "positive", "unknown"),
    PrimaryKeyConstraint("news_id", "model"),
)

calendar_events = Table(
    "calendar_events",
    metadata,
    *_text("event_id"),
    *_whole("at"),
    *_flag("precise"),
    *_text("currency", "impact", "name"),
    *_real_or_null("actual", "forecast", "previous"),
    PrimaryKeyConstraint("event_id"),
)

bars = Table(
    "bars",
    metadata,
    *_text("instrument", "timeframe"),
    *_whole("opened_at"),
    *_real("open", "high", "low", "close"),
    *_real_or_null("volume"),
    *_real("half_spread"),
    *_text("source"),
    PrimaryKeyConstraint("instrument", "timeframe", "opened_at"),
    sqlite_with_rowid=False,
)

state = Table("state", metadata, *_text("key", "value"), PrimaryKeyConstraint("key"))

FACTS = (
    scans, decisions, intents, orders, fills, positions, cash_events, outcomes, samples, models, model_events,
    predictions, evaluations, drift_events, holds, equity, commands, job_runs,
)  # fmt: skip
"""Append-only tables in the order in which one commit writes them: what is referred to comes first."""

COLLECTED = (news, sentiment_scores, calendar_events, incidents, bars)
"""Tables in which a row that is there already stays as it is."""


def written_columns(table: Table) -> tuple[str, ...]:
    """The columns a row brings with it: all but the row number and the commit's sequence."""
    return tuple(column.name for column in table.columns if column.name not in ("row_id", "sequence"))
