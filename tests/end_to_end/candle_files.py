"""Small candle files made on the spot: a random walk that is the same on every machine, and ways to break it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

START = datetime(2022, 3, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEADER = "timestamp,open,high,low,close,volume"

Row = list[str]


def walk(bars: int, *, price: float, seed: int, start: datetime = START, step: timedelta = HOUR) -> list[Row]:
    """Rows of an hourly random walk with trends in it, as text."""
    chance = np.random.default_rng(seed)
    drift = np.repeat(chance.normal(0, 0.0012, bars // 40 + 1), 40)[:bars]
    closes = price * np.exp(np.cumsum(drift + chance.normal(0, 0.0025, bars)))
    opens = np.concatenate([[price], closes[:-1]])
    tops = np.maximum(opens, closes) * (1 + np.abs(chance.normal(0, 0.001, bars)))
    bottoms = np.minimum(opens, closes) * (1 - np.abs(chance.normal(0, 0.001, bars)))
    times = [(start + number * step).strftime("%Y-%m-%dT%H:%M:%SZ") for number in range(bars)]
    return [
        [at, f"{open_:.5f}", f"{high:.5f}", f"{low:.5f}", f"{close:.5f}", "100000"]
        for at, open_, high, low, close in zip(times, opens, tops, bottoms, closes, strict=True)
    ]


def written(path: Path, rows: Sequence[Row], header: str = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return path


def broken(rows: Sequence[Row], change: Callable[[list[Row]], None]) -> list[Row]:
    """A copy of the rows with `change` made to it."""
    copy = [list(row) for row in rows]
    change(copy)
    return copy


def trading_week(rows: Sequence[Row]) -> list[Row]:
    """Without the currency market's weekend of March 13th, 2022, when New York put its clocks forward."""
    return [row for row in rows if not _in_weekend(datetime.fromisoformat(row[0]))]


def _in_weekend(at: datetime) -> bool:
    return datetime(2022, 3, 11, 22, tzinfo=UTC) <= at < datetime(2022, 3, 13, 21, tzinfo=UTC)
