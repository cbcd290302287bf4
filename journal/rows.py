"""Which record goes into which table, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from domain.decisions import Decision, Outcome, Sample
from domain.holds import Hold
from domain.learning import DriftEvent, Evaluation, ModelEvent, ModelRecord, Prediction
from domain.orders import Fill, Intent, Order
from domain.positions import Position
from domain.records import (
    CalendarEvent,
    CashEvent,
    Command,
    EquityPoint,
    Incident,
    JobRun,
    NewsItem,
    Scan,
)
from journal import rows_decisions, rows_facts, rows_learning, rows_orders
from journal.codec import RowValues

Record = (
    Scan
    | Decision
    | Intent
    | Order
    | Fill
    | Position
    | CashEvent
    | Outcome
    | Sample
    | ModelRecord
    | ModelEvent
    | Prediction
    | Evaluation
    | DriftEvent
    | Hold
    | EquityPoint
    | Command
    | Incident
    | JobRun
    | NewsItem
    | CalendarEvent
)

ENCODERS: Mapping[type, tuple[str, Callable[[Any], RowValues]]] = {
    Scan: ("scans", rows_facts.scan_row),
    Decision: ("decisions", rows_decisions.decision_row),
    Intent: ("intents", rows_orders.intent_row),
    Order: ("orders", rows_orders.order_row),
    Fill: ("fills", rows_orders.fill_row),
    Position: ("positions", rows_orders.position_row),
    CashEvent: ("cash_events", rows_facts.cash_row),
    Outcome: ("outcomes", rows_decisions.outcome_row),
    Sample: ("samples", rows_decisions.sample_row),
    ModelRecord: ("models", rows_learning.model_row),
    ModelEvent: ("model_events", rows_learning.model_event_row),
    Prediction: ("predictions", rows_learning.prediction_row),
    Evaluation: ("evaluations", rows_learning.evaluation_row),
    DriftEvent: ("drift_events", rows_learning.drift_event_row),
    Hold: ("holds", rows_facts.hold_row),
    EquityPoint: ("equity", rows_facts.equity_row),
    Command: ("commands", rows_facts.command_row),
    Incident: ("incidents", rows_facts.incident_row),
    JobRun: ("job_runs", rows_facts.job_run_row),
    NewsItem: ("news", rows_facts.news_row),
    CalendarEvent: ("calendar_events", rows_facts.calendar_row),
}
