"""Arrays that may be trusted: checked once, copied, and frozen."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from domain.errors import InvalidInput
from learning.table import Floats


def frozen(
    values: ArrayLike, what: str, *, shape: tuple[int | None, ...], dtype: DTypeLike = np.float64
) -> NDArray[Any]:
    """A read-only C-ordered copy of `values`; None in `shape` allows any length.

    Raises `InvalidInput` where the shape is another one, or where a number is not finite or does not fit the dtype.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            given = np.asarray(values)
            copy = np.array(given, dtype=dtype, order="C")
            kept = copy.dtype.kind == "f" or bool((copy == given).all())
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{what} cannot be an array of {np.dtype(dtype).name}: {error}") from error
    if copy.ndim != len(shape) or any(
        length not in (None, found) for length, found in zip(shape, copy.shape, strict=True)
    ):
        wanted = " x ".join("any" if length is None else str(length) for length in shape)
        raise InvalidInput(f"{what} has shape {copy.shape}; allowed is {wanted}")
    if not (kept and bool(np.isfinite(copy).all())):
        raise InvalidInput(f"{what} holds a value that is no finite {copy.dtype.name}")
    copy.setflags(write=False)
    return copy


def finite(value: float, what: str) -> None:
    """Raises `InvalidInput` when `value` is not finite."""
    if not math.isfinite(value):
        raise InvalidInput(f"{what} is {value}; it must be finite")


def rows_of(X: Floats, width: int | None) -> Floats:
    """`X` as C-ordered float64 rows; raises `InvalidInput` when it is not n x `width` (None: of any width)."""
    rows = np.ascontiguousarray(X, dtype=np.float64)
    if X.ndim != 2 or width not in (None, X.shape[1]):
        raise InvalidInput(f"rows of shape {X.shape} were given to a model that takes n x {width or 'k'}")
    return rows
