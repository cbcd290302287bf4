"""The cut-off by expected value: what it earns on signals it has not seen, and what F1 would have cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.judgement.ranking import auc
from learning.judgement.threshold import choose_threshold, ev_bands, ev_curve
from learning.samples import break_even

COST = 0.1
SIGNALS_A_BLOCK = 10


@dataclass(frozen=True)
class World:
    """Signals whose chance of reaching the target is known: log-odds normal around those of `base`."""

    target: float
    base: float = 0.4525
    spread: float = 0.2376

    def chances(self, rng: np.random.Generator, rows: int) -> np.ndarray:
        odds = np.log(self.base / (1 - self.base)) + self.spread * rng.standard_normal(rows)
        return 1 / (1 + np.exp(-odds))

    def drawn(self, seed: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        p = self.chances(rng, rows)
        y = rng.random(rows) < p
        return p, y, np.where(y, self.target, -1.0) - COST, np.arange(rows) // SIGNALS_A_BLOCK

    def true_ev(self, threshold: float) -> float:
        """EV per signal of taking p >= threshold, in the long run."""
        p = self.chances(np.random.default_rng(99), 200_000)
        return float(np.where(p >= threshold, p * self.target - (1 - p) - COST, 0.0).mean())


def f1_threshold(p: np.ndarray, y: np.ndarray) -> float:
    order = np.argsort(-p)
    hits = np.cumsum(y[order])
    return float(p[order][np.argmax(2 * hits / (np.arange(1, len(p) + 1) + y.sum()))])


def test_where_the_target_is_as_far_as_the_stop_f1_takes_all_at_a_loss_and_ev_takes_few() -> None:
    """True AUC 0.57: nothing but the best twentieth pays its costs."""
    world = World(target=1.0)
    p, y, r, blocks = world.drawn(1, 40_000)
    ranked = auc(p, y.astype(np.int64))
    assert ranked == pytest.approx(0.57, abs=0.01)
    f1 = f1_threshold(p, y)
    assert (p >= f1).mean() > 0.95
    assert world.true_ev(f1) < -0.18
    choice = choose_threshold(p, r, blocks=blocks, seed=1)
    assert choice.coverage < 0.2
    assert world.true_ev(choice.threshold) > -0.001
    freer = choose_threshold(p, r, blocks=blocks, minimum_coverage=0.02, seed=1)
    assert freer.coverage < 0.12
    assert freer.threshold == pytest.approx(break_even(reward_risk=1.0, cost_r=COST), abs=0.015)
    assert world.true_ev(freer.threshold) > 0


def test_where_the_target_is_further_the_cut_off_earns_clearly_more_than_f1() -> None:
    world = World(target=1.5)
    gained = []
    for seed in range(10):
        p, y, r, blocks = world.drawn(seed, 3_000)
        choice = choose_threshold(p, r, blocks=blocks, seed=seed)
        assert choice.pays
        gained.append(world.true_ev(choice.threshold) - world.true_ev(f1_threshold(p, y)))
    assert world.true_ev(0.0) == pytest.approx(0.03, abs=0.01)
    assert world.true_ev(break_even(reward_risk=1.5, cost_r=COST)) == pytest.approx(0.073, abs=0.01)
    assert np.mean(gained) > 0.025
    assert min(gained) > 0.01


def test_the_mean_over_resamples_comes_closer_to_the_truth_than_the_highest_total() -> None:
    world = World(target=1.5)
    ours, highest = [], []
    for seed in range(40):
        p, _, r, blocks = world.drawn(seed, 300)
        ours.append(world.true_ev(choose_threshold(p, r, blocks=blocks, seed=seed).threshold))
        descending = np.sort(p)[::-1][29:]
        curve = ev_curve(p, r, None, descending)
        highest.append(world.true_ev(float(descending[np.argmax(curve.total)])))
    assert np.mean(ours) > np.mean(highest) + 0.002
    assert min(ours) > min(highest)


def test_one_lucky_trade_does_not_set_the_cut_off() -> None:
    """15 R for a signal that hardly any cut-off takes: the highest total may jump to it across half of all signals."""
    world = World(target=1.5)
    ours, highest = [], []
    for seed in range(8):
        p, _, r, blocks = world.drawn(seed, 600)
        lucky = r.copy()
        lucky[np.argsort(p)[60]] += 15.0
        cuts = np.sort(p)[:-60]
        totals = [ev_curve(p, results, None, cuts).total for results in (r, lucky)]
        highest.append(abs(int(totals[0].argmax()) - int(totals[1].argmax())))
        taken = [choose_threshold(p, results, blocks=blocks, seed=1).taken for results in (r, lucky)]
        ours.append(abs(taken[0] - taken[1]))
    assert max(highest) > 300
    assert max(ours) < 120


def test_what_pays_everywhere_is_taken_everywhere() -> None:
    world = World(target=1.0, base=0.8)
    p, _, r, blocks = world.drawn(1, 1_000)
    choice = choose_threshold(p, r, blocks=blocks, seed=1)
    assert choice.coverage > 0.97
    assert choice.pays
    assert choice.steadiness > 0.99


def test_what_pays_nowhere_is_flagged_and_takes_as_little_as_it_may() -> None:
    world = World(target=1.0, base=0.3)
    p, _, r, blocks = world.drawn(1, 1_000)
    choice = choose_threshold(p, r, blocks=blocks, minimum_taken=30, minimum_coverage=0.1, seed=1)
    assert not choice.pays
    assert 0.1 <= choice.coverage < 0.15
    assert choice.total < 0
    assert choice.ev_per_signal > choice.unfiltered


def test_with_fewer_rows_than_the_minimum_all_are_taken() -> None:
    p, _, r, blocks = World(target=1.0).drawn(1, 20)
    choice = choose_threshold(p, r, blocks=blocks, seed=1)
    assert (choice.threshold, choice.taken, choice.coverage) == (0.0, 20, 1.0)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(5, 120),
    st.integers(0, 50),
    st.integers(1, 60),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.sampled_from([1, 3, 100]),
)
def test_the_minimum_taken_and_the_coverage_are_kept(
    rows: int, seed: int, taken: int, coverage: float, steps: int
) -> None:
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(rows) * steps) / steps
    r = rng.standard_t(3, rows)
    blocks = np.arange(rows) // 3
    choice = choose_threshold(p, r, blocks=blocks, minimum_taken=taken, minimum_coverage=coverage, seed=seed)
    assert choice.taken >= min(rows, max(taken, int(np.ceil(coverage * rows))))
    takes = p >= choice.threshold
    assert choice.taken == takes.sum()
    assert choice.total == pytest.approx(r[takes].sum())
    assert choice == choose_threshold(p, r, blocks=blocks, minimum_taken=taken, minimum_coverage=coverage, seed=seed)


def test_the_curve_is_what_counting_gives() -> None:
    p = np.array([0.2, 0.4, 0.4, 0.9])
    r = np.array([-1.0, 2.0, -1.1, 0.5])
    curve = ev_curve(p, r, None, [0.0, 0.4, 0.41, 0.9, 1.0])
    assert list(curve.taken) == [4, 3, 1, 1, 0]
    assert curve.total == pytest.approx([0.4, 1.4, 0.5, 0.5, 0.0])
    assert curve.ev_per_trade[:4] == pytest.approx([0.1, 1.4 / 3, 0.5, 0.5])
    assert np.isnan(curve.ev_per_trade[4])
    assert curve.ev_per_signal == pytest.approx([0.1, 0.35, 0.125, 0.125, 0])
    weighted = ev_curve(p, r, [1, 2, 1, 1], [0.4])
    assert weighted.total == pytest.approx([4 - 1.1 + 0.5])
    assert weighted.coverage == pytest.approx([0.8])
    assert weighted.ev_per_trade == pytest.approx([3.4 / 4])


def test_the_bands_hold_the_curve_and_widen_when_neighbours_end_alike() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(600)
    alike = np.repeat(rng.standard_normal(60), 10)
    cuts = [0.0, 0.3, 0.6]
    blocks = np.arange(600) // 10
    bands = ev_bands(p, alike, blocks, cuts, seed=1)
    apart = ev_bands(p, alike, np.arange(600), cuts, seed=1)
    middle = ev_curve(p, alike, None, cuts).ev_per_signal
    assert ((bands.low < middle) & (middle < bands.high)).all()
    assert (bands.high - bands.low)[0] > 2 * (apart.high - apart.low)[0]


def test_columns_of_different_samples_are_refused() -> None:
    with pytest.raises(InvalidInput, match="same samples"):
        choose_threshold([0.1, 0.2], [1.0], blocks=np.array([0]), seed=1)
    with pytest.raises(InvalidInput, match="blocks"):
        choose_threshold([0.1, 0.2], [1.0, 1.0], blocks=np.array([0]), seed=1)
    with pytest.raises(InvalidInput, match="no sample"):
        ev_curve([], [], None, [0.5])
    with pytest.raises(InvalidInput, match="at least 0 rows"):
        choose_threshold([0.1], [1.0], blocks=np.array([0]), minimum_taken=0, seed=1)
