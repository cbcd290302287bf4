"""How many rows of a feature are worth one independent row.

Features last: an average over 20 bars hardly moves from one decision to the next, a volatility regime stays for weeks,
and what is measured on the whole market is the same for all instruments at once. Counted as independent, such rows
make every test of a changed distribution alarm. The measure is the variance of block means over what independent rows
would give (batch means, Law and Carson 1979), of the ranks of the values, at several lengths of block; the worst
counts. Blocks are taken of all rows in time, for what instruments share, and of each instrument's rows, for what they
keep to themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from learning.table import Floats, Ints, Names

_BLOCKS_OF_ALL = (10, 20, 40)
_BLOCKS_OF_EACH = (1, 2, 5, 10, 20)
_SHORTEST = 2


class RowBlocks:
    """The blocks of one table's rows, made once for all its features."""

    def __init__(self, instruments: Names) -> None:
        """`instruments` of the rows, in the order in which decisions were taken."""
        rows = len(instruments)
        _, codes = np.unique(instruments, return_inverse=True)
        self._by_instrument: Ints = np.argsort(codes, kind="stable")
        ends = np.cumsum(np.bincount(codes)) if rows else np.zeros(0, dtype=np.int64)
        series = [(int(end - length), int(length)) for end, length in zip(ends, np.diff(ends, prepend=0), strict=True)]
        self._of_all = [_cut([(0, rows)], count) for count in _BLOCKS_OF_ALL]
        self._of_each = [_cut(series, count) for count in _BLOCKS_OF_EACH]

    def rows_worth_one(self, values: Floats) -> float:
        """Rows that are worth one independent row, 1 or more; `values` (n,), NaN where missing.

        Where blocks are few or a value lasts for most of the rows, the figure is a lower bound.
        """
        missing = np.isnan(values)
        ranks = _centred_ranks(values, ~missing)
        return max(self._inflation(ranks), self._inflation(missing - missing.mean()) if missing.any() else 1.0)

    def _inflation(self, centred: Floats) -> float:
        variance = float((centred * centred).mean()) if len(centred) else 0.0
        if variance <= 0:
            return 1.0
        worst = 1.0
        for rows, cuts in ((centred, self._of_all), (centred[self._by_instrument], self._of_each)):
            sums = np.concatenate(([0.0], np.cumsum(rows)))
            for starts, lengths in cuts:
                free = len(starts) if rows is not centred and len(starts) > 1 else len(starts) - 1
                if free > 0:
                    totals = sums[starts + lengths] - sums[starts]
                    worst = max(worst, float((totals * totals / lengths).sum()) / free / variance)
        return worst


def _cut(series: Sequence[tuple[int, int]], count: int) -> tuple[Ints, Ints]:
    """Starts and lengths of `count` equal blocks of each series (start, length); those too short are left out."""
    starts: list[int] = []
    lengths: list[int] = []
    for start, rows in series:
        length = rows // count
        if length >= _SHORTEST:
            starts.extend(start + length * block for block in range(count))
            lengths.extend([length] * count)
    return np.array(starts, dtype=np.int64), np.array(lengths, dtype=np.int64)


def _centred_ranks(values: Floats, present: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
    """Mean ranks less their mean; 0 where missing."""
    ranks = np.zeros(len(values))
    if present.any():
        _, places, counts = np.unique(values[present], return_inverse=True, return_counts=True)
        middles = np.cumsum(counts) - counts / 2
        ranks[present] = middles[places] - present.sum() / 2
    return ranks
