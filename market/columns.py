"""From a table's columns to numbers: which column is which, what unit a time is in, what a spread is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from domain.bars import Floats, Ints
from domain.clock import to_epoch
from domain.errors import InvalidInput

TIME_NAMES = ("timestamp", "datetime", "date", "time", "open_time", "opened_at")
VOLUME_NAMES = ("volume", "vol", "base_volume", "tick_volume")
PRICE_NAMES = ("open", "high", "low", "close")
NO_TIME = int(np.iinfo(np.int64).min)
"""Stands for a time that is missing or cannot be read."""

_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000))


@dataclass(frozen=True, kw_only=True, slots=True)
class RawCandles:
    """A file's rows as they stand: open times in seconds since 1970 UTC (`NO_TIME` where unreadable), prices NaN
    where missing, `half_spread` in price units and NaN where the file has none."""

    opened: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    half_spread: Floats

    def __len__(self) -> int:
        return int(self.opened.shape[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Which column of a table plays which part."""

    time: str
    prices: tuple[str, str, str, str] | None
    volume: str | None
    bids: tuple[str, ...]
    asks: tuple[str, ...]
    spread: str | None

    @property
    def wanted(self) -> list[str]:
        """The columns to read."""
        names = [self.time, *(self.prices or ()), *self.bids, *self.asks]
        return names + [name for name in (self.volume, self.spread) if name is not None]


def find_layout(names: Sequence[str], where: str) -> Layout:
    """The parts that `names` play, whatever their case; raises `InvalidInput` when time or prices are missing."""
    by_lower = {name.strip().lower(): name for name in names}
    time = next((by_lower[name] for name in TIME_NAMES if name in by_lower), None)
    prices = _all_of(by_lower, PRICE_NAMES)
    bids = _all_of(by_lower, [f"bid_{name}" for name in PRICE_NAMES])
    asks = _all_of(by_lower, [f"ask_{name}" for name in PRICE_NAMES])
    if time is None or (len(prices) < 4 and (len(bids) < 4 or len(asks) < 4)):
        raise InvalidInput(
            f"{where} has the columns {', '.join(names) or 'none'}; wanted are a time ({', '.join(TIME_NAMES)}), "
            "open, high, low, close and, if there is one, volume"
        )
    if {"date", "time"} <= by_lower.keys() and time == by_lower["date"]:
        raise InvalidInput(
            f"{where} splits the time over the columns date and time; put both into one column timestamp"
        )
    return Layout(
        time=time,
        prices=(prices[0], prices[1], prices[2], prices[3]) if len(prices) == 4 else None,
        volume=next((by_lower[name] for name in VOLUME_NAMES if name in by_lower), None),
        bids=bids if asks else (),
        asks=asks if bids else (),
        spread=next((by_lower[name] for name in ("spread_mean", "spread_close") if name in by_lower), None),
    )


def _all_of(by_lower: dict[str, str], wanted: Iterable[str]) -> tuple[str, ...]:
    found = tuple(by_lower[name] for name in wanted if name in by_lower)
    return found if len(found) == 4 else ()


def raw_candles(table: Any, layout: Layout) -> RawCandles:
    """The columns of a pyarrow table as numbers."""
    column = {name: floats_of(table.column(name)) for name in layout.wanted if name != layout.time}
    size = table.num_rows
    nothing = np.full(size, np.nan)
    bids = [column[name] for name in layout.bids]
    asks = [column[name] for name in layout.asks]
    prices = (
        [column[name] for name in layout.prices]
        if layout.prices is not None
        else [(bid + ask) / 2 for bid, ask in zip(bids, asks, strict=True)]
    )
    if layout.spread is not None:
        half_spread = column[layout.spread] / 2
    elif bids:
        half_spread = ((asks[0] - bids[0]) + (asks[3] - bids[3])) / 4
    else:
        half_spread = nothing
    return RawCandles(
        opened=seconds_of(table.column(layout.time)),
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=nothing if layout.volume is None else column[layout.volume],
        half_spread=half_spread,
    )


def floats_of(column: Any) -> Floats:
    """A pyarrow column as floats; nulls and texts that are no number become NaN."""
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind):
        return np.asarray(_plain(column.cast(pa.float64(), safe=False), math.nan), dtype=np.float64)
    return np.array([_float(value) for value in column.to_pylist()], dtype=np.float64)


def _plain(column: Any, instead_of_null: float) -> Any:
    """A copy of a pyarrow column of numbers as an array.

    pyarrow's own `to_numpy` and `fill_null` import pandas, which costs 0.4 s; this way it stays out.
    """
    array = column.combine_chunks()
    dense = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)
    values = np.from_dlpack(dense).copy()
    if array.null_count:
        values[np.from_dlpack(array.is_valid().cast(pa.int8())) == 0] = instead_of_null
    return values


def _float(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def seconds_of(column: Any, *, up: bool = False) -> Ints:
    """A pyarrow time column as whole seconds since 1970 UTC; times without a zone are UTC. Raises `InvalidInput`
    when the column cannot be a time at all. Fractions are cut off, or, `up`, rounded up so that nothing is early.

    Bare numbers are an epoch whose unit is told from the column's median: below 1e11 seconds, below 1e14
    milliseconds, below 1e17 microseconds, else nanoseconds (1e11 seconds lie in the year 5138, 1e11 milliseconds
    in 1973).
    """
    kind = column.type
    if pa.types.is_timestamp(kind):
        per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[kind.unit]
        return _whole_seconds(column.cast(pa.int64()), per_second, up)
    if pa.types.is_date(kind):
        return _whole_seconds(column.cast(pa.timestamp("s")).cast(pa.int64()), 1, up)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return epoch_seconds(floats_of(column), up=up)
    if pa.types.is_dictionary(kind):
        return seconds_of(column.cast(kind.value_type), up=up)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _parsed(column.to_pylist(), up)
    raise InvalidInput(f"a time column of type {kind} is neither a timestamp, a date, a number nor a text")


def _whole_seconds(column: Any, per_second: int, up: bool) -> Ints:
    values: Ints = _plain(column, NO_TIME)
    seconds = -(-values // per_second) if up else values // per_second
    return np.where(values == NO_TIME, NO_TIME, seconds)


def epoch_seconds(values: Floats, *, up: bool = False) -> Ints:
    """Epoch numbers of one unknown unit as whole seconds; NaN becomes `NO_TIME`."""
    known = np.isfinite(values)
    result = np.full(values.shape[0], NO_TIME, dtype=np.int64)
    if bool(known.any()):
        middle = float(np.median(np.abs(values[known])))
        divisor = next((divisor for bound, divisor in _UNITS if middle < bound), 1_000_000_000)
        whole = np.ceil(values[known] / divisor) if up else np.floor(values[known] / divisor)
        result[known] = np.where(np.abs(whole) < 1e12, whole, float(NO_TIME)).astype(np.int64)
    return result


def _parsed(texts: Sequence[str | None], up: bool) -> Ints:
    return np.array([iso_seconds(text, up=up) if text else NO_TIME for text in texts], dtype=np.int64)


def iso_seconds(text: str, *, up: bool = False) -> int:
    """An ISO 8601 text as seconds since 1970 UTC, `NO_TIME` when it is none; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return NO_TIME
    seconds = to_epoch(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    return seconds + 1 if up and moment.microsecond else seconds
