"""The weights with the greatest mean for each unit of volatility."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from risk.portfolio.bounded import Bounded, Lines, Places, bounded, free_direction, places_of, slopes_at
from risk.portfolio.failure import NO_POSITIVE_MEAN, NOT_CONVERGED, NotSolved
from risk.portfolio.nonnegative import nonnegative

Floats = NDArray[np.float64]

TOLERANCE = 1e-12
MOST_TRADE_OFFS = 200


def max_sharpe(
    mean: Floats, covariance: Floats, lines: Lines, limit: int, near: Floats | None = None
) -> tuple[Floats, int]:
    """The weights (N,) and the rounds it took; mean (N,) and covariance (N, N) of one period, no interest rate.

    `near` are weights within the bounds, with a net mean above 0, that are thought to be near the answer.

    Without a cost, and where no bound but 0 is in the way, this is the minimiser of 1/2 y'Sy - m'y over y >= 0,
    scaled to sum 1: the ratio does not change with the scale. Otherwise the mean is taken net of the cost, and the
    answer lies on the line of least 1/2 x'Sx - t (m'x - cost) for some trade-off t, where t is variance over net
    mean. Raises `NotSolved` when no weights within the bounds have a net mean above 0.
    """
    low, _, high = lines.corners
    rounds = 0
    if not lines.slopes.any():
        if not np.any(mean[high > 0] > 0):
            raise NotSolved(NO_POSITIVE_MEAN)
        scaled, rounds = nonnegative(covariance, mean, limit)
        total = float(scaled.sum())
        plain = scaled / total if total > 0 else scaled
        if total > 0 and bool(np.all((plain >= low) & (plain <= high))):
            return plain, rounds
    best = most_net_mean(mean, lines) if near is None else near
    earned = _net_mean(best, mean, lines)
    if earned <= TOLERANCE * float(np.max(np.abs(mean))):
        raise NotSolved(NO_POSITIVE_MEAN)
    trade_off = float(best @ covariance @ best) / earned
    return _on_the_frontier(mean, covariance, lines, limit, trade_off, places_of(best, lines), rounds)


def most_net_mean(mean: Floats, lines: Lines) -> Floats:
    """The weights with the greatest mean net of the cost: the dearest stretches of all lines first."""
    low, middle, high = lines.corners
    worth = np.concatenate([mean - lines.slopes[0], mean - lines.slopes[1]])
    length = np.concatenate([middle - low, high - middle])
    order = np.argsort(-worth, kind="stable")
    room = max(1.0 - float(low.sum()), 0.0)
    before = np.concatenate([[0.0], np.cumsum(length[order])[:-1]])
    taken = np.zeros_like(length)
    taken[order] = np.clip(room - before, 0.0, length[order])
    return np.asarray(low + taken[: low.size] + taken[low.size :], dtype=np.float64)


def _net_mean(weights: Floats, mean: Floats, lines: Lines) -> float:
    """The mean less the cost of coming from the previous weights, within the bounds the middle corners."""
    change = weights - lines.corners[1]
    paid = float(np.sum(np.where(change < 0, lines.slopes[0], lines.slopes[1]) * change)) + lines.forced
    return float(mean @ weights) - paid


def _on_the_frontier(
    mean: Floats, covariance: Floats, lines: Lines, limit: int, trade_off: float, places: Places, rounds: int
) -> tuple[Floats, int]:
    """The point where the trade-off is variance over net mean; on each piece of the line it follows in one step.

    Net mean over volatility rises up to that point and falls after it, so each point tried leaves only one side; a
    step that leaves that side is cut to its middle. Markowitz, "The optimization of a quadratic function subject to
    linear constraints", Naval Research Logistics 3 (1956), on the pieces.
    """
    least, most = 0.0, math.inf
    for _ in range(MOST_TRADE_OFFS):
        point = bounded(covariance, trade_off * mean, lines.scaled(trade_off), limit, places)
        places, rounds = point.places, rounds + point.rounds
        variance = float(point.weights @ covariance @ point.weights)
        earned = _net_mean(point.weights, mean, lines)
        excess = trade_off * earned - variance
        if abs(excess) <= TOLERANCE * variance:
            return point.weights, rounds
        if excess < 0:
            least = trade_off
        else:
            most = trade_off
        trade_off = _next(point, mean, covariance, lines, trade_off, (least, most))
        if most - least <= TOLERANCE * most < math.inf:
            return point.weights, rounds
    raise NotSolved(NOT_CONVERGED)


def _next(
    point: Bounded, mean: Floats, covariance: Floats, lines: Lines, trade_off: float, between: tuple[float, float]
) -> float:
    """The trade-off that is right if no place changes on the way to it."""
    least, most = between
    direction = free_direction(covariance, mean - slopes_at(lines, point.places), point.places)
    start = point.weights - trade_off * direction
    divisor = _net_mean(point.weights, mean, lines) - trade_off * float(mean @ direction)
    divisor += trade_off * float(slopes_at(lines, point.places) @ direction)
    divisor -= 2 * float(start @ covariance @ direction)
    wanted = float(start @ covariance @ start) / divisor if divisor > 0 else math.inf
    if least < wanted < most:
        return wanted
    return 4 * least if most == math.inf else (least + most) / 2
