"""What may be trained on beside a test: by the time a label ends, over all instruments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.table import Ints, SampleTable
from learning.validation.spans import LONGEST, Spans, purged_past, purged_train

MICROSECOND = timedelta(microseconds=1)
NOW = timedelta(0)


def spans_of(*pairs: tuple[int, int]) -> Spans:
    """Labels that begin and end at these microseconds."""
    return Spans(
        decided_at=np.array([begin for begin, _ in pairs], dtype=np.int64),
        resolved_at=np.array([end for _, end in pairs], dtype=np.int64),
    )


def rows(*indices: int) -> Ints:
    return np.array(indices, dtype=np.int64)


@st.composite
def spans_and_tests(draw: st.DrawFn) -> tuple[Spans, Ints]:
    """Overlapping labels, several of them decided at once, and any of the rows as a test."""
    # Few long labels, few tested rows and some long lists: so an early block often outlasts a later one.
    length = st.one_of(st.integers(0, 3), st.integers(0, 3), st.integers(0, 60))
    label = st.tuples(st.integers(0, 5), length, st.sampled_from([False, False, False, True]))
    steps = draw(st.lists(label, min_size=draw(st.sampled_from([1, 20])), max_size=40))
    begin = np.cumsum([gap for gap, _, _ in steps]).astype(np.int64)
    test = np.flatnonzero([chosen for _, _, chosen in steps]).astype(np.int64)
    spans = Spans(decided_at=begin, resolved_at=begin + np.array([length for _, length, _ in steps], dtype=np.int64))
    return spans, test if len(test) else rows(draw(st.integers(0, len(steps) - 1)))


def kept_one_by_one(spans: Spans, test: Ints, *, embargo: int, lag: int) -> list[int]:
    """The rule, row by row and block by block, as it is written down."""
    blocks: list[list[int]] = []
    for row in test.tolist():
        if blocks and row == blocks[-1][-1] + 1:
            blocks[-1].append(row)
        else:
            blocks.append([row])
    kept = []
    for row in set(range(len(spans))) - set(test.tolist()):
        begin, known = int(spans.decided_at[row]), int(spans.resolved_at[row]) + lag
        clear = True
        for block in blocks:
            block_begins = int(spans.decided_at[block[0]])
            block_ends = max(int(spans.resolved_at[member]) for member in block) + lag
            clear &= known < block_begins if row < block[0] else begin > block_ends + embargo
        if clear:
            kept.append(row)
    return sorted(kept)


@settings(deadline=None)
@given(spans_and_tests(), st.integers(0, 6), st.integers(0, 6))
def test_purging_all_rows_at_once_is_purging_them_one_by_one(case: tuple[Spans, Ints], embargo: int, lag: int) -> None:
    spans, test = case
    train = purged_train(spans, test, embargo=embargo * MICROSECOND, lag=lag * MICROSECOND)
    assert train.dtype == np.int64
    assert train.tolist() == kept_one_by_one(spans, test, embargo=embargo, lag=lag)


@settings(deadline=None)
@given(spans_and_tests(), st.integers(0, 6), st.integers(-(10**15), 10**15))
def test_what_is_kept_does_not_depend_on_the_date(case: tuple[Spans, Ints], embargo: int, shift: int) -> None:
    spans, test = case
    moved = Spans(decided_at=spans.decided_at + shift, resolved_at=spans.resolved_at + shift)
    here, there = (purged_train(which, test, embargo=embargo * MICROSECOND) for which in (spans, moved))
    assert here.tolist() == there.tolist()


@settings(deadline=None)
@given(spans_and_tests(), st.integers(0, 6), st.randoms(use_true_random=False))
def test_the_order_of_rows_decided_at_once_does_not_matter(case: tuple[Spans, Ints], embargo: int, random: Any) -> None:
    spans, test = case
    # A test of whole moments: rows of one moment that lie on both sides would change sides with their order.
    test = np.flatnonzero(np.isin(spans.decided_at, spans.decided_at[test])).astype(np.int64)
    keys = [(int(at), random.random()) for at in spans.decided_at]
    order = np.array(sorted(range(len(spans)), key=lambda row: keys[row]), dtype=np.int64)
    shuffled = spans.take(order)
    assert shuffled.decided_at.tolist() == spans.decided_at.tolist()
    here = purged_train(spans, test, embargo=embargo * MICROSECOND)
    there = order[purged_train(shuffled, test, embargo=embargo * MICROSECOND)]
    assert here.tolist() == sorted(there.tolist())


@settings(deadline=None)
@given(spans_and_tests(), st.integers(0, 6), st.integers(0, 6))
def test_a_longer_embargo_or_lag_never_lets_a_row_in(case: tuple[Spans, Ints], embargo: int, lag: int) -> None:
    spans, test = case
    short = purged_train(spans, test, embargo=embargo * MICROSECOND, lag=lag * MICROSECOND)
    for longer in ((embargo + 1, lag), (embargo, lag + 1)):
        train = purged_train(spans, test, embargo=longer[0] * MICROSECOND, lag=longer[1] * MICROSECOND)
        assert set(train.tolist()) <= set(short.tolist())


def test_a_label_that_ends_as_the_test_begins_is_purged_and_one_that_ended_before_is_kept() -> None:
    spans = spans_of((0, 9), (1, 10), (10, 20), (40, 50))
    assert purged_train(spans, rows(2), embargo=NOW).tolist() == [0, 3]
    assert purged_train(spans, rows(2), embargo=NOW, lag=MICROSECOND).tolist() == [3]


def test_after_a_test_the_embargo_and_the_lag_are_both_waited_for() -> None:
    spans = spans_of((0, 20), (20, 30), (21, 31), (25, 35), (26, 36))
    assert purged_train(spans, rows(0), embargo=NOW).tolist() == [2, 3, 4]
    assert purged_train(spans, rows(0), embargo=3 * MICROSECOND).tolist() == [3, 4]
    assert purged_train(spans, rows(0), embargo=3 * MICROSECOND, lag=2 * MICROSECOND).tolist() == [4]


def test_the_longest_label_of_a_block_counts_not_its_last() -> None:
    spans = spans_of((0, 100), (1, 2), (50, 60), (101, 110))
    assert purged_train(spans, rows(0, 1), embargo=NOW).tolist() == [3]


def test_an_earlier_block_can_outlast_a_later_one() -> None:
    spans = spans_of((0, 100), (1, 2), (20, 21), (50, 60), (101, 110))
    assert purged_train(spans, rows(0, 2), embargo=NOW).tolist() == [4]


def test_rows_of_another_instrument_are_purged_by_time_however_many_rows_lie_between() -> None:
    crowd = [(5, 6)] * 1_000
    spans = spans_of((0, 50), *crowd, (40, 45))
    train = purged_train(spans, rows(1_001), embargo=NOW)
    assert train.tolist() == list(range(1, 1_001))


def test_nothing_is_left_when_one_label_lasts_through_everything() -> None:
    spans = spans_of((0, 1_000), (1, 2), (3, 4))
    assert purged_train(spans, rows(0), embargo=NOW).tolist() == []


def test_the_past_of_a_row_is_what_was_known_an_embargo_before_it() -> None:
    spans = spans_of((0, 5), (1, 8), (2, 9), (10, 11), (12, 13))
    assert purged_past(spans, 3, embargo=NOW, lag=NOW).tolist() == [0, 1, 2]
    assert purged_past(spans, 3, embargo=MICROSECOND, lag=NOW).tolist() == [0, 1]
    assert purged_past(spans, 3, embargo=MICROSECOND, lag=MICROSECOND).tolist() == [0]


def test_a_lag_of_many_years_does_not_overflow() -> None:
    spans = spans_of((-(2**62) + 1, 0), (2**62 - 1, 2**62 - 1))
    assert purged_train(spans, rows(1), embargo=LONGEST, lag=LONGEST).tolist() == [0]
    assert purged_train(spans, rows(0), embargo=LONGEST, lag=LONGEST).tolist() == [1]


def test_the_spans_of_a_table_are_its_own_times() -> None:
    names = np.array(["a", "b"])
    table = SampleTable(
        decision_id=names,
        decided_at=rows(1, 5),
        resolved_at=rows(7, 9),
        instrument=names,
        side=rows(1, -1),
        strategy=names,
        r_net=np.array([0.5, -1.0]),
        label=rows(1, 0),
        weight=np.ones(2),
        source=names,
        features=np.zeros((2, 1)),
        names=("f_x",),
        schema="s",
    )
    spans = Spans.of(table)
    assert (spans.decided_at.tolist(), spans.resolved_at.tolist(), len(spans)) == ([1, 5], [7, 9], 2)


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        (rows(1, 2), rows(3), "2 labels begin and 1 end"),
        (rows(2, 1), rows(3, 3), "not in the order"),
        (rows(1, 5), rows(3, 4), "ends before it begins"),
        (rows(0), rows(2**62), "beyond"),
        (np.array([0.0]), rows(1), "float64"),
        (rows(0).reshape(1, 1), rows(0), "shape"),
    ],
)
def test_spans_that_cannot_be_are_refused(begin: Any, end: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Spans(decided_at=begin, resolved_at=end)


@pytest.mark.parametrize(
    "test", [rows(), rows(2), rows(-1), rows(1, 0), rows(0, 0), np.array([0.0]), rows(0).reshape(1, 1)]
)
def test_a_test_must_be_ascending_rows_that_exist(test: Any) -> None:
    with pytest.raises(InvalidInput, match="row"):
        purged_train(spans_of((0, 1), (2, 3)), test, embargo=NOW)


@pytest.mark.parametrize("wrong", [-MICROSECOND, LONGEST + MICROSECOND])
def test_an_embargo_or_lag_out_of_range_is_refused_by_name(wrong: timedelta) -> None:
    spans = spans_of((0, 1), (2, 3))
    with pytest.raises(InvalidInput, match="embargo"):
        purged_train(spans, rows(0), embargo=wrong)
    with pytest.raises(InvalidInput, match="lag"):
        purged_train(spans, rows(0), embargo=NOW, lag=wrong)
