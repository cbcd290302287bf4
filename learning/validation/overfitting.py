"""How likely the best of several trials is to be worse than most of them elsewhere (CSCV).

Bailey, Borwein, López de Prado and Zhu (2017), The Probability of Backtest Overfitting, Journal of Computational
Finance 20(4). The blocks of a history are divided into two halves in every way; the trial that is best in one half is
ranked among all in the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from domain.errors import InvalidInput
from learning.table import Floats, Ints

MOST_BLOCKS = 16
_FEWEST_BLOCKS = 4
_STEPS = 2.0**40
"""Performances are compared in steps of the largest one's 2**-40th: smaller differences are rounding, thus ties."""
_AT_ONCE = 1_024


@dataclass(frozen=True, kw_only=True, slots=True)
class Pbo:
    """What came of all `combinations` ways to divide the blocks into two halves.

    `pbo` in [0, 1] is the share of them in which the best trial of one half was at or below the median of the other
    half; `median_logit` the median of ln(w / (1 - w)), where w is its rank there divided by the trials + 1: above 0 it
    was better than the median trial.
    """

    pbo: float
    combinations: int
    median_logit: float
    trials: int
    blocks: int


def probability_of_overfitting(performance: Floats) -> Pbo:
    """PBO of `performance`, blocks x trials: what each trial earned in each block of time, higher being better.

    A half's performance is the mean of its blocks, so a block's figure should be a mean or sum over equal stretches; a
    trial that did nothing in a block has what nothing earns there (0 R), not NaN. Where trials share the best place in
    one half, the mean of their ranks in the other counts; tied ranks are averaged. A median rank counts as overfitted,
    as in the paper: two trials alike in everything have a PBO of 1. Raises `InvalidInput` unless the number of
    blocks is even and 4 to 16, there are at least two trials (one was not chosen from anything), and all is finite.
    """
    if performance.ndim != 2:
        raise InvalidInput(f"performance has the shape {performance.shape}; blocks x trials is needed")
    blocks, trials = performance.shape
    if blocks % 2 or not _FEWEST_BLOCKS <= blocks <= MOST_BLOCKS:
        raise InvalidInput(f"{blocks} blocks; an even number from {_FEWEST_BLOCKS} to {MOST_BLOCKS} is needed")
    if trials < 2:
        raise InvalidInput(f"{trials} trials; at least 2 are needed for one to be chosen")
    if not bool(np.isfinite(performance).all()):
        raise InvalidInput("a performance is not finite; a trial that did nothing in a block earned 0 there")
    largest = float(np.abs(performance).max())
    steps = np.rint(performance / (largest or 1.0) * _STEPS).astype(np.int64)
    halves = np.array(list(combinations(range(blocks), blocks // 2)), dtype=np.int64)
    ranks = np.concatenate(
        [_ranks_elsewhere(steps, halves[start : start + _AT_ONCE]) for start in range(0, len(halves), _AT_ONCE)]
    )
    logits = np.log(ranks / (trials + 1 - ranks))
    return Pbo(
        pbo=float(np.mean(2 * ranks <= trials + 1)),
        combinations=len(halves),
        median_logit=float(np.median(logits)),
        trials=trials,
        blocks=blocks,
    )


def _ranks_elsewhere(steps: Ints, halves: Ints) -> Floats:
    """The rank, 1 being worst, that each half's best trial has in the blocks outside that half."""
    inside = steps[halves].sum(axis=1)
    outside = steps.sum(axis=0) - inside
    best = inside == inside.max(axis=1, keepdims=True)
    ranks = np.zeros(len(halves))
    for trial in np.flatnonzero(best.any(axis=0)):
        chosen = np.flatnonzero(best[:, trial])
        others, own = outside[chosen], outside[chosen, trial][:, np.newaxis]
        ranks[chosen] += np.count_nonzero(others < own, axis=1) + (np.count_nonzero(others == own, axis=1) + 1) / 2
    mean: Floats = ranks / np.count_nonzero(best, axis=1)
    return mean
