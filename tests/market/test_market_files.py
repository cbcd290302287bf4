"""Reading one candle file: formats, column names, units of time, spreads, and files that are no candles."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.columns import NO_TIME, epoch_seconds, seconds_of
from market.files import read_candles
from market.naming import CandleName, parse_name


@pytest.mark.parametrize("name", ["A-1h.parquet", "A-1h.feather", "A-1h.csv"])
def test_every_format_gives_the_same_rows(name, columns, write):
    content = columns()
    raw = read_candles(write(name, content))
    assert raw.opened.tolist() == (content["timestamp"] // 1000).tolist()
    assert np.allclose(raw.close, content["close"], rtol=1e-12)
    assert np.allclose(raw.volume, content["volume"])
    assert np.isnan(raw.half_spread).all()


@pytest.mark.parametrize("name", ["BTC_USDT-1h.json", "BTC_USDT-1h.json.gz"])
def test_freqtrade_json_is_read(name, columns, tmp_path):
    content = columns()
    rows = [list(row) for row in zip(*(np.asarray(column).tolist() for column in content.values()), strict=True)]
    text = json.dumps(rows)
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    raw = read_candles(path)
    assert raw.opened.tolist() == (content["timestamp"] // 1000).tolist()
    assert raw.close.tolist() == content["close"].tolist()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_of_every_unit_and_zone_are_the_same_moment(unit, zone):
    factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    column = pa.chunked_array([pa.array([1_700_000_000 * factor, None], pa.timestamp(unit, tz=zone))])
    assert seconds_of(column).tolist() == [1_700_000_000, NO_TIME]


@pytest.mark.parametrize("factor", [1, 10**3, 10**6, 10**9])
def test_the_unit_of_epoch_numbers_is_told_by_magnitude(factor):
    times = np.array([1_100_000_000, 1_700_000_000, 1_700_003_600], dtype=np.float64) * factor
    assert epoch_seconds(times).tolist() == [1_100_000_000, 1_700_000_000, 1_700_003_600]


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_whole_numbers_of_every_unit_are_read_from_a_file(unit, tmp_path):
    times = [1_700_000_000 * unit, 1_700_003_600 * unit]
    table = pa.table(
        {"time": times, "open": [1, 1], "high": [2, 2], "low": [1, 1], "close": [1, 2], "volume": [2**60, 0]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "A-1h.parquet")
    raw = read_candles(tmp_path / "A-1h.parquet")
    assert raw.opened.tolist() == [1_700_000_000, 1_700_003_600]
    assert raw.volume.tolist() == [2.0**60, 0.0]


def test_one_wild_number_does_not_change_the_unit_of_the_others():
    times = np.array([1.7e12, 1.7e12 + 3.6e6, 9e17, np.nan])
    assert epoch_seconds(times)[:2].tolist() == [1_700_000_000, 1_700_003_600]
    assert epoch_seconds(times)[3] == NO_TIME


def test_pandas_microseconds_are_not_taken_for_nanoseconds(tmp_path, columns):
    import pandas as pd

    content = columns()
    frame = pd.DataFrame(content)
    frame["date"] = pd.to_datetime(frame.pop("timestamp"), unit="ms", utc=True)
    assert str(frame["date"].dtype).startswith("datetime64[")
    frame.to_feather(tmp_path / "BTC_USDT-1h.feather")
    assert read_candles(tmp_path / "BTC_USDT-1h.feather").opened.tolist() == (content["timestamp"] // 1000).tolist()


def test_column_names_are_found_in_any_case(columns, write):
    content = columns()
    renamed = {
        "Date": content["timestamp"] // 1000,
        "Open": content["open"],
        "HIGH": content["high"],
        "Low": content["low"],
        "Close": content["close"],
        "Adj Close": content["close"],
        "Volume": content["volume"],
    }
    assert read_candles(write("AAPL-1h.csv", renamed)).opened[0] == content["timestamp"][0] // 1000


def test_a_semicolon_separates_as_well_as_a_comma(tmp_path):
    (tmp_path / "A-1h.csv").write_text(
        "time;open;high;low;close\n2024-01-01 00:00:00;1;2;1;2\n2024-01-01T01:00Z;2;2;1;1\n"
    )
    raw = read_candles(tmp_path / "A-1h.csv")
    assert raw.opened.tolist() == [1_704_067_200, 1_704_070_800]
    assert np.isnan(raw.volume).all()


def test_a_text_among_numbers_is_a_missing_price_and_not_the_end(tmp_path):
    (tmp_path / "A-1h.csv").write_text("time,open,high,low,close\n2024-01-01,1,2,1,oops\n2024-01-02,2,2,1,1\n")
    raw = read_candles(tmp_path / "A-1h.csv")
    assert np.isnan(raw.close[0])
    assert raw.close[1] == 1


def test_a_volume_column_of_nulls_is_missing(columns, write):
    content = columns() | {"volume": [None] * 30}
    assert np.isnan(read_candles(write("EURUSD-1h.parquet", content)).volume).all()


def test_bid_and_ask_give_mid_prices_and_half_the_spread(columns, write):
    content = columns()
    quoted = {"timestamp": content["timestamp"]}
    for name in ("open", "high", "low", "close"):
        quoted[f"bid_{name}"] = content[name] - 0.5
        quoted[f"ask_{name}"] = content[name] + 0.5
    raw = read_candles(write("XAUUSD-1h.parquet", quoted))
    assert np.allclose(raw.close, content["close"])
    assert np.allclose(raw.half_spread, 0.5)


def test_a_spread_column_is_halved(columns, write):
    raw = read_candles(write("EURUSD-1h.parquet", columns() | {"spread_close": np.full(30, 0.4)}))
    assert np.allclose(raw.half_spread, 0.2)


def test_the_real_quote_files_bring_their_spread(market_data):
    raw = read_candles(market_data / "forex_quotes" / "EURUSD-1m.parquet")
    assert 0.1e-4 < float(np.median(2 * raw.half_spread)) < 3e-4


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("A-1h.parquet", b"", "is empty"),
        ("A-1h.csv", b"", "is empty"),
        ("A-1h.feather", b"not a feather", "cannot be read as .feather"),
        ("A-1h.parquet", b"PAR1 but torn", "cannot be read as .parquet"),
        ("A-1h.json", b"{not json", "cannot be read as a list of candles"),
        ("A-1h.json", b'{"a": 1}', "cannot be read as a list of candles"),
        ("A-1h.json", b"[[1, 2]]", "is not a list of [time, open, high, low, close, volume]"),
        ("A-1h.json", b"[]", "is empty"),
        ("A-1h.csv", b"timestamp,open,high,low,close\n", "no rows"),
        ("A-1h.csv", b"1700000000,1,2,1,2\n1700003600,1,2,1,2\n", "wanted are a time"),
        ("A-1h.csv", b"timestamp,open,high,low\n2024-01-01,1,2,1\n", "wanted are a time"),
        ("A-1h.csv", b"when,open,high,low,close\n2024-01-01,1,2,1,1\n", "wanted are a time"),
        ("A-1h.csv", b"date,time,open,high,low,close\n2024-01-01,01:00,1,2,1,1\n", "put both into one column"),
        ("A-1h.csv", b"timestamp,open,high,low,close\nyesterday,1,2,1,1\n", "no time can be read"),
        ("A-1h.txt", b"hello", "is of no known format"),
        (
            "A-1h.csv.gz",
            gzip.compress(b"timestamp,open,high,low,close\n" * 99, mtime=0)[:30],
            "cannot be read as .csv.gz",
        ),
        ("A-1h.json.gz", gzip.compress(b"[[1, 2, 3, 4, 5]]" * 99, mtime=0)[:30], "cannot be read as a list of candles"),
    ],
)
def test_a_file_that_is_no_candles_is_refused_in_one_sentence_naming_it(name, content, says, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as refused:
        read_candles(path)
    assert name in str(refused.value)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="is not a file"):
        read_candles(tmp_path / "A-1h.csv")


def test_reading_candles_does_not_import_pandas(columns, write):
    path = write("A-1h.parquet", columns() | {"volume": [None] + [1.0] * 29})
    script = (
        "import sys; from pathlib import Path; from market.files import read_candles; "
        "read_candles(Path(sys.argv[1])); sys.exit('pandas' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script, str(path)], cwd=root, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("file", "series", "symbol", "timeframe", "benchmark", "exact"),
    [
        ("EURUSD-1h.parquet", "EURUSD", "EURUSD", Timeframe.H1, False, True),
        ("EURUSD_FXCM-1h.parquet", "EURUSD_FXCM", "EURUSD", Timeframe.H1, False, False),
        ("AXJO_index-1d.parquet", "AXJO_index", "AXJO", Timeframe.D1, True, False),
        ("BTC_USDT-5m.feather", "BTC_USDT", "BTCUSDT", Timeframe.M5, False, False),
        ("BTC_USDT_USDT-4h-futures.feather", "BTC_USDT_USDT", "BTCUSDT", Timeframe.H4, False, False),
        ("CBA.AX-1d.csv", "CBA.AX", "CBA.AX", Timeframe.D1, False, True),
        ("BAJAJ-AUTO-1d.csv.gz", "BAJAJ-AUTO", "BAJAJ-AUTO", Timeframe.D1, False, True),
    ],
)
def test_the_name_of_a_file_says_what_it_holds(file, series, symbol, timeframe, benchmark, exact):
    name = parse_name(Path(file))
    assert isinstance(name, CandleName)
    assert (name.series, name.symbol, name.timeframe, name.benchmark, name.exact) == (
        series,
        symbol,
        timeframe,
        benchmark,
        exact,
    )


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("BTC_USDT_USDT-8h-funding_rate.feather", "timeframe 8h"),
        ("BTC_USDT_USDT-1h-mark.feather", "mark values"),
        ("manifest.csv", "is not named"),
        ("EURUSD-1w.csv", "timeframe 1w"),
    ],
)
def test_a_file_that_is_not_replayable_says_why(file, says):
    found = parse_name(Path(file))
    assert isinstance(found, str)
    assert says in found
