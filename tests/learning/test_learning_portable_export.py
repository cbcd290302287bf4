"""Exported parts say what their library says: on ordinary rows, and on rows made to tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from domain.errors import InvalidInput
from learning.portable.export import exported
from learning.portable.odds import FARTHEST, NEAREST, probability_of
from learning.portable.parts import Kernel, Trees
from learning.portable.preparation import Preparation

# The libraries' own: LightGBM names its columns, networks stop early, scikit-learn adds up huge values.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in reduce"),
]
WIDTH = 6
ROWS = 400


def training_rows(*, missing: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six columns: two that matter, one in whole numbers, one constant, one of huge values, one mostly missing."""
    rng = np.random.default_rng(11)
    X = rng.normal(size=(ROWS, WIDTH))
    X[:, 2] = np.round(X[:, 2] * 2)
    X[:, 3] = 7.0
    X[:, 4] *= 1e30
    y = (X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=ROWS) > 0).astype(np.int64)
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
        X[: ROWS * 3 // 4, 5] = np.nan
    return X, y, rng.uniform(0.2, 2.0, size=ROWS)


@cache
def preparation() -> Preparation:
    X, _, w = training_rows()
    return Preparation.fit(X, w)


def forest(**given: Any) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**{"n_estimators": 15, "max_depth": 6, "random_state": 1, **given})


def extra_trees() -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(n_estimators=15, max_depth=6, random_state=1)


def gradient_boosting(**given: Any) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(**{"n_estimators": 20, "random_state": 1, **given})


def histogram_boosting(**given: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        **{"max_iter": 25, "min_samples_leaf": 5, "early_stopping": False, "random_state": 1, **given}
    )


def lightgbm(**given: Any) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(**{"n_estimators": 25, "min_child_samples": 5, "n_jobs": 1, "verbose": -1, **given})


def logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def network(activation: str) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((9, 5), activation=activation, solver="lbfgs", max_iter=15, random_state=1)


def machine(**given: Any) -> Any:
    from sklearn.svm import SVC

    return SVC(**{"C": 0.7, **given})


RAW: dict[str, Callable[[], Any]] = {
    "forest": forest,
    "forest that saw nothing missing": forest,
    "forest of unlimited depth": lambda: forest(max_depth=None),
    "forest of stumps": lambda: forest(max_depth=1, n_estimators=1),
    "balanced forest": lambda: forest(class_weight="balanced"),
    "extra trees": extra_trees,
    "histogram boosting": histogram_boosting,
    "histogram boosting that saw nothing missing": histogram_boosting,
    "histogram boosting without a split": lambda: histogram_boosting(min_samples_leaf=ROWS),
    "lightgbm": lightgbm,
    "lightgbm that saw nothing missing": lightgbm,
    "lightgbm without a split": lambda: lightgbm(min_child_samples=ROWS),
    "lightgbm with another steepness": lambda: lightgbm(sigmoid=0.7),
    "lightgbm with dropped trees": lambda: lightgbm(boosting_type="dart"),
    "lightgbm as a forest": lambda: lightgbm(boosting_type="rf", subsample=0.6, subsample_freq=1),
}
PREPARED: dict[str, Callable[[], Any]] = {
    "logistic regression": logistic,
    "gradient boosting": gradient_boosting,
    "gradient boosting without a first guess": lambda: gradient_boosting(init="zero"),
    "relu": lambda: network("relu"),
    "tanh": lambda: network("tanh"),
    "logistic": lambda: network("logistic"),
    "prepared forest": forest,
    "prepared histogram boosting": histogram_boosting,
}


@cache
def fitted(name: str) -> Any:
    X, y, w = training_rows(missing="nothing missing" not in name)
    if name in PREPARED:
        X = preparation().apply(X)
    estimator = {**RAW, **PREPARED}[name]()
    return estimator.fit(X, y) if name in ("relu", "tanh") else estimator.fit(X, y, sample_weight=w)


@cache
def part_of(name: str) -> Any:
    return exported(fitted(name), preparation() if name in PREPARED else None)


def told_by_library(name: str, X: np.ndarray) -> np.ndarray:
    rows = preparation().apply(X) if name in PREPARED else X
    said: np.ndarray = fitted(name).predict_proba(rows)[:, 1]
    return np.clip(said, NEAREST, 1 - NEAREST)


def telling_values(part: Any) -> list[float]:
    """Thresholds and the floats beside them, in both widths."""
    if not isinstance(part, Trees):
        return [0.0]
    cuts = np.unique(part.threshold[(part.child >= 0) & np.isfinite(part.threshold)].astype(np.float64))
    cuts = cuts[:: max(1, len(cuts) // 40)]
    singles = cuts.astype(np.float32)
    beside = [np.nextafter(cuts, way) for way in (-np.inf, np.inf)]
    beside += [np.nextafter(singles, np.float32(way)).astype(np.float64) for way in (-np.inf, np.inf)]
    return [0.0, *np.concatenate([cuts, singles.astype(np.float64), *beside]).tolist()]


@pytest.mark.parametrize("name", [*RAW, *PREPARED])
def test_an_exported_part_says_what_the_library_says(name: str) -> None:
    rng = np.random.default_rng(3)
    X, _, _ = training_rows()
    odd = rng.choice(
        [*telling_values(part_of(name)), np.nan, 7.0, 1e30, -1e30, 3e38, -3e38, 1e-35, -1e-36], size=(300, WIDTH)
    )
    rows = np.vstack([X, odd, np.full((1, WIDTH), np.nan)])
    difference = probability_of(part_of(name).log_odds(rows)) - told_by_library(name, rows)
    assert np.abs(difference).max() < 1e-12


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([*RAW, *PREPARED]), st.data())
def test_no_row_tells_an_exported_part_from_its_library(name: str, data: st.DataObject) -> None:
    value = st.floats(-3e38, 3e38) | st.just(np.nan) | st.sampled_from(telling_values(part_of(name)))
    X = data.draw(arrays(np.float64, (4, WIDTH), elements=value))
    difference = probability_of(part_of(name).log_odds(X)) - told_by_library(name, X)
    assert np.abs(difference).max() < 1e-12


def test_boosted_trees_take_infinite_and_huge_values_as_their_library_does() -> None:
    values = [np.inf, -np.inf, 1e300, 1.7e308, -1e300, np.nan, 0.0, 5e-324, -1e-35]
    rows = np.random.default_rng(4).choice(values, size=(500, WIDTH))
    for name in (
        "histogram boosting",
        "histogram boosting that saw nothing missing",
        "lightgbm",
        "lightgbm as a forest",
    ):
        difference = probability_of(part_of(name).log_odds(rows)) - told_by_library(name, rows)
        assert np.abs(difference).max() < 1e-12


def test_sums_of_histogram_boosting_and_shares_of_a_forest_are_the_librarys_to_the_last_bit() -> None:
    X, _, _ = training_rows()
    said, score = part_of("histogram boosting").log_odds(X), fitted("histogram boosting").decision_function(X)
    assert np.array_equal(said, np.clip(score, -FARTHEST, FARTHEST))
    share = fitted("forest").predict_proba(X)[:, 1]
    assert np.array_equal(part_of("forest")._scores(X) / 1.0, share)


@pytest.mark.parametrize("gamma", ["scale", "auto", 0.02, 3.0])
def test_a_support_vector_machine_keeps_its_decision(gamma: str | float) -> None:
    X, y, w = training_rows()
    model = machine(gamma=gamma).fit(preparation().apply(X), y, sample_weight=w)
    part = exported(model, preparation())
    assert isinstance(part, Kernel)
    decision = model.decision_function(preparation().apply(X))
    assert np.abs(part.decision(X) - decision).max() < 1e-9
    assert np.array_equal(part.log_odds(X), part.decision(X))


def test_lightgbm_answers_up_to_its_best_iteration() -> None:
    from lightgbm import early_stopping

    X, y, _ = training_rows()
    noise = np.random.default_rng(0).integers(0, 2, size=ROWS)
    model = lightgbm(n_estimators=60).fit(X, y, eval_X=X, eval_y=noise, callbacks=[early_stopping(2, verbose=False)])
    assert model.best_iteration_ < 60
    part = exported(model, None)
    assert np.abs(probability_of(part.log_odds(X)) - model.predict_proba(X)[:, 1]).max() < 1e-12


def test_a_forest_that_is_certain_is_drawn_in() -> None:
    X = np.linspace(-1, 1, 50)[:, None]
    model = forest(max_depth=None).fit(X, (X[:, 0] > 0).astype(np.int64))
    said = probability_of(exported(model, None).log_odds(np.array([[-1.0], [1.0]])))
    assert said == pytest.approx([NEAREST, 1 - NEAREST], rel=1e-6)


def regressor() -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(2)


@pytest.mark.parametrize(
    ("make", "prepared", "why"),
    [
        (regressor, False, "RandomForestRegressor cannot be made portable; accepted are .*LGBMClassifier"),
        (logistic, False, "LogisticRegression cannot take missing values"),
        (gradient_boosting, False, "GradientBoostingClassifier cannot take missing values"),
        (machine, False, "SVC cannot take missing values"),
        (lambda: network("relu"), False, "MLPClassifier cannot take missing values"),
        (lambda: network("identity"), True, "identity"),
        (lambda: machine(kernel="linear"), True, "linear"),
        (lambda: gradient_boosting(loss="exponential"), True, "loss"),
        (lambda: gradient_boosting(init=forest(n_estimators=2)), True, "first guess"),
        (lambda: histogram_boosting(categorical_features=[2]), True, "categorical"),
        (lambda: lightgbm(zero_as_missing=True), True, "Zero as missing"),
        (lambda: lightgbm(linear_tree=True), True, "linear trees"),
        (lambda: lightgbm(objective="cross_entropy"), True, "objective"),
    ],
)
def test_what_is_not_reproduced_is_refused(make: Callable[[], Any], prepared: bool, why: str) -> None:
    X, y, _ = training_rows()
    rows = preparation().apply(X)
    rows[:, 2] = np.maximum(np.round(rows[:, 2]), 0.0)
    with pytest.raises(InvalidInput, match=why):
        exported(make().fit(rows, y), preparation() if prepared else None)


@pytest.mark.parametrize("classes", [(1, 2), (-1, 1), ("a", "b"), (0, 1, 2)])
def test_classes_other_than_0_and_1_are_refused(classes: tuple[Any, ...]) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(InvalidInput, match="must be 0 and 1"):
        exported(forest().fit(X, np.array(classes)[np.arange(60) % len(classes)]), None)


def test_an_estimator_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not fitted"):
        exported(forest(), None)


def test_a_preparation_of_another_width_is_refused() -> None:
    X, y, _ = training_rows()
    narrow = Preparation.fit(X[:, :2], np.ones(ROWS))
    with pytest.raises(InvalidInput, match="2 columns"):
        exported(logistic().fit(preparation().apply(X), y), narrow)
