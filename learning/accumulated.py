"""Samples collected from backtests: a folder of sample files, each named by what it holds.

A file is `<source>-<digest>.parquet`, the digest over all that is in it: the same samples collected twice are one file,
and files of several machines can be put into one folder. Nothing here is ever changed in place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from domain.clock import EPOCH, require_utc
from domain.errors import InvalidInput
from domain.identity import digest
from learning.parquet import feature_schema_of, read_samples, time_order, write_samples
from learning.table import Ints, Names, SampleTable, table_of

MIXED = "mixed"
"""The source in the name of a file whose samples have several."""

ENDING = ".parquet"
_MICROSECOND = timedelta(microseconds=1)
_NOT_FOR_A_NAME = re.compile(r"[^A-Za-z0-9_]+")
_LONGEST_SOURCE = 40
_COLUMNS = tuple(field.name for field in fields(SampleTable) if field.name not in ("names", "schema"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Accumulated:
    """The samples of one schema in a folder. `left_out` are files that were not read: name and reason.

    `repeated` rows are of a decision that an earlier row, by name of file, is of too: they were dropped. `disagreeing`
    of them had another label or another R, as backtests with other costs or exits have.
    """

    table: SampleTable
    files: tuple[Path, ...]
    left_out: tuple[tuple[str, str], ...]
    repeated: int
    disagreeing: int


def add(folder: Path, table: SampleTable) -> Path:
    """Keep these samples in the folder, which is made where it is not there; the path of their file.

    The same samples have the same name, whatever the order of their features, and are not written again. Raises
    `InvalidInput` for samples that no file can hold (`learning.parquet.write_samples`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = np.unique(table.source).tolist()
    source = _NOT_FOR_A_NAME.sub("_", sources[0])[:_LONGEST_SOURCE] if len(sources) == 1 else MIXED
    path = folder / f"{source}-{content_digest(table)}{ENDING}"
    if not path.exists():
        write_samples(table, path)
    return path


def load(folder: Path, *, schema: str) -> Accumulated:
    """All samples of this schema in the folder, in the order of the files' names; a folder not there holds none.

    A file of another schema, of other feature names, or that cannot be read is left out with the reason.
    """
    tables: list[SampleTable] = []
    files: list[Path] = []
    left_out: list[tuple[str, str]] = []
    for path in sorted(folder.glob(f"*{ENDING}")):
        try:
            found = feature_schema_of(path)
            if found != schema:
                raise InvalidInput(f"its feature schema is {found}, not {schema}")
            table = read_samples(path).table
            if tables:
                _refuse_foreign(tables[0], table)
        except InvalidInput as error:
            left_out.append((path.name, str(error)))
            continue
        tables.append(table)
        files.append(path)
    joined = _Joined(tables) if tables else None
    return Accumulated(
        table=table_of((), schema) if joined is None else joined.table(),
        files=tuple(files),
        left_out=tuple(left_out),
        repeated=0 if joined is None else joined.repeated,
        disagreeing=0 if joined is None else joined.disagreeing(),
    )


def merged(tables: Sequence[SampleTable]) -> SampleTable:
    """One table of all samples, ordered, each `decision_id` once: as the first of the tables that has it says.

    Raises `InvalidInput` when there is no table, or when two differ in schema or, having samples, in the names or
    the order of features.
    """
    if not tables:
        raise InvalidInput("no tables to merge; at least one is needed")
    for table in tables[1:]:
        if table.schema != tables[0].schema:
            raise InvalidInput(f"samples of feature schema {table.schema} do not go with those of {tables[0].schema}")
    filled = [table for table in tables if len(table)]
    if not filled:
        return tables[0]
    for table in filled[1:]:
        _refuse_foreign(filled[0], table)
    return _Joined(filled).table()


def since(table: SampleTable, at: datetime) -> SampleTable:
    """The samples decided at `at` or later; raises `InvalidInput` for a time without its zone."""
    first = np.searchsorted(table.decided_at, (require_utc(at, "at") - EPOCH) // _MICROSECOND, side="left")
    return table.take(slice(int(first), None))


def content_digest(table: SampleTable) -> str:
    """A name for all that a table holds; the order of its features is no part of it."""
    order = sorted(range(len(table.names)), key=table.names.__getitem__)
    names = [table.names[place] for place in order]
    texts = (table.decision_id, table.instrument, table.strategy, table.source)
    numbers = (table.decided_at, table.resolved_at, table.side, table.r_net, table.label, table.weight)
    features = (table.features[:, place] for place in order)
    parts = [_of_texts(column) for column in texts] + [_of_numbers(column) for column in (*numbers, *features)]
    return digest(table.schema, len(table), *names, *parts)


class _Joined:
    """The rows of tables of the same features, one after the other; of each decision the first row counts."""

    def __init__(self, tables: Sequence[SampleTable]) -> None:
        self._tables = tables
        self._ids: Names = np.concatenate([table.decision_id for table in tables])
        # Codes are given out in the order of first appearance, so `first` has the first row of code 0, then of 1 ...
        self._codes: Ints = pa.array(self._ids).dictionary_encode().indices.to_numpy().astype(np.int64)
        self._first: Ints = np.unique(self._codes, return_index=True)[1]

    @property
    def repeated(self) -> int:
        return len(self._ids) - len(self._first)

    def disagreeing(self) -> int:
        """Rows whose label or R is not that of the row which counts."""
        counts = self._first[self._codes]
        label, r_net = self._column("label"), self._column("r_net")
        return int(np.count_nonzero((label != label[counts]) | (r_net != r_net[counts])))

    def table(self) -> SampleTable:
        decided_at = self._column("decided_at")[self._first]
        rows = self._first[time_order(decided_at, pa.array(self._ids[self._first]))]
        columns = {name: self._column(name)[rows] for name in _COLUMNS}
        return SampleTable(**columns, names=self._tables[0].names, schema=self._tables[0].schema)

    def _column(self, name: str) -> NDArray[Any]:
        return np.concatenate([getattr(table, name) for table in self._tables])


def _refuse_foreign(known: SampleTable, other: SampleTable) -> None:
    if other.names != known.names:
        odd = sorted({*known.names}.symmetric_difference(other.names))
        what = f"differ in {', '.join(odd)}" if odd else "are in another order"
        raise InvalidInput(f"the features of samples of one schema, {known.schema}, {what}")


def _of_texts(column: Names) -> str:
    width = max(1, int(np.strings.str_len(column).max(initial=0)))
    return hashlib.blake2b(column.astype(f"<U{width}").tobytes()).hexdigest()


def _of_numbers(column: NDArray[Any]) -> str:
    if column.dtype.kind == "f":
        # There is one way to be missing and one 0, whatever the bits.
        return hashlib.blake2b((np.where(np.isnan(column), np.nan, column) + 0.0).astype("<f8").tobytes()).hexdigest()
    return hashlib.blake2b(column.astype("<i8").tobytes()).hexdigest()
