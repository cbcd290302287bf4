"""Candle files: Parquet, CSV, Feather and freqtrade's JSON, read with pyarrow alone (pandas costs 0.3 s to import).

The time of a row is the start of its bar. Whatever is wrong with a whole file is one sentence of `InvalidInput`;
what is wrong with single rows is for `market.quality` to judge.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from domain.errors import InvalidInput
from market.columns import NO_TIME, Layout, RawCandles, epoch_seconds, find_layout, raw_candles
from market.naming import FORMATS, file_format


def read_candles(path: Path) -> RawCandles:
    """All rows of one candle file as they stand; raises `InvalidInput` for an unreadable, empty or foreign file."""
    if not path.is_file():
        raise InvalidInput(f"{path} is not a file")
    ending = file_format(path)
    if ending is None:
        raise InvalidInput(f"{path.name} is of no known format; allowed are {', '.join(FORMATS)}")
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path.name} is empty: a candle file holds at least one bar")
    raw = _read_json(path) if ending.startswith(".json") else _read_arrow(path, ending)
    if bool(np.all(raw.opened == NO_TIME)):
        raise InvalidInput(
            f"{path.name}: no time can be read; allowed are ISO 8601 texts, timestamps and epoch numbers"
        )
    return raw


def read_table(path: Path, columns: list[str] | None = None) -> Any:
    """A Parquet, Feather or CSV file as a pyarrow table; raises `InvalidInput` when it is not what its name says."""
    ending = file_format(path)
    try:
        if ending in (".parquet", ".pq"):
            return pyarrow.parquet.ParquetFile(path).read(columns=columns, use_threads=False)
        if ending in (".feather", ".arrow"):
            return pyarrow.feather.read_table(path, columns=columns, use_threads=False)
        return pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(delimiter=_delimiter(path)))
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        raise InvalidInput(f"{path.name} cannot be read as {ending}: {_first_line(error)}") from error


def _read_arrow(path: Path, ending: str) -> RawCandles:
    if ending in (".parquet", ".pq"):
        layout = find_layout(_parquet_columns(path), path.name)
        return _raw(read_table(path, layout.wanted), layout, path)
    table = read_table(path)
    return _raw(table, find_layout(table.column_names, path.name), path)


def _raw(table: Any, layout: Layout, path: Path) -> RawCandles:
    if table.num_rows == 0:
        raise InvalidInput(f"{path.name} has columns but no rows: a candle file holds at least one bar")
    try:
        return raw_candles(table, layout)
    except InvalidInput as error:
        raise InvalidInput(f"{path.name}: {error}") from error


def _parquet_columns(path: Path) -> list[str]:
    try:
        return [str(name) for name in pyarrow.parquet.ParquetFile(path).schema_arrow.names]
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{path.name} cannot be read as .parquet: {_first_line(error)}") from error


def _read_json(path: Path) -> RawCandles:
    """freqtrade's JSON: a list of [open time in ms, open, high, low, close, volume]."""
    try:
        opener = gzip.open if path.name.endswith(".gz") else open
        with opener(path, "rt", encoding="utf-8") as stream:
            rows = json.load(stream)
        table = np.array(rows, dtype=np.float64)
    except (OSError, ValueError, TypeError, EOFError, zlib.error) as error:
        raise InvalidInput(f"{path.name} cannot be read as a list of candles: {_first_line(error)}") from error
    if table.ndim != 2 or table.shape[1] < 5:
        if table.size == 0:
            raise InvalidInput(f"{path.name} is empty: a candle file holds at least one bar")
        raise InvalidInput(f"{path.name} is not a list of [time, open, high, low, close, volume]")
    nothing = np.full(table.shape[0], np.nan)
    return RawCandles(
        opened=epoch_seconds(table[:, 0]),
        open=table[:, 1].copy(),
        high=table[:, 2].copy(),
        low=table[:, 3].copy(),
        close=table[:, 4].copy(),
        volume=table[:, 5].copy() if table.shape[1] > 5 else nothing.copy(),
        half_spread=nothing,
    )


def _delimiter(path: Path) -> str:
    """The mark between a CSV's columns, told from its first line: comma, else semicolon, else tab."""
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as stream:
        header = stream.readline()
    return max((",", ";", "\t"), key=header.count)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")
