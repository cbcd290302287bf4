"""Weights that contribute the same risk each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from risk.portfolio.bounded import Lines
from risk.portfolio.bounds import in_proportion
from risk.portfolio.failure import NOT_CONVERGED, NotSolved
from risk.portfolio.sharpe import max_sharpe

Floats = NDArray[np.float64]

RESIDUAL = 1e-10
"""How far w_i (Sw)_i may be from the mean contribution, relative to it."""
FULL_STEP = 0.38
"""Below this Newton decrement a whole step converges quadratically: (3 - sqrt 5) / 2 for the logarithm."""
DECREMENT = 1e-8
"""Within bounds the search ends when a Newton step would change contributions by no more than this part."""
SLIGHT = 1e-6
"""What may be held at no more than this is held at that: parity would hold more, and its logarithm says nothing."""


def risk_parity(covariance: Floats, lower: Floats, upper: Floats, limit: int) -> tuple[Floats, int]:
    """Weights (N,) with w_i (Sw)_i equal for all, and the rounds it took; bounds (N,) that can be met.

    They are the minimiser of 1/2 y'Sy - sum(log y), scaled to sum 1 (Maillard, Roncalli and Teiletche 2010), found by
    Newton's method with the step that is safe for such functions (Spinu, "An algorithm for computing risk parity
    weights", 2013), and checked: no contribution is off by more than `RESIDUAL`. Where a bound is in the way,
    they minimise log(w'Sw)/2 - mean(log w) within the bounds, which without bounds is the same thing (Richard and
    Roncalli, "Constrained risk budgeting portfolios", 2019). Raises `NotSolved` after `limit` rounds.
    """
    held = upper > SLIGHT
    weights = np.where(held, 0.0, upper)
    rest = 1.0 - float(weights.sum())
    low, high = lower[held] / rest, np.minimum(upper[held] / rest, 1.0)
    part = covariance[np.ix_(held, held)]
    found, rounds = _unbounded(part, limit)
    if not np.all((found >= low) & (found <= high)):
        found, more = _within_bounds(part, found, low, high, limit)
        rounds += more
    weights[held] = rest * found
    return weights, rounds


def _unbounded(covariance: Floats, limit: int) -> tuple[Floats, int]:
    volatility = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(volatility, volatility)
    scaled = np.full(volatility.size, np.sqrt(volatility.size / float(correlation.sum())))
    for rounds in range(1, limit + 1):
        pull = correlation @ scaled
        slope = pull - 1.0 / scaled
        if float(np.max(np.abs(scaled * slope))) <= RESIDUAL:
            weights = scaled / volatility
            return weights / weights.sum(), rounds
        curve = correlation.copy()
        curve.flat[:: volatility.size + 1] += 1.0 / scaled**2
        step = np.linalg.solve(curve, slope)
        decrement = float(np.sqrt(max(slope @ step, 0.0)))
        scaled = scaled - step * (1.0 if decrement < FULL_STEP else _share(correlation, scaled, step, decrement))
    raise NotSolved(NOT_CONVERGED)


def _share(correlation: Floats, scaled: Floats, step: Floats, decrement: float) -> float:
    """Far from the end: as much of the step as stays above 0, if that goes further down than the safe part of it."""
    safe = 1.0 / (1.0 + decrement)
    longest = float(np.min(np.where(step > 0, scaled / np.where(step > 0, step, 1.0), np.inf)))
    bold = min(1.0, 0.95 * longest)
    down = [_height(correlation, scaled - share * step) for share in (bold, safe)]
    return bold if down[0] < down[1] else safe


def _height(correlation: Floats, scaled: Floats) -> float:
    return float(scaled @ correlation @ scaled / 2 - np.sum(np.log(scaled)))


def _within_bounds(covariance: Floats, free: Floats, lower: Floats, upper: Floats, limit: int) -> tuple[Floats, int]:
    """Newton's method on 1/2 y'Sy - sum(log y) over all y whose proportions are within the bounds.

    Each step is the least of a quadratic over those y. Scaling one of them is allowed, so that is the greatest ratio
    of a mean to a volatility: `max_sharpe` of the quadratic's linear part and its curvature.
    """
    lines = Lines.of(lower, upper, None, 0.0)
    scaled = in_proportion(free, lower, upper)
    scaled *= np.sqrt(free.size / float(scaled @ covariance @ scaled))
    rounds = 0
    for _ in range(limit):
        curve = covariance.copy()
        curve.flat[:: free.size + 1] += 1.0 / scaled**2
        linear = 2.0 / scaled
        direction, more = max_sharpe(linear, curve, lines, limit, scaled / scaled.sum())
        rounds += more
        step = direction * (float(linear @ direction) / float(direction @ curve @ direction)) - scaled
        decrement = float(np.sqrt(step @ curve @ step))
        if decrement <= DECREMENT:
            weights = scaled / scaled.sum()
            return np.clip(weights, lower, upper), rounds
        scaled = scaled + step / (1.0 if decrement < FULL_STEP else 1.0 + decrement)
    raise NotSolved(NOT_CONVERGED)
