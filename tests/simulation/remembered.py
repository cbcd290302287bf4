"""What every start of a daemon computes anew from the same input, computed once: one process sees many starts.

Only what follows from its input alone and is never changed by who has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from sqlalchemy import Dialect, Select

import journal.journal
from domain.bars import BarSeries
from journal.codec import AnyRow
from journal.journal import Journal
from journal.reader import Reader
from journal.statements import Statements
from market.registry import Registry
from signals.settings import SignalSettings
from signals.strategies.base import Strategy
from signals.table import SignalTable

shipped_registry = cache(Registry.shipped)
_statements: dict[str, Statements] = {}
_dialects: dict[str, Dialect] = {}
_compiled: dict[Any, Any] = {}


@contextmanager
def remembered() -> Iterator[None]:
    """Inside, the signals of a series of bars, the text of the journal's statements and the record that a row of it
    stands for are made once. The rows are read each time."""
    tables, records = _Tables(), _Records()

    def listed(reader: Reader, statement: Select[Any], read: Callable[[AnyRow], Any]) -> list[Any]:
        return records.of(reader._held.rows(statement), read)

    with (
        patch.object(SignalTable, "compute", tables.compute),
        patch.object(Reader, "_list", listed),
        patch.object(journal.journal, "Statements", _statements_of),
    ):
        yield


def compile_once(opened: Journal) -> None:
    """Let a journal find the text of its questions where those before it left it: SQLAlchemy keeps it by dialect."""
    connection = opened._held.connection
    connection.dialect = _dialects.setdefault(connection.dialect.name, connection.dialect)
    connection.execution_options(compiled_cache=_compiled)


def _statements_of(dialect: Dialect) -> Statements:
    known = _statements.get(dialect.name)
    if known is None:
        known = _statements[dialect.name] = Statements(dialect)
    return known


class _Records:
    """Records, which are frozen, by what stands in their rows."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Any] = {}

    def of(self, rows: Sequence[AnyRow], read: Callable[[AnyRow], Any]) -> list[Any]:
        found = []
        for row in rows:
            key = (read, *row)
            record = self._known.get(key)
            if record is None:
                record = self._known[key] = read(row)
            found.append(record)
        return found


class _Tables:
    """Signal tables by the identity of their bars, which are kept, so that no other bars have the same."""

    def __init__(self) -> None:
        self._compute = SignalTable.compute
        self._known: dict[tuple[object, ...], tuple[BarSeries, BarSeries | None, SignalTable]] = {}

    def compute(
        self, series: BarSeries, higher: BarSeries | None, settings: SignalSettings, strategies: Sequence[Strategy]
    ) -> SignalTable:
        key = (id(series), id(higher), settings, tuple(strategies))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (series, higher, self._compute(series, higher, settings, strategies))
        return known[2]
