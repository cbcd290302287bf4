"""Boosted trees of libraries that are not part of the core."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from domain.errors import InvalidInput
from learning.families.family import Family, Setting
from learning.families.rows import library, one_thread, require_library, settled, training_rows, varied
from learning.portable.export import exported
from learning.portable.parts import Part, Trees
from learning.portable.trees import Nodes
from learning.table import Floats, Ints


class LightGbm(Family):
    """LightGBM, small and slow to learn; deterministic, on one thread."""

    name = "lightgbm"
    _how = "pip install 'ratchet-trader[boost]'"
    _defaults: Mapping[str, Setting] = {
        "n_estimators": 150,
        "learning_rate": 0.05,
        "num_leaves": 7,
        "min_child_samples": 50,
        "reg_lambda": 1.0,
        "colsample_bytree": 0.5,
    }

    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        require_library(self.name, "lightgbm", self._how)
        choices = {"n_estimators": (75, 150, 300), "num_leaves": (4, 7, 15), "reg_lambda": (1.0, 10.0)}
        return varied(self._defaults, choices, budget, rng)

    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        rows = training_rows(self.name, X, y, w)
        chosen = settled(self.name, self._defaults, settings)
        model = library(self.name, "lightgbm", self._how).LGBMClassifier(
            **chosen, n_jobs=1, random_state=seed, deterministic=True, force_row_wise=True, verbosity=-1
        )
        with one_thread():
            model.fit(rows.X, rows.y, sample_weight=rows.w)
        return exported(model, None)


class XgBoost(Family):
    """XGBoost by histograms, where it is installed; on one thread."""

    name = "xgboost"
    _how = "pip install xgboost"
    _defaults: Mapping[str, Setting] = {
        "n_estimators": 150,
        "learning_rate": 0.05,
        "max_depth": 3,
        "min_child_weight": 12.0,
        "reg_lambda": 1.0,
        "colsample_bytree": 0.5,
    }
    """A child's weight is the sum of p(1 - p): 12 are about 50 rows."""

    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        require_library(self.name, "xgboost", self._how)
        choices = {"n_estimators": (75, 150, 300), "max_depth": (2, 3, 4), "reg_lambda": (1.0, 10.0)}
        return varied(self._defaults, choices, budget, rng)

    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        rows = training_rows(self.name, X, y, w)
        chosen = settled(self.name, self._defaults, settings)
        model = library(self.name, "xgboost", self._how).XGBClassifier(
            **chosen, n_jobs=1, random_state=seed, tree_method="hist", verbosity=0
        )
        with one_thread():
            model.fit(rows.X, rows.y, sample_weight=rows.w)
        return xgboost_trees(json.loads(bytes(model.get_booster().save_raw("json"))))


def xgboost_trees(document: Mapping[str, Any]) -> Part:
    """The trees of an XGBoost model in its JSON form (2.0 and later); agrees within single precision, 1e-6.

    XGBoost rounds rows to float32 and sends them left where x < cut; here it is x <= the float32 below the cut. Raises
    `InvalidInput` for what is no boosted model of log-odds with numeric splits.
    """
    try:
        learner = document["learner"]
        booster, objective = learner["gradient_booster"], learner["objective"]["name"]
        if booster["name"] != "gbtree" or objective != "binary:logistic":
            raise InvalidInput(f"an XGBoost {booster['name']} of {objective} cannot be made portable")
        parameters = learner["learner_model_param"]
        first_guess = float(str(parameters["base_score"]).strip("[]"))
        return Trees.from_nodes(
            [_nodes(tree) for tree in booster["model"]["trees"]],
            width=int(parameters["num_feature"]),
            base=math.log(first_guess / (1.0 - first_guess)),
            single=True,
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InvalidInput(f"an XGBoost model's JSON cannot be read: {error!r}") from error


def _nodes(tree: Mapping[str, Any]) -> Nodes:
    if any(tree["split_type"]):
        raise InvalidInput("an XGBoost model with categorical splits cannot be made portable")
    cuts = np.array(tree["split_conditions"], dtype=np.float32)
    return Nodes(
        feature=np.array(tree["split_indices"], dtype=np.int64),
        threshold=np.nextafter(cuts, np.float32(-np.inf)).astype(np.float64),
        left=np.array(tree["left_children"], dtype=np.int64),
        right=np.array(tree["right_children"], dtype=np.int64),
        missing_left=np.array(tree["default_left"], dtype=np.bool_),
        value=cuts.astype(np.float64),  # a leaf keeps its value where others keep their cut
    )
