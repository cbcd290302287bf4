"""How two instruments moved together."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput
from domain.numbers import significant


def correlation(a: NDArray[np.float64], b: NDArray[np.float64], minimum: int = 30) -> float | None:
    """Pearson's correlation of two arrays of simple returns of the same bars, shape (n,), in [-1, 1].

    Bars on which either return is not finite are left out. None when fewer than `minimum` are left or one of the
    two never moved. Rounded to six significant digits. Raises `InvalidInput` when the shapes differ.
    """
    if a.shape != b.shape or a.ndim != 1:
        raise InvalidInput(f"returns of shape {a.shape} and {b.shape} are not of the same bars")
    common = np.isfinite(a) & np.isfinite(b)
    first, second = a[common], b[common]
    if first.size < max(minimum, 2) or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    first = _unit(first)
    second = _unit(second)
    product = float(np.sum(first * second))
    return significant(min(1.0, max(-1.0, product))) if math.isfinite(product) else None


def _unit(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred, and scaled to length 1; first to size 1, so that tiny returns do not vanish when squared."""
    centred = returns - np.mean(returns)
    centred = centred / np.max(np.abs(centred))
    return np.asarray(centred / math.sqrt(float(np.sum(centred * centred))), dtype=np.float64)
