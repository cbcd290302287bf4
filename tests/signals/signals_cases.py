"""Series for the tests of this package: real candles, made-up walks, and broken copies of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import parquet

from domain.bars import BarSeries
from domain.instruments import AssetClass, Instrument, Timeframe
from domain.orders import Side
from signals import SignalSettings, SignalTable
from signals.indicators import Floats

START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())

REAL = (
    ("crypto/BTCUSDT-1h", 1400),
    ("forex/EURUSD-1h", 1400),
    ("forex/EURUSD_FXCM-1h", 1400),
    ("equity_us/AAPL-1d", 1259),
    ("crypto/XRPUSDT-5m", 1400),
)


def real_series(folder: Path, name: str, count: int | None = None) -> BarSeries:
    """The first `count` candles of one file of the data folder."""
    table = parquet.read_table(folder / f"{name}.parquet").slice(0, count)
    symbol, timeframe = Path(name).name.rsplit("-", 1)
    opened = table["timestamp"].cast(pa.timestamp("s", "UTC")).cast("int64").to_numpy()
    prices = {
        column: table[column].to_numpy(zero_copy_only=False).astype(np.float64).copy()
        for column in ("open", "high", "low", "close", "volume")
    }
    return BarSeries(
        symbol=symbol,
        timeframe=Timeframe(timeframe),
        source="file",
        opened=opened.astype(np.int64).copy(),
        half_spread=np.zeros(len(opened)),
        **prices,
    )


def series_of(
    close: Floats, high: Floats | None = None, low: Floats | None = None, volume: Floats | None = None
) -> BarSeries:
    """Hourly bars that open at the close before."""
    open_ = np.concatenate((close[:1], close[:-1]))
    return BarSeries(
        symbol="TEST",
        timeframe=Timeframe.H1,
        source="made",
        opened=START + 3600 * np.arange(len(close), dtype=np.int64),
        open=open_,
        high=np.maximum(open_, close) if high is None else high,
        low=np.minimum(open_, close) if low is None else low,
        close=close.copy(),
        volume=np.full(len(close), 100.0) if volume is None else volume,
        half_spread=np.zeros(len(close)),
    )


def walk(seed: int, bars: int, *, start: float = 100.0, volatility: float = 0.01) -> BarSeries:
    """A random walk with ranges and volumes, and changing volatility."""
    random = np.random.default_rng(seed)
    scale = volatility * np.exp(0.5 * np.sin(np.arange(bars) / 60) + 0.3 * random.standard_normal(bars))
    close = start * np.exp(np.cumsum(scale * random.standard_normal(bars)))
    open_ = np.concatenate((np.full(min(bars, 1), start), close[:-1]))
    high = np.maximum(open_, close) * (1 + scale * random.random(bars))
    low = np.minimum(open_, close) * (1 - scale * random.random(bars) / 2)
    return series_of(close, high, low, random.lognormal(5, 1, bars))


def resampled(series: BarSeries, timeframe: Timeframe | None) -> BarSeries | None:
    """Closed bars of a longer timeframe; the last one only when its time has passed by the series' last close."""
    if timeframe is None or len(series) == 0:
        return None
    groups = series.opened // timeframe.seconds
    begins = np.flatnonzero(np.concatenate(([True], groups[1:] != groups[:-1])))
    ends = np.concatenate((begins[1:], [len(series)])) - 1
    whole = BarSeries(
        symbol=series.symbol,
        timeframe=timeframe,
        source="resampled",
        opened=groups[begins] * timeframe.seconds,
        open=series.open[begins],
        high=np.maximum.reduceat(series.high, begins),
        low=np.minimum.reduceat(series.low, begins),
        close=series.close[ends],
        volume=np.add.reduceat(series.volume, begins),
        half_spread=series.half_spread[ends],
    )
    return whole.head(int(np.searchsorted(whole.closed, int(series.closed[-1]), side="right")))


def spoiled(series: BarSeries, known: int, filler: float) -> BarSeries:
    """The same first `known` bars; every value after them is `filler`, or garbage of its size."""
    columns: dict[str, Floats] = {}
    for position, name in enumerate(("open", "high", "low", "close", "volume", "half_spread")):
        column = getattr(series, name).copy()
        tail = np.arange(len(series) - known, dtype=np.float64)
        column[known:] = filler * (1 + np.abs(np.sin(tail * (position + 1))))
        columns[name] = column
    return replace(series, **columns)


def table_of(series: BarSeries, settings: SignalSettings | None = None) -> SignalTable:
    """The table with the higher timeframe resampled from the same bars."""
    return SignalTable.compute(series, resampled(series, series.timeframe.higher), settings or SignalSettings())


def scripted(
    votes: dict[str, tuple[int, float, int]],
    *,
    bars: int = 200,
    columns: dict[str, list[float]] | None = None,
) -> SignalTable:
    """A table whose last bar's votes (side, confidence, age) and last columns are as told."""
    table = table_of(walk(3, bars))
    sides, confidences, ages = np.zeros_like(table.sides), np.full_like(table.confidences, np.nan), table.ages * 0 - 1
    for position, strategy in enumerate(table.strategies):
        if strategy.name in votes:
            sides[position, -1], confidences[position, -1], ages[position, -1] = votes[strategy.name]
    changed = {name: column.copy() for name, column in table.columns.items()}
    for name, tail in (columns or {}).items():
        changed[name][-len(tail) :] = tail
    return replace(table, sides=sides, confidences=confidences, ages=ages, columns=changed)


BITCOIN = Instrument(
    symbol="BTCUSDT",
    asset_class=AssetClass.CRYPTO,
    base="BTC",
    quote="USDT",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    pip=Decimal(1),
    min_quantity=Decimal("0.00001"),
    min_notional=Decimal(5),
    calendar="24/7",
    spread_bps=Decimal(2),
    max_spread_pips=Decimal(50),
    fee_rate=Decimal("0.001"),
    market_cap_class="large",
)

SIDES = st.sampled_from([Side.BUY, Side.SELL])
