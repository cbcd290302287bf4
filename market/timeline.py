"""The order in which the bars of several series close and open, as arrays: no object is kept per bar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from domain.bars import BarSeries
from domain.clock import EPOCH, from_epoch
from domain.errors import NotAvailable
from market.feed import BarRef, Moment


class Timeline:
    """A cursor over the moments of several series, in order of time; within one moment in the series' given order.

    A bar closes one timeframe after it opened. Where the next bar opens at that same time both belong to one
    moment; after a gap the opening is a moment of its own.
    """

    __slots__ = ("_closes", "_index", "_position", "_starts", "_symbol", "_symbols", "_times")

    def __init__(self, series: Sequence[BarSeries]) -> None:
        self._symbols = [one.symbol for one in series]
        closes = [one.closed for one in series]
        opens = [one.opened for one in series]
        at = np.concatenate([*closes, *opens]) if series else np.empty(0, dtype=np.int64)
        order = np.argsort(at, kind="stable")
        sizes = [len(one) for one in series]
        owner = np.repeat(np.arange(len(series), dtype=np.int32), sizes)
        index = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes] or [np.empty(0, dtype=np.int32)])
        self._symbol = np.concatenate([owner, owner])[order]
        self._index = np.concatenate([index, index])[order]
        is_close = (order < at.shape[0] // 2).astype(np.int64)
        self._times, starts = np.unique(at[order], return_index=True)
        self._starts = np.append(starts, at.shape[0])
        closed_before = np.concatenate([[0], np.cumsum(is_close)])
        self._closes = np.diff(closed_before[self._starts])
        self._position = 0

    def __len__(self) -> int:
        return int(self._times.shape[0])

    def next_at(self) -> datetime | None:
        """When the next moment is; None at the end."""
        if self._position == self._times.shape[0]:
            return None
        return from_epoch(int(self._times[self._position]))

    def take(self) -> Moment:
        """The next moment; raises `NotAvailable` at the end."""
        here = self._position
        if here == self._times.shape[0]:
            raise NotAvailable("the recorded bars have ended; no further moment will come")
        first, last = int(self._starts[here]), int(self._starts[here + 1])
        middle = int(self._closes[here])
        names = self._symbols
        refs = [
            BarRef(names[owner], index)
            for owner, index in zip(self._symbol[first:last].tolist(), self._index[first:last].tolist(), strict=True)
        ]
        self._position = here + 1
        return Moment(from_epoch(int(self._times[here])), tuple(refs[:middle]), tuple(refs[middle:]))

    def seek(self, after: datetime) -> None:
        """Continue with the first moment later than `after`."""
        # A moment within the second counts from that second on: moments lie on whole seconds.
        seconds = (after - EPOCH).total_seconds()
        self._position = int(np.searchsorted(self._times, seconds, side="right"))
