"""The smaller facts as rows, and back: scans, holds, cash, equity, commands, incidents, jobs, news, the calendar."""

from __future__ import annotations

from decimal import Decimal

from domain.holds import Effect, Hold, HoldCause
from domain.instruments import Timeframe
from domain.records import (
    CalendarEvent,
    CashEvent,
    CashKind,
    Command,
    EquityPoint,
    Impact,
    Incident,
    JobRun,
    NewsItem,
    Scan,
    TextScore,
)
from journal.codec import (
    AnyRow,
    RowValues,
    decimal_text,
    free_text,
    free_text_or_null,
    json_text,
    micros,
    micros_or_null,
    moment,
    moment_or_none,
    parsed,
)


def scan_row(scan: Scan) -> RowValues:
    reasons = json_text(dict(scan.reasons))
    return (micros(scan.at), scan.timeframe.value, int(scan.bars), int(scan.decisions), reasons)


def scan_of(row: AnyRow) -> Scan:
    return Scan(
        at=moment(row.at),
        timeframe=Timeframe(row.timeframe),
        bars=row.bars,
        decisions=row.decisions,
        reasons=parsed(row.reasons),
    )


def hold_row(hold: Hold) -> RowValues:
    return (
        hold.hold_id,
        hold.cause.value,
        hold.effect.label,
        micros(hold.since),
        free_text(hold.detail),
        hold.scope,
        micros_or_null(hold.until),
        free_text_or_null(hold.condition),
        bool(hold.latched),
        micros_or_null(hold.cleared_at),
        free_text_or_null(hold.cleared_by),
        free_text_or_null(hold.cleared_why),
        bool(hold.simulated),
    )


def hold_of(row: AnyRow) -> Hold:
    return Hold(
        hold_id=row.hold_id,
        cause=HoldCause(row.cause),
        effect=Effect[row.effect.upper()],
        since=moment(row.since),
        detail=row.detail,
        scope=row.scope,
        until=moment_or_none(row.until),
        condition=row.condition,
        latched=row.latched,
        cleared_at=moment_or_none(row.cleared_at),
        cleared_by=row.cleared_by,
        cleared_why=row.cleared_why,
        simulated=row.simulated,
    )


def cash_row(event: CashEvent) -> RowValues:
    return (event.event_id, event.kind.value, micros(event.at), decimal_text(event.amount), event.instrument)


def cash_of(row: AnyRow) -> CashEvent:
    return CashEvent(
        event_id=row.event_id,
        kind=CashKind(row.kind),
        at=moment(row.at),
        amount=Decimal(row.amount),
        instrument=row.instrument,
    )


def equity_row(point: EquityPoint) -> RowValues:
    return (
        micros(point.at),
        decimal_text(point.balance),
        decimal_text(point.floating),
        decimal_text(point.equity),
        decimal_text(point.peak),
        float(point.drawdown),
        decimal_text(point.exposure),
        int(point.open_positions),
    )


def equity_of(row: AnyRow) -> EquityPoint:
    return EquityPoint(
        at=moment(row.at),
        balance=Decimal(row.balance),
        floating=Decimal(row.floating),
        equity=Decimal(row.equity),
        peak=Decimal(row.peak),
        drawdown=row.drawdown,
        exposure=Decimal(row.exposure),
        open_positions=row.open_positions,
    )


def command_row(command: Command) -> RowValues:
    return (
        command.command_id,
        micros(command.at),
        command.name,
        free_text(command.who),
        free_text(command.why),
        json_text(dict(command.arguments)),
        bool(command.simulated),
    )


def command_of(row: AnyRow) -> Command:
    return Command(
        command_id=row.command_id,
        at=moment(row.at),
        name=row.name,
        who=row.who,
        why=row.why,
        arguments=parsed(row.arguments),
        simulated=row.simulated,
    )


def job_run_row(run: JobRun) -> RowValues:
    times = (micros(run.due_at), micros(run.started_at), micros(run.finished_at))
    return (run.job, *times, run.outcome, free_text(run.detail))


def job_run_of(row: AnyRow) -> JobRun:
    return JobRun(
        job=row.job,
        due_at=moment(row.due_at),
        started_at=moment(row.started_at),
        finished_at=moment(row.finished_at),
        outcome=row.outcome,
        detail=row.detail,
    )


def incident_row(incident: Incident) -> RowValues:
    at = micros(incident.at)
    return (incident.incident_id, at, incident.kind, free_text_or_null(incident.instrument), free_text(incident.detail))


def incident_of(row: AnyRow) -> Incident:
    return Incident(
        incident_id=row.incident_id,
        at=moment(row.at),
        kind=row.kind,
        instrument=row.instrument,
        detail=row.detail,
    )


def news_row(item: NewsItem) -> RowValues:
    return (
        free_text(item.news_id),
        micros(item.received_at),
        micros(item.published_at),
        free_text(item.source),
        free_text(item.publisher),
        free_text_or_null(item.author),
        free_text(item.text),
        bool(item.social),
    )


def news_of(row: AnyRow) -> NewsItem:
    return NewsItem(
        news_id=row.news_id,
        received_at=moment(row.received_at),
        published_at=moment(row.published_at),
        source=row.source,
        publisher=row.publisher,
        author=row.author,
        text=row.text,
        social=row.social,
    )


def score_row(news_id: str, score: TextScore) -> RowValues:
    parts = (float(score.negative), float(score.neutral), float(score.positive), float(score.unknown))
    return (free_text(news_id), score.model, *parts)


def score_of(row: AnyRow) -> TextScore:
    return TextScore(
        negative=row.negative, neutral=row.neutral, positive=row.positive, unknown=row.unknown, model=row.model
    )


def calendar_row(event: CalendarEvent) -> RowValues:
    return (
        free_text(event.event_id),
        micros(event.at),
        bool(event.precise),
        event.currency,
        event.impact.value,
        free_text(event.name),
        event.actual,
        event.forecast,
        event.previous,
    )


def calendar_of(row: AnyRow) -> CalendarEvent:
    return CalendarEvent(
        event_id=row.event_id,
        at=moment(row.at),
        precise=row.precise,
        currency=row.currency,
        impact=Impact(row.impact),
        name=row.name,
        actual=row.actual,
        forecast=row.forecast,
        previous=row.previous,
    )
