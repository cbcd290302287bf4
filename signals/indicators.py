"""Indicator columns of one instrument, by TA-Lib over whole arrays.

Every column is causal: its value at bar t is made of bars <= t, counted from the first bar of the series (the
anchor), so a shorter history gives the same numbers bit for bit. A missing value is NaN: warm-up, a flat market
in which an oscillator says nothing, a volume the source does not have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.bars import BarSeries
from signals.settings import SignalSettings

Floats = NDArray[np.float64]

RSI_BARS = 14
ADX_BARS = 14
ATR_BARS = 14
CHANNEL_BARS = 20
SLOW_CHANNEL_BARS = 55
SUPERTREND_BARS = 10
SUPERTREND_ATR = 3.0
TENKAN_BARS, KIJUN_BARS, SENKOU_BARS = 9, 26, 52
AVERAGES = (20, 50, 100)
SLOW_VOLATILITY_BARS = 100
NARROWEST_BAND = 1e-6
"""Bands narrower than this fraction of the price are rounding noise of a flat market."""


@dataclass(frozen=True, slots=True)
class Prices:
    """The arrays an indicator reads, as TA-Lib wants them: contiguous float64."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @classmethod
    def of(cls, series: BarSeries) -> Prices:
        arrays = (series.open, series.high, series.low, series.close, series.volume)
        return cls(*(np.ascontiguousarray(array, dtype=np.float64) for array in arrays))


def indicator_columns(series: BarSeries, settings: SignalSettings) -> dict[str, Floats]:
    """All indicator columns by name, each of the series' length, in a fixed order, not yet rounded."""
    prices = Prices.of(series)
    columns: dict[str, Floats] = {"close": prices.close}
    parts: tuple[Callable[[Prices, SignalSettings], dict[str, Floats]], ...] = (
        _oscillators,
        _volatility,
        _averages,
        _channels,
        _supertrend,
        _ichimoku,
        _volume,
        _shape,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        for part in parts:
            columns |= part(prices, settings)
        columns |= _regime(columns)
    return columns


@cache
def _talib() -> Any:
    """TA-Lib, imported when the first table is computed: it brings pandas along, which cheap commands need not pay."""
    return import_module("talib")


def _oscillators(prices: Prices, settings: SignalSettings) -> dict[str, Floats]:
    del settings
    talib = _talib()

    macd, macd_signal, macd_histogram = talib.MACD(prices.close)
    flat_close = _flat(prices.close, prices.close, RSI_BARS + 1)
    flat_range = _flat(prices.high, prices.low, ADX_BARS + 1)
    return {
        "rsi": _missing_where(flat_close, talib.RSI(prices.close, RSI_BARS)),
        "macd": macd,
        "macd_signal": macd_signal,
        "macd_histogram": macd_histogram,
        "adx": _missing_where(flat_range, talib.ADX(prices.high, prices.low, prices.close, ADX_BARS)),
        "plus_di": _missing_where(flat_range, talib.PLUS_DI(prices.high, prices.low, prices.close, ADX_BARS)),
        "minus_di": _missing_where(flat_range, talib.MINUS_DI(prices.high, prices.low, prices.close, ADX_BARS)),
        "momentum_20": talib.ROCP(prices.close, CHANNEL_BARS),
    }


def _volatility(prices: Prices, settings: SignalSettings) -> dict[str, Floats]:
    """ATR in price units; realised volatility as the deviation of log returns per bar; the chandelier's lines."""
    talib = _talib()

    returns = log_returns(prices.close)
    chandelier_atr = settings.chandelier_atr * talib.ATR(
        prices.high, prices.low, prices.close, settings.chandelier_bars
    )
    return {
        "atr": talib.ATR(prices.high, prices.low, prices.close, ATR_BARS),
        "volatility_20": talib.STDDEV(returns, CHANNEL_BARS),
        "volatility_100": talib.STDDEV(returns, SLOW_VOLATILITY_BARS),
        "chandelier_long": talib.MAX(prices.high, settings.chandelier_bars) - chandelier_atr,
        "chandelier_short": talib.MIN(prices.low, settings.chandelier_bars) + chandelier_atr,
    }


def _averages(prices: Prices, settings: SignalSettings) -> dict[str, Floats]:
    del settings
    talib = _talib()

    return {f"ma_{bars}": talib.SMA(prices.close, bars) for bars in AVERAGES}


def _channels(prices: Prices, settings: SignalSettings) -> dict[str, Floats]:
    """Bollinger(20, 2) and the Donchian channels of the bars *before* this one, so that a bar can break them."""
    del settings
    talib = _talib()

    upper, middle, lower = talib.BBANDS(prices.close, CHANNEL_BARS, 2.0, 2.0)
    width = (upper - lower) / middle
    too_narrow = ~(width > NARROWEST_BAND)
    donchian_upper = shifted(talib.MAX(prices.high, CHANNEL_BARS), 1)
    donchian_lower = shifted(talib.MIN(prices.low, CHANNEL_BARS), 1)
    span = donchian_upper - donchian_lower
    return {
        "bollinger_upper": upper,
        "bollinger_lower": lower,
        "bollinger_width": _missing_where(too_narrow, width),
        "bollinger_percent": _missing_where(too_narrow, (prices.close - lower) / (upper - lower)),
        "donchian_upper": donchian_upper,
        "donchian_lower": donchian_lower,
        "donchian_position": _missing_where(~(span > 0), (prices.close - donchian_lower) / span),
        "donchian_slow_upper": shifted(talib.MAX(prices.high, SLOW_CHANNEL_BARS), 1),
        "donchian_slow_lower": shifted(talib.MIN(prices.low, SLOW_CHANNEL_BARS), 1),
    }


def _supertrend(prices: Prices, settings: SignalSettings) -> dict[str, Floats]:
    """SuperTrend(10, 3): the line, and its direction +1 or -1; both missing during warm-up and in a dead market."""
    del settings
    talib = _talib()

    line, direction = talib.SUPERTREND(prices.high, prices.low, prices.close, SUPERTREND_BARS, SUPERTREND_ATR)
    # During warm-up the library reports a direction that would read as a vote; only a finite line counts.
    silent = ~np.isfinite(line) | (direction == 0) | _flat(prices.high, prices.low, SUPERTREND_BARS + 1)
    return {
        "supertrend": _missing_where(silent, line),
        "supertrend_direction": _missing_where(silent, direction.astype(np.float64)),
    }


def _ichimoku(prices: Prices, settings: SignalSettings) -> dict[str, Floats]:
    """Ichimoku(9, 26, 52). The cloud at a bar is the one drawn 26 bars earlier; the lagging span, which would
    read the future, is left out."""
    del settings
    talib = _talib()

    tenkan = talib.MIDPRICE(prices.high, prices.low, TENKAN_BARS)
    kijun = talib.MIDPRICE(prices.high, prices.low, KIJUN_BARS)
    span_a = shifted((tenkan + kijun) / 2, KIJUN_BARS)
    span_b = shifted(talib.MIDPRICE(prices.high, prices.low, SENKOU_BARS), KIJUN_BARS)
    top, bottom = np.maximum(span_a, span_b), np.minimum(span_a, span_b)
    above, below = prices.close > top, prices.close < bottom
    position = np.where(np.isfinite(top), above.astype(np.float64) - below.astype(np.float64), np.nan)
    return {
        "ichimoku_tenkan": tenkan,
        "ichimoku_kijun": kijun,
        "ichimoku_span_a": span_a,
        "ichimoku_span_b": span_b,
        "ichimoku_position": position,
    }


def _volume(prices: Prices, settings: SignalSettings) -> dict[str, Floats]:
    """Volume over its mean of the last 20 bars; missing while any of the 20 volumes is missing or all are 0."""
    del settings
    known = np.isfinite(prices.volume)
    totals = _window_sums(np.where(known, prices.volume, 0.0), CHANNEL_BARS)
    known_bars = _window_sums(known.astype(np.float64), CHANNEL_BARS)
    traded_bars = _window_sums((known & (prices.volume > 0)).astype(np.float64), CHANNEL_BARS)
    usable = (known_bars == CHANNEL_BARS) & (traded_bars > 0) & (totals > 0)
    return {"volume_ratio": _missing_where(~usable, prices.volume * CHANNEL_BARS / totals)}


def _shape(prices: Prices, settings: SignalSettings) -> dict[str, Floats]:
    """Open, high and low relative to the close."""
    del settings
    return {
        "open_to_close": prices.open / prices.close - 1,
        "high_to_close": prices.high / prices.close - 1,
        "low_to_close": prices.low / prices.close - 1,
    }


def _regime(columns: dict[str, Floats]) -> dict[str, Floats]:
    """Bull (+1), bear (-1) or neither (0): the close and the 50-bar average on the same side of the 100-bar one.
    Volatility regime: wild (+1) when the last 20 bars move over 1.25 times as much as the last 100, calm (-1)
    under 0.8 times."""
    close, fast, slow = columns["close"], columns["ma_50"], columns["ma_100"]
    bull = ((close > slow) & (fast > slow)).astype(np.float64)
    bear = ((close < slow) & (fast < slow)).astype(np.float64)
    ratio = _missing_where(~(columns["volatility_100"] > 0), columns["volatility_20"] / columns["volatility_100"])
    wild, calm = (ratio > 1.25).astype(np.float64), (ratio < 0.8).astype(np.float64)
    return {
        "regime_trend": _missing_where(~np.isfinite(slow), bull - bear),
        "volatility_ratio": ratio,
        "regime_volatility": _missing_where(~np.isfinite(ratio), wild - calm),
    }


def log_returns(close: Floats) -> Floats:
    """Log return of every bar over the one before; missing for the first."""
    result = np.full(close.shape, np.nan)
    result[1:] = np.log(close[1:] / close[:-1])
    return result


def shifted(values: Floats, bars: int) -> Floats:
    """What the column said `bars` bars ago; missing before."""
    result = np.full(values.shape, np.nan)
    if values.shape[0] > bars:
        result[bars:] = values[: values.shape[0] - bars]
    return result


def _flat(high: Floats, low: Floats, bars: int) -> NDArray[np.bool_]:
    """True where nothing moved over the last `bars` bars: there oscillators would read 0, an opinion they lack."""
    talib = _talib()

    still: NDArray[np.bool_] = talib.MAX(high, bars) == talib.MIN(low, bars)
    return still


def _missing_where(missing: NDArray[np.bool_], values: Floats) -> Floats:
    return np.where(missing, np.nan, values)


def _window_sums(values: Floats, bars: int) -> Floats:
    """Sums of the last `bars` values; missing for the first ones."""
    running = np.concatenate((np.zeros(1), np.cumsum(values)))
    result = np.full(values.shape, np.nan)
    if values.shape[0] >= bars:
        result[bars - 1 :] = running[bars:] - running[:-bars]
    return result
