"""Weights of a table of returns with named instruments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput
from risk.portfolio.solution import solve

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


def weights(
    returns: pd.DataFrame,
    method: str,
    *,
    previous: pd.Series[float] | None = None,
    lower: float | Mapping[str, float] | pd.Series[float] = 0.0,
    upper: float | Mapping[str, float] | pd.Series[float] = 1.0,
    turnover_cost: float = 0.0,
    no_trade_band: float = 0.0,
    shrinkage: float | None = None,
    linkage: str = "ward",
) -> pd.Series[float]:
    """Long-only weights of sum 1 for instruments, from their simple returns: one row a period, one column each.

    max_sharpe          greatest mean over volatility, no interest rate
    min_variance        least variance
    risk_parity         the same contribution w_i (Sw)_i to the variance from each
    hrp                 hierarchical risk parity along the tree that `linkage` joins: ward, single, complete, average
    inverse_volatility  in proportion to 1 / volatility
    equal               1 / N

    The covariance is Ledoit and Wolf's, unless `shrinkage` in [0, 1] is given (0: the sample's). Bounds hold for
    every method; given by name, those not named are 0 and 1. An instrument that never moved gets its lower bound.

    `previous` are the weights held now: instruments not among them count as 0, and those no longer in `returns` are
    sold. `turnover_cost` is what a whole unit of sum |w - previous| costs, fee and half spread as a fraction of what
    is traded, divided by the number of periods the weights will be held. max_sharpe takes it off the mean;
    min_variance adds it to half the variance, which is what variance takes from compound growth; the other methods
    have no objective, and go towards their weights w* by the least (x - w*)'S(x - w*) / 2 + cost. When no weight
    would change by more than `no_trade_band`, the previous ones stay.

    The sum is always 1 (docs/adr/0021): where a method has no answer inverse volatility takes its place. Raises
    `InvalidInput` for fewer than two periods, no instrument, a column twice, a return that is not finite, bounds that
    no weights meet, and settings outside their range.
    """
    names = _names(returns)
    found = solve(
        _array(returns),
        method,
        names=names,
        previous=None if previous is None else _held(previous, returns),
        lower=_bound(lower, names, 0.0),
        upper=_bound(upper, names, 1.0),
        turnover_cost=turnover_cost,
        no_trade_band=no_trade_band,
        shrinkage=shrinkage,
        linkage=linkage,
    )
    return _series(found.weights, returns, method)


def _series(values: Floats, returns: pd.DataFrame, method: str) -> pd.Series[float]:
    import pandas as pd  # noqa: PLC0415 - whoever has a table has paid for it; who asks `solve` need not

    return pd.Series(values, index=returns.columns, name=method)


def _names(returns: pd.DataFrame) -> list[str]:
    columns = returns.columns
    if not columns.is_unique:
        twice = columns[columns.duplicated()][0]
        raise InvalidInput(f"the column {twice} is there more than once; each instrument may be there once")
    return [str(name) for name in columns]


def _array(returns: pd.DataFrame) -> Floats:
    try:
        return np.asarray(returns.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    except (TypeError, ValueError) as not_numbers:
        raise InvalidInput(f"returns must be numbers: {not_numbers}") from not_numbers


def _held(previous: pd.Series[float], returns: pd.DataFrame) -> Floats:
    if not previous.index.is_unique:
        raise InvalidInput("previous weights name an instrument more than once")
    values = previous.to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(values).all():
        raise InvalidInput("previous weights must be finite")
    return np.asarray(previous.reindex(returns.columns, fill_value=0.0), dtype=np.float64)


def _bound(bound: float | Mapping[str, float] | pd.Series[float], names: list[str], otherwise: float) -> float | Floats:
    if isinstance(bound, int | float | np.number):
        return float(bound)
    by_name = {str(name): value for name, value in bound.items()}
    unknown = [name for name in by_name if name not in set(names)]
    if unknown:
        raise InvalidInput(f"a bound is given for {', '.join(unknown)}, of which there are no returns")
    return np.array([by_name.get(name, otherwise) for name in names], dtype=np.float64)
