"""What overlapping labels are worth, against the definition taken moment by moment."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_cases import HOUR, samples, spans

from domain.errors import InvalidInput
from learning.table import SampleTable
from learning.uniqueness import average_uniqueness, effective_samples, training_weights


def by_definition(table: SampleTable, *, pooled: bool = False) -> list[Fraction]:
    """u_i of every label in exact fractions: between any two neighbouring moments, count who is alive."""
    lives = [
        (int(first), max(int(last), int(first) + 1))
        for first, last in zip(table.decided_at, table.resolved_at, strict=True)
    ]
    moments = sorted({moment for life in lives for moment in life})
    found = []
    for row, (began, ended) in enumerate(lives):
        share = Fraction(0)
        for here, there in itertools.pairwise(moments):
            if here < began or there > ended:
                continue
            alive = sum(
                first <= here and there <= last
                for other, (first, last) in enumerate(lives)
                if pooled or table.instrument[other] == table.instrument[row]
            )
            share += Fraction(there - here, alive)
        found.append(share / (ended - began))
    return found


@st.composite
def tables(draw: st.DrawFn) -> SampleTable:
    """Up to 25 labels on up to three instruments, of all lengths from none to years, at equal or other times."""
    unit = draw(st.sampled_from([1, 1_000_003, HOUR]))
    rows = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40), st.sampled_from("XYZ")), max_size=25))
    rows.sort(key=lambda row: row[0])
    return spans(
        *((first, first + length) for first, length, _ in rows), instrument=tuple(row[2] for row in rows), unit=unit
    )


@settings(deadline=None, max_examples=150)
@given(table=tables(), pooled=st.booleans())
def test_uniqueness_is_what_the_definition_says(table: SampleTable, pooled: bool) -> None:
    found = average_uniqueness(table, pooled=pooled)
    wanted = [float(each) for each in by_definition(table, pooled=pooled)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=0)
    assert bool((found > 0).all())
    assert bool((found <= 1).all())


def test_a_label_alone_is_unique_and_two_that_share_their_whole_life_are_worth_one() -> None:
    assert average_uniqueness(spans((0, 5), (5, 9), (10, 12))).tolist() == [1.0, 1.0, 1.0]
    assert average_uniqueness(spans((0, 5), (0, 5))).tolist() == [0.5, 0.5]


def test_the_worked_case_of_two_labels_that_share_a_part() -> None:
    """0 to 4 and 2 to 8: 2 hours alone, 2 shared, 4 alone; so (2 + 1) / 4 and (1 + 4) / 6."""
    assert average_uniqueness(spans((0, 4), (2, 8))).tolist() == pytest.approx([3 / 4, 5 / 6], rel=1e-15)


def test_labels_of_other_instruments_do_not_count_unless_they_are_pooled() -> None:
    table = spans((0, 4), (0, 4), instrument=("X", "Y"))
    assert average_uniqueness(table).tolist() == [1.0, 1.0]
    assert average_uniqueness(table, pooled=True).tolist() == [0.5, 0.5]
    assert effective_samples(table) == 2
    assert effective_samples(table, pooled=True) == 1


def test_instruments_whose_samples_alternate_keep_their_own_values() -> None:
    """The rows of an instrument are scattered: a value put back in the wrong row is seen."""
    table = spans((0, 9), (1, 2), (1, 9), (3, 4), (5, 6), instrument=("X", "Y", "X", "Y", "Z"))
    assert average_uniqueness(table).tolist() == [float(each) for each in by_definition(table)]
    assert average_uniqueness(table).tolist() == pytest.approx([5 / 9, 1, 0.5, 1, 1])


def test_a_label_of_no_length_is_a_moment_among_those_alive() -> None:
    found = average_uniqueness(spans((0, 10), (5, 5), unit=1))
    assert found.tolist() == pytest.approx([(9 + 0.5) / 10, 0.5])


def test_a_moment_is_exact_also_after_years_of_labels() -> None:
    """A running sum of floats over 30 years would be off by percents here."""
    ages = [(day * 24, day * 24 + 71) for day in range(10_000)]
    table = spans(*ages)
    last = int(table.decided_at[-1])
    with_moments = replace(
        spans(*ages, *[ages[-1]] * 2),
        decided_at=np.concatenate((table.decided_at, [last + 1, last + 7])),
        resolved_at=np.concatenate((table.resolved_at, [last + 1, last + 8])),
    )
    found = average_uniqueness(with_moments)[-2:]
    np.testing.assert_allclose(found, [1 / 4, 1 / 4], rtol=1e-9)


@settings(deadline=None, max_examples=60)
@given(table=tables())
def test_pooling_never_makes_samples_worth_more(table: SampleTable) -> None:
    within, pooled = effective_samples(table), effective_samples(table, pooled=True)
    assert pooled <= within * (1 + 1e-12) <= len(table) * (1 + 1e-12)


def test_n_copies_of_one_label_are_worth_one() -> None:
    assert effective_samples(spans(*[(3, 8)] * 50)) == pytest.approx(1)


def test_fifty_thousand_samples_are_worth_what_the_sum_of_time_says() -> None:
    """The integral over labels of dt / c is the time in which any label is alive: a check without the sweep."""
    rows = 50_000
    draw = np.random.default_rng(3)
    begun = np.sort(draw.integers(0, 5_000 * HOUR, rows))
    table = samples(
        rows, decided_at=begun, resolved_at=begun + draw.integers(1, 30, rows) * HOUR, instrument=np.full(rows, "X")
    )
    length = table.resolved_at - table.decided_at
    covered = int(np.maximum.accumulate(table.resolved_at)[-1] - begun[0])
    gaps = np.maximum(begun[1:] - np.maximum.accumulate(table.resolved_at)[:-1], 0).sum()
    assert float((average_uniqueness(table) * length).sum()) == pytest.approx(covered - int(gaps), rel=1e-9)


# --- training weights


def test_weights_are_weight_times_uniqueness_with_mean_one() -> None:
    table = replace(spans((0, 4), (2, 8), (10, 11)), weight=np.array([1.0, 2.0, 4.0]))
    raw = np.array([1 * 3 / 4, 2 * 5 / 6, 4.0])
    np.testing.assert_allclose(training_weights(table, half_life=None), raw / raw.mean(), rtol=1e-14)


def test_a_sample_decided_a_half_life_before_the_newest_weighs_half() -> None:
    table = spans((0, 1), (24, 25), (48, 49))
    found = training_weights(table, half_life=timedelta(days=1))
    np.testing.assert_allclose(found / found[-1], [0.25, 0.5, 1.0], rtol=1e-14)
    assert found.mean() == pytest.approx(1)


def test_the_oldest_sample_still_weighs_something() -> None:
    found = training_weights(spans((0, 1), (24 * 10_000, 24 * 10_000 + 1)), half_life=timedelta(hours=1))
    assert found[0] > 0


def test_a_half_life_must_be_above_zero_and_no_samples_weigh_nothing() -> None:
    for wrong in (timedelta(0), timedelta(days=-1)):
        with pytest.raises(InvalidInput, match="half_life"):
            training_weights(samples(), half_life=wrong)
    assert training_weights(samples(0), half_life=timedelta(days=1)).shape == (0,)
    assert average_uniqueness(samples(0)).shape == (0,)
    assert effective_samples(samples(0), pooled=True) == 0
