"""The least of 1/2 y'Sy - q'y over y >= 0, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from risk.portfolio.failure import NOT_CONVERGED, NotSolved

Floats = NDArray[np.float64]

TOLERANCE = 1e-12
"""Relative size of what counts as a sign: rounding flips smaller ones back and forth."""
PATIENCE = 3
"""How often the number of wrong signs may fail to fall before they are exchanged one by one."""


def nonnegative(matrix: Floats, linear: Floats, limit: int) -> tuple[Floats, int]:
    """The minimiser (N,) for a positive definite matrix (N, N) and a linear part (N,), and the rounds it took.

    Block principal pivoting: the set of positive elements is guessed, the linear system solved on it, and every
    element whose sign (inside) or slope (outside) is wrong changes sides; when that stops helping, only the last
    wrong one does, which ends for certain (Murty 1974; Portugal, Judice and Vicente, "A comparison of block pivoting
    and interior-point algorithms for linear least squares problems with nonnegative variables", Mathematics of
    Computation 63, 1994). The answer is that of the true set, so it is exact up to rounding. Raises `NotSolved`
    after `limit` rounds.
    """
    inside = linear > 0
    fewest, patience = linear.size + 1, PATIENCE
    slope_tolerance = TOLERANCE * float(np.max(np.abs(linear)))
    for rounds in range(1, limit + 1):
        chosen = np.flatnonzero(inside)
        found = np.zeros_like(linear)
        if chosen.size:
            found[chosen] = np.linalg.solve(matrix[np.ix_(chosen, chosen)], linear[chosen])
        slope = matrix[:, chosen] @ found[chosen] - linear
        least = -TOLERANCE * float(np.max(np.abs(found)))
        wrong = np.where(inside, found < least, slope < -slope_tolerance)
        count = int(np.count_nonzero(wrong))
        if count == 0:
            return np.maximum(found, 0.0), rounds
        if count < fewest:
            fewest, patience = count, PATIENCE
        elif patience:
            patience -= 1
        else:
            last = int(np.flatnonzero(wrong)[-1])
            wrong[:] = False
            wrong[last] = True
        inside ^= wrong
    raise NotSolved(NOT_CONVERGED)
