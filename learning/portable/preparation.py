"""What stands between frozen features and a model that cannot take them raw: filled, centred, scaled, drawn in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput
from learning.portable.arrays import frozen, rows_of
from learning.table import Floats

WINSORISED = (0.5, 99.5)
"""Percentiles that values are drawn in to before centre and scale are taken from them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Preparation:
    """Per column: a missing value becomes `fill`; then (x - `centre`) / `scale`, cut at -`clip` and `clip`.

    `centre`, `scale` (above 0) and `fill` have one finite value for each of the k columns.
    """

    centre: Floats
    scale: Floats
    fill: Floats
    clip: float

    def __post_init__(self) -> None:
        for name in ("centre", "scale", "fill"):
            given = getattr(self, name)
            object.__setattr__(self, name, frozen(given, f"{name} of a preparation", shape=(np.size(self.centre),)))
        if not bool((self.scale > 0).all()):
            raise InvalidInput("a scale of a preparation is not above 0")
        if not 0 < self.clip < np.inf:
            raise InvalidInput(f"clip of a preparation is {self.clip}; it must be finite and above 0")

    @property
    def width(self) -> int:
        """k, the columns it takes."""
        return len(self.centre)

    @classmethod
    def fit(cls, X: Floats, w: Floats, *, clip: float = 8.0) -> Preparation:
        """From n x k training rows of these n weights; NaN is missing.

        `fill` is the plain median of what is present. Centre and scale are the weighted mean and standard deviation
        of what is present, drawn in to the percentiles `WINSORISED` of its column, so that one absurd value does not
        flatten the rest. A column that is then constant gets scale 1 and its value as centre; one that is missing
        throughout gets centre 0, scale 1 and fill 0.

        Raises `InvalidInput` without rows, with a weight that is not above 0, or with an infinite value.
        """
        rows = rows_of(X, None)
        if not len(rows) or w.shape != (len(rows),):
            raise InvalidInput(f"{len(rows)} rows with weights of shape {w.shape} cannot be prepared: one a row, >= 1")
        if not bool((np.isfinite(w) & (w > 0)).all()):
            raise InvalidInput("a preparation needs weights that are finite and above 0")
        if bool(np.isinf(rows).any()):
            raise InvalidInput("a preparation cannot be taken from an infinite value; missing ones are NaN")
        fitted = [_column(rows[:, place], w) for place in range(rows.shape[1])]
        centre, scale, fill = np.array(fitted).reshape(-1, 3).T
        return cls(centre=centre, scale=scale, fill=fill, clip=clip)

    def apply(self, X: Floats) -> Floats:
        """n x k rows, standardised; an infinite value becomes the cut of its sign. Nothing is missing afterwards."""
        rows = rows_of(X, self.width)
        standardised = np.where(np.isnan(rows), self.fill, rows)
        with np.errstate(over="ignore"):
            standardised -= self.centre
            standardised /= self.scale
        return np.clip(standardised, -self.clip, self.clip, out=standardised)


def _column(values: NDArray[np.float64], w: Floats) -> tuple[float, float, float]:
    """Centre, scale and fill of one column."""
    there = ~np.isnan(values)
    present, weight = values[there], w[there]
    if not len(present):
        return 0.0, 1.0, 0.0
    fill = float(np.median(present / 2) * 2)  # halved: the two middle values are added
    low, high = np.percentile(present, WINSORISED, method="nearest")
    if low == high:
        return float(low), 1.0, fill
    largest = max(abs(low), abs(high))
    small = np.clip(present, low, high) / largest  # squares of the largest floats would overflow
    share = weight / weight.max()
    mean = float(np.average(small, weights=share))
    spread = float(np.sqrt(np.average((small - mean) ** 2, weights=share)))
    scale = spread * float(largest)
    return mean * float(largest), scale if scale > 0 else 1.0, fill
