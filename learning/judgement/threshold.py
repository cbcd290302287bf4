"""The cut-off that earns most per signal, and the curve it is read from.

On pooled out-of-fold calibrated probabilities only: the last fold alone is one stretch of market, and F1 knows neither
costs nor reward (at a target as far as the stop it takes nearly every signal at a loss). Nothing here looks at labels:
what counts is R.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.errors import InvalidInput
from learning.judgement.blocks import block_sums, count_of, drawn_counts
from learning.judgement.columns import Column, Floats, Ints, column_of, probabilities_of, weights_of

RESAMPLES = 1_000
MOST_CANDIDATES = 50


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EvCurve:
    """Columns of equal length, one row for each threshold: what "take p >= threshold" would have come to.

    `taken` counts rows, `coverage` is their share of all weight. `ev_per_trade` is the mean R of those taken, NaN
    where none is; `ev_per_signal` their total R over all rows; `total` is their total R, weighted where weights are.
    """

    threshold: Floats
    taken: Ints
    coverage: Floats
    ev_per_trade: Floats
    ev_per_signal: Floats
    total: Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EvBands:
    """Ends of the interval of `ev_per_signal` at each threshold, point by point, not for the whole curve at once."""

    low: Floats
    high: Floats
    level: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ThresholdChoice:
    """A cut-off and what it came to on the rows it was chosen on, which flatters it.

    `pays` is whether that total R is above 0: where it is not, the cut-off is the least bad one and filtering is all
    it does. `unfiltered` is the mean R of all rows. `steadiness` is the share of resamples that agree on the sign of
    the total.
    """

    threshold: float
    pays: bool
    taken: int
    coverage: float
    ev_per_trade: float
    ev_per_signal: float
    total: float
    unfiltered: float
    steadiness: float


def ev_curve(p: Column, r: Column, w: Column | None, thresholds: Column) -> EvCurve:
    """The curve at these thresholds; p calibrated and out of fold, r in R.

    Raises `InvalidInput` for columns of different length, no row, or a threshold outside [0, 1].
    """
    chances, results = _columns(p, r)
    weights = weights_of(w, len(results))
    cuts = probabilities_of(thresholds, name="thresholds")
    order = np.argsort(-chances, kind="stable")
    taken = np.searchsorted(-chances[order], -cuts, side="right").astype(np.int64)
    weight = np.concatenate([[0.0], np.cumsum(weights[order])])[taken]
    total = np.concatenate([[0.0], np.cumsum((weights * results)[order])])[taken]
    return EvCurve(
        threshold=cuts,
        taken=taken,
        coverage=weight / weights.sum(),
        ev_per_trade=np.divide(total, weight, out=np.full(len(cuts), np.nan), where=weight > 0),
        ev_per_signal=total / weights.sum(),
        total=total,
    )


def ev_bands(
    p: Column,
    r: Column,
    blocks: Ints,
    thresholds: Column,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int,
) -> EvBands:
    """Percentile bands of EV per signal over resampled blocks; rows in order of decision.

    Raises `InvalidInput` as `ev_curve` does, for blocks that do not fit, or a level outside (0, 1).
    """
    chances, results = _columns(p, r)
    if not 0 < level < 1:
        raise InvalidInput(f"a level of {level} does not lie in (0, 1)")
    totals, sizes = _resampled(chances, results, blocks, probabilities_of(thresholds), resamples, seed)
    low, high = np.quantile(totals / sizes[:, None], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return EvBands(low=low, high=high, level=level)


def choose_threshold(
    p: Column,
    r: Column,
    *,
    blocks: Ints,
    minimum_taken: int = 30,
    minimum_coverage: float = 0.1,
    seed: int,
) -> ThresholdChoice:
    """The cut-off for calibrated probabilities p, pooled out of fold, in order of decision, by total R.

    In each of `RESAMPLES` resamples of blocks the cut-off with the highest total is found, among at most
    `MOST_CANDIDATES` that take at least `minimum_taken` rows and `minimum_coverage` of them; the answer is their mean
    (bagging, Breiman 1996: the best cut-off of one sample jumps with single trades, the mean of many hardly moves). In
    simulations it came closer to the best true EV than the maximum itself, a smoothed one, or the highest lower
    quantile; `docs/learning.md` has the figures. Where all of them lose, this takes few. A cut-off that takes every
    row is 0. Raises `InvalidInput` for unfit columns or blocks, or a nonsensical minimum.
    """
    chances, results = _columns(p, r)
    if minimum_taken < 1 or not 0 <= minimum_coverage <= 1:
        raise InvalidInput(f"at least {minimum_taken} rows and a share of {minimum_coverage}; 1 and a share in [0, 1]")
    least = min(len(chances), max(minimum_taken, int(np.ceil(minimum_coverage * len(chances)))))
    candidates = _candidates(chances, least)
    totals, _ = _resampled(chances, results, blocks, candidates, RESAMPLES, seed)
    bagged = float(candidates[totals.argmax(axis=1)].mean())
    highest = float(candidates[0])
    threshold = 0.0 if bagged <= chances.min() else min(bagged, highest)
    takes = chances >= threshold
    total = float(results[takes].sum())
    again, _ = _resampled(chances, results, blocks, np.array([threshold]), RESAMPLES, seed)
    return ThresholdChoice(
        threshold=threshold,
        pays=total > 0,
        taken=int(takes.sum()),
        coverage=float(takes.mean()),
        ev_per_trade=total / int(takes.sum()),
        ev_per_signal=total / len(results),
        total=total,
        unfiltered=float(results.mean()),
        steadiness=float(((again[:, 0] > 0) == (total > 0)).mean()),
    )


def _columns(p: Column, r: Column) -> tuple[Floats, Floats]:
    results = column_of("r", r)
    if not len(results):
        raise InvalidInput("there is no sample to set a cut-off on")
    return probabilities_of(p, len(results)), results


def _candidates(chances: Floats, least: int) -> Floats:
    """Values of p, descending and each once, that take from `least` rows to all of them in about even steps."""
    descending = np.sort(chances)[::-1]
    taken = np.unique(np.linspace(least, len(chances), MOST_CANDIDATES).round().astype(np.int64))
    found: Floats = np.unique(descending[taken - 1])[::-1]
    return found


def _resampled(
    chances: Floats, results: Floats, blocks: Ints, thresholds: Floats, resamples: int, seed: int
) -> tuple[Floats, Floats]:
    """Total R at each threshold in each resample, resamples x thresholds, and how many rows each resample has."""
    count = count_of(blocks, len(results))
    columns = [np.where(chances >= threshold, results, 0.0) for threshold in thresholds]
    sums = block_sums(blocks, count, np.ones(len(results)), *columns)
    found = np.concatenate([drawn @ sums for drawn in drawn_counts(count, resamples=resamples, seed=seed)])
    return found[:, 1:], found[:, 0]
