"""Predictions of rows by models that were not trained on them, nor on anything that overlaps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from domain.errors import InvalidInput
from learning.table import Floats, Ints
from learning.validation.folds import Fold

FitPredict = Callable[[Ints, Ints], Floats]
"""Trains on the rows of its first argument and gives P(net R > 0) of the rows of its second, in their order."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutOfFold:
    """`p` (n,): the mean probability of each row over the folds that tested it, NaN where none did.

    `copies[i]` are the probabilities of the rows `folds[i].test`, in their order.
    """

    p: Floats
    folds: tuple[Fold, ...]
    copies: tuple[Floats, ...]

    @property
    def tested(self) -> Ints:
        """The rows, ascending, that were predicted at least once."""
        return np.flatnonzero(np.isfinite(self.p)).astype(np.int64, copy=False)


def out_of_fold(rows: int, folds: Sequence[Fold], fit_predict: FitPredict) -> OutOfFold:
    """What `fit_predict` says of each fold's test rows when trained on its training rows, one fold after the other.

    `rows` is the number of rows that indices count. Everything that is fitted (scaler, selector, calibrator, threshold)
    must be fitted inside `fit_predict`. Raises `InvalidInput` when it returns another number of values than there are
    rows to test, or one that is no probability; what it raises itself is passed on.
    """
    if not folds:
        raise InvalidInput("there are no folds to predict")
    sums, counts = np.zeros(rows), np.zeros(rows, dtype=np.int64)
    copies = []
    for number, fold in enumerate(folds, 1):
        if len(fold.test) and int(fold.test[-1]) >= rows:
            raise InvalidInput(f"fold {number} tests row {int(fold.test[-1])} of only {rows}")
        said = np.asarray(fit_predict(fold.train, fold.test), dtype=np.float64)
        if said.shape != fold.test.shape:
            raise InvalidInput(f"fold {number} has {len(fold.test)} rows to test; its model gave {said.shape} values")
        if not bool(((said >= 0) & (said <= 1)).all()):  # a comparison with NaN is false
            raise InvalidInput(f"a model of fold {number} gave a value that is no probability in [0, 1]")
        sums[fold.test] += said
        counts[fold.test] += 1
        copies.append(said.copy())
    p = np.full(rows, np.nan)
    np.divide(sums, counts, out=p, where=counts > 0)
    return OutOfFold(p=p, folds=tuple(folds), copies=tuple(copies))
