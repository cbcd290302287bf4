"""Bars as a candle file: the layout that replays and `ratchet data summary` read."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from domain.bars import BarSeries
from domain.errors import InvalidInput

SOURCE = "source"
"""The file's own note of who gave its bars."""

ASKED_SINCE = "asked_since"
"""The file's own note of the time from which on its bars were asked for: the first may have opened later."""


def candle_path(folder: Path, symbol: str, timeframe: str) -> Path:
    """Where the candles of one instrument belong in a folder."""
    return folder / f"{symbol}-{timeframe}.parquet"


def write_candles(path: Path, series: BarSeries, *, asked_since: datetime | None = None) -> None:
    """Write the series in the place of what is there, whole or not at all. Times are starts of bars, UTC.

    `asked_since` is kept for `asked_since_of`; None where nobody asked for more than there is.
    """
    milliseconds = pa.array(series.opened * 1000, type=pa.timestamp("ms", tz="UTC"))
    columns = {name: pa.array(getattr(series, name)) for name in ("open", "high", "low", "close")}
    volume = pa.array([None if math.isnan(value) else value for value in series.volume.tolist()], type=pa.float64())
    table = pa.table({"timestamp": milliseconds, **columns, "volume": volume})
    notes = {SOURCE: series.source} | ({} if asked_since is None else {ASKED_SINCE: asked_since.isoformat()})
    draft = path.with_suffix(".draft")
    pa.parquet.write_table(table.replace_schema_metadata(notes), draft, compression="zstd")
    draft.replace(path)


def asked_since_of(path: Path) -> datetime | None:
    """From when on the bars of a Parquet file were asked for; None where it does not say, as older files do not.

    Raises `InvalidInput` for a file that cannot be read, or whose note is no time with its offset from UTC.
    """
    try:
        note = (pa.parquet.read_schema(path).metadata or {}).get(ASKED_SINCE.encode())
    except (pa.ArrowException, OSError) as error:
        why = str(error).split("\n", maxsplit=1)[0]
        raise InvalidInput(f"{path.name} cannot be read as .parquet: {why}") from error
    if note is None:
        return None
    told = note.decode(errors="replace")
    try:
        since = datetime.fromisoformat(told)
    except ValueError as error:
        raise InvalidInput(f"{path.name} notes {told!r} as the time it was asked from: no ISO 8601 time") from error
    if since.tzinfo is None:
        raise InvalidInput(f"{path.name} notes {told!r} as the time it was asked from: its offset from UTC is missing")
    return since
