"""A support vector machine with a Gaussian kernel, its distance from the boundary turned into a probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from domain.errors import InvalidInput
from learning.families.family import Family, Setting
from learning.families.rows import Rows, one_thread, settled, training_rows, varied
from learning.portable.export import exported
from learning.portable.parts import Constant, Kernel, Part
from learning.portable.preparation import Preparation
from learning.table import Floats, Ints

INNER_FOLDS = 4
_TOO_ALIKE = 1e-9
"""Distances that differ by rounding alone say nothing."""
GAP_SHARE = 100
"""The inner folds know rows and not times: a hundredth of the rows beside each fold is left out of its training."""


class Svm(Family):
    """C-SVC on the newest `newest` rows: training time grows with the square of the rows, answering with the rows.

    The distances that Platt's slope and offset are fitted on come from machines that did not see the row: contiguous
    inner folds of the rows given, each with a gap to its neighbours. scikit-learn's own `probability=True` shuffles.
    """

    name = "svm"
    _defaults: Mapping[str, Setting] = {"C": 0.1, "width": 1.0, "newest": 5_000}
    """`width` times one over the number of features is the kernel's gamma on standardised features."""

    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        return varied(self._defaults, {"C": (0.03, 0.1, 0.3, 1.0), "width": (0.3, 1.0)}, budget, rng)

    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        chosen = settled(self.name, self._defaults, settings)
        if chosen["newest"] < INNER_FOLDS or chosen["C"] <= 0 or chosen["width"] <= 0:
            raise InvalidInput(f"{self.name}: C and width must be above 0 and newest at least {INNER_FOLDS}")
        newest = slice(-chosen["newest"], None)
        rows = training_rows(self.name, X[newest], y[newest], w[newest])
        with one_thread():
            slope, offset = _platt(_unseen_distances(rows, chosen, seed), rows)
            if slope == 0.0:
                return Constant(log_odds_value=offset)
            preparation, model = _machine(rows, chosen, seed)
        part = exported(model, preparation)
        if not isinstance(part, Kernel):
            raise InvalidInput(f"{self.name}: the exported machine is a {type(part).__name__}, not a kernel")
        return replace(
            part, slope=-slope, offset=-offset
        )  # a part has the signs of Platt, 1 / (1 + exp(slope d + offset))


def _machine(rows: Rows, chosen: Mapping[str, Any], seed: int) -> tuple[Preparation, Any]:
    from sklearn.svm import SVC  # noqa: PLC0415 - slow to import: only training pays

    preparation = Preparation.fit(rows.X, rows.w)
    gamma = chosen["width"] / rows.X.shape[1]
    model = SVC(C=chosen["C"], kernel="rbf", gamma=gamma, cache_size=500, random_state=seed)
    return preparation, model.fit(preparation.apply(rows.X), rows.y, sample_weight=rows.w)


def _unseen_distances(rows: Rows, chosen: Mapping[str, Any], seed: int) -> Floats:
    """Each row's distance from the boundary of a machine trained on the other blocks; NaN where none could be."""
    count = len(rows.y)
    gap = count // GAP_SHARE
    distances = np.full(count, np.nan)
    for block in np.array_split(np.arange(count), INNER_FOLDS):
        if not len(block):
            continue
        others = np.concatenate([np.arange(max(block[0] - gap, 0)), np.arange(block[-1] + 1 + gap, count)])
        seen = rows.take(others)
        if 0 < np.count_nonzero(seen.y) < len(seen.y):
            preparation, model = _machine(seen, chosen, seed)
            distances[block] = model.decision_function(preparation.apply(rows.X[block]))
    return distances


def _platt(distances: Floats, rows: Rows) -> tuple[float, float]:
    """Slope and offset with log-odds = slope * distance + offset, by Platt (1999) with his smoothed targets.

    A slope below 0 would turn the machine around because of noise: then it is 0, and the offset alone says the
    share of winners. So it is where no row has a distance.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import: only training pays

    known = np.isfinite(distances)
    y, w = rows.y[known], rows.w[known]
    winners, losers = float(w[y == 1].sum()), float(w[y == 0].sum())
    spread = float(distances[known].std()) if known.any() else 0.0
    if spread > _TOO_ALIKE:
        high, low = (winners + 1.0) / (winners + 2.0), 1.0 / (losers + 2.0)
        soft = np.where(y == 1, high, low)
        doubled = np.concatenate([distances[known], distances[known]])[:, None] / spread
        labels = np.repeat((1, 0), len(y))
        line = LogisticRegression(C=1e4, solver="newton-cholesky", tol=1e-8)
        line.fit(doubled, labels, sample_weight=np.concatenate([w * soft, w * (1.0 - soft)]))
        slope = float(line.coef_[0, 0]) / spread
        if slope > 0:
            return slope, float(line.intercept_[0])
    total = float(rows.w[rows.y == 1].sum())
    return 0.0, float(np.log((total + 1.0) / (float(rows.w.sum()) - total + 1.0)))
