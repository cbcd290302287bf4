"""A folder of candle files as a feed: what is taken, skipped, refused, and the real data of all classes."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import numpy as np
import pytest

from domain.clock import from_epoch
from domain.errors import InvalidInput
from domain.instruments import AssetClass, Timeframe
from market.recorded import load_folder

NOW = datetime(2026, 11, 20, tzinfo=UTC)
START = 1_700_006_400


@pytest.mark.parametrize(
    ("folder", "timeframe", "tradable", "currency"),
    [
        ("crypto", Timeframe.H1, 6, {"USDT"}),
        ("forex", Timeframe.H1, 6, {"USD", "JPY", "GBP", "CAD"}),
        ("equity_us", Timeframe.D1, 16, {"USD"}),
        ("equity_in", Timeframe.D1, 8, {"INR"}),
        ("equity_asx", Timeframe.D1, 6, {"AUD"}),
        ("forex_quotes", Timeframe.M5, 2, {"USD"}),
    ],
)
def test_every_class_of_real_candles_loads(market_data, registry, folder, timeframe, tradable, currency):
    feed = load_folder(market_data / folder, timeframe, registry=registry, now=NOW)
    instruments = [one for one in feed.instruments.values() if one.asset_class is not AssetClass.INDEX]
    assert len(instruments) == tradable
    assert {one.quote for one in instruments} == currency
    assert feed.report.rejected == {}
    for symbol in feed.instruments:
        series = feed.series(symbol)
        assert np.isfinite(series.half_spread).all()
        assert series.bar(len(series) - 1).closed_at <= NOW


def test_the_forex_folder_names_what_was_skipped_and_refused(market_data, registry):
    feed = load_folder(market_data / "forex", Timeframe.H1, registry=registry)
    notes = " | ".join(feed.report.notes)
    assert "EURUSD-4h.parquet is coarser than 1h and was skipped" in notes
    assert "EURUSD_FXCM-1h.parquet is a second series of EURUSD and was refused" in notes
    assert "--series EURUSD=EURUSD_FXCM" in notes
    assert len(feed.series("EURUSD")) == 5000
    chosen = load_folder(market_data / "forex", Timeframe.H1, registry=registry, series={"EURUSD": "EURUSD_FXCM"})
    assert len(chosen.series("EURUSD")) == 33_460


def test_the_asx_shares_have_their_index_as_benchmark_and_it_stands_last(market_data, registry):
    feed = load_folder(market_data / "equity_asx", Timeframe.D1, registry=registry)
    assert list(feed.instruments)[-1] == "AXJO"
    assert feed.instruments["AXJO"].asset_class is AssetClass.INDEX
    assert {one.benchmark for one in feed.instruments.values()} == {"AXJO", None}


def test_a_benchmark_that_is_not_at_hand_is_none(market_data, registry):
    crypto = load_folder(market_data / "crypto", Timeframe.H1, registry=registry)
    assert crypto.instruments["ADAUSDT"].benchmark == "BTCUSDT"
    assert crypto.instruments["BTCUSDT"].benchmark is None
    us = load_folder(market_data / "equity_us", Timeframe.D1, registry=registry)
    assert us.instruments["AAPL"].benchmark is None


def test_real_quotes_bring_their_spread_and_others_the_modelled_one(market_data, registry):
    quoted = load_folder(market_data / "forex_quotes", Timeframe.H1, registry=registry, symbols=["XAUUSD"])
    assert float(np.std(quoted.series("XAUUSD").half_spread)) > 0
    modelled = load_folder(market_data / "forex", Timeframe.H1, registry=registry, symbols=["USDJPY"])
    series = modelled.series("USDJPY")
    pips = 2 * float(series.half_spread[0]) / 0.01
    assert 0.5 < pips < 1.5
    assert series.half_spread[5] == pytest.approx(series.open[5] * 0.8 / 20_000)


def test_finer_files_are_resampled_only_where_the_asked_timeframe_is_missing(columns, write, tmp_path, registry):
    write("BTCUSDT-5m.parquet", columns(48, 300))
    write("BTCUSDT-15m.parquet", columns(16, 900))
    write("ETHUSDT-1h.csv", columns(4))
    feed = load_folder(tmp_path, Timeframe.H1, registry=registry)
    assert {symbol: len(feed.series(symbol)) for symbol in feed.instruments} == {"BTCUSDT": 4, "ETHUSDT": 4}
    notes = " | ".join(feed.report.notes)
    assert "BTCUSDT-15m.parquet was resampled to 1h: there is no file of that timeframe" in notes
    assert "BTCUSDT-5m.parquet was not needed" in notes


def test_a_second_series_alone_is_taken_and_said_so(columns, write, tmp_path, registry):
    write("EURUSD_FXCM-1h.parquet", columns(price=1.1))
    feed = load_folder(tmp_path, Timeframe.H1, registry=registry)
    assert "EURUSD is told by EURUSD_FXCM-1h.parquet" in feed.report.notes


def test_freqtrades_layout_is_understood(columns, write, tmp_path, registry):
    write("BTC_USDT-1h.feather", columns())
    write("ETH_USDT_USDT-1h-futures.feather", columns())
    write("ETH_USDT_USDT-1h-mark.feather", columns())
    feed = load_folder(tmp_path, Timeframe.H1, registry=registry)
    assert list(feed.instruments) == ["BTCUSDT", "ETHUSDT"]
    assert any("mark values" in note for note in feed.report.notes)


@pytest.mark.parametrize(
    ("files", "choices"),
    [
        (("EURUSD_A-1h.csv", "EURUSD_B-1h.csv"), ("--series EURUSD=EURUSD_A", "--series EURUSD=EURUSD_B")),
        (("EURUSD-1h.csv", "EURUSD-1h.parquet"), ("=EURUSD-1h.csv", "=EURUSD-1h.parquet")),
        (("BTCUSDT-1h.csv", "BTCUSDT-1h.feather", "BTC_USDT-1h.feather"), ("=BTC_USDT", "=BTCUSDT-1h.csv")),
    ],
)
def test_a_choice_that_would_be_guessed_refuses_the_folder(files, choices, columns, write, tmp_path, registry):
    for file in files:
        write(file, columns(price=1.1))
    with pytest.raises(InvalidInput, match="is told by several files") as refused:
        load_folder(tmp_path, Timeframe.H1, registry=registry)
    for choice in choices:
        assert choice in str(refused.value)


def test_a_choice_by_file_name_decides_between_two_formats(columns, write, tmp_path, registry):
    write("EURUSD-1h.csv", columns(20, price=1.1))
    write("EURUSD-1h.parquet", columns(30, price=1.1))
    feed = load_folder(tmp_path, Timeframe.H1, registry=registry, series={"EUR/USD": "EURUSD-1h.csv"})
    assert len(feed.series("EURUSD")) == 20


@pytest.mark.parametrize(
    ("series", "says"),
    [
        ({"EURUSD": "EURUSD_X"}, "there is no series EURUSD_X of 1h or finer; there is EURUSD-1h.csv"),
        ({"USDJPY": "USDJPY"}, "holds no candles of USDJPY; it has EURUSD"),
    ],
)
def test_a_choice_of_what_is_not_there_is_refused(series, says, columns, write, tmp_path, registry):
    write("EURUSD-1h.csv", columns(price=1.1))
    with pytest.raises(InvalidInput, match=says):
        load_folder(tmp_path, Timeframe.H1, registry=registry, series=series)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ((), "holds no candles of 1h or finer; the timeframes there are: none at all"),
        (("EURUSD-1d.csv",), "holds no candles of 1h or finer; the timeframes there are: 1d"),
        (("AXJO_index-1h.csv",), "holds no candles of 1h or finer"),
        (("NOSUCH-1h.csv",), "NOSUCH is not a known instrument; declare it with the class flag"),
        (("SECRET_index-1h.csv", "EURUSD-1h.csv"), "SECRET is not a known instrument"),
    ],
)
def test_a_folder_without_usable_candles_is_refused_in_one_sentence(files, says, columns, write, tmp_path, registry):
    for file in files:
        write(file, columns(price=1.1))
    with pytest.raises(InvalidInput, match=says):
        load_folder(tmp_path, Timeframe.H1, registry=registry)


def test_a_folder_that_does_not_exist_is_refused(tmp_path, registry):
    with pytest.raises(InvalidInput, match="does not exist"):
        load_folder(tmp_path / "nowhere", Timeframe.H1, registry=registry)


def test_an_unknown_symbol_loads_with_the_class_given(columns, write, tmp_path, registry):
    write("NOSUCH-1d.csv", columns(30, 86_400))
    feed = load_folder(tmp_path, Timeframe.D1, registry=registry, class_hint="equity_in")
    assert feed.instruments["NOSUCH"].quote == "INR"


def test_broken_rows_are_counted_and_named_by_file(columns, write, tmp_path, registry):
    content = columns()
    content["close"][4] = np.nan
    content["low"][9] = 0.0
    write("BTCUSDT-1h.parquet", content)
    feed = load_folder(tmp_path, Timeframe.H1, registry=registry)
    assert feed.report.rejected == {"nan": 1, "not_positive": 1}
    assert "BTCUSDT-1h.parquet: rows rejected: 1 nan, 1 not_positive" in feed.report.notes
    assert len(feed.series("BTCUSDT")) == 28


def test_a_bar_that_closes_after_now_is_left_out(columns, write, tmp_path, registry):
    write("BTCUSDT-1h.parquet", columns())
    feed = load_folder(tmp_path, Timeframe.H1, registry=registry, now=from_epoch(START + 10 * 3600))
    assert feed.report.rejected == {"future": 20}
    assert len(feed.series("BTCUSDT")) == 10


def test_a_gap_is_reported_and_not_filled(columns, write, tmp_path, registry):
    content = columns()
    write("BTCUSDT-1h.csv", {name: np.delete(values, [10, 11]) for name, values in content.items()})
    feed = load_folder(tmp_path, Timeframe.H1, registry=registry)
    assert len(feed.series("BTCUSDT")) == 28
    assert "2 missing in 1 stretches" in feed.report.notes[-1]


def test_start_end_and_most_bars_cut_each_series(columns, write, tmp_path, registry):
    write("BTCUSDT-1h.csv", columns())
    write("ETHUSDT-1h.csv", columns(5))
    begin, end = from_epoch(START + 6 * 3600), from_epoch(START + 20 * 3600)
    feed = load_folder(tmp_path, Timeframe.H1, registry=registry, start=begin, end=end)
    assert list(feed.instruments) == ["BTCUSDT"]
    assert feed.series("BTCUSDT").opened[0] == START + 6 * 3600
    assert feed.series("BTCUSDT").closed[-1] == START + 20 * 3600
    assert any("ETHUSDT has no bars between" in note for note in feed.report.notes)
    few = load_folder(tmp_path, Timeframe.H1, registry=registry, start=begin, max_bars=3)
    assert len(few.series("BTCUSDT")) == 3


def test_a_period_without_bars_is_refused(columns, write, tmp_path, registry):
    write("BTCUSDT-1h.csv", columns())
    with pytest.raises(InvalidInput, match="holds no tradable bars between"):
        load_folder(tmp_path, Timeframe.H1, registry=registry, start=NOW)


def test_the_first_benchmark_at_hand_serves(columns, write, tmp_path, registry):
    write("AAPL-1d.csv", columns(30, 86_400))
    write("UNLISTED-1d.csv", columns(30, 86_400))
    write("GSPC_index-1d.csv", columns(30, 86_400))
    feed = load_folder(tmp_path, Timeframe.D1, registry=registry, class_hint="equity_us")
    assert feed.instruments["AAPL"].benchmark == feed.instruments["UNLISTED"].benchmark == "GSPC"


def test_fewer_instruments_are_the_first_by_name(market_data, registry):
    feed = load_folder(market_data / "crypto", Timeframe.H1, registry=registry, limit_instruments=2, max_bars=500)
    assert list(feed.instruments) == ["ADAUSDT", "BNBUSDT"]
    assert feed.moments == 501


def test_limiting_keeps_the_benchmark(market_data, registry):
    feed = load_folder(market_data / "equity_asx", Timeframe.D1, registry=registry, limit_instruments=1)
    assert list(feed.instruments) == ["BHP.AX", "AXJO"]


def test_one_file_is_a_folder_of_one(market_data, registry):
    feed = load_folder(market_data / "crypto" / "BTCUSDT-1h.parquet", Timeframe.H4, registry=registry)
    assert list(feed.instruments) == ["BTCUSDT"]


def test_the_higher_timeframe_is_made_from_the_series(market_data, registry):
    feed = load_folder(market_data / "crypto", Timeframe.H1, registry=registry, symbols=["BTCUSDT"])
    higher = feed.higher("BTCUSDT")
    assert higher is not None
    assert higher.timeframe is Timeframe.H4
    assert feed.higher("BTCUSDT") is higher
    daily = load_folder(market_data / "equity_us", Timeframe.D1, registry=registry, symbols=["AAPL"])
    assert daily.higher("AAPL") is None


def test_texts_beside_the_candles_are_told(columns, write, tmp_path, registry, market_data):
    write("BTCUSDT-1h.csv", columns())
    shutil.copy(market_data / "news" / "headlines.jsonl", tmp_path / "headlines.jsonl")
    feed = load_folder(tmp_path, Timeframe.H1, registry=registry)
    texts = feed.headlines(datetime(2020, 2, 6, tzinfo=UTC), datetime(2020, 2, 7, tzinfo=UTC))
    assert texts
    assert all(
        datetime(2020, 2, 6, tzinfo=UTC) < text.received_at <= datetime(2020, 2, 7, tzinfo=UTC) for text in texts
    )


def test_loading_twice_gives_the_same_feed(market_data, registry):
    one, two = (load_folder(market_data / "forex", Timeframe.H1, registry=registry) for _ in range(2))
    assert one.report == two.report
    assert list(one.instruments.values()) == list(two.instruments.values())


def test_a_series_that_is_not_there_is_refused(columns, write, tmp_path, registry):
    write("BTCUSDT-1h.csv", columns())
    with pytest.raises(InvalidInput, match="has no series of ETHUSDT; it has BTCUSDT"):
        load_folder(tmp_path, Timeframe.H1, registry=registry).series("ETHUSDT")
