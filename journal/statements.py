"""The writing statements, compiled once for a dialect: SQLAlchemy decides the text, the driver runs it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.dml import Insert

from domain.errors import Impossible
from journal.schema import COLLECTED, FACTS, commits, state, written_columns


class Statements:
    """Insert statements by table name, with positional parameters in the order of the table's columns."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.facts = [(table.name, self._plain(table)) for table in FACTS]
        self.collected = [(table.name, self._keeping(table)) for table in COLLECTED]
        self.commit = self._text(_insert(dialect, commits), ("sequence", "facts"))
        self.state = self._replacing()

    def _plain(self, table: Table) -> str:
        return self._text(_insert(self._dialect, table), ("sequence", *written_columns(table)))

    def _keeping(self, table: Table) -> str:
        """A row whose key is there already is left out."""
        keys = [column.name for column in table.primary_key.columns]
        statement = _insert(self._dialect, table).on_conflict_do_nothing(index_elements=keys)
        return self._text(statement, written_columns(table))

    def _replacing(self) -> str:
        statement = _insert(self._dialect, state)
        newer = {"value": statement.excluded.value}
        return self._text(statement.on_conflict_do_update(index_elements=["key"], set_=newer), ("key", "value"))

    def _text(self, statement: Insert, columns: tuple[str, ...]) -> str:
        compiled = statement.inline().compile(dialect=self._dialect, column_keys=list(columns))
        if tuple(getattr(compiled, "positiontup", None) or ()) != columns:
            raise Impossible(f"the parameters of {compiled} are not in the order of {columns}")
        return str(compiled)


def _insert(dialect: Dialect, table: Table) -> Any:
    """The insert of the dialect at hand: only those know what to do on a conflict."""
    if dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415  # only a journal in PostgreSQL pays its import

    return postgresql.insert(table)
