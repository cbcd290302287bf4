"""Bars with another price path from one moment on: what all stress scenarios are made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from domain.bars import BarSeries, Floats
from domain.clock import to_epoch

DIGITS = 10
"""Significant digits of a bent price: fewer than powers and logarithms differ by between machines."""


def first_after(series: BarSeries, at: datetime) -> int:
    """The index of the first bar that opens at `at` or later: all bars before it stay as they were."""
    return int(np.searchsorted(series.opened, to_epoch(at), side="left"))


def last_price(series: BarSeries, first: int) -> float:
    """The last price before the bar at `first`: the close before it, or the series' first open."""
    return float(series.close[first - 1] if first else series.open[0])


def with_path(
    series: BarSeries, first: int, open_: Floats, high: Floats, low: Floats, close: Floats, *, until: int | None = None
) -> BarSeries:
    """`series` with other prices at the bars from `first` on (before `until`).

    Times and volumes stay; the half spread stays the same share of the open. Highs and lows are widened where a
    path would leave them, so that every bar is a possible one. The arrays have one price for each of these bars.
    """
    rows = slice(first, len(series) if until is None else until)
    open_, high, low, close = (_settled(column) for column in (open_, high, low, close))
    spread = series.half_spread[rows] * (open_ / series.open[rows])
    return replace(
        series,
        open=_spliced(series.open, rows, open_),
        high=_spliced(series.high, rows, np.maximum.reduce([open_, high, low, close])),
        low=_spliced(series.low, rows, np.minimum.reduce([open_, high, low, close])),
        close=_spliced(series.close, rows, close),
        half_spread=_spliced(series.half_spread, rows, spread),
    )


def scaled(series: BarSeries, first: int, factor: float) -> BarSeries:
    """Every price from the bar at `first` on, times `factor`."""
    return with_path(
        series,
        first,
        series.open[first:] * factor,
        series.high[first:] * factor,
        series.low[first:] * factor,
        series.close[first:] * factor,
    )


def bent(series: BarSeries, first: int, factors: Floats) -> BarSeries:
    """The bars from `first` on times a factor that moves within each bar; wicks keep their share of the price.

    `factors` has the factor at each bar's close, behind the one at the first bar's open: one more than bars.
    """
    count = factors.shape[0] - 1
    rows = slice(first, first + count)
    open_, close = series.open[rows] * factors[:-1], series.close[rows] * factors[1:]
    top, bottom = np.maximum(series.open[rows], series.close[rows]), np.minimum(series.open[rows], series.close[rows])
    high = np.maximum(open_, close) * (series.high[rows] / top)
    low = np.minimum(open_, close) * (series.low[rows] / bottom)
    return with_path(series, first, open_, high, low, close, until=first + count)


def stretched(series: BarSeries, first: int, power: float) -> BarSeries:
    """Log returns from the bar at `first` on times `power`, those within bars too."""
    anchor = last_price(series, first) if len(series) else 1.0
    columns = (series.open, series.high, series.low, series.close)
    return with_path(series, first, *(anchor * (column[first:] / anchor) ** power for column in columns))


def without(series: BarSeries, first: int, count: int) -> BarSeries:
    """`series` without `count` bars from the one at `first` on."""
    kept = np.r_[0 : min(first, len(series)), min(first + count, len(series)) : len(series)].astype(np.int64)
    return replace(
        series,
        opened=series.opened[kept],
        open=series.open[kept],
        high=series.high[kept],
        low=series.low[kept],
        close=series.close[kept],
        volume=series.volume[kept],
        half_spread=series.half_spread[kept],
    )


def volatility_before(series: BarSeries, first: int, bars: int) -> float:
    """Standard deviation of the log returns between the last `bars` closes before the bar at `first`; 0 for few."""
    closes = series.close[max(0, first - bars) : first]
    if closes.shape[0] < 3:
        return 0.0
    return float(np.std(np.diff(np.log(closes)), ddof=1))


def _spliced(column: Floats, rows: slice, part: Floats) -> Floats:
    result = column.copy()
    result[rows] = part
    return result


def _settled(prices: Floats) -> Floats:
    """Prices above 0 at `DIGITS` significant digits."""
    scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(prices)))
    return np.asarray(np.rint(prices * scale) / scale, dtype=np.float64)
