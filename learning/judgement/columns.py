"""Columns that the figures are made from, checked once: equal length, finite, within their range."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Column = Floats | Ints | Sequence[float]


def column_of(name: str, values: Column, rows: int | None = None) -> Floats:
    """Finite numbers in one dimension, `rows` of them where that is given."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1:
        raise InvalidInput(f"{name} has {found.ndim} dimensions; it must be one column")
    if rows is not None and len(found) != rows:
        raise InvalidInput(f"{name} has {len(found)} rows, the other columns {rows}; they must be the same samples")
    if not bool(np.isfinite(found).all()):
        raise InvalidInput(f"{name} has a value that is missing or not finite")
    return found


def probabilities_of(values: Column, rows: int | None = None, name: str = "p") -> Floats:
    """Numbers in [0, 1]."""
    found = column_of(name, values, rows)
    if len(found) and not (found.min() >= 0 and found.max() <= 1):
        raise InvalidInput(f"{name} has a probability outside [0, 1]")
    return found


def labels_of(values: Column, rows: int | None = None) -> Floats:
    """Labels, 0 or 1, as floats."""
    found = column_of("y", values, rows)
    if not bool(((found == 0) | (found == 1)).all()):
        raise InvalidInput("y has a label that is neither 0 nor 1")
    return found


def weights_of(values: Column | None, rows: int, name: str = "w") -> Floats:
    """Weights of 0 and above, not all of them 0; all 1 where none are given."""
    if values is None:
        return np.ones(rows)
    found = column_of(name, values, rows)
    if len(found) and not (found.min() >= 0 and found.max() > 0):
        raise InvalidInput(f"{name} must be weights of at least 0, one of them above it")
    return found


def scored_columns(p: Column, y: Column, w: Column | None) -> tuple[Floats, Floats, Floats]:
    """Probabilities, labels and weights of the same rows, at least one."""
    found = probabilities_of(p)
    if not len(found):
        raise InvalidInput("there is no sample to score")
    return found, labels_of(y, len(found)), weights_of(w, len(found))
