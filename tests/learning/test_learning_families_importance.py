"""What a model leans on, measured by shuffling, and how steady that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.families import FAMILIES
from learning.families.importance import permutation_importance, stability
from learning.portable.parts import Constant, Linear
from learning.portable.preparation import Preparation
from learning.table import Floats, Ints


def market(rows: int, seed: int) -> tuple[Floats, Ints, Floats]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 5))
    y = (rng.random(rows) < 1 / (1 + np.exp(-1.2 * X[:, 3] - 0.5 * X[:, 1]))).astype(np.int64)
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, y, rng.uniform(0.5, 1.5, rows)


def line(*weights: float) -> Linear:
    width = len(weights)
    flat = Preparation(centre=np.zeros(width), scale=np.ones(width), fill=np.zeros(width), clip=20.0)
    return Linear(preparation=flat, weights=np.array(weights), intercept=0.0)


@pytest.mark.parametrize("name", ["logistic", "lightgbm"])
def test_the_features_that_tell_are_found_in_their_order(name: str) -> None:
    part = FAMILIES[name].fit(*market(1_500, 1), {}, 0)
    found = permutation_importance(part, *market(1_500, 2), seed=0)
    assert list(np.argsort(-found.mean)[:2]) == [3, 1]
    assert found.mean[3] > 0.05
    assert np.abs(found.mean[[0, 2, 4]]).max() < 0.01


def test_a_column_that_is_not_looked_at_has_no_importance_and_the_rows_stay_as_they_were() -> None:
    X, y, w = market(300, 3)
    before = X.copy()
    found = permutation_importance(line(0.0, 0.5, 0.0, 1.0, 0.0), X, y, w, seed=0)
    assert found.mean[[0, 2, 4]].tolist() == found.spread[[0, 2, 4]].tolist() == [0.0, 0.0, 0.0]
    assert np.array_equal(X, before, equal_nan=True)
    assert found.mean[1] > 0
    assert found.spread[1] > 0


def test_what_a_level_tells_about_the_time_is_not_shuffled_away() -> None:
    """A column constant within each block cannot change by shuffling within blocks, however much it tells."""
    y = (np.random.default_rng(4).random(400) < np.repeat([0.1, 0.9], 200)).astype(np.int64)
    X = np.repeat([[-2.0], [2.0]], 200, axis=0)
    assert permutation_importance(line(1.0), X, y, np.ones(400), seed=0, blocks=4).mean[0] == 0.0
    assert permutation_importance(line(1.0), X, y, np.ones(400), seed=0, blocks=1).mean[0] > 0.5


def test_the_same_seed_gives_the_same_bits_and_another_other_ones() -> None:
    X, y, w = market(200, 5)
    part = line(0.1, 0.5, 0.2, 1.0, 0.0)
    first, same, other = (permutation_importance(part, X, y, w, seed=seed).mean for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_weights_count() -> None:
    X, y, _ = market(400, 6)
    part = line(0.0, 0.5, 0.0, 1.0, 0.0)
    early = np.where(np.arange(400) < 200, 1.0, 1e-9)
    of_early = permutation_importance(part, X, y, early, seed=0, blocks=1).mean
    assert not np.allclose(of_early, permutation_importance(part, X, y, np.ones(400), seed=0, blocks=1).mean, rtol=0.01)


def test_too_few_rows_are_refused() -> None:
    X, y, w = market(19, 7)
    with pytest.raises(InvalidInput, match="19 rows are too few to shuffle within 10 blocks"):
        permutation_importance(line(0, 0, 0, 0, 0), X, y, w, seed=0)
    with pytest.raises(InvalidInput, match="0 repeats"):
        permutation_importance(line(0, 0, 0, 0, 0), X, y, w, seed=0, repeats=0)


def test_stability_is_the_mean_rank_correlation_of_all_pairs() -> None:
    from scipy.stats import spearmanr

    importances = np.random.default_rng(8).normal(size=(4, 9)).round(1)  # with ties
    pairs = [spearmanr(importances[a], importances[b]).statistic for a in range(4) for b in range(a)]
    assert stability(importances) == pytest.approx(np.mean(pairs), abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-1_000, 1_000), min_size=2, max_size=8, unique=True), st.integers(2, 5))
def test_folds_that_rank_alike_are_perfectly_stable_whatever_the_sizes(values: list[int], folds: int) -> None:
    rows = np.array([[value**3 / (fold + 1) for value in values] for fold in range(folds)], dtype=np.float64)
    assert stability(rows) == pytest.approx(1.0)
    assert stability(np.vstack([rows[0], -rows[0]])) == pytest.approx(-1.0)


def test_folds_that_rank_nothing_are_left_out() -> None:
    ranked = np.array([[1.0, 2.0, 3.0]])
    flat = np.zeros((3, 3))
    assert stability(np.vstack([ranked, flat, 2 * ranked])) == pytest.approx(1.0)
    assert stability(np.vstack([ranked, flat])) is None
    assert stability(flat) is None
    with pytest.raises(InvalidInput, match="not finite numbers"):
        stability(np.array([[1.0, np.nan]]))


def test_a_constant_model_leans_on_nothing() -> None:
    X, y, w = market(100, 9)
    assert not permutation_importance(Constant(log_odds_value=-0.3), X, y, w, seed=0).mean.any()
