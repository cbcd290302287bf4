"""What weights are asked for: checked once, so that the methods need not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput
from risk.portfolio.hierarchy import LINKAGES, Linkage

Floats = NDArray[np.float64]

SUM_TOLERANCE = 1e-9
"""How far a sum of weights or bounds may be from 1 by rounding."""
FEWEST_PERIODS = 2
STILL = 1e-12
"""An instrument whose returns differ by no more than this part of the largest of them never moved."""
SMALLEST_RANGE = 1e-150
"""What is smaller against the largest return of all vanishes when it is squared."""


class Method(StrEnum):
    """How weights are chosen."""

    MAX_SHARPE = "max_sharpe"
    MIN_VARIANCE = "min_variance"
    RISK_PARITY = "risk_parity"
    HRP = "hrp"
    INVERSE_VOLATILITY = "inverse_volatility"
    EQUAL = "equal"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Question:
    """Returns (T, N) divided by a power of two near the largest; bounds, previous weights and `moving` are (N,).

    The costs of a unit of turnover are in the unit of the divided returns, and of their square.
    """

    returns: Floats
    method: Method
    previous: Floats | None
    lower: Floats
    upper: Floats
    moving: NDArray[np.bool_]
    cost_in_mean: float
    cost_in_variance: float
    no_trade_band: float
    shrinkage: float | None
    linkage: Linkage
    iteration_limit: int

    @property
    def pays(self) -> bool:
        """Whether there is something to trade away from, and trading costs."""
        return self.previous is not None and self.cost_in_mean > 0

    def inverse_volatilities(self) -> Floats:
        """One over each instrument's volatility (N,), 0 for what never moved."""
        sizes = np.zeros(self.moving.size)
        sizes[self.moving] = 1.0 / self.returns[:, self.moving].std(axis=0)
        return sizes

    def of_moving(self, rest: float) -> Self:
        """The same question about what moved alone, when `rest` of the whole is left for it."""
        return replace(
            self,
            returns=np.ascontiguousarray(self.returns[:, self.moving]),
            previous=None if self.previous is None else self.previous[self.moving] / rest,
            lower=self.lower[self.moving] / rest,
            upper=np.minimum(self.upper[self.moving] / rest, 1.0),
            moving=self.moving[self.moving],
            cost_in_variance=self.cost_in_variance / rest,
        )


def question(
    returns: Floats,
    method: str,
    *,
    names: Sequence[str] | None,
    previous: Floats | None,
    lower: float | Floats,
    upper: float | Floats,
    turnover_cost: float,
    no_trade_band: float,
    shrinkage: float | None,
    linkage: str,
    iteration_limit: int | None,
) -> Question:
    """The question, or `InvalidInput` with a sentence that says what is wrong with it."""
    known = _method(method)
    table = _returns(returns)
    count = table.shape[1]
    _check_settings(turnover_cost, no_trade_band, shrinkage, iteration_limit)
    low, high = _bounds(lower, upper, count)
    least, most = table.min(axis=0), table.max(axis=0)
    _check_finite(table, least, most, names)
    sizes = np.maximum(-least, most)
    unit = _power_of_two(float(sizes.max()))
    return Question(
        returns=table * (1.0 / unit),
        method=known,
        previous=None if previous is None else _previous(previous, count),
        lower=low,
        upper=high,
        moving=most / unit - least / unit > np.maximum(STILL * sizes / unit, SMALLEST_RANGE),
        cost_in_mean=turnover_cost / unit,
        cost_in_variance=turnover_cost / unit / unit,
        no_trade_band=no_trade_band,
        shrinkage=shrinkage,
        linkage=_linkage(linkage),
        iteration_limit=100 + 20 * count if iteration_limit is None else iteration_limit,
    )


def _method(method: str) -> Method:
    if method not in set(Method):
        raise InvalidInput(f"there is no method {method!r}; there are {', '.join(Method)}")
    return Method(method)


def _linkage(linkage: str) -> Linkage:
    known = next((each for each in LINKAGES if each == linkage), None)
    if known is None:
        raise InvalidInput(f"there is no linkage {linkage!r}; there are {', '.join(LINKAGES)}")
    return known


def _returns(returns: Floats) -> Floats:
    try:
        table = np.asarray(returns, dtype=np.float64)
    except (TypeError, ValueError) as not_numbers:
        raise InvalidInput(f"returns must be numbers: {not_numbers}") from not_numbers
    if table.ndim != 2 or table.shape[1] == 0:
        raise InvalidInput(f"returns of shape {table.shape} are not periods by instruments, with at least one of those")
    if table.shape[0] < FEWEST_PERIODS:
        raise InvalidInput(f"{table.shape[0]} periods of returns are too few; at least {FEWEST_PERIODS} are needed")
    return table


def _check_finite(table: Floats, least: Floats, most: Floats, names: Sequence[str] | None) -> None:
    """What is not finite shows in the least or the greatest return of its column."""
    if np.isfinite(least).all() and np.isfinite(most).all():
        return
    row, column = (int(place[0]) for place in np.nonzero(~np.isfinite(table)))
    name = f"instrument {column}" if names is None else names[column]
    raise InvalidInput(
        f"the return of {name} in period {row} is {table[row, column]}; every return must be finite, "
        "so leave out periods or instruments with gaps"
    )


def _check_settings(
    turnover_cost: float, no_trade_band: float, shrinkage: float | None, iteration_limit: int | None
) -> None:
    if not 0 <= turnover_cost < math.inf:
        raise InvalidInput(f"a turnover cost of {turnover_cost} must be finite and at least 0")
    if not 0 <= no_trade_band <= 1:
        raise InvalidInput(f"a no-trade band of {no_trade_band} must lie in [0, 1]")
    if shrinkage is not None and not 0 <= shrinkage <= 1:
        raise InvalidInput(f"a shrinkage of {shrinkage} must lie in [0, 1], or be None for Ledoit and Wolf's")
    if iteration_limit is not None and iteration_limit < 0:
        raise InvalidInput(f"an iteration limit of {iteration_limit} must be at least 0")


def _bounds(lower: float | Floats, upper: float | Floats, count: int) -> tuple[Floats, Floats]:
    low, high = _one_each(lower, count, "lower bounds"), _one_each(upper, count, "upper bounds")
    high = np.minimum(high, 1.0)
    if np.isnan(low).any() or np.isnan(high).any() or bool(np.any(low < 0)) or bool(np.any(low > high)):
        raise InvalidInput("bounds must be numbers with 0 <= lower <= upper for every instrument, and lower at most 1")
    if float(low.sum()) > 1 + SUM_TOLERANCE or float(high.sum()) < 1 - SUM_TOLERANCE:
        raise InvalidInput(
            f"no weights of sum 1 lie within the bounds: the lower ones sum to {low.sum():.6g}, "
            f"the upper ones to {high.sum():.6g}"
        )
    return low, high


def _previous(previous: Floats, count: int) -> Floats:
    weights = _one_each(previous, count, "previous weights")
    if not np.isfinite(weights).all() or bool(np.any(weights < -SUM_TOLERANCE)) or float(weights.sum()) > 1.001:
        raise InvalidInput("previous weights must be finite, at least 0 and of a sum of at most 1")
    return np.maximum(weights, 0.0)


def _one_each(values: float | Floats, count: int, what: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in ((), (count,)):
        raise InvalidInput(f"{what} of shape {array.shape} do not fit {count} instruments")
    return np.array(np.broadcast_to(array, (count,)))


def _power_of_two(size: float) -> float:
    """A power of two near `size`: dividing by it rounds nothing."""
    return math.ldexp(1.0, min(max(math.frexp(size)[1], -1000), 1000)) if size > 0 else 1.0
