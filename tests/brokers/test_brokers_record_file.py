"""The file of a broker's own record: made once, locked while it is open, and refused where it is something else."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from brokers.ccxt.log import Log
from brokers.paper.ledger import Ledger
from brokers.record_file import RecordKind, open_record
from domain.errors import ConfigurationRefused

KIND = RecordKind(
    name="the order book", schema=3, tables="CREATE TABLE kept (word TEXT) STRICT; CREATE INDEX w ON kept (word);"
)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "record.sqlite")


def test_a_new_file_gets_its_tables_and_its_schema_and_is_found_again_as_it_was_left(path):
    with closing(open_record(path, KIND, durable=True)) as made:
        made.execute("INSERT INTO kept VALUES ('here')")
    with closing(open_record(path, KIND, durable=True)) as found:
        assert found.execute("SELECT word FROM kept").fetchall() == [("here",)]
        assert found.execute("PRAGMA user_version").fetchone() == (3,)


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_durable_means_that_each_commit_waits_for_the_disk(path, durable, level):
    with closing(open_record(path, KIND, durable=durable)) as opened:
        assert opened.execute("PRAGMA synchronous").fetchone() == (level,)
        assert opened.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_second_owner_is_refused_and_the_first_goes_on(path):
    with closing(open_record(path, KIND, durable=True)) as first:
        with pytest.raises(
            ConfigurationRefused, match=r"^the order book .* cannot be used: .*; it must be a book that no"
        ):
            open_record(path, KIND, durable=True)
        first.execute("INSERT INTO kept VALUES ('still mine')")


def test_another_schema_is_refused_by_both_numbers_and_left_as_it_is(path):
    open_record(path, KIND, durable=True).close()
    newer = RecordKind(name=KIND.name, schema=4, tables=KIND.tables)
    with pytest.raises(
        ConfigurationRefused, match=re.escape(f"the order book {path} has schema 3; this version reads schema 4")
    ):
        open_record(path, newer, durable=True)
    open_record(path, KIND, durable=True).close()


def test_a_database_of_somebody_else_without_a_schema_number_is_refused(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (word TEXT)")
    with pytest.raises(ConfigurationRefused, match="has schema 0; this version reads schema 3"):
        open_record(path, KIND, durable=True)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_tables_that_cannot_be_made_leave_an_empty_file_that_may_be_tried_again(path):
    wrong = RecordKind(name=KIND.name, schema=3, tables="CREATE TABLE kept (word TEXT); CREATE TABLE")
    with pytest.raises(ConfigurationRefused, match="cannot be used"):
        open_record(path, wrong, durable=True)
    open_record(path, KIND, durable=True).close()


def test_the_paper_ledger_and_the_venue_log_are_such_files_and_name_themselves(tmp_path):
    for name, opened in (
        ("the paper ledger", lambda path: Ledger(path, durable=True)),
        ("the venue log", lambda path: Log(path, durable=True, reach=lambda _point: None)),
    ):
        path = tmp_path / f"{name}.sqlite"
        opened(path).close()
        with closing(sqlite3.connect(path)) as changed:
            changed.execute("PRAGMA user_version = 99")
        with pytest.raises(ConfigurationRefused, match=f"^{name} .* has schema 99; this version reads schema 1$"):
            opened(path)
