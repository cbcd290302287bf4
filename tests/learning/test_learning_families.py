"""Every model family: what it learns, what it must not, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest

from domain.errors import InvalidInput
from learning.families import FAMILIES, family_named
from learning.families.fitting import balanced, fitted, prior_shift
from learning.families.kernel import Svm
from learning.families.loss import log_loss
from learning.families.network import NeuralNetwork, _best_passes
from learning.families.rows import settled, training_rows
from learning.portable.odds import probability_of
from learning.portable.parts import Part
from learning.table import Floats, Ints

TRAINED = tuple(name for name in FAMILIES if name != "xgboost")
"""XGBoost is not in the test environment: what is made of its models is tested on a recorded one."""
SMALL: Mapping[str, Mapping[str, int]] = {
    "histogram_boosting": {"max_iter": 20},
    "random_forest": {"n_estimators": 20},
    "gradient_boosting": {"n_estimators": 20},
    "lightgbm": {"n_estimators": 20},
    "neural_network": {"passes": 5},
}
"""Smaller than the defaults, where a test is about something else than what is learned."""


def market(rows: int, seed: int, *, edge: float) -> tuple[Floats, Ints, Floats]:
    """Features with a tenth missing, labels that the first two tell when there is an edge, and uneven weights."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 6))
    odds = edge * (X[:, 0] - X[:, 1]) - 0.4
    y = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y, rng.uniform(0.5, 1.5, rows)


@cache
def learned(name: str, edge: float) -> Part:
    X, y, w = market(1_200, 1, edge=edge)
    return FAMILIES[name].fit(X, y, w, {"n_estimators": 50} if name == "random_forest" else {}, 7)


def small(name: str, X: Floats, y: Ints, w: Floats, seed: int = 3) -> Part:
    return FAMILIES[name].fit(X, y, w, SMALL.get(name, {}), seed)


def auc(scores: Floats, y: Ints) -> float:
    winners, losers = scores[y == 1][:, None], scores[y == 0][None, :]
    return float((winners > losers).mean() + 0.5 * (winners == losers).mean())


@pytest.mark.parametrize("name", TRAINED)
def test_a_planted_signal_is_found_in_rows_not_trained_on(name: str) -> None:
    X, y, w = market(2_000, 2, edge=1.0)
    odds = learned(name, 1.0).log_odds(X)
    assert auc(odds, y) > 0.72  # the two features themselves, where they are there, come to 0.80
    base = np.full(len(y), y.mean())
    assert log_loss(probability_of(odds), y, w) < log_loss(base, y, w) - 0.05


@pytest.mark.parametrize("name", TRAINED)
def test_noise_teaches_nothing(name: str) -> None:
    X, y, _ = market(3_000, 4, edge=0.0)
    assert abs(auc(learned(name, 0.0).log_odds(X), y) - 0.5) < 0.045  # four standard errors


@pytest.mark.parametrize("name", TRAINED)
def test_the_same_seed_gives_the_same_bits_whatever_else_is_drawn(name: str) -> None:
    X, y, w = market(300, 5, edge=1.0)
    np.random.seed(1)
    first = small(name, X, y, w).log_odds(X)
    np.random.seed(2)
    assert np.array_equal(first, small(name, X, y, w).log_odds(X))


@pytest.mark.parametrize("name", ["random_forest", "gradient_boosting", "lightgbm", "neural_network"])
def test_another_seed_gives_another_model_where_something_is_drawn(name: str) -> None:
    X, y, w = market(300, 5, edge=1.0)
    assert not np.array_equal(small(name, X, y, w, 1).log_odds(X), small(name, X, y, w, 2).log_odds(X))


@pytest.mark.parametrize("name", TRAINED)
def test_columns_that_never_change_or_are_missing_throughout_do_no_harm(name: str) -> None:
    X, y, w = market(400, 6, edge=1.5)
    X[:, 4], X[:, 5] = 3.0, np.nan
    part = small(name, X, y, w)
    other = X.copy()
    other[:, 4], other[:, 5] = np.nan, 1.0
    assert np.isfinite(part.log_odds(other)).all()
    assert auc(part.log_odds(X), y) > 0.6


@pytest.mark.parametrize("name", TRAINED)
def test_nothing_but_constant_columns_gives_about_the_base_rate(name: str) -> None:
    _, y, w = market(400, 7, edge=1.0)
    said = probability_of(small(name, np.ones((400, 3)), y, w).log_odds(np.ones((5, 3))))
    assert np.ptp(said) == 0
    assert abs(said[0] - np.average(y, weights=w)) < 0.06


@pytest.mark.parametrize("name", TRAINED)
def test_weights_matter(name: str) -> None:
    """Two groups contradict each other; the heavy one is believed."""
    X, y, _ = market(600, 8, edge=3.0)
    opposed = np.arange(600) % 2 == 1
    y = np.where(opposed, 1 - y, y)
    for heavy, sign in ((~opposed, 1), (opposed, -1)):
        odds = small(name, X, y, np.where(heavy, 1.9, 0.1)).log_odds(X)
        assert sign * (auc(odds, np.where(opposed, 1 - y, y)) - 0.5) > 0.15


@pytest.mark.parametrize("name", TRAINED)
def test_only_the_proportion_of_weights_counts(name: str) -> None:
    X, y, w = market(300, 9, edge=1.0)
    # Powers of two: dividing by the mean then gives the same bits.
    assert np.array_equal(small(name, X, y, w).log_odds(X), small(name, X, y, w * 1024).log_odds(X))


@pytest.mark.parametrize("name", tuple(FAMILIES))
def test_what_cannot_teach_is_refused_with_a_sentence(name: str) -> None:
    X, y, w = market(100, 10, edge=1.0)
    family, ones = FAMILIES[name], np.ones(100, dtype=np.int64)
    with pytest.raises(InvalidInput, match=f"{name}: all 100 labels are 1; a model needs both winners and losers"):
        family.fit(X, ones, w, {}, 0)
    infinite = X.copy()
    infinite[3, 2] = -np.inf
    with pytest.raises(InvalidInput, match="infinite"):
        family.fit(infinite, y, w, {}, 0)
    with pytest.raises(InvalidInput, match="neither 0 nor 1"):
        family.fit(X, y + 1, w, {}, 0)
    with pytest.raises(InvalidInput, match="weight is not a finite number above 0"):
        family.fit(X, y, np.where(w > 1, np.nan, w), {}, 0)
    with pytest.raises(InvalidInput, match="not of one length"):
        family.fit(X, y[1:], w, {}, 0)
    with pytest.raises(InvalidInput, match="there is no setting height"):
        family.fit(X, y, w, {"height": 3}, 0)


@pytest.mark.parametrize("name", TRAINED)
def test_no_row_outside_of_those_given_is_looked_at(name: str) -> None:
    X, y, w = market(700, 11, edge=1.0)
    rows = np.sort(np.random.default_rng(0).permutation(700)[:400])
    family, settings = FAMILIES[name], SMALL.get(name, {})
    clean = fitted(family, settings, X, y, w, rows, seed=1)
    others = np.setdiff1d(np.arange(700), rows)
    X[others], y[others], w[others] = np.inf, -9, np.nan
    assert np.array_equal(clean.log_odds(X[rows]), fitted(family, settings, X, y, w, rows, seed=1).log_odds(X[rows]))


def test_rows_are_places_and_not_labels_of_rows() -> None:
    X, y, w = market(50, 12, edge=1.0)
    for rows in ([3, 3], [5, 4], [-1, 2], [2, 50], []):
        with pytest.raises(InvalidInput, match="rows to train on are ascending indices below 50"):
            fitted(FAMILIES["logistic"], {}, X, y, w, np.array(rows, dtype=np.int64), seed=0)


def test_balancing_weighs_both_classes_alike_and_is_taken_back_from_the_probabilities() -> None:
    rng = np.random.default_rng(13)
    X = rng.normal(size=(4_000, 3))
    y = (rng.random(4_000) < 1 / (1 + np.exp(1.6 - 0.5 * X[:, 0]))).astype(np.int64)
    w = rng.uniform(0.5, 1.5, 4_000)
    weights = balanced(y, w)
    assert weights[y == 1].sum() == pytest.approx(weights[y == 0].sum())
    assert weights.mean() == pytest.approx(1.0)
    rows, rate = np.arange(4_000), np.average(y, weights=w)
    assert prior_shift(y, w) == pytest.approx(np.log((1 - rate) / rate))
    for name, nearness in (("logistic", 0.01), ("histogram_boosting", 0.02), ("lightgbm", 0.02)):
        both = [
            probability_of(fitted(FAMILIES[name], {}, X, y, w, rows, seed=0, balance=balance).log_odds(X))
            for balance in (True, False)
        ]
        assert abs(np.average(both[0], weights=w) - rate) < nearness
        assert np.abs(both[0] - both[1]).mean() < 2 * nearness
        raw = FAMILIES[name].fit(X, y, balanced(y, w), {}, 0)
        assert np.average(probability_of(raw.log_odds(X)), weights=w) > rate + 0.2  # it was balanced


def twins(groups: int, times: int, seed: int) -> tuple[Floats, Ints, Floats]:
    """Noise in runs of like rows with the label of the run: what overlapping decisions on one move look like."""
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.normal(size=(groups, 8)), times, axis=0) + rng.normal(0, 0.05, (groups * times, 8))
    y = np.repeat(rng.integers(0, 2, groups), times).astype(np.int64)
    return X, y, np.ones(groups * times)


def test_the_machine_is_not_made_sure_of_itself_by_the_neighbours_of_a_row() -> None:
    X, y, w = twins(100, 6, 14)
    odds = Svm().fit(X, y, w, {"C": 3.0}, 0).log_odds(np.random.default_rng(1).normal(size=(500, 8)))
    assert odds.std() < 0.25  # with shuffled inner folds it is 5.7


def test_the_network_is_not_kept_training_by_the_neighbours_of_its_tail() -> None:
    X, y, w = twins(100, 6, 15)
    chosen = settled("neural_network", NeuralNetwork._defaults, {"alpha": 0.01})
    assert _best_passes(training_rows("neural_network", X, y, w), chosen, 0) <= 3  # a shuffled tail says 40


def test_the_machine_learns_the_newest_rows_only() -> None:
    X, y, w = market(700, 16, edge=1.0)
    first = Svm().fit(X, y, w, {"newest": 400}, 0).log_odds(X)
    others, labels, weights = X.copy(), y.copy(), w.copy()
    others[:300], labels[:300], weights[:300] = 1e6, 1 - y[:300], 50.0
    assert np.array_equal(first, Svm().fit(others, labels, weights, {"newest": 400}, 0).log_odds(X))


def test_the_network_learns_the_newest_rows_too() -> None:
    """The tail only says how long to train; the model that is kept has learned it."""
    X, y, w = market(600, 17, edge=0.0)
    tail = slice(-90, None)
    rng = np.random.default_rng(0)
    X[:, 5] = 0.0
    X[tail, 5] = rng.normal(size=90)
    y[tail] = (X[tail, 5] > 0).astype(np.int64)
    odds = NeuralNetwork().fit(X, y, w, {"alpha": 0.01, "learning_rate": 0.01, "passes": 10}, 0).log_odds(X)
    assert auc(odds[tail], y[tail]) > 0.9


def test_a_family_that_needs_a_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learning.families.rows.find_spec", lambda name: None)
    X, y, w = market(60, 18, edge=1.0)
    for name, how in (("lightgbm", r"pip install 'ratchet-trader\[boost\]'"), ("xgboost", "pip install xgboost")):
        sentence = f"the family {name} needs {name}, which is not installed: {how}"
        with pytest.raises(InvalidInput, match=sentence):
            FAMILIES[name].fit(X, y, w, {}, 0)
        with pytest.raises(InvalidInput, match=sentence):
            FAMILIES[name].settings(1, np.random.default_rng(0))


def test_a_value_that_a_library_refuses_becomes_a_sentence() -> None:
    X, y, w = market(100, 19, edge=1.0)
    rows = np.arange(100)
    with pytest.raises(InvalidInput, match="logistic could not be trained with"):
        fitted(FAMILIES["logistic"], {"C": -1.0}, X, y, w, rows, seed=0)
    for settings in ({"C": "much"}, {"C": True}, {"C": float("nan")}):
        with pytest.raises(InvalidInput, match="logistic: C is"):
            fitted(FAMILIES["logistic"], settings, X, y, w, rows, seed=0)


def test_an_unknown_family_is_answered_with_those_there_are() -> None:
    assert family_named("svm") is FAMILIES["svm"]
    with pytest.raises(InvalidInput, match=r"no model family 'svn'; there are gradient_boosting, .*, xgboost"):
        family_named("svn")


def test_naming_the_families_loads_none_of_their_libraries() -> None:
    code = (
        "import sys, learning.families, learning.families.candidates, learning.families.fitting\n"
        "slow = {'sklearn', 'lightgbm', 'scipy', 'threadpoolctl', 'pandas'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(slow)) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
