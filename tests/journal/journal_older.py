"""A journal as the version before models left it: its tables by its own migrations, the story of trades in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from journal_models import tell_models
from journal_story import story
from sqlalchemy import Connection, inspect, select, text

import journal as journal_package
from domain.errors import JournalSchemaUnknown
from journal import Batch, Durability, Journal, verify
from journal.address import address_of
from journal.engine import HeldConnection, hold
from journal.migrate import HEAD
from journal.schema import metadata

BEFORE = "r0002"
NEW = ("models", "model_events", "predictions", "evaluations", "drift_events")

Rows = dict[str, list[tuple[Any, ...]]]


def held_at(url: str | Path) -> HeldConnection:
    return hold(address_of(url), durability=Durability.NORMAL, read_only=False, busy_timeout_ms=1_000)


def write_older(url: str | Path) -> Rows:
    """Make the older journal at `url`, and give what is in it, by table."""
    held = held_at(url)
    try:
        connection = held.connection
        if not connection.in_transaction():
            connection.begin()
        config = Config()
        config.set_main_option("script_location", str(Path(journal_package.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
        columns = _columns(connection)
        rows = _told(columns)
        for name, names in columns.items():
            marks = ", ".join(f":{each}" for each in names)
            listed = ", ".join(f'"{each}"' for each in names)
            statement = text(f"INSERT INTO {name} ({listed}) VALUES ({marks})")
            if rows[name]:
                connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows[name]])
        connection.rollback()  # the statements committed themselves; only SQLAlchemy's notion is left to end
        return rows
    finally:
        held.close()


def _columns(connection: Connection) -> dict[str, list[str]]:
    """Columns by table, what is referred to first."""
    looked = inspect(connection)
    there = set(looked.get_table_names())
    return {
        table.name: [column["name"] for column in looked.get_columns(table.name)]
        for table in metadata.sorted_tables
        if table.name in there
    }


def _told(columns: dict[str, list[str]]) -> Rows:
    """The story's rows in these columns of these tables."""
    with Journal.open("sqlite://") as journal:
        for batch in story():
            journal.commit(batch)
        return {
            name: [tuple(row) for row in journal.held.rows(select(*(metadata.tables[name].c[each] for each in wanted)))]
            for name, wanted in columns.items()
        }


def demand_moved(url: str | Path) -> None:
    """Write the older journal at `url`, open it, and look at every row; then write models into it."""
    rows = write_older(url)
    assert sum(len(each) for each in rows.values()) > 50
    assert not set(NEW) & set(rows)
    with pytest.raises(JournalSchemaUnknown, match=f"older tables {BEFORE}"):
        Journal.open(url, read_only=True)
    with Journal.open(url) as journal, Journal.open("sqlite://") as fresh:
        for batch in story():
            fresh.commit(batch)
        assert journal.held.rows(text("SELECT version_num FROM alembic_version"))[0][0] == HEAD
        assert set(metadata.tables) == set(rows) | set(NEW)
        for name, before in rows.items():
            assert [tuple(row) for row in journal.held.rows(select(metadata.tables[name]))] == before
        assert {name: journal.read.counts()[name] for name in NEW} == dict.fromkeys(NEW, 0)
        assert journal.sequence == fresh.sequence
        assert verify(journal) == verify(fresh)
        assert verify(journal).ok


def demand_models_can_be_written(url: str | Path) -> None:
    """What the moved journal takes and gives is what a new one does."""
    with Journal.open(url) as journal, Journal.open("sqlite://") as fresh:
        for batch in story():
            fresh.commit(batch)
        tell_models(journal)
        tell_models(fresh)
        assert verify(journal) == verify(fresh)
        assert verify(journal).ok
        for read in NEW:
            assert getattr(journal.read, read)() == getattr(fresh.read, read)() != []
        assert journal.read.judged("online") == fresh.read.judged("online") != []
    with Journal.open(url) as journal:
        before = journal.sequence
        later = Batch()
        later.put_state("a", "1")
        assert journal.commit(later) == before + 1
        assert verify(journal).ok
