"""When each label began and ended, and which rows may be trained on beside which tests.

Labels overlap: decisions taken a bar apart live through the same bars and end alike. A model that was trained on one
and is tested on the other seems to know the future. So a row is kept out of training by the time its label ends, over
all instruments, and never by a number of rows (López de Prado 2018, chapter 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from domain.errors import InvalidInput
from learning.table import Ints, SampleTable

LONGEST = timedelta(days=36_525)
"""The longest embargo or lag; with it, sums of times stay within 64 bits."""
_LATEST = 2**62
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Spans:
    """Begin and end of n labels in microseconds since 1970 UTC, ordered by `decided_at`.

    A label is under way from `decided_at` to `resolved_at`, both included.
    """

    decided_at: Ints
    resolved_at: Ints

    def __post_init__(self) -> None:
        for name, times in (("decided_at", self.decided_at), ("resolved_at", self.resolved_at)):
            if times.ndim != 1 or times.dtype != np.int64:
                raise InvalidInput(f"{name} is {times.dtype} of shape {times.shape}; one int64 a label is needed")
            if len(times) and (int(times.min()) <= -_LATEST or int(times.max()) >= _LATEST):
                raise InvalidInput(f"{name} holds a time beyond {_LATEST} microseconds from 1970")
        if len(self.decided_at) != len(self.resolved_at):
            raise InvalidInput(f"{len(self.decided_at)} labels begin and {len(self.resolved_at)} end")
        if bool((np.diff(self.decided_at) < 0).any()):
            raise InvalidInput("labels are not in the order in which they were decided")
        if bool((self.resolved_at < self.decided_at).any()):
            raise InvalidInput("a label ends before it begins")

    def __len__(self) -> int:
        return len(self.decided_at)

    @classmethod
    def of(cls, table: SampleTable) -> Spans:
        """The spans of a table's rows, in its order."""
        return cls(decided_at=table.decided_at, resolved_at=table.resolved_at)

    def take(self, rows: Ints | slice) -> Spans:
        """The spans of ascending indices or of a slice, as `SampleTable.take` takes rows."""
        return Spans(decided_at=self.decided_at[rows], resolved_at=self.resolved_at[rows])


def purged_train(spans: Spans, test: Ints, *, embargo: timedelta, lag: timedelta = timedelta(0)) -> Ints:
    """The rows, ascending, that may be trained on when the rows `test` are predicted.

    `test` are ascending indices; each unbroken run of them is a block, and a block's time runs from its first
    `decided_at` to the last `resolved_at` within it plus `lag`. A row before a block is kept when its label is known
    (`resolved_at` + `lag`) before the block's time begins; a row after it when it was decided later than `embargo`
    after the block's time ends. `lag` is how much later than `resolved_at` a label may become known. Raises
    `InvalidInput` for a test without rows, indices that are not ascending rows of `spans`, and an embargo or lag that
    is negative or longer than a century. Takes O(n log b) for b blocks.
    """
    held, late = micros_of("embargo", embargo), micros_of("lag", lag)
    _require_rows(spans, test)
    breaks = np.flatnonzero(np.diff(test) > 1) + 1
    first_places = np.concatenate(([0], breaks))
    starts = test[first_places]
    begins = spans.decided_at[starts]
    # Blocks lie in the order of time, so for a row before several of them the next one is the nearest; of those that
    # lie behind a row, an early one can be the last to end.
    ends = np.maximum.accumulate(np.maximum.reduceat(spans.resolved_at[test], first_places)) + late
    others = np.ones(len(spans), dtype=np.bool_)
    others[test] = False
    rows = np.flatnonzero(others)
    behind = np.searchsorted(starts, rows)
    known = spans.resolved_at[rows] + late
    before_next = (behind == len(starts)) | (known < begins[np.minimum(behind, len(starts) - 1)])
    after_last = (behind == 0) | (spans.decided_at[rows] > ends[np.maximum(behind - 1, 0)] + held)
    kept: Ints = rows[before_next & after_last].astype(np.int64, copy=False)
    return kept


def purged_past(spans: Spans, first: int, *, embargo: timedelta, lag: timedelta) -> Ints:
    """The rows, ascending, whose labels were known more than `embargo` before row `first` was decided.

    Training that never looks past a test has nothing to fear from what comes after it; here the embargo is the least
    time between the last label that was learned from (`resolved_at` + `lag`) and the first decision that is predicted.
    """
    held, late = micros_of("embargo", embargo), micros_of("lag", lag)
    known = spans.resolved_at[:first] + late + held
    return np.flatnonzero(known < spans.decided_at[first]).astype(np.int64, copy=False)


def micros_of(name: str, span: timedelta) -> int:
    """A length of time in microseconds; raises `InvalidInput`, naming it, unless it lies in 0 to `LONGEST`."""
    if not timedelta(0) <= span <= LONGEST:
        raise InvalidInput(f"{name} is {span}; it must lie between 0 and {LONGEST.days} days")
    return span // _MICROSECOND


def _require_rows(spans: Spans, test: Ints) -> None:
    if test.ndim != 1 or not np.issubdtype(test.dtype, np.integer) or not len(test):
        raise InvalidInput(f"a test of {test.dtype} {test.shape}; at least one row index is needed")
    if int(test[0]) < 0 or int(test[-1]) >= len(spans) or bool((np.diff(test) <= 0).any()):
        raise InvalidInput(f"the rows of a test must be ascending indices below {len(spans)}")
