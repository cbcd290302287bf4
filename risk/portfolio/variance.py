"""The weights with the least variance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from risk.portfolio.bounded import Lines, bounded
from risk.portfolio.nonnegative import nonnegative

Floats = NDArray[np.float64]


def min_variance(covariance: Floats, lines: Lines, limit: int) -> tuple[Floats, int]:
    """The weights (N,) with the least 1/2 x'Sx + cost, S being (N, N), and the rounds it took.

    Without a cost, and where no bound but 0 is in the way, they are the minimiser of 1/2 y'Sy - sum(y) over y >= 0,
    scaled to sum 1. Raises `NotSolved` after `limit` rounds.
    """
    low, _, high = lines.corners
    rounds = 0
    if not lines.slopes.any():
        scaled, rounds = nonnegative(covariance, np.ones_like(low), limit)
        plain = scaled / scaled.sum()
        if bool(np.all((plain >= low) & (plain <= high))):
            return plain, rounds
    found = bounded(covariance, np.zeros_like(low), lines, limit)
    return found.weights, rounds + found.rounds
