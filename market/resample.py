"""Coarser bars from finer ones, upward only and never ahead of time."""

from __future__ import annotations

import numpy as np

from domain.bars import BarSeries, Ints
from domain.errors import InvalidInput
from domain.instruments import Timeframe


def resample(series: BarSeries, timeframe: Timeframe) -> BarSeries:
    """`series` in bars of `timeframe`, whose buckets are aligned to 1970-01-01 00:00 UTC.

    A fine bar belongs to the bucket in which it closes, so a coarse bar never holds what happened after its end
    (that only matters where fine bars do not lie on the grid). open is the first, high the highest, low the lowest,
    close the last, volume the sum, missing where any part is missing, half_spread the mean. A bucket is given only
    once the fine series has reached its end: the result of a truncated series is the beginning of the whole result.
    Raises `InvalidInput` when `timeframe` is not a multiple of the series' own.
    """
    fine, coarse = series.timeframe.seconds, timeframe.seconds
    if coarse <= fine or coarse % fine:
        raise InvalidInput(
            f"{series.symbol}: bars of {series.timeframe.value} cannot be made into {timeframe.value}; "
            "only a longer multiple can be made"
        )
    bucket = (series.closed - 1) // coarse * coarse
    starts = np.flatnonzero(np.diff(bucket, prepend=bucket[:1] - coarse))
    opened = bucket[starts]
    ends = np.append(starts[1:], len(series))[: starts.shape[0]] - 1
    if len(series) and int(series.closed[-1]) < int(opened[-1]) + coarse:
        opened, starts, ends = opened[:-1], starts[:-1], ends[:-1]
    stop = int(ends[-1]) + 1 if ends.shape[0] else 0
    parts = _Parts(starts, stop)
    return BarSeries(
        symbol=series.symbol,
        timeframe=timeframe,
        source=f"{series.source} resampled from {series.timeframe.value}",
        opened=opened,
        open=series.open[starts],
        high=parts.folded(np.maximum, series.high),
        low=parts.folded(np.minimum, series.low),
        close=series.close[ends],
        volume=parts.folded(np.add, series.volume),
        half_spread=parts.folded(np.add, series.half_spread) / (ends - starts + 1),
    )


class _Parts:
    """The runs of fine bars that make one coarse bar each."""

    def __init__(self, starts: Ints, stop: int) -> None:
        self._starts = starts
        self._stop = stop

    def folded(self, by: np.ufunc, column: np.ndarray) -> np.ndarray:
        if not self._stop:
            return np.empty(0, dtype=np.float64)
        return np.asarray(by.reduceat(column[: self._stop], self._starts), dtype=np.float64)


def closed_by(coarse: BarSeries, fine: BarSeries) -> Ints:
    """How many bars of `coarse` have closed when each bar of `fine` closes; the last of them may be looked at."""
    return np.searchsorted(coarse.closed, fine.closed, side="right").astype(np.int64)
