"""The tables and their migrations, and journals of other versions."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import journal as journal_package
from domain.errors import JournalError, JournalSchemaUnknown
from journal import Journal
from journal.address import address_of
from journal.engine import Durability, HeldConnection, hold
from journal.migrate import HEAD, REVISIONS, upgrade
from journal.schema import COLLECTED, FACTS, metadata


def migrated() -> HeldConnection:
    """A database in memory whose tables came from the migrations."""
    held = hold(address_of("sqlite://"), durability=Durability.NORMAL, read_only=False, busy_timeout_ms=100)
    upgrade(held.connection)
    return held


def definitions(rows: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The lines of each definition by name, in no order."""
    found = {}
    for name, sql in rows:
        flat = re.sub(r"\s+", " ", sql)
        found[name] = sorted(part.strip(" ()") for part in re.split(r", (?![^(]*\))", flat.split("(", 1)[1]))
    return found


SCHEMA = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"


def test_the_migrations_lead_to_the_tables_of_the_metadata() -> None:
    held = migrated()
    context = MigrationContext.configure(held.connection, opts={"compare_type": True})
    assert compare_metadata(context, metadata) == []
    held.close()


def test_migrated_and_created_tables_are_the_same_to_the_last_constraint(journal: Journal) -> None:
    held = migrated()
    moved, created = (definitions(each.raw.execute(SCHEMA).fetchall()) for each in (held, journal.held))
    assert moved == created
    assert len(created) > len(metadata.tables)
    held.close()


def test_the_revisions_named_are_those_that_there_are() -> None:
    scripts = ScriptDirectory(str(Path(journal_package.__file__).parent / "migrations"))
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == REVISIONS
    assert scripts.get_current_head() == HEAD


def test_a_journal_before_its_first_migration_is_moved_up(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    with pytest.raises(JournalSchemaUnknown, match="older tables"):
        Journal.open(database, read_only=True)
    with Journal.open(database) as journal:
        assert journal.read.counts()["fills"] == 0
    with Journal.open(database, read_only=True) as journal:
        assert journal.sequence == 0


def test_an_unknown_revision_is_refused_and_left_alone(database: Path) -> None:
    Journal.open(database).close()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'r9999'")
    for read_only in (True, False):
        with pytest.raises(JournalSchemaUnknown, match=f"r9999; this version of the product knows {HEAD}"):
            Journal.open(database, read_only=read_only)


def test_a_database_of_somebody_else_is_refused(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE shopping (item TEXT)")
    with pytest.raises(JournalSchemaUnknown, match="not a journal"):
        Journal.open(database)


def test_a_file_that_is_no_database_is_refused(database: Path) -> None:
    database.write_text("dear diary, " * 1000)
    with pytest.raises(JournalError, match="not a database"):
        Journal.open(database)


def test_a_creation_that_failed_leaves_no_tables(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("CREATE TABLE samples (in_the_way TEXT)")
    with pytest.raises(JournalError, match="samples already exists"):
        Journal.open(database)
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    assert tables == [("alembic_version",), ("samples",)]


def test_every_table_is_written_in_exactly_one_way() -> None:
    ways = [table.name for table in (*FACTS, *COLLECTED)]
    assert sorted([*ways, "commits", "state"]) == sorted(metadata.tables)
    assert len(set(ways)) == len(ways)


def test_what_is_referred_to_is_written_first() -> None:
    order = [table.name for table in FACTS]
    for table in FACTS:
        for key in table.foreign_keys:
            assert order.index(key.column.table.name) < order.index(table.name)


def test_opening_a_present_journal_imports_neither_alembic_nor_pandas(database: Path) -> None:
    program = (
        "import sys; from journal import Journal; Journal.open(sys.argv[1]).close(); Journal.open(sys.argv[1]).close();"
        "sys.exit(str({'alembic', 'pandas', 'sqlalchemy.dialects.postgresql'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(database)],
        capture_output=True,
        text=True,
        cwd=Path(journal_package.__file__).parents[1],
        check=False,
    )
    assert ended.stderr.strip() == "set()"
