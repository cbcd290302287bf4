"""Everything that can be asked of the journal. Lists are oldest first; `limit` cuts them in the order asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, Table, and_, func, select

from domain.bars import BarSeries
from domain.decisions import Decision, DecisionStatus, MlClass, Outcome, OutcomeKind, Sample
from domain.holds import Hold
from domain.instruments import Timeframe
from domain.learning import (
    DriftEvent,
    Evaluation,
    EvaluationKind,
    JudgedPrediction,
    ModelEvent,
    ModelRecord,
    Prediction,
)
from domain.orders import TERMINAL, Action, Fill, Intent, Order
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
    TextScore,
)
from journal import rows_bars, rows_decisions, rows_facts, rows_learning, rows_orders, schema
from journal.codec import AnyRow, micros, parsed
from journal.engine import HeldConnection

Kept = TypeVar("Kept")


class Reader:
    """Reads through the journal's own connection; what a commit returned for is seen by the next read."""

    def __init__(self, held: HeldConnection) -> None:
        self._held = held

    def snapshot(self) -> AbstractContextManager[None]:
        """Reads inside see one state of the journal, whoever writes meanwhile."""
        return self._held.snapshot()

    # -- decisions and what became of them -----------------------------------------------------------------------

    def decisions(
        self, *, instrument: str | None = None, limit: int | None = None, newest_first: bool = False
    ) -> list[Decision]:
        statement = select(schema.decisions)
        if instrument is not None:
            statement = statement.where(schema.decisions.c.instrument == instrument)
        return self._list(_cut(statement, schema.decisions, limit, newest_first), rows_decisions.decision_of)

    def decision(self, decision_id: str) -> Decision | None:
        statement = select(schema.decisions).where(schema.decisions.c.decision_id == decision_id)
        return self._one(statement, rows_decisions.decision_of)

    def decisions_named(self, beginning: str, *, limit: int) -> list[Decision]:
        """Decisions whose id begins with these characters, oldest first."""
        table = schema.decisions
        statement = select(table).where(table.c.decision_id.startswith(beginning, autoescape=True))
        return self._list(_cut(statement, table, limit, newest_first=False), rows_decisions.decision_of)

    def decision_exists(self, decision_id: str) -> bool:
        found = select(schema.decisions.c.row_id).where(schema.decisions.c.decision_id == decision_id)
        return bool(self._held.rows(found))

    def decided_with_model(self) -> int:
        """How many ordered decisions had an opinion of the model, which then moved their size."""
        table = schema.decisions
        ordered = and_(table.c.status == DecisionStatus.ORDERED.value, table.c.ml_verdict != MlClass.UNKNOWN.value)
        return int(self._held.rows(select(func.count()).select_from(table).where(ordered))[0][0])

    def unresolved_decisions(self) -> list[Decision]:
        """Decisions without a shadow outcome yet."""
        decisions, outcomes = schema.decisions, schema.outcomes
        shadow = and_(outcomes.c.decision_id == decisions.c.decision_id, outcomes.c.kind == OutcomeKind.SHADOW.value)
        statement = select(decisions).outerjoin(outcomes, shadow).where(outcomes.c.row_id.is_(None))
        return self._list(statement.order_by(decisions.c.row_id), rows_decisions.decision_of)

    def outcomes(
        self, kind: OutcomeKind | None = None, limit: int | None = None, newest_first: bool = False
    ) -> list[Outcome]:
        statement = select(schema.outcomes)
        if kind is not None:
            statement = statement.where(schema.outcomes.c.kind == kind.value)
        return self._list(_cut(statement, schema.outcomes, limit, newest_first), rows_decisions.outcome_of)

    def samples(self, limit: int | None = None, newest_first: bool = False) -> list[Sample]:
        """With the features of their decisions, in the order in which they were learned from."""
        samples, decisions = schema.samples, schema.decisions
        same = samples.c.decision_id == decisions.c.decision_id
        statement = select(samples, decisions.c.feature_schema, decisions.c.features).join(decisions, same)
        return self._list(_cut(statement, samples, limit, newest_first), rows_decisions.sample_of)

    def reason_counts(self) -> dict[str, int]:
        """Decisions by `status:reason`, the most frequent first."""
        status, reason = schema.decisions.c.status, schema.decisions.c.reason
        rows = self._held.rows(select(status, reason, func.count()).group_by(status, reason))
        return _by_frequency({f"{row[0]}:{row[1]}": int(row[2]) for row in rows})

    # -- orders and positions ------------------------------------------------------------------------------------

    def orders(self, *, open_only: bool = False, limit: int | None = None, newest_first: bool = False) -> list[Order]:
        """The latest version of each order, in the order in which they were placed."""
        statement = _latest_orders()
        if open_only:
            statement = statement.where(schema.orders.c.state.not_in(sorted(state.value for state in TERMINAL)))
        return self._list(_cut(statement, schema.intents, limit, newest_first), rows_orders.order_of)

    def order(self, client_order_id: str) -> Order | None:
        """The latest version of one order."""
        statement = _latest_orders().where(schema.intents.c.client_order_id == client_order_id)
        return self._one(statement, rows_orders.order_of)

    def intents(self, *, action: Action | None = None) -> list[Intent]:
        statement = select(schema.intents)
        if action is not None:
            statement = statement.where(schema.intents.c.action == action.value)
        return self._list(_cut(statement, schema.intents), rows_orders.intent_of)

    def fills(self, *, instrument: str | None = None) -> list[Fill]:
        statement = select(schema.fills)
        if instrument is not None:
            statement = statement.where(schema.fills.c.instrument == instrument)
        return self._list(_cut(statement, schema.fills), rows_orders.fill_of)

    def positions(self, *, open_only: bool = False) -> list[Position]:
        """Each position as it is now, in the order in which they were opened."""
        found = self._list(
            _latest(schema.positions, "position_id").order_by(
                schema.positions.c.opened_at, schema.positions.c.position_id
            ),
            rows_orders.position_of,
        )
        return [position for position in found if position.is_open] if open_only else found

    # -- models and what they said -------------------------------------------------------------------------------

    def models(self) -> list[ModelRecord]:
        return self._list(_cut(select(schema.models), schema.models), rows_learning.model_of)

    def model(self, model_id: str) -> ModelRecord | None:
        return self._one(select(schema.models).where(schema.models.c.model_id == model_id), rows_learning.model_of)

    def model_events(self) -> list[ModelEvent]:
        return self._list(_cut(select(schema.model_events), schema.model_events), rows_learning.model_event_of)

    def predictions(
        self,
        *,
        model_id: str | None = None,
        open_only: bool = False,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[Prediction]:
        """What models said, of one or of all of them; `open_only` of decisions that are no samples yet."""
        table, samples = schema.predictions, schema.samples
        statement = select(table)
        if model_id is not None:
            statement = statement.where(table.c.model_id == model_id)
        if open_only:
            same = samples.c.decision_id == table.c.decision_id
            statement = statement.outerjoin(samples, same).where(samples.c.row_id.is_(None))
        return self._list(_cut(statement, table, limit, newest_first), rows_learning.prediction_of)

    def judged(self, model_id: str) -> list[JudgedPrediction]:
        """What one model said of decisions that are samples now, with what became of them, in the order in which
        the samples were learned from."""
        said, samples = schema.predictions.c, schema.samples
        became = (samples.c.label, samples.c.r_net, samples.c.decided_at, samples.c.resolved_at)
        statement = (
            select(said.decision_id, said.forecast, said.threshold, *became)
            .join(samples, samples.c.decision_id == said.decision_id)
            .where(said.model_id == model_id)
        )
        return self._list(_cut(statement, samples), rows_learning.judged_of)

    def evaluations(
        self,
        kind: EvaluationKind | None = None,
        *,
        model_id: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[Evaluation]:
        table = schema.evaluations
        statement = select(table)
        if kind is not None:
            statement = statement.where(table.c.kind == kind.value)
        if model_id is not None:
            statement = statement.where(table.c.model_id == model_id)
        return self._list(_cut(statement, table, limit, newest_first), rows_learning.evaluation_of)

    def drift_events(
        self, *, stream: str | None = None, limit: int | None = None, newest_first: bool = False
    ) -> list[DriftEvent]:
        table = schema.drift_events
        statement = select(table)
        if stream is not None:
            statement = statement.where(table.c.stream == stream)
        return self._list(_cut(statement, table, limit, newest_first), rows_learning.drift_event_of)

    # -- holds, scans, money, people -----------------------------------------------------------------------------

    def holds(self, *, uncleared_only: bool = False) -> list[Hold]:
        """Each hold as it is now, in the order in which they were set."""
        holds = schema.holds
        statement = _latest(holds, "hold_id")
        if uncleared_only:
            statement = statement.where(holds.c.cleared_at.is_(None))
        return self._list(statement.order_by(holds.c.since, holds.c.hold_id), rows_facts.hold_of)

    def last_scan(self) -> Scan | None:
        return self._one(_cut(select(schema.scans), schema.scans, 1, newest_first=True), rows_facts.scan_of)

    def scans(self, limit: int | None = None, newest_first: bool = False) -> list[Scan]:
        return self._list(_cut(select(schema.scans), schema.scans, limit, newest_first), rows_facts.scan_of)

    def scan_reason_totals(self) -> dict[str, int]:
        """Bars by why nothing was proposed on them, over all scans, the most frequent first."""
        totals: Counter[str] = Counter()
        for (reasons,) in self._held.rows(select(schema.scans.c.reasons)):
            totals.update(parsed(reasons))
        return _by_frequency(totals)

    def equity(self, limit: int | None = None, newest_first: bool = False) -> list[EquityPoint]:
        return self._list(_cut(select(schema.equity), schema.equity, limit, newest_first), rows_facts.equity_of)

    def cash(self) -> list[CashEvent]:
        return self._list(_cut(select(schema.cash_events), schema.cash_events), rows_facts.cash_of)

    def commands(self) -> list[Command]:
        return self._list(_cut(select(schema.commands), schema.commands), rows_facts.command_of)

    def incidents(self) -> list[Incident]:
        incidents = schema.incidents
        ordered = select(incidents).order_by(incidents.c.at, incidents.c.incident_id)
        return self._list(ordered, rows_facts.incident_of)

    def job_runs(self, limit: int | None = None, newest_first: bool = False) -> list[JobRun]:
        return self._list(_cut(select(schema.job_runs), schema.job_runs, limit, newest_first), rows_facts.job_run_of)

    # -- what was collected --------------------------------------------------------------------------------------

    def news(self, since: datetime | None = None) -> list[NewsItem]:
        """Texts received at `since` or later, in the order received."""
        news = schema.news
        statement = select(news).order_by(news.c.received_at, news.c.news_id)
        if since is not None:
            statement = statement.where(news.c.received_at >= micros(since))
        return self._list(statement, rows_facts.news_of)

    def scores(self) -> dict[str, list[TextScore]]:
        """What models made of texts, by news id."""
        scores = schema.sentiment_scores
        found: dict[str, list[TextScore]] = {}
        for row in self._held.rows(select(scores).order_by(scores.c.news_id, scores.c.model)):
            found.setdefault(row.news_id, []).append(rows_facts.score_of(row))
        return found

    def calendar(self) -> list[CalendarEvent]:
        events = schema.calendar_events
        return self._list(select(events).order_by(events.c.at, events.c.event_id), rows_facts.calendar_of)

    def bars(self, symbol: str, timeframe: Timeframe) -> BarSeries:
        """The stored bars of one instrument; an empty series when there are none."""
        bars = schema.bars
        same = and_(bars.c.instrument == symbol, bars.c.timeframe == timeframe.value)
        rows = self._held.rows(select(bars).where(same).order_by(bars.c.opened_at))
        return rows_bars.series_of(symbol, timeframe, rows)

    def state(self, key: str) -> str | None:
        """The current value under `key`, JSON text; None when there never was one."""
        rows = self._held.rows(select(schema.state.c.value).where(schema.state.c.key == key))
        return None if not rows else str(rows[0][0])

    def order_count(self) -> int:
        """How many orders were placed; each has a row for every state it was in."""
        placed = schema.intents.c.action == Action.PLACE.value
        return int(self._held.rows(select(func.count()).select_from(schema.intents).where(placed))[0][0])

    def counts(self) -> dict[str, int]:
        """Rows by table name."""
        with self.snapshot():
            return {
                table.name: int(self._held.rows(select(func.count()).select_from(table))[0][0])
                for table in schema.metadata.sorted_tables
            }

    def _list(self, statement: Select[Any], read: Callable[[AnyRow], Kept]) -> list[Kept]:
        return [read(row) for row in self._held.rows(statement)]

    def _one(self, statement: Select[Any], read: Callable[[AnyRow], Kept]) -> Kept | None:
        rows: Sequence[AnyRow] = self._held.rows(statement)
        return read(rows[0]) if rows else None


def _cut(statement: Select[Any], table: Table, limit: int | None = None, newest_first: bool = False) -> Select[Any]:
    """In the order in which the rows of `table` were written, or the reverse; at most `limit` of them."""
    order = table.c.row_id.desc() if newest_first else table.c.row_id
    ordered = statement.order_by(order)
    return ordered if limit is None else ordered.limit(limit)


def _latest(table: Table, key: str) -> Select[Any]:
    """The last row written for each value of `key`."""
    newest = select(func.max(table.c.row_id)).group_by(table.c[key])
    return select(table).where(table.c.row_id.in_(newest))


def _latest_orders() -> Select[Any]:
    orders, intents = schema.orders, schema.intents
    other = orders.alias("other")
    newest = select(func.max(other.c.version)).where(other.c.client_order_id == orders.c.client_order_id)
    own = [
        orders.c[name].label(f"order_{name}") for name in schema.written_columns(orders) if name != "client_order_id"
    ]
    same = orders.c.client_order_id == intents.c.client_order_id
    return select(intents, *own).join(orders, same).where(orders.c.version == newest.scalar_subquery())


def _by_frequency(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
