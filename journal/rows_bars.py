"""Closed bars as rows, and back to arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from math import isnan

import numpy as np

from domain.bars import BarSeries
from domain.instruments import Timeframe
from journal.codec import AnyRow, RowValues

_MICROS = 1_000_000


def bar_rows(series: BarSeries, start: int, stop: int) -> list[RowValues]:
    """Rows of the bars `start` up to but not including `stop`; a missing volume is null."""
    if stop - start == 1:
        return [_bar_row(series, start)]  # a scan adds one bar of each instrument; slices would cost it ten times more
    part = slice(start, stop)
    volumes = [None if isnan(volume) else volume for volume in series.volume[part].tolist()]
    return list(
        zip(
            repeat(series.symbol),
            repeat(series.timeframe.value),
            (series.opened[part] * _MICROS).tolist(),
            series.open[part].tolist(),
            series.high[part].tolist(),
            series.low[part].tolist(),
            series.close[part].tolist(),
            volumes,
            series.half_spread[part].tolist(),
            repeat(series.source),
            strict=False,
        )
    )


def _bar_row(series: BarSeries, index: int) -> RowValues:
    volume = series.volume.item(index)
    return (
        series.symbol,
        series.timeframe.value,
        series.opened.item(index) * _MICROS,
        series.open.item(index),
        series.high.item(index),
        series.low.item(index),
        series.close.item(index),
        None if isnan(volume) else volume,
        series.half_spread.item(index),
        series.source,
    )


def series_of(symbol: str, timeframe: Timeframe, rows: Sequence[AnyRow]) -> BarSeries:
    """The stored bars as one series, oldest first; its source is that of the newest bar."""
    missing = float("nan")
    return BarSeries(
        symbol=symbol,
        timeframe=timeframe,
        source=rows[-1].source if rows else "",
        opened=np.array([row.opened_at for row in rows], dtype=np.int64) // _MICROS,
        open=np.array([row.open for row in rows], dtype=np.float64),
        high=np.array([row.high for row in rows], dtype=np.float64),
        low=np.array([row.low for row in rows], dtype=np.float64),
        close=np.array([row.close for row in rows], dtype=np.float64),
        volume=np.array([missing if row.volume is None else row.volume for row in rows], dtype=np.float64),
        half_spread=np.array([row.half_spread for row in rows], dtype=np.float64),
    )
