"""How likely the best of several trials is luck: by symmetric halves of time, and by the number of trials."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.table import Floats
from learning.validation.deflated import (
    deflated_sharpe,
    expected_maximum_sharpe,
    probabilistic_sharpe,
)
from learning.validation.overfitting import probability_of_overfitting


def slow_pbo(performance: Floats) -> tuple[float, float]:
    """The paper's algorithm in plain words, for performances without ties."""
    from itertools import combinations

    blocks, trials = performance.shape
    logits = []
    for half in combinations(range(blocks), blocks // 2):
        rest = [block for block in range(blocks) if block not in half]
        best = int(np.argmax([performance[list(half), trial].mean() for trial in range(trials)]))
        elsewhere = [performance[rest, trial].mean() for trial in range(trials)]
        rank = sorted(elsewhere).index(elsewhere[best]) + 1
        logits.append(math.log((rank / (trials + 1)) / (1 - rank / (trials + 1))))
    return sum(logit <= 0 for logit in logits) / len(logits), float(np.median(logits))


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([4, 6, 8]), st.integers(2, 7))
def test_all_halves_at_once_are_the_halves_one_by_one(seed: int, blocks: int, trials: int) -> None:
    performance = np.random.default_rng(seed).standard_normal((blocks, trials))
    found = probability_of_overfitting(performance)
    pbo, median = slow_pbo(performance)
    assert found.pbo == pytest.approx(pbo)
    assert found.median_logit == pytest.approx(median)
    assert (found.combinations, found.blocks, found.trials) == (math.comb(blocks, blocks // 2), blocks, trials)


def test_a_trial_that_is_better_everywhere_is_not_overfitted() -> None:
    noise = 0.1 * np.random.default_rng(1).standard_normal((16, 20))
    noise[:, 7] += 1.0
    found = probability_of_overfitting(noise)
    assert found.combinations == 12_870
    assert found.pbo == 0.0
    assert found.median_logit == pytest.approx(math.log(20))


def test_trials_that_only_share_out_the_same_total_are_overfitted_always() -> None:
    noise = np.random.default_rng(2).standard_normal((10, 15))
    found = probability_of_overfitting(noise - noise.mean(axis=0))
    assert found.pbo == 1.0
    assert found.median_logit == pytest.approx(math.log(1 / 15))


def test_worthless_trials_are_overfitted_half_the_time() -> None:
    """200 histories; the PBO of one has a standard deviation below .5, so their mean one below .5 / sqrt(200)."""
    rng = np.random.default_rng(3)
    mean = np.mean([probability_of_overfitting(rng.standard_normal((8, 10))).pbo for _ in range(200)])
    assert abs(mean - 0.5) < 3 * 0.5 / math.sqrt(200)


def test_trials_alike_in_everything_tie_at_the_median_which_counts_as_overfitted() -> None:
    one = np.random.default_rng(4).standard_normal(6)
    found = probability_of_overfitting(np.stack([one, one, one], axis=1))
    assert (found.pbo, found.median_logit) == (1.0, 0.0)
    assert probability_of_overfitting(np.zeros((4, 2))).pbo == 1.0


def test_the_best_of_one_half_that_two_trials_share_has_the_mean_of_their_ranks() -> None:
    # Halves of {0, 1} and {2, 3}: the first two trials tie in the first half and are worst and best in the second.
    performance = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
    found = probability_of_overfitting(performance)
    # {0,1}: tie, ranks 1 and 3 elsewhere: 2 of 3, the median. {2,3}: the second trial, which ties for best with the
    # first elsewhere: 2.5. The four mixed halves: the second trial, alone the best elsewhere: 3.
    assert found.pbo == pytest.approx(1 / 6)
    assert found.median_logit == pytest.approx(math.log(3))


def test_differences_of_rounding_are_ties() -> None:
    # .1 + .2 is not .3 in binary: in a half of such blocks the two trials differ by one rounding.
    performance = np.array([[0.1, 0.3], [0.2, 0.0], [0.1, 0.3], [0.2, 0.0]])
    reordered = performance[:, ::-1]
    assert probability_of_overfitting(performance) == probability_of_overfitting(reordered)


@settings(deadline=None)
@given(st.integers(0, 1_000), st.floats(1e-6, 1e6), st.randoms(use_true_random=False))
def test_neither_the_unit_nor_the_order_of_trials_and_blocks_matters(seed: int, unit: float, random: Any) -> None:
    performance = np.random.default_rng(seed).integers(-3, 4, size=(6, 5)).astype(np.float64)
    moved = performance[random.sample(range(6), 6)][:, random.sample(range(5), 5)]
    here, there = probability_of_overfitting(performance), probability_of_overfitting(moved * unit)
    assert here.pbo == there.pbo
    assert here.median_logit == pytest.approx(there.median_logit)


@pytest.mark.parametrize(
    ("performance", "said"),
    [
        (np.zeros((5, 3)), "5 blocks"),
        (np.zeros((2, 3)), "2 blocks"),
        (np.zeros((18, 3)), "18 blocks"),
        (np.zeros((4, 1)), "1 trials; at least 2"),
        (np.zeros(4), "shape"),
        (np.full((4, 2), math.nan), "not finite"),
    ],
)
def test_performances_that_cannot_be_judged_are_refused(performance: Floats, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        probability_of_overfitting(performance)


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "hurdle", "probability"),
    [(100, -3.0, 10.0, 0.1132, 0.9004), (46, -3.0, 10.0, 0.1004, 0.9505), (88, 0.0, 3.0, 0.1111, 0.9505)],
)
def test_the_worked_example_of_the_paper_comes_out(
    trials: int, skew: float, kurtosis: float, hurdle: float, probability: float
) -> None:
    """Five years of days, an annual ratio of 2.5 on 250 days, and trials whose annual ratios have a variance of 1/2."""
    found = expected_maximum_sharpe(trials, 0.5 / 250)
    assert found == pytest.approx(hurdle, abs=5e-5)
    seen = probabilistic_sharpe(2.5 / math.sqrt(250), found, observations=1250, skew=skew, kurtosis=kurtosis)
    assert seen == pytest.approx(probability, abs=5e-5)


@pytest.mark.parametrize("trials", [10, 100, 1_000])
def test_the_expected_maximum_is_that_of_as_many_normal_draws(trials: int) -> None:
    """The mean of 4,000 maxima is known to .03 at three standard errors; the formula is good to 2%."""
    maxima = np.random.default_rng(5).standard_normal((4_000, trials)).max(axis=1)
    assert expected_maximum_sharpe(trials, 4.0) == pytest.approx(2 * maxima.mean(), rel=0.02, abs=0.06)


def test_one_trial_has_no_hurdle_and_more_trials_a_higher_one() -> None:
    assert expected_maximum_sharpe(1, 1.0) == 0.0
    hurdles = [expected_maximum_sharpe(trials, 1.0) for trials in (1, 2, 3, 10, 1_000)]
    assert hurdles == sorted(set(hurdles))


def test_moments_are_those_of_the_returns() -> None:
    from scipy import stats

    returns = np.random.default_rng(6).gamma(2.0, size=300) - 1.8
    found = deflated_sharpe(returns, trials=1, trial_sharpe_variance=None, effective=None)
    assert found.skew == pytest.approx(stats.skew(returns))
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))
    assert found.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert (found.observations, found.effective, found.trials, found.expected_maximum) == (300, 300.0, 1, 0.0)


def test_the_best_of_many_worthless_trials_passes_as_often_as_one_worthless_trial() -> None:
    """The best of 50 worthless trials of 200 trades, 200 times over.

    Undeflated, nearly all pass at .95. Deflated, the hurdle is the mean of the best, so about half lie above it; a
    share of 200 has a standard error of .035, and the median of maxima lies a little below their mean.
    """
    rng = np.random.default_rng(7)
    deflated, plain = [], []
    for _ in range(200):
        trials = rng.standard_normal((50, 200))
        best = trials[np.argmax(trials.mean(axis=1) / trials.std(axis=1))]
        deflated.append(deflated_sharpe(best, trials=50, trial_sharpe_variance=None, effective=None).probability)
        plain.append(deflated_sharpe(best, trials=1, trial_sharpe_variance=None, effective=None).probability)
    assert np.mean(np.array(plain) > 0.95) > 0.85
    assert np.mean(np.array(deflated) > 0.95) < 0.05
    assert np.mean(np.array(deflated) > 0.5) == pytest.approx(0.46, abs=0.12)


def test_one_worthless_trial_passes_one_time_in_twenty() -> None:
    """2,000 trials: a share of .05 has a standard error of .005."""
    rng = np.random.default_rng(8)
    passed = [
        deflated_sharpe(rng.standard_normal(100), trials=1, trial_sharpe_variance=None, effective=None).probability
        > 0.95
        for _ in range(2_000)
    ]
    assert np.mean(passed) == pytest.approx(0.05, abs=0.015)


def test_labels_that_overlap_are_worth_fewer_observations() -> None:
    """Each return ten times over: the same ratio, and the probability of the tenth of the observations."""
    returns = np.random.default_rng(9).standard_normal(60) + 0.2
    copied = np.repeat(returns, 10)
    once = deflated_sharpe(returns, trials=5, trial_sharpe_variance=None, effective=None)
    fooled = deflated_sharpe(copied, trials=5, trial_sharpe_variance=None, effective=None)
    honest = deflated_sharpe(copied, trials=5, trial_sharpe_variance=None, effective=60.0)
    assert honest.probability == pytest.approx(once.probability, abs=0.01)
    assert fooled.probability > once.probability + 0.03
    assert honest.expected_maximum == once.expected_maximum


def test_trials_that_lie_further_apart_raise_the_hurdle() -> None:
    returns = np.random.default_rng(10).standard_normal(100) + 0.3
    near = deflated_sharpe(returns, trials=20, trial_sharpe_variance=0.001, effective=None)
    far = deflated_sharpe(returns, trials=20, trial_sharpe_variance=0.05, effective=None)
    assert far.expected_maximum == pytest.approx(near.expected_maximum * math.sqrt(50))
    assert far.probability < near.probability


@pytest.mark.parametrize(
    ("returns", "asked", "said"),
    [
        ([0.1, 0.2, 0.3], {}, "at least 4"),
        ([0.1, 0.2, 0.3, math.inf], {}, "finite"),
        ([0.3] * 7, {}, "alike"),
        ([0.1, 0.2, 0.3, 0.5], {"effective": 4.5}, "4 returns cannot be worth 4.5"),
        ([0.1, 0.2, 0.3, 0.5], {"effective": 1.0}, "cannot be worth 1"),
        ([0.1, 0.2, 0.3, 0.5], {"effective": math.nan}, "cannot be worth nan"),
        ([0.1, 0.2, 0.3, 0.5], {"trials": 0}, "0 trials"),
        ([0.1, 0.2, 0.3, 0.5], {"trial_sharpe_variance": -0.1}, "variance"),
    ],
)
def test_what_has_no_deflated_sharpe_ratio_is_refused(returns: list[float], asked: dict[str, Any], said: str) -> None:
    given_values: dict[str, Any] = {"trials": 3, "trial_sharpe_variance": None, "effective": None, **asked}
    with pytest.raises(InvalidInput, match=said):
        deflated_sharpe(np.array(returns), **given_values)
    with pytest.raises(InvalidInput, match="does not go with"):
        probabilistic_sharpe(1.0, 0.0, observations=10, skew=2.0, kurtosis=1.0)
