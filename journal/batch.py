"""Everything that one transaction will make durable."""

from __future__ import annotations

from domain.bars import BarSeries
from domain.errors import InvalidRecord
from domain.records import TextScore
from journal.codec import RowValues, free_text
from journal.rows import ENCODERS, Record
from journal.rows_bars import bar_rows
from journal.rows_facts import score_row


class Batch:
    """Records in the order they were added, already in the form of rows: a record that cannot be stored is refused
    here with `InvalidRecord`, where it was made, and not later when the journal would have to stop for it."""

    __slots__ = ("_size", "rows", "state")

    def __init__(self) -> None:
        self.rows: dict[str, list[RowValues]] = {}
        self.state: dict[str, str] = {}
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

    def put_state(self, key: str, value: str) -> None:
        """The current value of `key`, JSON text; it replaces what was there."""
        self._size += key not in self.state
        self.state[key] = free_text(value)

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
