"""Everything that one transaction will make durable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from domain.bars import BarSeries
from domain.errors import InvalidRecord
from domain.records import TextScore
from journal.codec import RowValues, free_text
from journal.rows import ENCODERS, Record
from journal.rows_bars import bar_rows
from journal.rows_facts import score_row

StateText: TypeAlias = str | Callable[[], str]


class Batch:
    """Records in the order they were added, already in the form of rows: a record that cannot be stored is refused
    here with `InvalidRecord`, where it was made, and not later when the journal would have to stop for it."""

    __slots__ = ("_size", "rows", "state")

    def __init__(self) -> None:
        self.rows: dict[str, list[RowValues]] = {}
        self.state: dict[str, StateText] = {}
        self._size = 0

    def add(self, record: Record) -> None:
        """One fact. Adding it twice is an error that the commit finds, except for news, calendar events and
        incidents, where the first one stays."""
        known = ENCODERS.get(type(record))
        if known is None:
            raise InvalidRecord(f"the journal keeps no {type(record).__name__}")
        table, encode = known
        self.rows.setdefault(table, []).append(encode(record))
        self._size += 1

    def add_score(self, news_id: str, score: TextScore) -> None:
        """What one model made of one text; the first score of a model stays."""
        self.rows.setdefault("sentiment_scores", []).append(score_row(news_id, score))
        self._size += 1

    def add_bars(self, series: BarSeries, start: int, stop: int) -> None:
        """The closed bars `start` up to but not including `stop`; a bar that is stored already stays as it is."""
        if not 0 <= start <= stop <= len(series):
            raise InvalidRecord(f"{series.symbol}: bars {start} to {stop} of a series of {len(series)}")
        self.rows.setdefault("bars", []).extend(bar_rows(series, start, stop))
        self._size += stop - start

    def put_state(self, key: str, value: StateText) -> None:
        """The current value of `key`, JSON text; it replaces what was there.

        A function is asked for the text when the transaction is written: of many values of one key only the last
        is then encoded. It must give the same text whenever, and on whichever thread, it is asked.
        """
        self._size += key not in self.state
        self.state[key] = value

    def states(self) -> list[tuple[str, str]]:
        """Keys and texts as they will be stored."""
        return [(key, free_text(value if isinstance(value, str) else value())) for key, value in self.state.items()]

    def extend(self, other: Batch) -> None:
        """Everything of `other` after everything that is here."""
        for table, rows in other.rows.items():
            self.rows.setdefault(table, []).extend(rows)
            self._size += len(rows)
        for key, value in other.state.items():
            self.put_state(key, value)

    def __len__(self) -> int:
        """How many rows will be written, states included."""
        return self._size
