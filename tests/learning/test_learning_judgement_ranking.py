"""How well winners are ranked above losers, and an interval that knows that labels overlap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.judgement.blocks import time_blocks
from learning.judgement.ranking import Interval, _wins_between, auc, auc_interval

columns = st.integers(2, 40).flatmap(
    lambda rows: st.tuples(
        st.lists(st.integers(0, 10).map(lambda tenth: tenth / 10), min_size=rows, max_size=rows),
        st.lists(st.integers(0, 1), min_size=rows, max_size=rows),
        st.lists(st.floats(0.1, 5), min_size=rows, max_size=rows),
    )
)


def by_pairs(p: list[float], y: list[int], w: list[float]) -> float | None:
    """The definition, pair by pair."""
    won = [(p[i], w[i]) for i in range(len(p)) if y[i]]
    lost = [(p[i], w[i]) for i in range(len(p)) if not y[i]]
    pairs = sum(a * b for _, a in won for _, b in lost)
    wins = sum(a * b * ((x > z) + (x == z) / 2) for x, a in won for z, b in lost)
    return wins / pairs if pairs else None


@settings(deadline=None)
@given(columns)
def test_the_auc_is_what_counting_pairs_gives(drawn: tuple[list[float], list[int], list[float]]) -> None:
    p, y, w = drawn
    assert auc(p, y, w) == pytest.approx(by_pairs(p, y, w))


@settings(deadline=None)
@given(columns)
def test_turning_probabilities_or_labels_round_mirrors_the_auc(
    drawn: tuple[list[float], list[int], list[float]],
) -> None:
    p, y, w = drawn
    found = auc(p, y, w)
    if found is None:
        assert len(set(y)) == 1
        return
    assert auc([1 - x for x in p], y, w) == pytest.approx(1 - found)
    assert auc(p, [1 - label for label in y], w) == pytest.approx(1 - found)


def test_a_weight_counts_as_that_many_samples() -> None:
    assert auc([0.2, 0.5, 0.7], [0, 1, 0], [1, 2, 3]) == auc([0.2, 0.5, 0.5, 0.7, 0.7, 0.7], [0, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("p", "y", "names"),
    [
        ([0.1, 0.2], [0, 1, 1], "y has 3 rows"),
        ([0.1, 1.2], [0, 1], "outside"),
        ([0.1, float("nan")], [0, 1], "missing"),
        ([0.1, 0.2], [0, 2], "neither 0 nor 1"),
        ([], [], "no sample"),
    ],
)
def test_columns_that_do_not_fit_are_refused(p: list[float], y: list[int], names: str) -> None:
    with pytest.raises(InvalidInput, match=names):
        auc(p, y)


DAY = 86_400_000_000
"""Microseconds."""


def shared_days(rng: np.random.Generator, days: int, a_day: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores and labels of a market on which one thing happens a day: all signals of a day score and end nearly alike,
    and the score has nothing to do with the end."""
    fate, mood = rng.random(days), rng.random(days)
    p = np.clip(np.repeat(mood, a_day) + rng.normal(0, 0.05, days * a_day), 0, 1)
    y = (np.repeat(fate, a_day) + rng.normal(0, 0.2, days * a_day) > 0.5).astype(np.int64)
    return p, y, np.repeat(np.arange(days), a_day)


def test_the_interval_of_blocks_covers_where_the_one_of_samples_does_not() -> None:
    rng = np.random.default_rng(3)
    by_block = by_sample = 0
    for seed in range(60):
        p, y, days = shared_days(rng, 40, 8)
        block = auc_interval(p, y, days, level=0.95, resamples=300, seed=seed)
        sample = auc_interval(p, y, np.arange(len(p)), level=0.95, resamples=300, seed=seed)
        assert block is not None
        assert sample is not None
        by_block += block.low <= 0.5 <= block.high
        by_sample += sample.low <= 0.5 <= sample.high
    assert by_block >= 52, by_block
    assert by_sample <= 45, by_sample


def test_the_interval_of_independent_samples_is_that_of_hanley_and_mcneil() -> None:
    """Without overlap the textbook's error comes out."""
    rng = np.random.default_rng(5)
    y = (np.arange(600) % 3 == 0).astype(np.int64)
    p = 1 / (1 + np.exp(-rng.normal(0.4 * y, 1)))
    area = auc(p, y)
    found = auc_interval(p, y, np.arange(600), resamples=4_000, seed=1)
    assert area is not None
    assert found is not None
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    won, lost = 200, 400
    error = np.sqrt(
        (area * (1 - area) + (won - 1) * (first - area**2) + (lost - 1) * (second - area**2)) / (won * lost)
    )
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.08)
    assert found.low < area < found.high


@settings(deadline=None)
@given(columns)
def test_what_blocks_won_of_one_another_adds_up_to_the_auc(
    drawn: tuple[list[float], list[int], list[float]],
) -> None:
    p, y, w = (np.array(column, dtype=np.float64) for column in drawn)
    blocks = np.arange(len(p)) // 3
    wins = _wins_between(p, y, w, blocks, int(blocks[-1]) + 1)
    found = auc(p, y, w)
    assert wins.sum() == pytest.approx((found or 0.0) * (w @ y) * (w @ (1 - y)))
    one = blocks == 0
    assert wins[0, 0] == pytest.approx((auc(p[one], y[one], w[one]) or 0.0) * (w @ (one * y)) * (w @ (one * (1 - y))))


def test_the_same_seed_gives_the_same_interval_and_weights_of_one_change_nothing() -> None:
    rng = np.random.default_rng(1)
    p, y, days = shared_days(rng, 30, 5)
    first = auc_interval(p, y, days, resamples=200, seed=9)
    assert first == auc_interval(p, y, days, np.ones(len(p)), resamples=200, seed=9)
    assert first != auc_interval(p, y, days, resamples=200, seed=10)


@pytest.mark.parametrize(
    ("y", "blocks"),
    [([1] * 40, list(range(40))), ([0, 1] * 20, [0] * 20 + [1] * 20), ([0] * 20 + [1] * 20, list(range(40)))],
    ids=["one class", "two blocks", "no pair the wrong way round"],
)
def test_no_interval_is_given_where_none_is_honest(y: list[int], blocks: list[int]) -> None:
    assert auc_interval(np.linspace(0.1, 0.9, 40), y, np.array(blocks), resamples=200, seed=1) is None


def test_blocks_hold_nearly_every_label_and_short_labels_make_short_blocks() -> None:
    decided = np.arange(0, 100 * DAY, DAY // 4, dtype=np.int64)
    spans = np.where(np.arange(len(decided)) % 20 == 0, 9 * DAY, 2 * DAY)
    blocks = time_blocks(decided, decided + spans)
    assert blocks[-1] + 1 == 50
    assert set(np.bincount(blocks)) == {8}
    short = time_blocks(decided, decided + 60_000_000)
    assert short[-1] + 1 == 400


def test_a_stretch_without_decisions_makes_no_block_and_long_histories_make_no_more_than_500() -> None:
    decided = np.concatenate([np.arange(10), 100 + np.arange(10)]).astype(np.int64) * DAY
    blocks = time_blocks(decided, decided)
    assert list(blocks) == list(range(20))
    years = np.arange(6_000, dtype=np.int64) * DAY
    assert time_blocks(years, years)[-1] + 1 <= 500


def test_blocks_of_samples_out_of_order_are_refused() -> None:
    decided = np.array([2, 1], dtype=np.int64) * DAY
    with pytest.raises(InvalidInput, match="order"):
        time_blocks(decided, decided)
    with pytest.raises(InvalidInput, match="resolved before"):
        time_blocks(decided[::-1], decided[::-1] - 1)
    with pytest.raises(InvalidInput, match="go up by 1"):
        auc_interval([0.1, 0.2], [0, 1], np.array([0, 2]), resamples=100, seed=1)


def test_an_interval_is_the_right_way_round() -> None:
    with pytest.raises(InvalidInput):
        Interval(low=0.6, high=0.5, level=0.95)
