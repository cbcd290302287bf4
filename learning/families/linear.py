"""Logistic regression with a quadratic penalty: the family to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from learning.families.family import Family, Setting
from learning.families.rows import one_thread, settled, training_rows
from learning.portable.export import exported
from learning.portable.parts import Part
from learning.portable.preparation import Preparation
from learning.table import Floats, Ints

_PENALTIES = (0.01, 0.1, 0.03, 1.0, 0.3, 0.003)
"""scikit-learn's C on standardised features: the inverse of the penalty. A strong one first, then around it."""
_DEFAULTS: Mapping[str, Setting] = {"C": _PENALTIES[0]}


class Logistic(Family):
    """Log-odds linear in the standardised features, their weights drawn to 0 by the penalty 1/(2C) |weights|^2."""

    name = "logistic"

    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        del rng  # one parameter in a fixed order
        return tuple({"C": penalty} for penalty in _PENALTIES[: max(budget, 1)])

    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import: only training pays

        rows = training_rows(self.name, X, y, w)
        chosen = settled(self.name, _DEFAULTS, settings)
        preparation = Preparation.fit(rows.X, rows.w)
        model = LogisticRegression(C=chosen["C"], solver="newton-cholesky", tol=1e-8, random_state=seed)
        with one_thread():
            model.fit(preparation.apply(rows.X), rows.y, sample_weight=rows.w)
        return exported(model, preparation)
