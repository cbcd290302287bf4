"""Families of trees from scikit-learn: boosted on histograms, boosted exactly, and a forest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from learning.families.family import Family, Setting
from learning.families.rows import one_thread, settled, training_rows, varied
from learning.portable.export import exported
from learning.portable.parts import Part
from learning.portable.preparation import Preparation
from learning.table import Floats, Ints


class HistogramBoosting(Family):
    """Small boosted trees on binned features; a missing value goes the way that the training rows suggest.

    scikit-learn would hold back a shuffled tenth of more than 10,000 rows to know when to stop; that is off, and the
    number of trees is a parameter like any other. Columns are cut into 64 bins: up to its version 1.9 it passes over
    all weighted rows for every cut (its issue 34304), and 255 cuts would take most of the training.
    """

    name = "histogram_boosting"
    _defaults: Mapping[str, Setting] = {
        "max_iter": 100,
        "learning_rate": 0.05,
        "max_depth": 3,
        "min_samples_leaf": 50,
        "l2_regularization": 1.0,
    }

    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        choices = {"max_iter": (50, 100, 200), "max_depth": (2, 3, 4), "l2_regularization": (1.0, 10.0)}
        return varied(self._defaults, choices, budget, rng)

    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - slow to import

        rows = training_rows(self.name, X, y, w)
        chosen = settled(self.name, self._defaults, settings)
        model = HistGradientBoostingClassifier(**chosen, max_bins=64, early_stopping=False, random_state=seed)
        with one_thread():
            model.fit(rows.X, rows.y, sample_weight=rows.w)
        return exported(model, None)


class RandomForest(Family):
    """The mean over deep trees, each grown on rows and columns of its own draw."""

    name = "random_forest"
    _defaults: Mapping[str, Setting] = {"n_estimators": 200, "max_depth": 10, "min_samples_leaf": 25}

    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        choices = {"max_depth": (5, 10), "min_samples_leaf": (25, 50, 100)}
        return varied(self._defaults, choices, budget, rng)

    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - slow to import

        rows = training_rows(self.name, X, y, w)
        chosen = settled(self.name, self._defaults, settings)
        model = RandomForestClassifier(**chosen, max_features="sqrt", n_jobs=1, random_state=seed)
        with one_thread():
            model.fit(rows.X, rows.y, sample_weight=rows.w)
        return exported(model, None)


class GradientBoosting(Family):
    """Boosted trees on exact splits, each on half of the rows and a third of the columns.

    It knows no missing values: they are filled as for the linear model. Rows and columns are drawn because a tree
    over all of them takes six times as long on 50,000 rows; Friedman (2002) found half of the rows to be no worse.
    """

    name = "gradient_boosting"
    _defaults: Mapping[str, Setting] = {
        "n_estimators": 200,
        "learning_rate": 0.05,
        "max_depth": 3,
        "min_samples_leaf": 50,
        "subsample": 0.5,
        "max_features": 0.33,
    }

    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        choices = {"n_estimators": (100, 200), "max_depth": (2, 3, 4), "min_samples_leaf": (50, 100)}
        return varied(self._defaults, choices, budget, rng)

    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        from sklearn.ensemble import GradientBoostingClassifier  # noqa: PLC0415 - slow to import

        rows = training_rows(self.name, X, y, w)
        chosen = settled(self.name, self._defaults, settings)
        preparation = Preparation.fit(rows.X, rows.w)
        model = GradientBoostingClassifier(**chosen, random_state=seed)
        with one_thread():
            model.fit(preparation.apply(rows.X), rows.y, sample_weight=rows.w)
        return exported(model, preparation)
