"""Returns for the tests of weights: made ones of a factor model, and real ones of recorded candles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy.typing import NDArray

Floats = NDArray[np.float64]
METHODS = ("max_sharpe", "min_variance", "risk_parity", "hrp", "inverse_volatility", "equal")
REAL = {"equity_us": "1d", "crypto": "1h", "forex": "1h"}
"""Folders of recorded candles, and the timeframe that is read from each."""


def factor_returns(periods: int, count: int, seed: int, size: float = 0.01) -> Floats:
    """Returns (periods, count) with three common factors, fat tails, and volatilities up to five times apart."""
    draw = np.random.default_rng(seed)
    factors = draw.normal(0.05, 1.0, size=(periods, 3)) @ draw.uniform(-0.2, 1.0, size=(3, count))
    own = draw.standard_t(5, size=(periods, count)) * draw.uniform(0.3, 1.5, count)
    return np.asarray(size * (0.5 * factors + own + draw.normal(0.03, 0.05, count)), dtype=np.float64)


@st.composite
def return_tables(draw: st.DrawFn, fewest: int = 2, most: int = 12) -> Floats:
    """Returns of a factor model, from a handful of periods (fewer than instruments) to many."""
    count = draw(st.integers(fewest, most))
    periods = draw(st.integers(3, 150))
    return factor_returns(periods, count, draw(st.integers(0, 10_000)))


@st.composite
def bounds_for(draw: st.DrawFn, count: int) -> tuple[Floats, Floats]:
    """Bounds that some weights of sum 1 meet; they hold a drawn portfolio."""
    source = np.random.default_rng(draw(st.integers(0, 10_000)))
    held = source.dirichlet(np.ones(count))
    lower = np.asarray(held * source.uniform(0.0, 1.0, count) * source.integers(0, 2, count), dtype=np.float64)
    upper = np.asarray(np.minimum(held + source.uniform(0.0, 0.5, count), 1.0), dtype=np.float64)
    return lower, upper


def portfolios(count: int, lower: Floats, upper: Floats, how_many: int, seed: int) -> Floats:
    """Random portfolios (how_many, N) of sum 1 within the bounds: drawn ones, pulled towards one that is inside."""
    draw = np.random.default_rng(seed)
    inside = lower + (upper - lower) * (1.0 - lower.sum()) / max(float((upper - lower).sum()), 1e-300)
    drawn = draw.dirichlet(np.full(count, 0.5), size=how_many)
    change = drawn - inside
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(change > 0, (upper - inside) / change, np.where(change < 0, (lower - inside) / change, np.inf))
    share = np.clip(room.min(axis=1, keepdims=True), 0.0, 1.0)
    return np.asarray(inside + share * change, dtype=np.float64)


def real_returns(market_data: Path, folder: str) -> pd.DataFrame:
    """Simple returns of the closes on the bars that the files of a folder share; files of another time are left out."""
    closes = pd.DataFrame(
        {
            path.name.split("-")[0]: pd.read_parquet(path).set_index("timestamp")["close"]
            for path in sorted((market_data / folder).glob(f"*-{REAL[folder]}.parquet"))
        }
    )
    typical = closes[closes.notna().sum(axis=1) > closes.shape[1] / 2]
    common = typical.loc[:, typical.notna().mean() > 0.95].dropna()
    return common.pct_change().iloc[1:]
