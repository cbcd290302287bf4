"""What one filter earned a trade more than another on the same samples, and how much of that may be chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from domain.errors import InvalidInput
from learning.judgement.blocks import block_sums, drawn_counts, enough_blocks
from learning.judgement.columns import Column, Floats, Ints, column_of, weights_of
from learning.judgement.interval import Interval

RESAMPLES = 10_000
_FEWEST_EFFECTIVE = 2.0
_ROUNDING = 1e-13
_NOTHING_VARIES = 1e-9
"""Share of the variance below which a resample's own is rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """EV per trade of policy a less that of policy b on the same rows, in R.

    `point` is the difference, `low` its one-sided lower bound at error `alpha`, `interval` two-sided. `ev_a` and
    `ev_b` are the means of R over what each takes; `ev_b` is None where b takes nothing, and a is then held against 0.
    `per_signal` is the difference of total R over all rows, divided by the rows. `taken_*` count rows. `blocks` are
    there; `effective_blocks` is how many equally filled ones hold what is taken, by the policy with fewer. `undefined`
    counts resamples in which one of the two took nothing or nothing varied; each of them counts against a.
    """

    point: float
    low: float
    alpha: float
    interval: Interval
    standard_error: float
    ev_a: float
    ev_b: float | None
    taken_a: int
    taken_b: int
    per_signal: float
    blocks: int
    effective_blocks: float
    resamples: int
    undefined: int


def paired_gain(
    r: Column,
    a: Column,
    b: Column,
    blocks: Ints,
    *,
    alpha: float,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int,
) -> Gain:
    """The gain of policy `a` over policy `b` on the rows `r` (R, in order of decision), with its bounds.

    A policy is a weight of at least 0 for each row, 1 where it takes the sample and 0 where it does not. EV per trade
    is a ratio of sums over blocks; its standard error comes from the blocks' influence (Cochran 1977, chapter 6), with
    the covariance of neighbouring blocks added where it is positive, since labels reach over the cut, and corrected
    for leverage as by the jackknife (MacKinnon and White 1985). The bound is the point less that error times the
    larger of two critical values: the quantile of the studentised block bootstrap (Hall 1988), which knows the
    skewness of R, and Student's with one degree of freedom less than the effective blocks (after Carter, Schnepel and
    Steigerwald 2017), which knows that few blocks hold what a takes. `docs/learning.md` has what was measured.

    Raises `InvalidInput` for columns of different length, fewer than `MINIMUM_BLOCKS` blocks, an `a` that takes
    nothing, or too few resamples for `alpha`.
    """
    results = column_of("r", r)
    rows = len(results)
    count = enough_blocks(blocks, rows)
    _check_levels(alpha, level, resamples)
    first, second = weights_of(a, rows, "a"), column_of("b", b, rows)
    if second.min() < 0:
        raise InvalidInput("b must be weights of at least 0")
    sums = block_sums(blocks, count, first * results, first, second * results, second)
    found = _estimated(sums, results, first, second)
    studentised = _studentised(sums, found, resamples=resamples, seed=seed)
    return Gain(
        point=found.point,
        low=found.point - _reach(found, studentised, resamples, 1 - alpha),
        alpha=alpha,
        interval=_interval(found, studentised, resamples, level),
        standard_error=found.error,
        ev_a=found.ev_a,
        ev_b=found.ev_b,
        taken_a=int((first > 0).sum()),
        taken_b=int((second > 0).sum()),
        per_signal=float(((first - second) * results).mean()),
        blocks=count,
        effective_blocks=found.effective,
        resamples=resamples,
        undefined=resamples - len(studentised),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Estimate:
    point: float
    error: float
    ev_a: float
    ev_b: float | None
    effective: float


def _estimated(sums: Floats, results: Floats, first: Floats, second: Floats) -> _Estimate:
    """From the blocks' sums of (a r, a, b r, b) and the columns they were made of.

    The error is never less than it would be if all rows were independent and those taken varied as all do: a few
    trades that all ended at their target show no variation of their own, and prove nothing by that.
    """
    totals = sums.sum(axis=0)
    ev_a = float(totals[0] / totals[1])
    ev_b = float(totals[2] / totals[3]) if totals[3] > 0 else None
    effective = min(_effective(sums[:, 1]), _effective(sums[:, 3]) if ev_b is not None else math.inf)
    apart = first / totals[1] - (0.0 if ev_b is None else second / totals[3])
    least = float(results.std() * np.sqrt(apart @ apart))
    error = max(least, _standard_error(sums @ _influence(totals[None, :])[0], effective))
    scale = float(np.abs(results).max())
    return _Estimate(
        point=_above_rounding(ev_a - (0.0 if ev_b is None else ev_b), scale),
        error=_above_rounding(error, scale),
        ev_a=ev_a,
        ev_b=ev_b,
        effective=effective,
    )


def _effective(taken: Floats) -> float:
    """How many equally filled blocks these amount to: (sum of shares)^2 / sum of squared shares."""
    return float(taken.sum() ** 2 / (taken**2).sum())


def _check_levels(alpha: float, level: float, resamples: int) -> None:
    if not 0 < alpha <= 0.5 or not 0 < level < 1:
        raise InvalidInput(f"alpha {alpha} must lie in (0, 0.5] and level {level} in (0, 1)")
    if alpha * resamples < 1:
        raise InvalidInput(f"{resamples} resamples cannot show an error of {alpha}; at least 1/alpha are needed")


def _influence(totals: Floats) -> Floats:
    """What the sums (a r, a, b r, b) of a block weigh in the difference of the two ratios, for each row of `totals`."""
    of_r_a, of_a, of_r_b, of_b = totals.T
    share_a = 1 / of_a
    share_b = np.divide(1.0, of_b, out=np.zeros_like(of_b), where=of_b > 0)
    return np.stack([share_a, -of_r_a * share_a**2, -share_b, of_r_b * share_b**2], axis=1)


def _standard_error(influence: Floats, effective: float) -> float:
    """With the covariance of blocks up to two apart where it adds, and the leverage of the few that count taken out."""
    own = float(influence @ influence)
    next_one = 2 * float(influence[:-1] @ influence[1:])
    next_but_one = 2 * float(influence[:-2] @ influence[2:])
    variance = max(own, own + next_one, own + next_one + next_but_one)
    return math.sqrt(variance) * effective / max(effective - 1, _ROUNDING)


def _studentised(sums: Floats, found: _Estimate, *, resamples: int, seed: int) -> Floats:
    """(resampled gain - point) / its own standard error, ascending; resamples where that is not defined left out."""
    count = len(sums)
    held = np.hstack([sums, (sums[:, :, None] * sums[:, None, :]).reshape(count, 16)])
    against_nothing = not bool(sums[:, 3].any())
    drawn_ones = []
    for drawn in drawn_counts(count, resamples=resamples, seed=seed):
        drawn_sums = drawn @ held
        defined = (drawn_sums[:, 1] > 0) & ((drawn_sums[:, 3] > 0) | against_nothing)
        totals = drawn_sums[defined, :4]
        influence = _influence(totals)
        products = drawn_sums[defined, 4:].reshape(-1, 4, 4)
        variance = np.einsum("ri,rij,rj->r", influence, products, influence) * count / (count - 1)
        gain = totals[:, 0] * influence[:, 0] + totals[:, 2] * influence[:, 2]
        varied = variance > _NOTHING_VARIES * found.error**2
        drawn_ones.append((gain[varied] - found.point) / np.sqrt(variance[varied]))
    ordered: Floats = np.sort(np.concatenate(drawn_ones))
    return ordered


def _reach(found: _Estimate, ordered: Floats, resamples: int, share: float) -> float:
    """How far the estimate may lie above the truth with `share` certainty: nothing where nothing varies.

    Resamples that are missing in `ordered` count as lying above all others.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import, and no verdict is given while scanning

    if found.error == 0:
        return 0.0
    place = math.ceil((resamples + 1) * share) - 1
    if place >= len(ordered) or found.effective <= _FEWEST_EFFECTIVE:
        return math.inf
    return found.error * max(float(ordered[place]), float(stdtrit(found.effective - 1, share)))


def _interval(found: _Estimate, ordered: Floats, resamples: int, level: float) -> Interval:
    share = (1 + level) / 2
    low, high = _reach(found, ordered, resamples, share), _reach(found, -ordered[::-1], resamples, share)
    return Interval(low=found.point - low, high=found.point + high, level=level)


def _above_rounding(value: float, scale: float) -> float:
    return value if abs(value) > _ROUNDING * scale else 0.0
