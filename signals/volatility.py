"""Forecasts of the next bar's volatility: EWMA and GARCH(1,1), and the one that forecast better so far.

Everything is walk-forward: a forecast made at bar t knows returns up to t, and GARCH parameters are fitted on
bars before the ones they are used on. Volatility is the standard deviation of the log return of one bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from signals.settings import SignalSettings

Floats = NDArray[np.float64]

EWMA_SEED_BARS = 20
FIRST_FIT_BARS = 500
"""Fewer returns do not identify GARCH parameters."""
HIGHEST_PERSISTENCE = 0.999
_DECAYS = (0.5, 0.65, 0.75, 0.82, 0.87, 0.91, 0.94, 0.97)
_SHARES = (0.02, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0)
_REFINEMENTS = 4


@dataclass(frozen=True, slots=True)
class GarchFit:
    """h' = variance x (1 - alpha - beta) + alpha x r^2 + beta x h, with alpha + beta <= 0.999.

    `variance` is the mean squared return of the fitting window (variance targeting, Engle and Mezrich 1996).
    """

    variance: float
    alpha: float
    beta: float


@dataclass(frozen=True, slots=True)
class VolatilityForecasts:
    """Forecast at each bar for the next one, missing during warm-up. `fits` counts the GARCH fits that held,
    `fallbacks` those that did not, whose bars are left to EWMA."""

    ewma: Floats
    garch: Floats
    best: Floats
    fits: int
    fallbacks: int


def forecast_volatility(returns: Floats, settings: SignalSettings) -> VolatilityForecasts:
    """Walk-forward forecasts for log returns whose first value is missing (it has no bar before it)."""
    squared = np.square(returns[1:])
    ewma_variance = _ewma(squared, settings.ewma_decay)
    garch_variance, fits, fallbacks = _walk_forward_garch(squared, settings)
    best = np.where(_garch_leads(squared, ewma_variance, garch_variance), garch_variance, ewma_variance)
    return VolatilityForecasts(
        ewma=_deviation(ewma_variance, returns.shape[0]),
        garch=_deviation(garch_variance, returns.shape[0]),
        best=_deviation(best, returns.shape[0]),
        fits=fits,
        fallbacks=fallbacks,
    )


def _deviation(variance: Floats, size: int) -> Floats:
    """Back to one value a bar. A forecast of exactly 0 is a dead market, not a forecast."""
    result = np.full(size, np.nan)
    if size:
        result[1:] = np.sqrt(np.where(variance > 0, variance, np.nan))
    return result


def _ewma(squared: Floats, decay: float) -> Floats:
    """RiskMetrics: h' = decay x h + (1 - decay) x r^2, begun with the mean of the first 20 squared returns."""
    result = np.full(squared.shape, np.nan)
    if squared.shape[0] < EWMA_SEED_BARS:
        return result
    seed = sum(squared[:EWMA_SEED_BARS].tolist()) / EWMA_SEED_BARS
    fresh = 1 - decay
    rest = squared[EWMA_SEED_BARS:].tolist()
    smoothed = accumulate(rest, lambda variance, shock: decay * variance + fresh * shock, initial=seed)
    result[EWMA_SEED_BARS - 1 :] = list(smoothed)
    return result


def _walk_forward_garch(squared: Floats, settings: SignalSettings) -> tuple[Floats, int, int]:
    """Variance forecasts, fits that held, fits that did not."""
    size = squared.shape[0]
    result = np.full(size, np.nan)
    ends = [end for end in _fit_ends(size, settings.garch_refit_bars) if end <= size]
    held = 0
    for position, end in enumerate(ends):
        until = ends[position + 1] - 1 if position + 1 < len(ends) else size
        start = max(0, end - settings.garch_window_bars)
        fit = fit_garch(squared[start:end].tobytes())
        if fit is None:
            continue
        held += 1
        # The forecast after the window's last return is the first that these parameters may make.
        path = fit.variance + fit.alpha * _deviations(squared[start:until], fit.variance, fit.beta)
        result[end - 1 : until] = path[end - start :]
    return result, held, len(ends) - held


def _fit_ends(size: int, refit_bars: int) -> list[int]:
    """Numbers of returns after which parameters are fitted: the first 500, then every multiple of the interval."""
    later = range(refit_bars, size + 1, refit_bars)
    return [FIRST_FIT_BARS, *(end for end in later if end > FIRST_FIT_BARS)]


def _deviations(squared: Floats, variance: float, beta: float) -> Floats:
    """d' = beta x d + (r^2 - variance) from 0: the conditional variance is variance + alpha x d, so that one pass
    serves every alpha. One value more than returns: the last looks one bar ahead."""
    shocks = (squared - variance).tolist()
    return np.array(list(accumulate(shocks, lambda state, shock: beta * state + shock, initial=0.0)))


@lru_cache(maxsize=512)
def fit_garch(squared_returns: bytes) -> GarchFit | None:
    """Gaussian quasi-maximum likelihood over (alpha, beta) of squared returns given as float64 bytes.

    A bounded grid, refined four times around its best point: it needs no derivatives and always ends the same
    way. None when nothing moved, when a value is not finite, or when a constant variance explains the window as
    well. Remembered by content, because a live scan asks about the same window on every bar.
    """
    squared = np.frombuffer(squared_returns, dtype=np.float64)
    variance = sum(squared.tolist()) / squared.shape[0] if squared.shape[0] else 0.0
    if not (variance > 0 and np.isfinite(variance)):
        return None
    scaled = squared / variance
    decays, shares = list(_DECAYS), list(_SHARES)
    best = (float("inf"), 0.0, 0.0)
    for round_ in range(_REFINEMENTS + 1):
        best = min(best, *(_best_share(scaled, decay, shares) for decay in decays))
        step = 0.5 ** (round_ + 1)
        decays = [min(max(best[1] + step * shift, 0.0), 0.99) for shift in (-0.08, -0.04, 0.04, 0.08)] + [best[1]]
        shares = [min(max(best[2] + step * shift, 0.005), 1.0) for shift in (-0.2, -0.1, 0.0, 0.1, 0.2)]
    constant = float(squared.shape[0])  # log 1 + mean of scaled squares, summed
    if not best[0] < constant:
        return None
    return GarchFit(variance, best[2] * (HIGHEST_PERSISTENCE - best[1]), best[1])


def _best_share(scaled: Floats, decay: float, shares: list[float]) -> tuple[float, float, float]:
    """The least negative quasi-log-likelihood over alpha at one beta, with beta and alpha's share of its room."""
    deviations = _deviations(scaled[:-1], 1.0, decay)
    alphas = np.array(shares) * (HIGHEST_PERSISTENCE - decay)
    conditional = 1.0 + alphas[:, None] * deviations[None, :]
    losses = [float(loss) for loss in (np.log(conditional) + scaled / conditional).sum(axis=1)]
    best = min(range(len(losses)), key=losses.__getitem__)
    return losses[best], decay, shares[best]


def _garch_leads(squared: Floats, ewma: Floats, garch: Floats) -> NDArray[np.bool_]:
    """Where GARCH's summed QLIKE loss (log h + r^2 / h, Patton 2011) on all bars so far is below EWMA's."""
    both = np.isfinite(garch) & (garch > 0) & (ewma > 0)
    lead = np.zeros(squared.shape)
    known = both[:-1]
    if bool(known.any()):
        shock, first, second = squared[1:][known], garch[:-1][known], ewma[:-1][known]
        lead[1:][known] = (np.log(second) + shock / second) - (np.log(first) + shock / first)
    leads: NDArray[np.bool_] = (np.cumsum(lead) > 0) & both
    return leads
