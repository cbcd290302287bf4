"""The least of 1/2 x'Sx - q'x + cost |x - previous| over weights within bounds whose sum is 1, exactly.

Every element lives on a line with up to three corners: its lower bound, the previous weight (where the cost has its
kink) and its upper bound. Its place is 0, 2 or 4 at a corner and 1 or 3 free between two corners, so that a step up or
down the line is +1 or -1. Given all places, what is free solves one linear system.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.portfolio.bounds import in_proportion
from risk.portfolio.failure import NOT_CONVERGED, NotSolved

Floats = NDArray[np.float64]
Places = NDArray[np.int8]

TOLERANCE = 1e-11
BLOCK_ROUNDS = 25
"""Rounds of exchanging every wrong place at once; what has not settled by then is done one exchange at a time."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lines:
    """Corners (3, N), rising in each column, and slopes (2, N) of the cost between them.

    `forced` is what it costs to come within the bounds at all, whatever the weights.
    """

    corners: Floats
    slopes: Floats
    forced: float = 0.0

    @classmethod
    def of(cls, lower: Floats, upper: Floats, previous: Floats | None, cost: float) -> Lines:
        """Bounds (N,), and a cost for each unit away from the previous weights; without those there is none."""
        if previous is None or cost == 0:
            nothing = np.zeros_like(lower)
            return cls(corners=np.stack([lower, lower, upper]), slopes=np.stack([nothing, nothing]))
        kink = np.clip(previous, lower, upper)
        down, up = np.full_like(lower, -cost), np.full_like(lower, cost)
        forced = cost * float(np.abs(kink - previous).sum())
        return cls(corners=np.stack([lower, kink, upper]), slopes=np.stack([down, up]), forced=forced)

    def scaled(self, factor: float) -> Lines:
        """The same lines with the cost multiplied."""
        return Lines(corners=self.corners, slopes=factor * self.slopes, forced=factor * self.forced)

    def settled(self, places: Places) -> Places:
        """The same places with one name each: a corner that coincides with the middle one is the middle one."""
        low, middle, high = self.corners
        settled = places.copy()
        settled[(places <= 1) & (middle == low)] = 2
        settled[(places >= 3) & (middle == high)] = 2
        return settled

    def at(self, places: Places) -> Floats:
        """Where the corners of these places are; the corner below for what is free."""
        chosen: Floats = np.take_along_axis(self.corners, (places // 2)[None, :].astype(np.intp), axis=0)[0]
        return chosen

    def ends(self, places: Places) -> tuple[Floats, Floats]:
        """The two corners between which each free element lies; a fixed one lies between itself and itself."""
        above = np.take_along_axis(self.corners, ((places + 1) // 2)[None, :].astype(np.intp), axis=0)[0]
        return self.at(places), above

    def left_and_right(self, places: Places) -> tuple[Floats, Floats]:
        """The cost's slope just below and just above each place; infinite where a bound is in the way."""
        low, middle, high = self.corners
        below, above = self.slopes
        left = np.where(places >= 3, above, np.where((places == 0) | (middle == low), -np.inf, below))
        right = np.where(places <= 1, below, np.where((places == 4) | (middle == high), np.inf, above))
        return left, right


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Bounded:
    """The weights (N,), the place of each, and the rounds it took."""

    weights: Floats
    places: Places
    rounds: int


def bounded(matrix: Floats, linear: Floats, lines: Lines, limit: int, places: Places | None = None) -> Bounded:
    """The minimiser for a positive definite matrix (N, N) and a linear part (N,); `places` is where to begin.

    All wrong places are exchanged at once as long as that settles (Hintermueller, Ito and Kunisch, "The primal-dual
    active set strategy as a semismooth Newton method", SIAM Journal on Optimization 13, 2002), and else one at a
    time without ever leaving the bounds (Nocedal and Wright, "Numerical Optimization", 2006, algorithm 16.3).
    Raises `NotSolved` after `limit` rounds in all.
    """
    low, _, high = lines.corners
    if places is None:
        begin = in_proportion(np.ones_like(low), low, high)
        places = places_of(begin, lines)
    scale = float(np.max(np.abs(linear)) + np.max(np.abs(matrix)) + np.max(np.abs(lines.slopes)))
    places = lines.settled(places)
    for rounds in range(1, min(BLOCK_ROUNDS, limit) + 1):
        solved = _free(matrix, linear, lines, places)
        if solved is None:
            break
        weights, level = solved
        moves = _moves(matrix, linear, lines, places, weights, level, scale)
        if not moves.any():
            return Bounded(weights=_within(weights, lines), places=places, rounds=rounds)
        places = lines.settled((places + moves).astype(np.int8))
    return one_by_one(matrix, linear, lines, limit)


def one_by_one(matrix: Floats, linear: Floats, lines: Lines, limit: int) -> Bounded:
    """The same by the slow and certain way, which keeps within the bounds in every round."""
    low, _, high = lines.corners
    weights = in_proportion(np.ones_like(low), low, high)
    places = lines.settled(places_of(weights, lines))
    scale = float(np.max(np.abs(linear)) + np.max(np.abs(matrix)) + np.max(np.abs(lines.slopes)))
    for rounds in range(BLOCK_ROUNDS + 1, limit + 1):
        solved = _free(matrix, linear, lines, places)
        if solved is None:
            raise NotSolved(NOT_CONVERGED)
        target, level = solved
        step, blocking = _longest_step(weights, target, lines, places)
        weights = weights + step * (target - weights)
        if blocking is not None:
            places[blocking] += 1 if target[blocking] > weights[blocking] else -1
            weights[blocking] = lines.at(places)[blocking]
            places = lines.settled(places)
            continue
        chosen = _worst(matrix, linear, lines, places, weights, level, scale)
        if not chosen:
            return Bounded(weights=_within(weights, lines), places=places, rounds=rounds)
        for element, move in chosen:
            places[element] += move
    raise NotSolved(NOT_CONVERGED)


def free_direction(matrix: Floats, linear: Floats, places: Places) -> Floats:
    """How the weights (N,) move when the linear part grows by `linear` and no place changes; their sum is 0."""
    free = np.flatnonzero(places % 2)
    direction = np.zeros_like(linear)
    if free.size:
        direction[free] = _bordered(matrix[np.ix_(free, free)], linear[free], 0.0)[0]
    return direction


def slopes_at(lines: Lines, places: Places) -> Floats:
    """The slope (N,) of the cost where an element is free, 0 where it is not."""
    return np.where(places == 1, lines.slopes[0], np.where(places == 3, lines.slopes[1], 0.0))


def places_of(weights: Floats, lines: Lines) -> Places:
    """Where on their lines weights (N,) are: at a corner, or between two."""
    low, middle, high = lines.corners
    places = np.where(weights < middle, 1, 3)
    for place, corner in ((0, low), (4, high), (2, middle)):
        places[weights == corner] = place
    return places.astype(np.int8)


def _free(matrix: Floats, linear: Floats, lines: Lines, places: Places) -> tuple[Floats, float] | None:
    """Weights of sum 1 with every corner kept, and the level that all slopes share; None where no sum 1 is left."""
    free = np.flatnonzero(places % 2)
    weights = lines.at(places).copy()
    weights[free] = 0.0
    rest = 1.0 - float(weights.sum())
    if not free.size:
        return (weights, _level_without_free(matrix, linear, lines, places, weights)) if abs(rest) < TOLERANCE else None
    pull = (linear - slopes_at(lines, places) - matrix @ weights)[free]
    found, level = _bordered(matrix[np.ix_(free, free)], pull, rest)
    weights[free] = found
    return weights, level


def _bordered(matrix: Floats, linear: Floats, total: float) -> tuple[Floats, float]:
    """The x of Sx - level = linear and sum(x) = total, in one system: nearly singular matrices keep the sum."""
    count = linear.size
    unit = float(np.trace(matrix)) / count
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = matrix / unit
    system[:count, count] = system[count, :count] = 1.0
    found = np.linalg.solve(system, np.append(linear / unit, total))
    return found[:count], -unit * float(found[count])


def _level_without_free(matrix: Floats, linear: Floats, lines: Lines, places: Places, weights: Floats) -> float:
    left, right = lines.left_and_right(places)
    slope = matrix @ weights - linear
    least, most = float(np.max(slope + left)), float(np.min(slope + right))
    if np.isfinite(least) and np.isfinite(most):
        return (least + most) / 2
    return least if np.isfinite(least) else most if np.isfinite(most) else 0.0


def _moves(
    matrix: Floats, linear: Floats, lines: Lines, places: Places, weights: Floats, level: float, scale: float
) -> Places:
    """+1 or -1 for every element whose place is wrong."""
    start, end = lines.ends(places)
    free = places % 2 == 1
    left, right = lines.left_and_right(places)
    slope = matrix @ weights - linear - level
    up = np.where(free, weights > end + TOLERANCE, slope + right < -TOLERANCE * scale)
    down = np.where(free, weights < start - TOLERANCE, slope + left > TOLERANCE * scale)
    return up.astype(np.int8) - down.astype(np.int8)


def _longest_step(weights: Floats, target: Floats, lines: Lines, places: Places) -> tuple[float, int | None]:
    """How far towards the target, at most 1, every free element stays between its corners, and which one stops it."""
    start, end = lines.ends(places)
    change = target - weights
    free = (places % 2 == 1) & (change != 0)
    room = np.where(change > 0, end - weights, start - weights)
    steps = np.full(weights.size, np.inf)
    steps[free] = np.maximum(room[free] / change[free], 0.0)
    blocking = int(np.argmin(steps))
    return (1.0, None) if steps[blocking] >= 1.0 else (float(steps[blocking]), blocking)


def _worst(
    matrix: Floats, linear: Floats, lines: Lines, places: Places, weights: Floats, level: float, scale: float
) -> list[tuple[int, int]]:
    """The corner most worth leaving and its direction; two of them where nothing is free; empty at the optimum."""
    left, right = lines.left_and_right(places)
    slope = matrix @ weights - linear - level
    fixed = places % 2 == 0
    gain_up = np.where(fixed, -(slope + right), -np.inf)
    gain_down = np.where(fixed, slope + left, -np.inf)
    up, down = int(np.argmax(gain_up)), int(np.argmax(gain_down))
    best_up, best_down = float(gain_up[up]), float(gain_down[down])
    if max(best_up, best_down) <= TOLERANCE * scale:
        return []
    if not np.any(places % 2):
        return [(up, 1), (down, -1)]
    return [(up, 1)] if best_up >= best_down else [(down, -1)]


def _within(weights: Floats, lines: Lines) -> Floats:
    return np.asarray(np.clip(weights, lines.corners[0], lines.corners[2]), dtype=np.float64)
