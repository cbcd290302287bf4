"""Bars as a candle file: the layout that replays and `ratchet data summary` read."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from domain.bars import BarSeries

SOURCE = "source"
"""The file's own note of who gave its bars."""


def candle_path(folder: Path, symbol: str, timeframe: str) -> Path:
    """Where the candles of one instrument belong in a folder."""
    return folder / f"{symbol}-{timeframe}.parquet"


def write_candles(path: Path, series: BarSeries) -> None:
    """Write the series in the place of what is there, whole or not at all. Times are starts of bars, UTC."""
    milliseconds = pa.array(series.opened * 1000, type=pa.timestamp("ms", tz="UTC"))
    columns = {name: pa.array(getattr(series, name)) for name in ("open", "high", "low", "close")}
    volume = pa.array([None if math.isnan(value) else value for value in series.volume.tolist()], type=pa.float64())
    table = pa.table({"timestamp": milliseconds, **columns, "volume": volume})
    noted = table.replace_schema_metadata({SOURCE: series.source})
    draft = path.with_suffix(".draft")
    pa.parquet.write_table(noted, draft, compression="zstd")
    draft.replace(path)
