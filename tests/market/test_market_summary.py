"""What a folder holds, as rows for `ratchet data summary`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from domain.errors import InvalidInput
from market.summary import summarise


def test_a_folder_of_real_candles_is_described(market_data, registry):
    rows = {row["file"]: row for row in summarise(market_data / "forex", registry=registry)}
    assert rows["EURUSD-4h.parquet"]["timeframe"] == "4h"
    fxcm = rows["EURUSD_FXCM-1h.parquet"]
    assert (fxcm["symbol"], fxcm["series"], fxcm["rows"], fxcm["bars"]) == ("EURUSD", "EURUSD_FXCM", 33_460, 33_460)
    assert fxcm["class"] == "forex"
    assert fxcm["start"] == "2010-01-03T22:00:00+00:00"
    assert 0 < fxcm["gaps"]["bars"] < 400
    assert json.loads(json.dumps(rows)) == rows


def test_an_exchanges_holidays_are_no_gaps(market_data, registry):
    rows = summarise(market_data / "equity_us", registry=registry)
    assert {row["class"] for row in rows} == {"equity_us"}
    assert all(row["gaps"]["bars"] == 0 for row in rows)


def test_broken_and_unknown_files_are_described_too(columns, write, tmp_path, registry):
    content = columns()
    content["high"][3] = 1.0
    write("BTCUSDT-1h.csv", content)
    write("NOSUCH-1h.csv", columns())
    (tmp_path / "ETHUSDT-1h.csv").write_text("a,b\n1,2\n")
    (tmp_path / "notes.txt").write_text("not a candle file")
    rows = {row["file"]: row for row in summarise(tmp_path, registry=registry)}
    assert sorted(rows) == ["BTCUSDT-1h.csv", "ETHUSDT-1h.csv", "NOSUCH-1h.csv"]
    assert rows["BTCUSDT-1h.csv"]["rejected"] == {"high_low": 1}
    assert rows["NOSUCH-1h.csv"]["class"] == "unknown symbol"
    assert rows["NOSUCH-1h.csv"]["bars"] == 30
    assert "wanted are a time" in rows["ETHUSDT-1h.csv"]["error"]


def test_the_longest_gap_is_told(columns, write, tmp_path, registry):
    write("BTCUSDT-1h.csv", {name: np.delete(values, [10, 11, 20]) for name, values in columns().items()})
    (row,) = summarise(tmp_path, registry=registry)
    assert row["gaps"] == {"count": 2, "bars": 3, "longest_s": 7200}


def test_a_folder_that_does_not_exist_is_refused(tmp_path, registry):
    with pytest.raises(InvalidInput, match="does not exist"):
        summarise(tmp_path / "nowhere", registry=registry)
