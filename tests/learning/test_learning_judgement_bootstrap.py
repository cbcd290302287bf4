"""The paired gain: the textbook where rows are independent, honest where they overlap, quick enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.judgement.blocks import MINIMUM_BLOCKS
from learning.judgement.bootstrap import Gain, paired_gain

ALPHAS = (0.05, 0.01)


def gain_of(r: Any, a: Any, b: Any, blocks: Any, **changed: Any) -> Gain:
    return paired_gain(r, a, b, blocks, **{"alpha": 0.05, "resamples": 1_000, "seed": 1} | changed)


def market(seed: int, rows: int = 400, a_block: int = 8) -> tuple[np.ndarray, ...]:
    """Fat-tailed results, two filters that know nothing of them, and blocks."""
    rng = np.random.default_rng(seed)
    takes = (rng.random((2, rows)) < [[0.3], [0.6]]).astype(np.float64)
    return rng.standard_t(3, rows), takes[0], takes[1], np.arange(rows) // a_block


def test_the_point_is_the_difference_of_the_means_of_what_is_taken() -> None:
    r, a, b, blocks = market(1)
    found = gain_of(r, a, b, blocks)
    assert found.ev_a == pytest.approx(r[a == 1].mean())
    assert found.ev_b == pytest.approx(r[b == 1].mean())
    assert found.point == pytest.approx(found.ev_a - r[b == 1].mean())
    assert found.per_signal == pytest.approx((r[a == 1].sum() - r[b == 1].sum()) / len(r))
    assert (found.taken_a, found.taken_b, found.blocks) == (a.sum(), b.sum(), 50)
    assert found.low <= found.point
    assert found.interval.low <= found.point <= found.interval.high
    assert found.undefined == 0


def test_independent_normal_rows_give_the_textbook_error() -> None:
    rng = np.random.default_rng(2)
    r = rng.standard_normal(3_000)
    a = (np.arange(3_000) % 3 == 0).astype(np.float64)
    found = gain_of(r, a, 1 - a, np.arange(3_000) // 10, alpha=0.025, resamples=4_000)
    error = np.sqrt(1 / 1_000 + 1 / 2_000)
    assert found.standard_error == pytest.approx(error, rel=0.12)
    assert (found.point - found.low) / found.standard_error == pytest.approx(1.97, abs=0.12)
    assert found.interval.low == found.low


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_scaling_r_scales_everything_and_swapping_the_policies_mirrors_it(seed: int, scale: float) -> None:
    r, a, b, blocks = market(seed, rows=160, a_block=5)
    plain = gain_of(r, a, b, blocks, resamples=200)
    scaled = gain_of(r * scale, a, b, blocks, resamples=200)
    assert scaled.low == pytest.approx(plain.low * scale)
    assert scaled.point == pytest.approx(plain.point * scale)
    swapped = gain_of(r, b, a, blocks, resamples=200)
    assert swapped.point == pytest.approx(-plain.point)
    assert swapped.interval.high == pytest.approx(-plain.interval.low, abs=0.6 * plain.standard_error)
    assert gain_of(-r, a, b, blocks, resamples=200).point == pytest.approx(-plain.point)
    assert gain_of(r + 5, a, b, blocks, resamples=200).point == pytest.approx(plain.point)


def test_a_policy_gains_nothing_over_itself_also_when_weighted_alike() -> None:
    r, a, _, blocks = market(3)
    for other in (a, 2 * a):
        found = gain_of(r, a, other, blocks)
        assert (found.point, found.low, found.standard_error) == (0, 0, 0)


def test_a_policy_that_takes_nothing_earns_nothing() -> None:
    r, a, _, blocks = market(4)
    found = gain_of(r + 1, a, np.zeros(len(r)), blocks)
    assert found.ev_b is None
    assert found.point == found.ev_a
    assert found.low > 0
    with pytest.raises(InvalidInput, match="a must be weights"):
        gain_of(r, np.zeros(len(r)), a, blocks)


def test_what_is_taken_in_two_blocks_only_has_no_lower_bound() -> None:
    r, _, _, blocks = market(5)
    a = (blocks < 2).astype(np.float64)
    found = gain_of(r + 10 * a, a, np.ones(len(r)), blocks)
    assert found.point > 5
    assert found.low == -np.inf
    assert found.effective_blocks == pytest.approx(2)
    assert found.undefined > 100


def test_blocks_that_end_like_their_neighbours_widen_the_error() -> None:
    """40 blocks of 5 rows, two neighbours with the same mean: what they share is added, and the leverage of 40 blocks
    is taken out. Neighbours that end the other way round take nothing off."""
    rng = np.random.default_rng(3)
    r = np.repeat(rng.standard_normal(20), 10)
    found = gain_of(r, np.ones(200), np.zeros(200), np.arange(200) // 5)
    of_blocks = (r - r.mean()).reshape(40, 5).sum(axis=1) / 200
    own, shared = of_blocks @ of_blocks, 2 * (of_blocks[:-1] @ of_blocks[1:])
    assert shared > 0.5 * own
    assert found.standard_error == pytest.approx(np.sqrt(own + shared) * 40 / 39)
    falling = gain_of(np.tile(np.repeat([1.0, -1.0], 5), 20), np.ones(200), np.zeros(200), np.arange(200) // 5)
    assert falling.standard_error == pytest.approx(np.sqrt(40 * (5 / 200) ** 2) * 40 / 39)


def test_a_few_trades_that_all_reached_their_target_prove_nothing_by_having_no_variance() -> None:
    """Where four of five signals win 0.25 R, thirty winners in a row are luck often enough; by themselves they vary
    not at all."""
    rng = np.random.default_rng(12)
    r = np.where(rng.random(600) < 0.8, 0.25, -1.05)
    a = np.zeros(600)
    a[rng.choice(np.flatnonzero(r > 0), 30, replace=False)] = 1
    found = gain_of(r, a, np.ones(600), np.arange(600) // 10, alpha=0.001, resamples=10_000)
    assert found.point > 0.2
    assert found.low <= 0
    assert found.standard_error >= r.std() * np.sqrt(1 / 30 - 1 / 600) * (1 - 1e-12)


def test_a_large_gain_is_found_and_the_bound_tightens_with_alpha() -> None:
    r, a, _, blocks = market(6)
    lows = [gain_of(r + a, a, np.ones(len(r)), blocks, alpha=alpha, resamples=10_000).low for alpha in (0.05, 0.001)]
    assert 0 < lows[1] < lows[0] < 0.8


def overlapping(rng: np.random.Generator, rows: int, *, target: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First touch of a stop at 1 R or a target on one fat-tailed walk that all signals live through, three a step; a
    filter that takes stretches of time at random; and blocks of as many steps as nearly every label lasts."""
    steps, lasts = rows // 3, 16
    walk = np.concatenate([[0.0], np.cumsum(rng.standard_t(3, steps + lasts) / np.sqrt(3))])
    begun = np.repeat(np.arange(steps), 3)
    side = np.where(rng.random(rows) < 0.9, 1.0, -1.0)
    ahead = (walk[begun[:, None] + 1 + np.arange(lasts)] - walk[begun][:, None]) * side[:, None] / 2
    touched = (ahead <= -1) | (ahead >= target)
    first = np.where(touched.any(axis=1), touched.argmax(axis=1), lasts - 1)
    r = np.minimum(ahead[np.arange(rows), first], target) - 0.05
    mood = np.repeat(np.convolve(rng.standard_normal(steps + 19), np.ones(20), mode="valid"), 3)
    length = max(5, int(np.quantile(first + 1, 0.9)))
    return r, (mood >= np.quantile(mood, 0.75)).astype(np.float64), begun // length


@pytest.mark.parametrize("target", [0.4, 3.0])
def test_a_filter_that_knows_nothing_is_found_better_no_more_often_than_alpha(target: float) -> None:
    """Whether R is skewed to the left or to the right; taking each row for itself errs several times as often."""
    histories = 300
    rng = np.random.default_rng(11)
    false = dict.fromkeys(ALPHAS, 0)
    naive = dict.fromkeys(ALPHAS, 0)
    for seed in range(histories):
        r, a, blocks = overlapping(rng, 1_200, target=target)
        everything = np.ones(len(r))
        for alpha in ALPHAS:
            false[alpha] += gain_of(r, a, everything, blocks, alpha=alpha, resamples=400, seed=seed).low > 0
            own = a / a.sum() * (r - r[a == 1].mean()) - (r - r.mean()) / len(r)
            critical = {0.05: 1.645, 0.01: 2.326}[alpha]
            naive[alpha] += (r[a == 1].mean() - r.mean()) > critical * np.sqrt((own**2).sum())
    for alpha in ALPHAS:
        allowed = alpha * histories + 2.5 * np.sqrt(alpha * histories)
        assert false[alpha] <= allowed, (alpha, false, naive)
        assert naive[alpha] > 2 * allowed, (alpha, false, naive)
    assert false[0.05] >= 3


def test_the_same_seed_gives_the_same_bits() -> None:
    r, a, b, blocks = market(8)
    assert gain_of(r, a, b, blocks) == gain_of(r, a, b, blocks)
    assert gain_of(r, a, b, blocks).low != gain_of(r, a, b, blocks, seed=2).low


def test_few_blocks_other_rows_and_too_few_resamples_are_refused() -> None:
    r, a, b, blocks = market(9)
    with pytest.raises(InvalidInput, match=f"too few independent blocks: 19 of {MINIMUM_BLOCKS}"):
        gain_of(r[:152], a[:152], b[:152], blocks[:152])
    with pytest.raises(InvalidInput, match="same samples"):
        gain_of(r, a, b[:-1], blocks)
    with pytest.raises(InvalidInput, match="blocks are"):
        gain_of(r, a, b, blocks[:-1])
    with pytest.raises(InvalidInput, match="1/alpha"):
        gain_of(r, a, b, blocks, alpha=0.0005)
    with pytest.raises(InvalidInput, match="alpha"):
        gain_of(r, a, b, blocks, alpha=0.0)
    with pytest.raises(InvalidInput, match="b must be"):
        gain_of(r, a, -b, blocks)
