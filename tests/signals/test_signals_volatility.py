"""Volatility forecasts: the formulas, the fit against an independent optimiser, walk-forward discipline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from signals_cases import real_series, series_of, walk

from signals import SignalSettings, SignalTable
from signals.indicators import Floats, log_returns
from signals.volatility import HIGHEST_PERSISTENCE, fit_garch, forecast_volatility


def simulated(alpha: float, beta: float, bars: int, seed: int, variance: float = 1e-4) -> Floats:
    random = np.random.default_rng(seed)
    conditional, returns = variance, []
    for shock in random.standard_normal(bars):
        returns.append(float(np.sqrt(conditional) * shock))
        conditional = variance * (1 - alpha - beta) + alpha * returns[-1] ** 2 + beta * conditional
    return np.concatenate(([np.nan], returns))


def loss(squared: Floats, alpha: float, beta: float) -> float:
    """Negative Gaussian quasi-log-likelihood with variance targeting, bar by bar."""
    if alpha < 0 or beta < 0 or alpha + beta > HIGHEST_PERSISTENCE:
        return 1e12
    target = float(squared.mean())
    conditional, total = target, 0.0
    for shock in squared.tolist():
        total += np.log(conditional / target) + shock / conditional
        conditional = target * (1 - alpha - beta) + alpha * shock + beta * conditional
    return total


@pytest.mark.parametrize("name", ["crypto/BTCUSDT-1h", "forex/GBPUSD-1h", "equity_us/AAPL-1d"])
def test_the_fit_is_as_likely_as_what_a_general_optimiser_finds(market_data: Path, name: str) -> None:
    squared = np.square(log_returns(real_series(market_data, name, 1001).close)[1:])
    fit = fit_garch(squared.tobytes())
    assert fit is not None
    starts = ([0.05, 0.9], [0.2, 0.5], [0.05, 0.6])
    best = min(minimize(lambda point: loss(squared, *point), start, method="Nelder-Mead").fun for start in starts)
    assert loss(squared, fit.alpha, fit.beta) <= best + 0.05


def test_the_fit_finds_the_parameters_a_long_series_was_made_with() -> None:
    squared = np.square(simulated(0.1, 0.8, 20_000, seed=11)[1:])
    fit = fit_garch(squared.tobytes())
    assert fit is not None
    assert abs(fit.alpha - 0.1) < 0.03
    assert abs(fit.beta - 0.8) < 0.06
    assert abs(fit.variance - 1e-4) < 2e-5


def test_ewma_is_the_published_recursion() -> None:
    returns = log_returns(walk(1, 300).close)
    told = forecast_volatility(returns, SignalSettings()).ewma
    variance = float(np.mean(np.square(returns[1:21])))
    for index in range(21, 300):
        variance = 0.94 * variance + 0.06 * returns[index] ** 2
        assert told[index] == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert np.isnan(told[:20]).all()


def test_a_garch_forecast_follows_from_parameters_fitted_before_it() -> None:
    settings = SignalSettings(garch_window_bars=600, garch_refit_bars=700)
    returns = simulated(0.15, 0.7, 1000, seed=2)
    told = forecast_volatility(returns, settings).garch
    squared = np.square(returns[1:])
    first, second = fit_garch(squared[:500].tobytes()), fit_garch(squared[100:700].tobytes())
    assert first is not None
    assert second is not None
    for fit, start, at in ((first, 0, 600), (second, 100, 900)):
        conditional = fit.variance
        for shock in squared[start:at].tolist():
            conditional = fit.variance * (1 - fit.alpha - fit.beta) + fit.alpha * shock + fit.beta * conditional
        assert told[at] == pytest.approx(np.sqrt(conditional), rel=1e-9)
    assert np.isnan(told[:500]).all()
    assert np.isfinite(told[500:]).all()


def test_where_garch_cannot_be_fitted_ewma_forecasts_and_it_is_counted() -> None:
    quiet = np.full(1200, 100.0)
    quiet[1100:] += np.arange(100) * 0.1
    table = SignalTable.compute(series_of(quiet), None, SignalSettings())
    assert (table.garch_fits, table.garch_fallbacks) == (0, 2)
    assert np.isnan(table.columns["volatility_garch"]).all()
    ewma, best = table.columns["volatility_ewma"], table.columns["volatility_forecast"]
    assert np.array_equal(ewma, best, equal_nan=True)
    assert np.isfinite(best[1120:]).all()


def test_the_forecast_that_was_better_so_far_is_the_one_that_counts() -> None:
    returns = simulated(0.35, 0.4, 4000, seed=4)
    told = forecast_volatility(returns, SignalSettings())
    assert np.mean(told.best[2000:] == told.garch[2000:]) > 0.95
    steady = np.concatenate(([np.nan], 0.01 * np.random.default_rng(1).standard_normal(600)))
    early = forecast_volatility(steady, SignalSettings())
    assert np.array_equal(early.best[:500], early.ewma[:500], equal_nan=True)


@pytest.mark.parametrize("bars", [0, 1, 2, 19, 20, 21, 22])
def test_short_histories_have_no_forecast_or_an_honest_one(bars: int) -> None:
    told = forecast_volatility(log_returns(walk(1, bars).close), SignalSettings())
    assert told.best.shape == (bars,)
    assert np.isfinite(told.best).sum() == max(0, bars - 20)
    assert (told.fits, told.fallbacks) == (0, 0)


def test_forecasts_are_quick_enough_for_every_start() -> None:
    fit_garch.cache_clear()
    told = forecast_volatility(simulated(0.1, 0.8, 5087, seed=3), SignalSettings())
    assert fit_garch.cache_info().misses == told.fits + told.fallbacks == 6
