"""Weights that stand in a given proportion as far as bounds let them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def in_proportion(sizes: Floats, lower: Floats, upper: Floats) -> Floats:
    """The weights clip(c * sizes, lower, upper) of sum 1, all (N,); sizes are at least 0, the bounds can be met.

    Where even c = infinity leaves a sum below 1, because sizes are 0, the rest goes to those in proportion to the
    room their bounds leave.
    """
    total = float(sizes.sum())
    plain = sizes / total if total > 0 else np.zeros_like(sizes)
    if total > 0 and bool(np.all((plain >= lower) & (plain <= upper))):
        return plain
    moving = sizes > 0
    most = np.where(moving, upper, lower)
    if float(most.sum()) <= 1.0:
        return _filled(most, upper)
    corners = np.unique(np.concatenate([lower[moving] / sizes[moving], upper[moving] / sizes[moving]]))
    low, high = 0, corners.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if float(_clipped(corners[middle], sizes, lower, upper).sum()) <= 1.0:
            low = middle
        else:
            high = middle
    below, above = (_clipped(corners[place], sizes, lower, upper) for place in (low, high))
    step = float(above.sum() - below.sum())
    share = (1.0 - float(below.sum())) / step if step > 0 else 0.0
    return np.asarray(np.clip(below + min(max(share, 0.0), 1.0) * (above - below), lower, upper), dtype=np.float64)


def _clipped(factor: float, sizes: Floats, lower: Floats, upper: Floats) -> Floats:
    return np.asarray(np.clip(factor * sizes, lower, upper), dtype=np.float64)


def _filled(weights: Floats, upper: Floats) -> Floats:
    room = upper - weights
    left = float(room.sum())
    return weights + room * ((1.0 - float(weights.sum())) / left) if left > 0 else weights
