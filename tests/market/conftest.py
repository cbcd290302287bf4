"""Candle files made on the spot: good ones, and broken ones of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from domain.bars import BarSeries
from domain.instruments import Timeframe
from market.registry import Registry

START = 1_700_006_400  # 2023-11-15 00:00 UTC

Columns = dict[str, Any]


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.shipped()


@pytest.fixture
def columns() -> Callable[..., Columns]:
    """Columns of a small, faultless series of bars."""

    def make(count: int = 30, seconds: int = 3600, start: int = START, price: float = 100.0) -> Columns:
        random = np.random.default_rng(5)
        close = price * np.cumprod(1 + random.normal(0, 0.002, count))
        open_ = np.concatenate([[price], close[:-1]])
        return {
            "timestamp": (start + np.arange(count, dtype=np.int64) * seconds) * 1000,
            "open": open_,
            "high": np.maximum(open_, close) * 1.001,
            "low": np.minimum(open_, close) * 0.999,
            "close": close,
            "volume": random.integers(1, 100, count).astype(float),
        }

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Mapping[str, Any]], Path]:
    """Write columns to a file whose name's ending says the format; `timestamp` numbers are milliseconds."""

    def write_file(name: str, content: Mapping[str, Any]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {key: pa.array(values) for key, values in content.items()}
        if "timestamp" in arrays and pa.types.is_integer(arrays["timestamp"].type):
            arrays["timestamp"] = arrays["timestamp"].cast(pa.timestamp("ms", tz="UTC"))
        table = pa.table(arrays)
        if name.endswith(".parquet"):
            pyarrow.parquet.write_table(table, path)
        elif name.endswith(".feather"):
            pyarrow.feather.write_feather(table, path)
        else:
            pyarrow.csv.write_csv(table, path)
        return path

    return write_file


@pytest.fixture
def series(columns: Callable[..., Columns]) -> Callable[..., BarSeries]:
    """A faultless series of bars."""

    def make(
        symbol: str = "BTCUSDT", count: int = 30, timeframe: Timeframe = Timeframe.H1, start: int = START
    ) -> BarSeries:
        content = columns(count, timeframe.seconds, start)
        return BarSeries(
            symbol=symbol,
            timeframe=timeframe,
            source="test",
            opened=content["timestamp"] // 1000,
            open=content["open"],
            high=content["high"],
            low=content["low"],
            close=content["close"],
            volume=content["volume"],
            half_spread=np.zeros(count),
        )

    return make
