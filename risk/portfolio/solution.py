"""From returns to weights, on arrays: what a daemon asks for, and what it can count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from risk.portfolio.bounded import Lines, bounded
from risk.portfolio.bounds import in_proportion
from risk.portfolio.covariance import covariance
from risk.portfolio.failure import NO_VARIANCE, SINGULAR, NotSolved
from risk.portfolio.hierarchy import hierarchical
from risk.portfolio.parity import risk_parity
from risk.portfolio.question import SUM_TOLERANCE, Method, Question, question
from risk.portfolio.sharpe import max_sharpe
from risk.portfolio.variance import min_variance

Floats = NDArray[np.float64]

KEPT_WITHIN = 1e-5
"""Previous weights may have been rounded: this far from weights of sum 1 within the bounds they can be kept."""

REPAIRED_WITHIN = 1e-6
"""A nearly singular covariance may leave a sum this far from 1; further, the weights are not believed."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Solution:
    """Weights (N,) within the bounds, of sum 1, and how they came about.

    `method_used` is what was asked for, or what took its place: then `fell_back` is true and `reason` is one of
    `failure.REASONS`. `iterations` counts linear systems solved in search of the answer, 0 where there is a formula.
    `turnover` is sum |weights - previous|, None without previous weights; `kept_previous` says that no change was
    beyond the no-trade band. `left_out` are the places of instruments that never moved.
    """

    weights: Floats
    method_used: Method
    fell_back: bool
    reason: str | None
    iterations: int
    turnover: float | None
    kept_previous: bool
    left_out: tuple[int, ...]


def solve(
    returns: Floats,
    method: str,
    *,
    names: Sequence[str] | None = None,
    previous: Floats | None = None,
    lower: float | Floats = 0.0,
    upper: float | Floats = 1.0,
    turnover_cost: float = 0.0,
    no_trade_band: float = 0.0,
    shrinkage: float | None = None,
    linkage: str = "ward",
    iteration_limit: int | None = None,
) -> Solution:
    """The weights that a method gives to simple returns (T, N), as `risk.portfolio.weights` describes it, on arrays.

    `previous` and bounds given one by one are (N,); `names` are for messages. `iteration_limit` ends a search that
    takes longer, 100 + 20 N rounds unless given. That is a failure like any other: inverse volatility takes the
    method's place, and where nothing moved at all, equal weights. Raises `InvalidInput` for what cannot be answered.
    """
    asked = question(
        returns,
        method,
        names=names,
        previous=previous,
        lower=lower,
        upper=upper,
        turnover_cost=turnover_cost,
        no_trade_band=no_trade_band,
        shrinkage=shrinkage,
        linkage=linkage,
        iteration_limit=iteration_limit,
    )
    used, reason = asked.method, None
    try:
        found, rounds = _answer(asked)
    except (NotSolved, np.linalg.LinAlgError) as failed:
        reason = failed.reason if isinstance(failed, NotSolved) else SINGULAR
        used = Method.INVERSE_VOLATILITY if asked.moving.any() else Method.EQUAL
        found, rounds = _instead(asked, used)
    return _told(asked, found, used, reason, rounds)


def _told(asked: Question, found: Floats, used: Method, reason: str | None, rounds: int) -> Solution:
    """The solution, with the previous weights in place of new ones that hardly differ."""
    kept, weights = False, found
    if asked.previous is not None and float(np.max(np.abs(found - asked.previous))) <= asked.no_trade_band:
        stay = in_proportion(asked.previous, asked.lower, asked.upper)
        kept = float(np.max(np.abs(stay - asked.previous))) <= KEPT_WITHIN
        weights = stay if kept else found
    needs_risk = used is not Method.EQUAL
    return Solution(
        weights=weights,
        method_used=used,
        fell_back=reason is not None,
        reason=reason,
        iterations=rounds,
        turnover=None if asked.previous is None else float(np.sum(np.abs(weights - asked.previous))),
        kept_previous=kept,
        left_out=tuple(int(place) for place in np.flatnonzero(~asked.moving)) if needs_risk else (),
    )


def _answer(asked: Question) -> tuple[Floats, int]:
    """The checked weights of the method that was asked for, and the rounds they took."""
    weights, rounds = _of_all(asked) if asked.method is Method.EQUAL or asked.moving.all() else _of_moving(asked)
    off = abs(float(weights.sum()) - 1.0)
    if not off <= REPAIRED_WITHIN:
        raise NotSolved(SINGULAR)
    return (weights if off <= SUM_TOLERANCE else in_proportion(weights, asked.lower, asked.upper)), rounds


def _of_moving(asked: Question) -> tuple[Floats, int]:
    """What never moved tells nothing about its risk: it gets its lower bound, and more only where bounds force it."""
    if not asked.moving.any():
        raise NotSolved(NO_VARIANCE)
    weights = np.where(asked.moving, 0.0, asked.lower)
    rest = 1.0 - float(weights.sum())
    if float(asked.upper[asked.moving].sum()) <= rest or float(asked.lower[asked.moving].sum()) >= rest:
        return in_proportion(asked.inverse_volatilities(), asked.lower, asked.upper), 0
    found, rounds = _of_all(asked.of_moving(rest))
    weights[asked.moving] = rest * found
    return weights, rounds


def _of_all(asked: Question) -> tuple[Floats, int]:
    if asked.method is Method.EQUAL and not asked.pays:
        return in_proportion(np.ones_like(asked.lower), asked.lower, asked.upper), 0
    if asked.method is Method.INVERSE_VOLATILITY and not asked.pays:
        return in_proportion(asked.inverse_volatilities(), asked.lower, asked.upper), 0
    matrix = covariance(asked.returns, asked.shrinkage)
    if asked.method is Method.MAX_SHARPE:
        lines = Lines.of(asked.lower, asked.upper, asked.previous, asked.cost_in_mean)
        return max_sharpe(asked.returns.mean(axis=0), matrix, lines, asked.iteration_limit)
    lines = Lines.of(asked.lower, asked.upper, asked.previous, asked.cost_in_variance)
    if asked.method is Method.MIN_VARIANCE:
        return min_variance(matrix, lines, asked.iteration_limit)
    target, rounds = _target(asked, matrix)
    if not asked.pays:
        return target, rounds
    tracked = bounded(matrix, matrix @ target, lines, asked.iteration_limit)
    return tracked.weights, rounds + tracked.rounds


def _target(asked: Question, matrix: Floats) -> tuple[Floats, int]:
    """The weights of a method that does not know costs."""
    if asked.method is Method.RISK_PARITY:
        return risk_parity(matrix, asked.lower, asked.upper, asked.iteration_limit)
    if asked.method is Method.HRP:
        return hierarchical(asked.returns, matrix, asked.lower, asked.upper, asked.linkage), 0
    sizes = np.ones_like(asked.lower) if asked.method is Method.EQUAL else asked.inverse_volatilities()
    return in_proportion(sizes, asked.lower, asked.upper), 0


def _instead(asked: Question, used: Method) -> tuple[Floats, int]:
    """Inverse volatility, or equal weights; if even the cost's share of it cannot be computed, without the cost."""
    try:
        return _answer(replace(asked, method=used))
    except (NotSolved, np.linalg.LinAlgError):
        sizes = np.ones_like(asked.lower) if used is Method.EQUAL else asked.inverse_volatilities()
        return in_proportion(sizes, asked.lower, asked.upper), 0
