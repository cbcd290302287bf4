"""Negative controls: on a random walk, and with shuffled labels, nothing may be found; where the purge is taken away,
something is.

A symmetric random walk cannot be forecast, so every skill that a validation shows on it is a leak. Labels are those of
two barriers at equal distance and a time limit, about 20 bars long, one a bar: neighbours live through the same bars.
The noise of an AUC: n independent labels, half of them winners, give sqrt((n + 1) / (3 n^2)), about .577 / sqrt(n).
Overlapping labels are worth about the length of the history divided by the length of a label.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import timedelta

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from learning.table import Floats, Ints
from learning.validation.combinatorial import Combinatorial
from learning.validation.folds import Fold, PurgedFolds, Scheme, WalkForward
from learning.validation.out_of_fold import OutOfFold, out_of_fold
from learning.validation.spans import Spans, purged_train

BAR = 3_600_000_000
HOUR = timedelta(hours=1)
BARRIER = 4.3
"""In standard deviations of one bar: labels then take about 20 bars."""
LIMIT = 60
LOOKBACKS = (20, 50, 100)
NOW = timedelta(0)
SEEDS = range(6)
BARS = 600


def first_touches(prices: Floats, bars: int) -> tuple[Ints, Ints]:
    """Label of each bar (1: the upper barrier first, or a gain at the time limit) and the bar in which it ended."""
    moves = sliding_window_view(prices, LIMIT + 1)[:bars, 1:] - prices[:bars, np.newaxis]
    touched = np.abs(moves) >= BARRIER
    at = np.where(touched.any(axis=1), touched.argmax(axis=1), LIMIT - 1)
    labels = (moves[np.arange(bars), at] > 0).astype(np.int64)
    return labels, np.arange(bars, dtype=np.int64) + 1 + at


def random_walk(seed: int) -> tuple[Spans, Floats, Ints]:
    """One instrument, a label a bar; features are moves, distances from the mean and volatility over long windows."""
    rng = np.random.default_rng(seed)
    warm = max(LOOKBACKS)
    prices = np.cumsum(rng.standard_normal(warm + BARS + LIMIT))
    labels, ended = first_touches(prices[warm:], BARS)
    at = np.arange(warm, warm + BARS)
    features = []
    for back in LOOKBACKS:
        window = sliding_window_view(prices, back + 1)[at - back]
        features += [prices[at] - prices[at - back], prices[at] - window.mean(axis=1), window.std(axis=1)]
    spans = Spans(decided_at=np.arange(BARS, dtype=np.int64) * BAR, resolved_at=ended * BAR)
    return spans, np.stack(features, axis=1), labels


def mean_length(spans: Spans) -> float:
    """Of the labels, in bars."""
    return float(np.mean(spans.resolved_at - spans.decided_at)) / BAR


def auc(labels: Ints, said: Floats) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, said))


def forest_auc(features: Floats, labels: Ints, folds: Iterable[Fold], seed: int) -> float:
    """The mean over folds of the AUC of a small random forest.

    Within folds, because a forest trained without a stretch of winners expects fewer winners there: predictions
    pooled over folds rank below .5 on data without any information.
    """
    from sklearn.ensemble import RandomForestClassifier

    def fit_predict(train: Ints, test: Ints) -> Floats:
        model = RandomForestClassifier(10, max_features=2, random_state=seed).fit(features[train], labels[train])
        said: Floats = model.predict_proba(features[test])[:, 1]
        return said

    found: OutOfFold = out_of_fold(len(labels), list(folds), fit_predict)
    tests = zip(found.folds, found.copies, strict=True)
    return float(np.mean([auc(labels[fold.test], said) for fold, said in tests if len(set(labels[fold.test])) == 2]))


def shuffled_folds(rows: int, seed: int) -> list[Fold]:
    from sklearn.model_selection import KFold

    parts = KFold(5, shuffle=True, random_state=seed).split(np.zeros(rows))
    return [Fold(train=train.astype(np.int64), test=test.astype(np.int64)) for train, test in parts]


@pytest.fixture(scope="module")
def walks() -> list[tuple[Spans, Floats, Ints]]:
    return [random_walk(seed) for seed in SEEDS]


def test_shuffled_folds_find_skill_where_there_is_none(walks: list[tuple[Spans, Floats, Ints]]) -> None:
    """What the rest guards against: this control has teeth only while the leak is there to be found."""
    for seed, (spans, features, labels) in enumerate(walks[:3]):
        assert 15 < mean_length(spans) < 30
        assert forest_auc(features, labels, shuffled_folds(len(labels), seed), seed) > 0.85


@pytest.mark.parametrize(
    "scheme",
    [
        PurgedFolds(folds=4, embargo=20 * HOUR, lag=HOUR),
        Combinatorial(groups=5, test_groups=2, embargo=20 * HOUR, lag=HOUR),
        WalkForward(folds=3, embargo=20 * HOUR, lag=HOUR),
    ],
    ids=lambda scheme: type(scheme).__name__,
)
def test_honest_folds_find_none_within_noise(scheme: Scheme, walks: list[tuple[Spans, Floats, Ints]]) -> None:
    """Three standard errors of the labels that all tested histories are worth."""
    found, worth = [], 0.0
    for seed, (spans, features, labels) in enumerate(walks):
        folds = scheme.split(spans)
        found.append(forest_auc(features, labels, folds, seed))
        worth += len(np.unique(np.concatenate([fold.test for fold in folds]))) / mean_length(spans)
    tolerance = 3 * 0.577 / math.sqrt(worth)
    assert tolerance < 0.16
    assert abs(np.mean(found) - 0.5) < tolerance


@pytest.mark.parametrize(
    "scheme", [None, PurgedFolds(folds=4, embargo=20 * HOUR, lag=HOUR)], ids=["shuffled", "purged"]
)
def test_shuffled_labels_leave_nothing_to_find(scheme: Scheme | None, walks: list[tuple[Spans, Floats, Ints]]) -> None:
    """Labels dealt out at random no longer overlap, so each is worth one: three standard errors of them all.

    Here folds of shuffled rows find nothing either. That is why shuffled labels alone do not show a leak.
    """
    found, rows = [], 0
    for seed, (spans, features, labels) in enumerate(walks[:4]):
        dealt = np.random.default_rng(100 + seed).permutation(labels)
        folds = shuffled_folds(len(dealt), seed) if scheme is None else scheme.split(spans)
        found.append(forest_auc(features, dealt, folds, seed))
        rows += len(dealt)
    assert abs(np.mean(found) - 0.5) < 3 * 0.577 / math.sqrt(rows)


INSTRUMENTS = 5
PANEL_BARS = 160
NARROW = PurgedFolds(folds=32, embargo=NOW, lag=NOW)
"""Tests of five bars, a quarter of a label: nearly every row of a test has neighbours outside it."""


def panel(seed: int) -> tuple[Spans, Floats, Ints]:
    """Instruments that walk independently, and features that drift slowly but have nothing to do with any price.

    The only thing that such features tell is which rows lie close in time: what a model finds with them is overlap.
    """
    rng = np.random.default_rng(seed)
    walks = np.cumsum(rng.standard_normal((INSTRUMENTS, PANEL_BARS + LIMIT)), axis=1)
    labels, ended = zip(*(first_touches(prices, PANEL_BARS) for prices in walks), strict=True)
    bar = np.repeat(np.arange(PANEL_BARS, dtype=np.int64), INSTRUMENTS)
    drift = np.cumsum(rng.standard_normal((PANEL_BARS, 4)), axis=0)
    spans = Spans(decided_at=bar * BAR, resolved_at=np.stack(ended, axis=1).ravel() * BAR)
    return spans, drift[bar], np.stack(labels, axis=1).ravel()


Purge = Callable[[Spans, Ints], Ints]


def by_time(spans: Spans, test: Ints) -> Ints:
    return purged_train(spans, test, embargo=NOW)


def by_moment_of_decision(spans: Spans, test: Ints) -> Ints:
    """The bug of purging on when a label begins, as if it ended there too."""
    return purged_train(Spans(decided_at=spans.decided_at, resolved_at=spans.decided_at), test, embargo=NOW)


def by_rows(spans: Spans, test: Ints) -> Ints:
    """The bug of purging as many rows as a label has bars: with five instruments that is four bars."""
    rows, gap = np.arange(len(spans), dtype=np.int64), round(mean_length(spans))
    kept: Ints = rows[(rows < test[0] - gap) | (rows > test[-1] + gap)]
    return kept


def agreement(purge: Purge) -> Floats:
    """For each of 16 panels, the mean of (2p - 1)(2y - 1), p being the mean label of the 25 nearest rows trained on.

    Winners and losers are equally likely on a symmetric walk, so its expectation is exactly 0 where training and
    testing labels share no bar: unlike an AUC pooled over folds it has no bias to make allowance for.
    """
    means = []
    for seed in range(16):
        spans, features, labels = panel(seed)
        squares = np.sum(features**2, axis=1)
        apart = squares[:, np.newaxis] + squares - 2 * features @ features.T

        def nearest(train: Ints, test: Ints, apart: Floats = apart, labels: Ints = labels) -> Floats:
            near = np.argsort(apart[np.ix_(test, train)], axis=1, kind="stable")[:, :25]
            said: Floats = labels[train][near].mean(axis=1)
            return said

        folds = [Fold(train=purge(spans, fold.test), test=fold.test) for fold in NARROW.split(spans)]
        said = out_of_fold(len(spans), folds, nearest).p
        means.append(float(np.mean((2 * said - 1) * (2 * labels - 1))))
    return np.array(means)


def in_standard_errors(values: Floats) -> float:
    return float(values.mean() / (values.std(ddof=1) / math.sqrt(len(values))))


def test_purged_by_time_nothing_leaks_even_into_the_narrowest_tests() -> None:
    """16 independent panels say how large chance is; three of its standard errors, which are at most .03 each."""
    found = agreement(by_time)
    assert found.std(ddof=1) / 4 < 0.03
    assert abs(in_standard_errors(found)) < 3


@pytest.mark.parametrize("bug", [by_moment_of_decision, by_rows], ids=lambda bug: bug.__name__)
def test_a_purge_by_rows_or_by_the_beginning_of_labels_leaks_beyond_noise(bug: Purge) -> None:
    found = agreement(bug)
    assert found.mean() > 0.05
    assert in_standard_errors(found) > 4
