"""The columns of a sample file by name: whatever may not be in one is refused here, in one sentence.

Liberal where the meaning of a value is plain, with a note of what was assumed. Everything works on whole columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from domain.errors import InvalidInput
from domain.identity import digest
from learning.table import Floats, Ints, Mask, Names

SCHEMA_KEY = "ratchet.feature_schema"
"""The file's own note of the feature schema."""

FEATURE_PREFIX = "f_"
SOURCE_OF_FILES = "file"
"""The source of samples whose file names none."""

REQUIRED = ("decided_at", "resolved_at", "instrument", "side", "r_net", "label")
OPTIONAL = ("strategy", "weight", "source", "decision_id")

_SIDES: Mapping[str, int] = {"buy": 1, "long": 1, "1": 1, "1.0": 1, "sell": -1, "short": -1, "-1": -1, "-1.0": -1}
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_EARLIEST, _LATEST = (int(np.datetime64(f"{year}-01-01", "us").astype(np.int64)) for year in (_FIRST_YEAR, _LAST_YEAR))
_PANDAS_INDEX = "__index_level_"
_ABREAST = 8
A_TIME = f"a timestamp of the years {_FIRST_YEAR} to {_LAST_YEAR - 1}"
A_TEXT = "a text that is not empty"
A_FEATURE = "a finite number, true, false or nothing"
AN_ID = "a text that is not empty and that no other row has"


@dataclass(frozen=True, kw_only=True, slots=True)
class Coded:
    """A column of texts as its distinct `values` and, for each row, the place of its own among them."""

    values: tuple[str, ...]
    codes: Ints

    def spread(self) -> Names:
        """One text a row."""
        spread: Names = np.array(self.values, dtype=np.str_)[self.codes]
        return spread


class FileColumns:
    """The columns of one file by name, in the file's order of rows; whatever may not be is refused here."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.notes: list[str] = []
        if not path.is_file():
            raise InvalidInput(f"{path} is not a file; allowed is a Parquet file of samples")
        with self._readable():
            self._file = pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)
            self._names: list[str] = list(self._file.schema_arrow.names)
            noted = self._file.schema_arrow.metadata or {}
            self.rows: int = self._file.metadata.num_rows
        self._refuse_names()
        self.feature_names = tuple(sorted(name for name in self._names if name.startswith(FEATURE_PREFIX)))
        schema = noted.get(SCHEMA_KEY.encode(), b"").decode(errors="replace")
        self.schema = schema or f"file:{digest(*self.feature_names)}"

    def times(self, name: str) -> Ints:
        """Microseconds since 1970 UTC."""
        array = self._column(name)
        if not pa.types.is_timestamp(array.type):
            self._refuse_type(name, array, A_TIME)
        self._refuse_nulls(name, array, A_TIME)
        if array.type.tz is None:
            self.notes.append(f"{name} has no time zone: it was read as UTC")
        target = pa.timestamp("us", tz=array.type.tz)
        try:
            cut = pc.cast(array, options=pc.CastOptions(target_type=target, allow_time_truncate=True))
        except pa.ArrowInvalid as error:
            raise InvalidInput(f"{self.name}: column {name} has a time out of range; allowed is {A_TIME}") from error
        micros: Ints = cut.cast(pa.int64()).to_numpy()
        self.refuse(name, out_of_years(micros), micros, A_TIME, as_time)
        return micros

    def texts(self, name: str, default: str | None = None) -> Coded:
        """A column of texts. `default` stands for a column or value that is missing; without one, neither may be."""
        if default is not None and name not in self._names:
            return Coded(values=(default,), codes=np.zeros(self.rows, dtype=np.int64))
        array = self._column(name)
        if not (_is_text(array.type) or (pa.types.is_null(array.type) and default is not None)):
            self._refuse_type(name, array, "a text")
        array = array.cast(pa.string())
        if default is None:
            self.refuse(name, no_text(array), array, A_TEXT)
        else:
            array = array.fill_null(default)
        coded = array.dictionary_encode()
        return Coded(values=tuple(coded.dictionary.to_pylist()), codes=coded.indices.to_numpy().astype(np.int64))

    def sides(self) -> Ints:
        """1 for a purchase, -1 for a sale."""
        array = self._column("side")
        allowed = "buy, sell, long, short, 1 or -1"
        if not (_is_text(array.type) or _is_number(array.type)):
            self._refuse_type("side", array, allowed)
        coded = array.cast(pa.string()).fill_null("nothing").dictionary_encode()
        known = [_SIDES.get(text.strip().lower(), 0) for text in coded.dictionary.to_pylist()]
        sides: Ints = np.array(known, dtype=np.int64)[coded.indices.to_numpy()]
        self.refuse("side", sides == 0, array, allowed)
        return sides

    def numbers(self, name: str, allowed: str, fits: Callable[[Floats], Mask]) -> Floats:
        """A column of numbers, nothing as NaN; raises `InvalidInput` where one does not fit."""
        array = self._column(name)
        if not (_is_number(array.type) or pa.types.is_boolean(array.type) or pa.types.is_null(array.type)):
            self._refuse_type(name, array, allowed)
        values: Floats = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        self.refuse(name, ~fits(values), array, allowed)
        return values

    def weights(self) -> Floats:
        """Above 0; 1 where the file has none."""
        if "weight" not in self._names:
            return np.ones(self.rows)
        return self.numbers("weight", "a finite number above 0", lambda values: np.isfinite(values) & (values > 0))

    def ids(self) -> Any:
        """The Arrow texts of `decision_id`, each once; None where the file has no such column."""
        name = "decision_id"
        if name not in self._names:
            return None
        array = self._column(name)
        if not (_is_text(array.type) or pa.types.is_integer(array.type)):
            self._refuse_type(name, array, AN_ID)
        array = array.cast(pa.string())
        self.refuse(name, no_text(array), array, AN_ID)
        self.refuse(name, seen_before(array), array, AN_ID)
        return array

    def features(self, order: Ints) -> Floats:
        """The features of the rows in this order, n x k."""
        made = np.empty((self.rows, len(self.feature_names)))
        # Eight doubles fill a line of the processor's cache: written one column at a time, each is fetched eight times.
        for first in range(0, len(self.feature_names), _ABREAST):
            names = self.feature_names[first : first + _ABREAST]
            block = [self.numbers(name, A_FEATURE, _not_infinite)[order] for name in names]
            made[:, first : first + _ABREAST] = np.array(block).T
        return made

    def refuse(self, name: str, bad: Mask, values: Any, allowed: str, shown: Callable[[Any], str] = str) -> None:
        """Raise `InvalidInput` naming the first bad row, counted from 1, and how many there are."""
        refuse(f"{self.name}: column {name}", bad, values, allowed, shown)

    def _column(self, name: str) -> Any:
        """One column as an Arrow array of plain values."""
        with self._readable():
            found = self._file.read(columns=[name], use_threads=False).column(0)
        kind = found.type
        return (found.cast(kind.value_type) if pa.types.is_dictionary(kind) else found).combine_chunks()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            why = str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
            raise InvalidInput(f"{self.name} cannot be read as a Parquet file of samples: {why}") from error

    def _refuse_names(self) -> None:
        twice = sorted({name for name in self._names if self._names.count(name) > 1})
        if twice:
            raise InvalidInput(f"{self.name} has column {twice[0]} more than once; allowed is each name once")
        missing = [name for name in REQUIRED if name not in self._names]
        if missing:
            raise InvalidInput(
                f"{self.name} has no column {', '.join(missing)}; a file of samples needs {', '.join(REQUIRED)} "
                f"and at least one feature {FEATURE_PREFIX}*"
            )
        if not any(name.startswith(FEATURE_PREFIX) for name in self._names):
            raise InvalidInput(
                f"{self.name} has no feature: allowed is any number of numeric columns {FEATURE_PREFIX}*, one at least"
            )
        if self.rows == 0:
            raise InvalidInput(f"{self.name} has columns but no rows; a file of samples holds at least one")
        known = {*REQUIRED, *OPTIONAL}
        unread = [
            name for name in self._names if name not in known and not name.startswith((FEATURE_PREFIX, _PANDAS_INDEX))
        ]
        if unread:
            self.notes.append(f"columns that mean nothing here were not read: {', '.join(unread)}")
        absent = [name for name in OPTIONAL if name not in self._names]
        if absent:
            self.notes.append(f"columns that are not there were filled in: {', '.join(absent)}")

    def _refuse_type(self, name: str, array: Any, allowed: str) -> None:
        raise InvalidInput(f"{self.name}: column {name} is of type {array.type}; allowed is {allowed} in each row")

    def _refuse_nulls(self, name: str, array: Any, allowed: str) -> None:
        if array.null_count:
            self.refuse(name, array.is_null().to_numpy(zero_copy_only=False), array, allowed)


def refuse(where: str, bad: Mask, values: Any, allowed: str, shown: Callable[[Any], str] = str) -> None:
    count = int(np.count_nonzero(bad))
    if count:
        row = int(np.argmax(bad))
        value = shown(values[row])
        told = "nothing" if value in ("None", "") else value
        more = f" and {count - 1} more like it" if count > 1 else ""
        raise InvalidInput(f"{where} has {told} in row {row + 1}{more}; allowed is {allowed}")


def out_of_years(micros: Ints) -> Mask:
    """Where a time is too far off to be meant, as one of another unit would be."""
    return (micros < _EARLIEST) | (micros >= _LATEST)


def no_text(array: Any) -> Mask:
    bad: Mask = pc.equal(array.fill_null(""), "").to_numpy(zero_copy_only=False)
    return bad


def seen_before(array: Any) -> Mask:
    """Where a row says what an earlier one said: codes are given out in the order of first appearance."""
    codes = array.dictionary_encode().indices.to_numpy()
    seen = np.zeros(len(codes), dtype=np.bool_)
    seen[1:] = codes[1:] <= np.maximum.accumulate(codes)[:-1]
    return seen


def _not_infinite(values: Floats) -> Mask:
    fits: Mask = ~np.isinf(values)
    return fits


def as_time(micros: Any) -> str:
    return f"{np.datetime64(int(micros), 'us')} UTC"


def _is_text(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
