"""How well probabilities rank winners above losers, and how far chance goes in that.

The formulas of Hanley and McNeil (1982) and DeLong et al. (1988) give the error of an AUC over independent samples.
Labels that overlap are not independent, so the interval here draws whole blocks of neighbouring decisions anew.
"""

from __future__ import annotations

import math

import numpy as np

from learning.judgement.blocks import MINIMUM_BLOCKS, block_sums, count_of, drawn_counts
from learning.judgement.columns import Column, Floats, Ints, scored_columns
from learning.judgement.interval import Interval

__all__ = ["Interval", "auc", "auc_interval"]


def auc(p: Column, y: Column, w: Column | None = None) -> float | None:
    """P(a winner's p > a loser's p), ties counted half, weighted by `w`; None where one class is missing.

    Raises `InvalidInput` for columns of different length, labels other than 0 and 1, or no sample.
    """
    scores, labels, weights = scored_columns(p, y, w)
    places = np.unique(scores, return_inverse=True)[1]
    winners = np.bincount(places, weights * labels)
    losers = np.bincount(places, weights * (1 - labels))
    pairs = float(winners.sum() * losers.sum())
    if not pairs > 0:
        return None
    below = np.cumsum(losers) - losers
    return float(winners @ (below + losers / 2)) / pairs


def auc_interval(
    p: Column,
    y: Column,
    blocks: Ints,
    w: Column | None = None,
    *,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int,
) -> Interval | None:
    """The AUC's interval by resampling whole blocks, rows in order of decision.

    On the scale of log-odds, the point plus and minus Student's quantile (one degree of freedom less than blocks)
    times the standard deviation over the resamples. None where no honest one can be given: one class is missing, every
    pair stands on one side, or there are fewer than `MINIMUM_BLOCKS` blocks. Raises `InvalidInput` as `auc` does, and
    for blocks that do not fit the rows.
    """
    scores, labels, weights = scored_columns(p, y, w)
    count = count_of(blocks, len(scores))
    point = auc(scores, labels, weights)
    if point is None or not 0 < point < 1 or count < MINIMUM_BLOCKS:
        return None
    wins = _wins_between(scores, labels, weights, np.asarray(blocks, dtype=np.int64), count)
    sums = block_sums(np.asarray(blocks, dtype=np.int64), count, weights * labels, weights * (1 - labels))
    drawn = []
    for counts in drawn_counts(count, resamples=resamples, seed=seed):
        pairs = (counts @ sums[:, 0]) * (counts @ sums[:, 1])
        won = np.einsum("rk,rk->r", counts @ wins, counts)
        inside = (pairs > 0) & (won > 0) & (won < pairs)
        share = won[inside] / pairs[inside]
        drawn.append(np.log(share / (1 - share)))
    centre = math.log(point / (1 - point))
    reach = _student(count - 1, (1 + level) / 2) * float(np.concatenate(drawn).std(ddof=1))
    return Interval(low=_logistic(centre - reach), high=_logistic(centre + reach), level=level)


def _wins_between(scores: Floats, labels: Floats, weights: Floats, blocks: Ints, count: int) -> Floats:
    """Weight of pairs in which a winner of block k stands above a loser of block l (ties half), count x count."""
    won = np.flatnonzero(labels == 1)
    wins = np.zeros((count, count))
    for block in range(count):
        lost = np.flatnonzero((labels == 0) & (blocks == block))
        if not len(lost):
            continue
        lost = lost[np.argsort(scores[lost], kind="stable")]
        cumulated = np.concatenate([[0.0], np.cumsum(weights[lost])])
        below = cumulated[np.searchsorted(scores[lost], scores[won], side="left")]
        upto = cumulated[np.searchsorted(scores[lost], scores[won], side="right")]
        wins[:, block] = np.bincount(blocks[won], weights[won] * (below + upto) / 2, count)
    return wins


def _student(freedom: int, share: float) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import, and no verdict is given while scanning

    return float(stdtrit(freedom, share))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
