"""Candle files as they are written: bars, who gave them, and from when on they were asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from domain.errors import InvalidInput
from market.candle_writer import asked_since_of, write_candles
from market.files import read_candles

ASKED = datetime(2020, 1, 1, tzinfo=UTC)


def test_bars_and_what_was_asked_for_are_read_as_they_were_written(series, tmp_path):
    path, bars = tmp_path / "BTCUSDT-1h.parquet", series()
    write_candles(path, bars, asked_since=ASKED)
    read = read_candles(path)
    assert np.array_equal(read.opened, bars.opened)
    assert np.array_equal(read.close, bars.close)
    assert asked_since_of(path) == ASKED
    assert pyarrow.parquet.read_schema(path).metadata[b"source"] == b"test"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_without_the_note_says_that_it_does_not_know(series, tmp_path):
    path = tmp_path / "BTCUSDT-1h.parquet"
    write_candles(path, series())
    assert asked_since_of(path) is None
    pyarrow.parquet.write_table(pa.table({"timestamp": [1], "close": [2.0]}), path)
    assert asked_since_of(path) is None


def test_a_time_of_another_offset_is_the_same_moment_again(series, tmp_path):
    path = tmp_path / "BTCUSDT-1h.parquet"
    write_candles(path, series(), asked_since=ASKED.astimezone(timezone(timedelta(hours=5))))
    assert asked_since_of(path) == ASKED


@pytest.mark.parametrize(
    ("note", "sentence"), [("yesterday", "no ISO 8601 time"), ("2020-01-01", "offset from UTC is missing")]
)
def test_a_note_that_is_no_moment_is_refused(tmp_path, note, sentence):
    path = tmp_path / "BTCUSDT-1h.parquet"
    pyarrow.parquet.write_table(pa.table({"timestamp": [1]}).replace_schema_metadata({"asked_since": note}), path)
    with pytest.raises(InvalidInput, match=sentence):
        asked_since_of(path)


def test_a_file_that_is_no_parquet_is_refused_by_name(tmp_path):
    path = tmp_path / "BTCUSDT-1h.parquet"
    path.write_bytes(b"not columns at all")
    with pytest.raises(InvalidInput, match=r"BTCUSDT-1h\.parquet cannot be read as \.parquet"):
        asked_since_of(path)
