"""A journal of the version before models, with trades in it, is moved up without losing a row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from journal_older import NEW, demand_models_can_be_written, demand_moved, write_older

from domain.errors import JournalError
from journal import Journal


def test_an_older_journal_is_moved_up_with_its_data(database: Path) -> None:
    demand_moved(database)
    demand_models_can_be_written(database)


def test_a_move_that_fails_leaves_the_older_journal_as_it_was(database: Path) -> None:
    rows = write_older(database)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE evaluations (in_the_way TEXT)")
    with pytest.raises(JournalError, match="evaluations already exists"):
        Journal.open(database)
    with closing(sqlite3.connect(database)) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert found & set(NEW) == {"evaluations"}
        assert len(connection.execute("SELECT * FROM decisions").fetchall()) == len(rows["decisions"])
        connection.execute("DROP TABLE evaluations")
    with Journal.open(database) as journal:
        assert len(journal.read.decisions()) == len(rows["decisions"])
    demand_models_can_be_written(database)
