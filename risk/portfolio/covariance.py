"""The covariance of returns, shrunk towards equal variances without correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_SHRINKAGE = 1e-10
"""Enough to make every covariance invertible, too little to be seen in a weight."""


def ledoit_wolf(returns: Floats) -> tuple[Floats, float]:
    """The shrunk covariance (N, N) of returns (T, N), and the shrinkage in [0, 1] that was used.

    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
    Multivariate Analysis 88 (2004): (1 - s) S + s m I, where S divides by T, m is the mean variance and s estimates
    what minimises the expected squared error. One instrument is not shrunk.
    """
    centred = returns - returns.mean(axis=0)
    periods, count = centred.shape
    sample = centred.T @ centred / periods
    mean_variance = float(np.trace(sample)) / count
    if count == 1:
        return sample, 0.0
    squared_norm = float(np.vdot(sample, sample))
    distance = squared_norm - count * mean_variance**2
    fourth = float(np.sum(np.einsum("ti,ti->t", centred, centred) ** 2)) / periods
    error = (fourth - squared_norm) / periods
    shrinkage = 0.0 if min(error, distance) <= 0 else min(error / distance, 1.0)
    return _towards_equal_variances(sample, shrinkage), shrinkage


def covariance(returns: Floats, shrinkage: float | None) -> Floats:
    """An invertible covariance (N, N) of returns (T, N): Ledoit and Wolf's, or shrunk by what is given in [0, 1].

    No shrinkage at all still leaves `LEAST_SHRINKAGE`; only all instruments without variance stay singular.
    """
    if shrinkage is None:
        shrunk, used = ledoit_wolf(returns)
        return shrunk if used >= LEAST_SHRINKAGE else _towards_equal_variances(shrunk, LEAST_SHRINKAGE)
    centred = returns - returns.mean(axis=0)
    sample = centred.T @ centred / centred.shape[0]
    return _towards_equal_variances(sample, max(shrinkage, LEAST_SHRINKAGE))


def _towards_equal_variances(sample: Floats, shrinkage: float) -> Floats:
    count = sample.shape[0]
    shrunk = (1.0 - shrinkage) * sample
    shrunk.flat[:: count + 1] += shrinkage * float(np.trace(sample)) / count
    return shrunk
