"""XGBoost's trees, from a recorded model: the library is not in the test environment."""

from __future__ import annotations

import copy
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from domain.errors import InvalidInput
from learning.families import FAMILIES
from learning.families.boosters import xgboost_trees
from learning.portable.odds import probability_of
from learning.portable.parts import Trees


def recorded_tree(cuts: list[float], columns: list[int]) -> dict[str, Any]:
    return {
        "default_left": [1, 0, 0, 0, 0, 0, 0],
        "left_children": [1, 3, 5, -1, -1, -1, -1],
        "right_children": [2, 4, 6, -1, -1, -1, -1],
        "split_conditions": cuts,
        "split_indices": columns,
        "split_type": [0] * 7,
    }


MODEL: dict[str, Any] = {
    "learner": {
        "gradient_booster": {
            "name": "gbtree",
            "model": {
                "trees": [
                    recorded_tree([0.28, -0.44, 1.15, -0.3885341, -0.08129328, 0.26878145, 0.56801], [0] * 7),
                    recorded_tree(
                        [0.37, -0.44, -0.01, -0.32640213, -0.050464552, 0.13268113, 0.37296057], [0, 0, 2] + [0] * 4
                    ),
                ]
            },
        },
        "learner_model_param": {"base_score": "[3.5666665E-1]", "num_feature": "3"},
        "objective": {"name": "binary:logistic"},
    },
    "version": [3, 2, 0],
}
"""What `save_raw("json")` of xgboost 3.2.0 gave for two trees of depth 2, less the fields that are not read."""

ROWS = np.array(
    [
        [0.28, 0.0, np.nan],  # on the cut: not left of it
        [0.2799999713897705, 0.0, 0.0],  # the single-precision number below it
        [np.nan, 0.3, -1.0],
        [2.0, 1.0, 2.0],
        [np.nan, np.nan, np.nan],
    ]
)
SAID = (0.40816786885261536, 0.3270364999771118, 0.3270364999771118, 0.5868865251541138, 0.3270364999771118)
"""What that model's predict_proba said of the rows, in single precision."""


def test_a_recorded_model_says_what_the_library_said() -> None:
    np.testing.assert_allclose(probability_of(xgboost_trees(MODEL).log_odds(ROWS)), SAID, atol=1e-6)


def test_the_first_guess_of_older_versions_is_read_too() -> None:
    older = copy.deepcopy(MODEL)
    older["learner"]["learner_model_param"]["base_score"] = "3.5666665E-1"
    assert np.array_equal(xgboost_trees(older).log_odds(ROWS), xgboost_trees(MODEL).log_odds(ROWS))


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (("gradient_booster", "name"), "gblinear", "an XGBoost gblinear of binary:logistic cannot be made portable"),
        (("objective", "name"), "binary:hinge", "gbtree of binary:hinge cannot be made portable"),
        (("learner_model_param", "base_score"), "0", "JSON cannot be read"),
        (("learner_model_param",), {}, "JSON cannot be read: KeyError"),
        (("gradient_booster", "model", "trees", 0, "split_type"), [1] * 7, "categorical splits"),
    ],
)
def test_other_models_are_refused_with_a_sentence(place: tuple[Any, ...], value: object, sentence: str) -> None:
    changed = copy.deepcopy(MODEL)
    inside: Any = changed["learner"]
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    with pytest.raises(InvalidInput, match=sentence):
        xgboost_trees(changed)


def test_the_family_trains_on_one_thread_by_the_seed_with_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the library: what it is asked is recorded, what it answers is the recorded model."""
    asked: dict[str, Any] = {}

    class XGBClassifier:
        def __init__(self, **settings: Any) -> None:
            asked.update(settings)

        def fit(self, X: Any, y: Any, sample_weight: Any) -> None:
            asked["mean weight"] = float(sample_weight.mean())

        def get_booster(self) -> XGBClassifier:
            return self

        def save_raw(self, form: str) -> bytes:
            import json

            assert form == "json"
            return json.dumps(MODEL).encode()

    module = ModuleType("xgboost")
    vars(module)["XGBClassifier"] = XGBClassifier
    monkeypatch.setitem(sys.modules, "xgboost", module)
    monkeypatch.setattr("learning.families.rows.find_spec", lambda name: name)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 2
    part = FAMILIES["xgboost"].fit(X, y, np.full(30, 7.0), {"max_depth": 2}, 11)
    assert isinstance(part, Trees)
    assert (asked["n_jobs"], asked["random_state"], asked["max_depth"], asked["mean weight"]) == (1, 11, 2, 1.0)
    assert len(FAMILIES["xgboost"].settings(5, rng)) == 5
