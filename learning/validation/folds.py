"""Which rows are trained on and which are predicted: purged folds, walk-forward, and the untouched final window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import numpy as np

from domain.errors import InvalidInput
from learning.table import Ints
from learning.validation.spans import Spans, micros_of, purged_past, purged_train

FEWEST_TRAINING_ROWS = 30
"""An engineering default without evidence behind the exact number; what a family needs may be more."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fold:
    """Ascending row indices, none of them in both: `train` may be learned from, `test` is predicted."""

    train: Ints
    test: Ints


class Scheme(Protocol):
    """A way to divide labelled rows into what is trained on and what is predicted."""

    def split(self, spans: Spans) -> Sequence[Fold]:
        """The folds in a fixed order; raises `InvalidInput` when the rows do not suffice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PurgedFolds:
    """`folds` stretches of time of equal count, each predicted once from what the others leave after purging.

    Trains also on what came after a test, so it compares models; it does not say how one would have fared. `embargo`
    and `lag` as in `purged_train`. A fold left with fewer than `minimum_train` training rows is refused.
    """

    folds: int = 5
    embargo: timedelta
    lag: timedelta
    minimum_train: int = FEWEST_TRAINING_ROWS

    def __post_init__(self) -> None:
        require_scheme(folds=self.folds, minimum_train=self.minimum_train, embargo=self.embargo, lag=self.lag)

    def split(self, spans: Spans) -> tuple[Fold, ...]:
        """The folds in the order of time."""
        edges = even_edges(spans, self.folds)
        tests = [_stretch(edges, place) for place in range(self.folds)]
        return tuple(
            require_rows(
                Fold(train=purged_train(spans, test, embargo=self.embargo, lag=self.lag), test=test),
                f"fold {place} of {self.folds}",
                self.minimum_train,
            )
            for place, test in enumerate(tests, 1)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkForward:
    """`folds` tests, one after the other, each predicted from every label known more than `embargo` before it.

    The first test begins after one part in `folds` + 1 of the rows, or where `minimum_train` labels are known if that
    is later; the rows from there on are divided evenly. Earlier rows are never tested.
    """

    folds: int = 5
    embargo: timedelta
    lag: timedelta
    minimum_train: int = FEWEST_TRAINING_ROWS

    def __post_init__(self) -> None:
        require_scheme(folds=self.folds, minimum_train=self.minimum_train, embargo=self.embargo, lag=self.lag)

    def split(self, spans: Spans) -> tuple[Fold, ...]:
        """The folds in the order of time; the training rows of each contain those of the one before."""
        rest = len(spans) // (self.folds + 1)
        edges = even_edges(spans, self.folds, first=max(rest, self._enough_known(spans)))
        return tuple(
            require_rows(
                Fold(
                    train=purged_past(spans, int(edges[place]), embargo=self.embargo, lag=self.lag),
                    test=_stretch(edges, place),
                ),
                f"fold {place + 1} of {self.folds}",
                self.minimum_train,
            )
            for place in range(self.folds)
        )

    def _enough_known(self, spans: Spans) -> int:
        """The first row before which `minimum_train` labels are known; the number of rows where there is none."""
        wait = micros_of("lag", self.lag) + micros_of("embargo", self.embargo)
        # A known label was decided before the row, so counting all labels by their ends counts earlier rows only.
        known = np.searchsorted(np.sort(spans.resolved_at) + wait, spans.decided_at, side="left")
        return int(np.searchsorted(known, self.minimum_train, side="left"))


def verdict_split(
    spans: Spans,
    *,
    share: float = 0.2,
    embargo: timedelta,
    lag: timedelta,
    minimum_train: int = FEWEST_TRAINING_ROWS,
) -> Fold:
    """The last `share` of the rows as the one window that nothing was chosen on, and what may be learned before it.

    It begins at the change of `decided_at` nearest to that share. The training rows are those whose labels were known
    more than `embargo` before the window; the others before it belong to neither side. Raises `InvalidInput` for a
    share outside (0, 1), rows that were all decided at once, and fewer than `minimum_train` training rows.
    """
    if not 0 < share < 1:
        raise InvalidInput(f"the verdict's share is {share}; it must lie in (0, 1)")
    if minimum_train < 1:
        raise InvalidInput(f"minimum_train is {minimum_train}; it must be at least 1")
    changes = _changes(spans, 0)
    if not len(changes):
        raise InvalidInput(f"{len(spans)} rows were decided at one moment; no window can be cut from them")
    first = int(changes[np.argmin(np.abs(changes - len(spans) * (1.0 - share)))])
    fold = Fold(
        train=purged_past(spans, first, embargo=embargo, lag=lag), test=np.arange(first, len(spans), dtype=np.int64)
    )
    return require_rows(fold, "the final window", minimum_train)


def even_edges(spans: Spans, parts: int, *, first: int = 0) -> Ints:
    """`parts` + 1 row numbers that divide the rows from `first` on, evenly but never between equal `decided_at`.

    Part k holds the rows from edge k up to, not including, edge k + 1. `first` moves on to the next change of time when
    it lies between equal times. Raises `InvalidInput` when there are fewer different times than parts.
    """
    if 0 < first < len(spans):
        first = int(np.searchsorted(spans.decided_at, spans.decided_at[first - 1], side="right"))
    changes = _changes(spans, first)
    if first >= len(spans) or len(changes) < parts - 1:
        moments = 0 if first >= len(spans) else len(changes) + 1
        raise InvalidInput(f"{parts} parts cannot be cut from {moments} different times of decision after row {first}")
    edges, taken = [first], 0
    for part in range(1, parts):
        left = changes[taken : len(changes) - (parts - 1 - part)]
        wanted = first + (len(spans) - first) * part / parts
        nearest = int(np.argmin(np.abs(left - wanted)))
        edges.append(int(left[nearest]))
        taken += nearest + 1
    return np.array([*edges, len(spans)], dtype=np.int64)


def require_scheme(*, folds: int, minimum_train: int, embargo: timedelta, lag: timedelta) -> None:
    """Raises `InvalidInput` unless there are two folds at least, one training row, and sound times."""
    if folds < 2:
        raise InvalidInput(f"{folds} folds; at least 2 are needed")
    if minimum_train < 1:
        raise InvalidInput(f"minimum_train is {minimum_train}; it must be at least 1")
    micros_of("embargo", embargo)
    micros_of("lag", lag)


def require_rows(fold: Fold, name: str, minimum_train: int) -> Fold:
    """The fold; raises `InvalidInput`, naming it, when fewer than `minimum_train` rows are left to train on."""
    if len(fold.train) < minimum_train:
        raise InvalidInput(
            f"{name} has {len(fold.test)} rows to test and {len(fold.train)} left to train on; "
            f"at least {minimum_train} are needed"
        )
    return fold


def _stretch(edges: Ints, place: int) -> Ints:
    return np.arange(edges[place], edges[place + 1], dtype=np.int64)


def _changes(spans: Spans, first: int) -> Ints:
    """The rows after `first` that were decided later than the row before them."""
    return (np.flatnonzero(np.diff(spans.decided_at[first:]) > 0) + first + 1).astype(np.int64, copy=False)
