"""Checks of the record itself: its commits, its rows, its file. Each gives its faults, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select, text

from domain.errors import InvalidRecord
from journal import schema
from journal.evidence import Evidence


def sequence_has_no_gap(evidence: Evidence) -> list[str]:
    """Commits are numbered from 1 without a hole, and each still has as many facts as it brought."""
    facts: Counter[int] = Counter()
    for table in schema.FACTS:
        for sequence, number in evidence.rows(select(table.c.sequence, func.count()).group_by(table.c.sequence)):
            facts[sequence] += number
    faults = []
    expected = 1
    for sequence, brought in evidence.rows(select(schema.commits).order_by(schema.commits.c.sequence)):
        if sequence != expected:
            faults.append(f"commit {sequence} follows {expected - 1}")
        kept = facts.pop(sequence, 0)
        if kept != brought:
            faults.append(f"commit {sequence} brought {brought} facts, {kept} are there")
        expected = sequence + 1
    faults += [f"{number} facts are of commit {sequence}, which is not there" for sequence, number in facts.items()]
    return faults


def rows_read_back_as_records(evidence: Evidence) -> list[str]:
    """Every row is a record that may exist."""
    read = evidence.read
    readings: dict[str, Callable[[], Any]] = {
        "scans": read.scans,
        "decisions": read.decisions,
        "intents": lambda: evidence.intents,
        "orders": lambda: evidence.orders,
        "fills": lambda: evidence.fills,
        "positions": read.positions,
        "cash_events": read.cash,
        "outcomes": read.outcomes,
        "samples": read.samples,
        "models": read.models,
        "model_events": read.model_events,
        "predictions": read.predictions,
        "evaluations": read.evaluations,
        "drift_events": read.drift_events,
        "holds": read.holds,
        "equity": read.equity,
        "commands": read.commands,
        "job_runs": read.job_runs,
        "incidents": read.incidents,
        "news": read.news,
        "sentiment_scores": read.scores,
        "calendar_events": read.calendar,
    }
    faults = []
    for table, reading in readings.items():
        try:
            reading()
        except (InvalidRecord, ValueError, KeyError, TypeError, ArithmeticError) as error:
            faults.append(f"{table}: {error}")
    return faults


def database_is_sound(evidence: Evidence) -> list[str]:
    """SQLite's own look at its pages and references; PostgreSQL keeps checksums of its own."""
    if evidence.held.dialect.name != "sqlite":
        return []
    damage = [str(row[0]) for row in evidence.rows(text("PRAGMA integrity_check"))]
    broken = [
        f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there"
        for row in evidence.rows(text("PRAGMA foreign_key_check"))
    ]
    return [line for line in damage if line != "ok"] + broken
