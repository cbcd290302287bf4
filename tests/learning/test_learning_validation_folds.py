"""Purged folds, walk-forward, combinations, the final window, and what is predicted out of fold."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.table import Floats, Ints
from learning.validation.combinatorial import Combinatorial
from learning.validation.folds import Fold, PurgedFolds, Scheme, WalkForward, even_edges, verdict_split
from learning.validation.out_of_fold import OutOfFold, out_of_fold
from learning.validation.spans import Spans

MICROSECOND = timedelta(microseconds=1)
NOW = timedelta(0)


def even(count: int, *, length: int = 1, at_once: int = 1) -> Spans:
    """`at_once` labels every ten microseconds, each `length` microseconds long."""
    begin = np.arange(count, dtype=np.int64) // at_once * 10
    return Spans(decided_at=begin, resolved_at=begin + length)


@st.composite
def histories(draw: st.DrawFn) -> Spans:
    steps = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8)), min_size=25, max_size=60))
    begin = np.cumsum([gap for gap, _ in steps]).astype(np.int64)
    return Spans(decided_at=begin, resolved_at=begin + np.array([length for _, length in steps], dtype=np.int64))


def split(scheme: Scheme, spans: Spans) -> list[Fold]:
    """The folds; an example whose rows do not suffice is no example."""
    try:
        return list(scheme.split(spans))
    except InvalidInput:
        reject()


def blocks(test: Ints) -> list[Ints]:
    return np.split(test, np.flatnonzero(np.diff(test) > 1) + 1)


def touches(spans: Spans, fold: Fold, *, embargo: int, lag: int) -> bool:
    """Whether a training label lasts into the time of a test block, or begins in it or within the embargo after it."""
    begin, known = spans.decided_at[fold.train], spans.resolved_at[fold.train] + lag
    for block in blocks(fold.test):
        begins, ends = spans.decided_at[block].min(), spans.resolved_at[block].max() + lag
        if ((begin <= ends + embargo) & (known >= begins)).any():
            return True
    return False


small = st.integers(0, 3)
SCHEMES: list[Callable[[timedelta, timedelta], Scheme]] = [
    lambda embargo, lag: PurgedFolds(folds=4, embargo=embargo, lag=lag, minimum_train=1),
    lambda embargo, lag: WalkForward(folds=3, embargo=embargo, lag=lag, minimum_train=4),
    lambda embargo, lag: Combinatorial(groups=5, test_groups=2, embargo=embargo, lag=lag, minimum_train=1),
]


@settings(deadline=None)
@given(histories(), st.sampled_from(SCHEMES), small, small)
def test_no_training_label_touches_the_time_of_a_test(
    spans: Spans, make: Callable[[timedelta, timedelta], Scheme], embargo: int, lag: int
) -> None:
    for fold in split(make(embargo * MICROSECOND, lag * MICROSECOND), spans):
        assert not touches(spans, fold, embargo=embargo, lag=lag)
        assert not set(fold.train.tolist()) & set(fold.test.tolist())
        assert fold.train.dtype == fold.test.dtype == np.int64
        assert (np.diff(fold.train) > 0).all()
        assert (np.diff(fold.test) > 0).all()


@settings(deadline=None)
@given(histories(), st.sampled_from(SCHEMES), small)
def test_no_moment_is_divided_between_two_tests(
    spans: Spans, make: Callable[[timedelta, timedelta], Scheme], embargo: int
) -> None:
    for fold in split(make(embargo * MICROSECOND, NOW), spans):
        outside = np.setdiff1d(np.arange(len(spans)), fold.test)
        assert not np.isin(spans.decided_at[outside], spans.decided_at[fold.test]).any()


@settings(deadline=None)
@given(histories(), st.sampled_from(SCHEMES), st.integers(-(10**15), 10**15))
def test_folds_do_not_depend_on_the_date(
    spans: Spans, make: Callable[[timedelta, timedelta], Scheme], shift: int
) -> None:
    moved = Spans(decided_at=spans.decided_at + shift, resolved_at=spans.resolved_at + shift)
    scheme = make(2 * MICROSECOND, MICROSECOND)
    here, there = split(scheme, spans), split(scheme, moved)
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in here] == [
        (fold.train.tolist(), fold.test.tolist()) for fold in there
    ]


@settings(deadline=None)
@given(histories(), st.integers(2, 6))
def test_purged_folds_test_every_row_once_in_the_order_of_time(spans: Spans, folds: int) -> None:
    made = split(PurgedFolds(folds=folds, embargo=NOW, lag=NOW, minimum_train=1), spans)
    assert len(made) == folds
    assert np.concatenate([fold.test for fold in made]).tolist() == list(range(len(spans)))


@settings(deadline=None)
@given(histories(), st.integers(3, 6), st.integers(1, 3))
def test_combinations_test_every_row_equally_often(spans: Spans, groups: int, tested: int) -> None:
    if tested >= groups:
        reject()
    scheme = Combinatorial(groups=groups, test_groups=tested, embargo=NOW, lag=NOW, minimum_train=1)
    made = split(scheme, spans)
    counts = np.bincount(np.concatenate([fold.test for fold in made]), minlength=len(spans))
    assert len(made) == scheme.splits == math.comb(groups, tested)
    assert set(counts.tolist()) == {math.comb(groups - 1, tested - 1)} == {scheme.path_count}
    assert scheme.path_count * groups == scheme.splits * tested


@settings(deadline=None)
@given(histories(), st.integers(3, 5), st.integers(1, 2))
def test_each_path_predicts_every_row_once_and_no_prediction_is_on_two_paths(
    spans: Spans, groups: int, tested: int
) -> None:
    scheme = Combinatorial(groups=groups, test_groups=tested, embargo=NOW, lag=NOW, minimum_train=1)
    made = split(scheme, spans)
    order = iter(range(len(made)))
    said = out_of_fold(len(spans), made, lambda train, test: np.full(len(test), next(order) / len(made)))
    paths = scheme.paths(said)
    assert paths.shape == (scheme.path_count, len(spans))
    assert np.isfinite(paths).all()
    number = np.rint(paths * len(made)).astype(int)
    for row in range(len(spans)):
        testers = [place for place, fold in enumerate(made) if row in fold.test]
        assert number[:, row].tolist() == testers
    edges = even_edges(spans, groups)
    for begin, end in pairwise(edges.tolist()):
        assert (number[:, begin:end] == number[:, begin : begin + 1]).all()
    assert np.allclose(said.p, paths.mean(axis=0))


def test_six_groups_of_which_two_are_tested_make_fifteen_splits_and_five_paths() -> None:
    scheme = Combinatorial(embargo=NOW, lag=NOW)
    assert (scheme.splits, scheme.path_count) == (15, 5)
    first = scheme.split(even(600))[0]
    assert (first.test.tolist(), first.train.tolist()) == (list(range(200)), list(range(200, 600)))


@given(st.integers(10, 200), st.integers(2, 10))
def test_parts_of_distinct_times_differ_by_one_row_at_most(count: int, parts: int) -> None:
    sizes = np.diff(even_edges(even(count), parts))
    assert sizes.sum() == count
    assert sizes.max() - sizes.min() <= 1


def test_a_crowded_moment_goes_to_one_part_and_leaves_moments_for_the_others() -> None:
    begin = np.array([0] + [1] * 97 + [2, 3], dtype=np.int64)
    spans = Spans(decided_at=begin, resolved_at=begin)
    assert even_edges(spans, 4).tolist() == [0, 1, 98, 99, 100]
    assert even_edges(spans, 2, first=50).tolist() == [98, 99, 100]
    with pytest.raises(InvalidInput, match="5 parts cannot be cut from 4 different times"):
        even_edges(spans, 5)


def test_walk_forward_learns_from_everything_known_before_and_nothing_after() -> None:
    made = WalkForward(folds=4, embargo=NOW, lag=NOW, minimum_train=10).split(even(100, length=25))
    assert [(fold.test[0], fold.test[-1]) for fold in made] == [(20, 39), (40, 59), (60, 79), (80, 99)]
    assert [fold.train.tolist() for fold in made] == [list(range(int(fold.test[0]) - 2)) for fold in made]


def test_walk_forward_begins_late_enough_for_its_least_training() -> None:
    made = WalkForward(folds=2, embargo=NOW, lag=NOW, minimum_train=50).split(even(100, length=25))
    assert [(fold.test[0], fold.test[-1]) for fold in made] == [(52, 75), (76, 99)]
    assert len(made[0].train) == 50
    with pytest.raises(InvalidInput, match="2 parts cannot be cut from 0 different times"):
        WalkForward(folds=2, embargo=NOW, lag=NOW, minimum_train=99).split(even(100, length=25))


@settings(deadline=None)
@given(histories(), small, small)
def test_walk_forward_never_looks_ahead_and_only_grows(spans: Spans, embargo: int, lag: int) -> None:
    made = split(WalkForward(folds=3, embargo=embargo * MICROSECOND, lag=lag * MICROSECOND, minimum_train=3), spans)
    for fold in made:
        assert (spans.resolved_at[fold.train] + lag + embargo < spans.decided_at[fold.test].min()).all()
        assert len(fold.train) >= 3
    for earlier, later in pairwise(made):
        assert set(earlier.train.tolist()) <= set(later.train.tolist())
        assert earlier.test[-1] + 1 == later.test[0]
    assert made[-1].test[-1] == len(spans) - 1


def test_the_final_window_is_the_last_share_and_what_is_known_before_it() -> None:
    fold = verdict_split(even(100, length=25), embargo=NOW, lag=NOW)
    assert fold.test.tolist() == list(range(80, 100))
    assert fold.train.tolist() == list(range(78))
    later = verdict_split(even(100, length=25), embargo=6 * MICROSECOND, lag=9 * MICROSECOND)
    assert later.train.tolist() == list(range(76))


@settings(deadline=None)
@given(histories(), st.floats(0.1, 0.5), small, small)
def test_nothing_learned_before_the_final_window_was_known_within_it(
    spans: Spans, share: float, embargo: int, lag: int
) -> None:
    try:
        fold = verdict_split(spans, share=share, embargo=embargo * MICROSECOND, lag=lag * MICROSECOND, minimum_train=1)
    except InvalidInput:
        reject()
    first = int(fold.test[0])
    assert fold.test.tolist() == list(range(first, len(spans)))
    assert spans.decided_at[first - 1] < spans.decided_at[first]
    assert (spans.resolved_at[fold.train] + lag + embargo < spans.decided_at[first]).all()


def test_the_final_window_is_cut_at_the_nearest_change_of_time() -> None:
    fold = verdict_split(even(100, at_once=30), share=0.2, embargo=NOW, lag=NOW)
    assert fold.test[0] == 90
    with pytest.raises(InvalidInput, match="100 rows were decided at one moment"):
        verdict_split(even(100, at_once=100), embargo=NOW, lag=NOW)


def test_a_fold_without_enough_training_rows_is_refused_with_their_number() -> None:
    spans = even(100, length=700)
    with pytest.raises(InvalidInput, match=r"fold 1 of 5 has 20 rows to test and 10 left to train on; at least 30"):
        PurgedFolds(folds=5, embargo=NOW, lag=NOW).split(spans)
    with pytest.raises(InvalidInput, match=r"tests groups 1, 2 has 33 rows to test and 0 left"):
        Combinatorial(embargo=NOW, lag=NOW).split(spans)


def test_too_little_before_the_final_window_is_refused_with_its_number() -> None:
    with pytest.raises(InvalidInput, match=r"final window has 20 rows to test and 10 left to train on; at least 30"):
        verdict_split(even(100, length=700), embargo=NOW, lag=NOW)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PurgedFolds(folds=1, embargo=NOW, lag=NOW),
        lambda: PurgedFolds(embargo=-MICROSECOND, lag=NOW),
        lambda: WalkForward(embargo=NOW, lag=-MICROSECOND),
        lambda: WalkForward(embargo=NOW, lag=NOW, minimum_train=0),
        lambda: Combinatorial(groups=4, test_groups=4, embargo=NOW, lag=NOW),
        lambda: Combinatorial(groups=4, test_groups=0, embargo=NOW, lag=NOW),
        lambda: Combinatorial(groups=20, test_groups=10, embargo=NOW, lag=NOW),
        lambda: verdict_split(even(100), share=1.0, embargo=NOW, lag=NOW),
        lambda: verdict_split(even(100), share=0.0, embargo=NOW, lag=NOW),
        lambda: verdict_split(even(100), embargo=NOW, lag=NOW, minimum_train=0),
    ],
)
def test_a_scheme_that_cannot_be_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidInput):
        make()


def fold(train: list[int], test: list[int]) -> Fold:
    return Fold(train=np.array(train, dtype=np.int64), test=np.array(test, dtype=np.int64))


def test_a_row_predicted_twice_has_the_mean_and_one_never_predicted_has_none() -> None:
    folds = [fold([0], [1, 2]), fold([0], [2, 3])]
    answers: list[Floats] = [np.array([0.1, 0.2]), np.array([0.4, 0.5])]
    calls: list[tuple[list[int], list[int]]] = []

    def fit_predict(train: Ints, test: Ints) -> Floats:
        calls.append((train.tolist(), test.tolist()))
        return answers[len(calls) - 1]

    said = out_of_fold(5, folds, fit_predict)
    assert calls == [([0], [1, 2]), ([0], [2, 3])]
    assert np.isnan(said.p[[0, 4]]).all()
    assert said.p[1:4].tolist() == pytest.approx([0.1, 0.3, 0.5])
    assert said.tested.tolist() == [1, 2, 3]
    assert [copy.tolist() for copy in said.copies] == [[0.1, 0.2], [0.4, 0.5]]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([0.5], "1 has 2 rows to test"),
        ([0.5, math.nan], "no probability"),
        ([0.5, 1.1], "no probability"),
        ([-0.1, 0.5], "no probability"),
    ],
)
def test_a_model_that_answers_no_probabilities_is_refused(answer: list[float], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        out_of_fold(3, [fold([0], [1, 2])], lambda train, test: np.array(answer))


def test_folds_must_exist_and_lie_within_the_rows() -> None:
    with pytest.raises(InvalidInput, match="no folds"):
        out_of_fold(3, [], lambda train, test: np.zeros(len(test)))
    with pytest.raises(InvalidInput, match="row 3 of only 3"):
        out_of_fold(3, [fold([0], [3])], lambda train, test: np.zeros(len(test)))


def test_paths_of_other_folds_are_refused() -> None:
    scheme = Combinatorial(groups=3, test_groups=2, embargo=NOW, lag=NOW, minimum_train=1)
    made = scheme.split(even(30))

    def said(folds: list[Fold]) -> OutOfFold:
        return out_of_fold(30, folds, lambda train, test: np.zeros(len(test)))

    with pytest.raises(InvalidInput, match="predicted 1 times"):
        scheme.paths(said(list(made[:2])))
    with pytest.raises(InvalidInput, match="more often"):
        scheme.paths(said([*made, made[0]]))
