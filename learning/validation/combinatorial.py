"""Combinatorial purged cross-validation: every pair (or more) of stretches is predicted from the rest.

López de Prado (2018), Advances in Financial Machine Learning, chapter 12. Each row is predicted by several models, so
one history gives several out-of-fold paths instead of one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

import numpy as np

from domain.errors import InvalidInput
from learning.table import Floats
from learning.validation.folds import FEWEST_TRAINING_ROWS, Fold, even_edges, require_rows, require_scheme
from learning.validation.out_of_fold import OutOfFold
from learning.validation.spans import Spans, purged_train

MOST_SPLITS = 1_000
"""More splits than this are refused: each one is a model to train."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Combinatorial:
    """`groups` stretches of equal count, of which every choice of `test_groups` is predicted from the others.

    `embargo` and `lag` as in `purged_train`. A split left with fewer than `minimum_train` training rows is refused.
    """

    groups: int = 6
    test_groups: int = 2
    embargo: timedelta
    lag: timedelta
    minimum_train: int = FEWEST_TRAINING_ROWS

    def __post_init__(self) -> None:
        require_scheme(folds=self.groups, minimum_train=self.minimum_train, embargo=self.embargo, lag=self.lag)
        if not 1 <= self.test_groups < self.groups:
            raise InvalidInput(
                f"{self.test_groups} of {self.groups} groups are to be tested; at least 1 must be, and 1 left over"
            )
        if self.splits > MOST_SPLITS:
            raise InvalidInput(
                f"{self.test_groups} of {self.groups} groups give {self.splits} splits; at most {MOST_SPLITS} are made"
            )

    @property
    def splits(self) -> int:
        """C(groups, test_groups): how many models are trained."""
        return math.comb(self.groups, self.test_groups)

    @property
    def path_count(self) -> int:
        """C(groups, test_groups) x test_groups / groups: how often each row is predicted."""
        return math.comb(self.groups - 1, self.test_groups - 1)

    def split(self, spans: Spans) -> tuple[Fold, ...]:
        """One fold for each choice of groups, in lexicographic order."""
        edges = even_edges(spans, self.groups)
        folds = []
        for chosen in combinations(range(self.groups), self.test_groups):
            test = np.concatenate([np.arange(edges[place], edges[place + 1], dtype=np.int64) for place in chosen])
            fold = Fold(train=purged_train(spans, test, embargo=self.embargo, lag=self.lag), test=test)
            name = "the split that tests groups " + ", ".join(str(place + 1) for place in chosen)
            folds.append(require_rows(fold, name, self.minimum_train))
        return tuple(folds)

    def paths(self, said: OutOfFold) -> Floats:
        """Out-of-fold probabilities as `path_count` x n, each path a prediction of every row.

        A row's k-th prediction, in the order of the splits, belongs to path k; the rows of one group come from one
        split. Raises `InvalidInput` unless `said` comes from the folds of `split`.
        """
        rows = len(said.p)
        paths = np.full((self.path_count, rows), np.nan)
        seen = np.zeros(rows, dtype=np.int64)
        for fold, copy in zip(said.folds, said.copies, strict=True):
            if bool((seen[fold.test] == self.path_count).any()):
                raise InvalidInput(f"a row was predicted more often than the {self.path_count} times of this scheme")
            paths[seen[fold.test], fold.test] = copy
            seen[fold.test] += 1
        if bool((seen != self.path_count).any()):
            raise InvalidInput(
                f"a row was predicted {int(seen.min())} times; this scheme predicts each {self.path_count} times"
            )
        return paths
