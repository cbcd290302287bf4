"""Indicator columns against a second library, and where they must say nothing."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals_cases import real_series, series_of, table_of, walk

from domain.bars import BarSeries
from signals import SignalSettings, SignalTable, combine
from signals.indicators import indicator_columns

FILES = ("crypto/BTCUSDT-1h", "forex/GBPUSD-1h", "equity_us/AAPL-1d")


@pytest.fixture(scope="module")
def ta() -> ModuleType:
    """The second library. Merely importing it uses what pandas has deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas_ta_classic
    return pandas_ta_classic


def frame_of(series: BarSeries) -> pd.DataFrame:
    return pd.DataFrame({name: getattr(series, name).copy() for name in ("open", "high", "low", "close", "volume")})


def assert_agree(ours: np.ndarray, theirs: pd.Series, since: int, tolerance: float) -> None:
    other = theirs.to_numpy(dtype=np.float64)
    assert np.isfinite(ours[since:]).all()
    assert np.allclose(ours[since:], other[since:], rtol=tolerance, atol=0)


@pytest.mark.parametrize("name", FILES)
def test_indicators_agree_with_a_second_library(market_data: Path, ta: ModuleType, name: str) -> None:
    series = real_series(market_data, name, 1200)
    ours, frame = indicator_columns(series, SignalSettings()), frame_of(series)
    high, low, close = frame["high"], frame["low"], frame["close"]
    assert_agree(ours["rsi"], ta.rsi(close, 14), 20, 1e-9)
    assert_agree(ours["atr"], ta.atr(high, low, close, 14), 150, 1e-6)
    adx = ta.adx(high, low, close, 14)
    assert_agree(ours["adx"], adx["ADX_14"], 400, 1e-6)
    assert_agree(ours["plus_di"], adx["DMP_14"], 400, 1e-6)
    assert_agree(ours["minus_di"], adx["DMN_14"], 400, 1e-6)
    macd = ta.macd(close)
    scale = float(close.mean())
    for column, theirs in (
        ("macd", "MACD_12_26_9"),
        ("macd_signal", "MACDs_12_26_9"),
        ("macd_histogram", "MACDh_12_26_9"),
    ):
        assert np.allclose(ours[column][400:], macd[theirs].to_numpy()[400:], rtol=0, atol=1e-9 * scale)
    bands = ta.bbands(close, 20, 2.0, ddof=0)
    assert_agree(ours["bollinger_upper"], bands["BBU_20_2.0"], 20, 1e-8)
    assert_agree(ours["bollinger_lower"], bands["BBL_20_2.0"], 20, 1e-8)
    for bars in (20, 50, 100):
        assert_agree(ours[f"ma_{bars}"], ta.sma(close, bars), bars, 1e-9)
    assert np.allclose(ours["momentum_20"][20:], ta.roc(close, 20).to_numpy()[20:] / 100, atol=1e-10)


@pytest.mark.parametrize("name", FILES)
def test_ichimoku_chandelier_and_donchian_agree_with_a_second_library(
    market_data: Path, ta: ModuleType, name: str
) -> None:
    series = real_series(market_data, name, 1200)
    ours, frame = indicator_columns(series, SignalSettings()), frame_of(series)
    high, low, close = frame["high"], frame["low"], frame["close"]
    cloud = ta.ichimoku(high, low, close, 9, 26, 52, include_chikou=False, as_dataframe=True)
    assert_agree(ours["ichimoku_tenkan"], cloud["ITS_9"], 10, 1e-12)
    assert_agree(ours["ichimoku_kijun"], cloud["IKS_26"], 26, 1e-12)
    assert_agree(ours["ichimoku_span_a"], cloud["ISA_9"], 80, 1e-12)
    assert_agree(ours["ichimoku_span_b"], cloud["ISB_26"], 80, 1e-12)
    chandelier = ta.ce(high, low, close, 22, 3.0)
    assert_agree(ours["chandelier_long"], chandelier["CE_L_22_3.0"], 400, 1e-6)
    assert_agree(ours["chandelier_short"], chandelier["CE_S_22_3.0"], 400, 1e-6)
    channel = ta.donchian(high, low, lower_length=20, upper_length=20)
    assert np.array_equal(ours["donchian_upper"][20:], channel["DCU_20_20"].to_numpy()[19:-1])
    assert np.array_equal(ours["donchian_lower"][20:], channel["DCL_20_20"].to_numpy()[19:-1])


@pytest.mark.parametrize("name", FILES)
def test_supertrend_turns_where_a_second_library_turns(market_data: Path, ta: ModuleType, name: str) -> None:
    series = real_series(market_data, name, 1200)
    ours, frame = indicator_columns(series, SignalSettings()), frame_of(series)
    theirs = ta.supertrend(frame["high"], frame["low"], frame["close"], 10, 3.0)
    directions = theirs["SUPERTd_10_3.0"].to_numpy(dtype=np.float64)
    assert np.mean(ours["supertrend_direction"][150:] == directions[150:]) > 0.995


def test_realised_volatility_and_volume_ratio_are_what_their_names_say() -> None:
    series = walk(8, 300)
    ours = indicator_columns(series, SignalSettings())
    returns = pd.Series(np.log(series.close)).diff()
    assert np.allclose(ours["volatility_20"][20:], returns.rolling(20).std(ddof=0).to_numpy()[20:], rtol=1e-9)
    volume = pd.Series(series.volume)
    assert np.allclose(ours["volume_ratio"][19:], (volume / volume.rolling(20).mean()).to_numpy()[19:], rtol=1e-9)


def test_supertrend_says_nothing_during_warm_up() -> None:
    columns = indicator_columns(walk(2, 60), SignalSettings())
    assert np.isnan(columns["supertrend_direction"][:10]).all()
    assert np.isnan(columns["supertrend"][:10]).all()
    assert set(columns["supertrend_direction"][11:].tolist()) <= {1.0, -1.0}


def test_the_cloud_of_a_bar_was_drawn_26_bars_before_it() -> None:
    series = walk(4, 200)
    columns = indicator_columns(series, SignalSettings())
    drawn = (columns["ichimoku_tenkan"] + columns["ichimoku_kijun"]) / 2
    assert np.array_equal(columns["ichimoku_span_a"][60:], drawn[34:-26])
    highest, lowest = series.high[48:100].max(), series.low[48:100].min()
    assert columns["ichimoku_span_b"][125] == (highest + lowest) / 2
    assert np.isnan(columns["ichimoku_span_b"][: 51 + 26]).all()


def test_a_flat_market_has_no_oscillators_and_nobody_speaks() -> None:
    table = table_of(series_of(np.full(400, 1.2345)))
    for name in ("rsi", "adx", "plus_di", "bollinger_percent", "donchian_position", "supertrend_direction"):
        assert np.isnan(table.columns[name]).all(), name
    assert np.isnan(table.columns["volatility_forecast"]).all()
    assert not table.sides.any()
    assert not table.speaks.any()
    assert combine(table, 399, {}, SignalSettings()) == "silent"


def test_a_market_that_goes_flat_falls_silent() -> None:
    moving = walk(6, 400, volatility=0.02).close
    table = table_of(series_of(np.concatenate((moving, np.full(300, moving[-1])))))
    assert np.isnan(table.columns["rsi"][430:]).all()
    assert np.isnan(table.columns["bollinger_percent"][430:]).all()
    assert not table.speaks[-100:].any()


def test_missing_volume_leaves_only_the_volume_columns_missing() -> None:
    series = walk(7, 400)
    silent = series_of(series.close, series.high, series.low, np.full(400, np.nan))
    with_volume, without = table_of(series), table_of(silent)
    assert np.isnan(without.columns["volume_ratio"]).all()
    assert "volume_ratio" not in without.row(399)
    for name, column in with_volume.columns.items():
        if name not in ("volume_ratio", "open_to_close"):
            assert np.array_equal(column, without.columns[name], equal_nan=True), name
    assert without.speaks.any()


def test_one_missing_volume_is_missing_for_the_bars_that_would_average_over_it() -> None:
    series = walk(7, 100)
    volume = series.volume.copy()
    volume[50] = np.nan
    ratio = indicator_columns(series_of(series.close, volume=volume), SignalSettings())["volume_ratio"]
    assert np.isnan(ratio[50:70]).all()
    assert np.isfinite(ratio[19:50]).all()
    assert np.isfinite(ratio[70:]).all()


def test_a_market_without_trades_has_no_volume_ratio() -> None:
    volume = np.concatenate((np.full(50, 1e12 / 3), np.zeros(50)))
    ratio = indicator_columns(series_of(walk(7, 100).close, volume=volume), SignalSettings())["volume_ratio"]
    assert np.isnan(ratio[70:]).all()


@pytest.mark.parametrize("bars", [0, 1, 2, 3, 14, 15, 20, 27, 51, 77, 100, 149])
def test_too_few_bars_never_crash_and_never_speak(bars: int) -> None:
    settings_ = SignalSettings()
    table = table_of(walk(1, bars))
    assert len(table) == bars
    assert not table.speaks.any()
    assert table.sides.shape == (len(table.strategies), bars)
    for index in range(bars):
        assert combine(table, index, {}, settings_) == "warmup"
        assert all(np.isfinite(value) for value in table.row(index).values())


@settings(max_examples=40, deadline=None)
@given(prices=st.lists(st.sampled_from([1e-8, 1.0, 1.0, 1.0, 1.00001, 2.0, 50_000.0, 1e9]), min_size=1, max_size=260))
def test_the_strangest_prices_neither_crash_nor_leave_a_number_that_is_not_finite(prices: list[float]) -> None:
    table = table_of(series_of(np.array(prices)))
    for index in {0, len(prices) // 2, len(prices) - 1}:
        assert all(np.isfinite(value) for value in table.row(index).values())
        combine(table, index, {}, SignalSettings())


def test_the_higher_timeframe_counts_from_its_close_on() -> None:
    series = walk(9, 900)
    table = table_of(series)
    adx = table.columns["higher_adx"]
    known = np.flatnonzero(np.isfinite(adx))
    changes = known[1:][np.diff(adx[known]) != 0]
    closed = series.closed[changes]
    assert len(changes) > 50
    assert (closed % (4 * 3600) == 0).all()


def test_without_a_higher_timeframe_its_columns_are_missing() -> None:
    table = SignalTable.compute(walk(9, 300), None, SignalSettings())
    assert "higher_adx" not in table.row(299)
    assert "higher_side" not in table.row(299)


def test_columns_cannot_be_written_to() -> None:
    table = table_of(walk(9, 200))
    with pytest.raises(ValueError, match="read-only"):
        table.columns["rsi"][0] = 1.0


def test_importing_the_package_does_not_pay_for_the_indicator_library() -> None:
    slow = "{'talib', 'pandas', 'scipy'} & set(sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", f"import sys, signals; print(sorted({slow}))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert told.stdout.strip() == "[]"


def test_the_same_bars_give_the_same_table_in_every_process() -> None:
    told = {
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import hashlib; from signals_cases import table_of, walk; "
                "print(hashlib.sha256(table_of(walk(1, 1300)).matrix.tobytes()).hexdigest())",
            ],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
