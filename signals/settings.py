"""The parameters of indicators, strategies, ensemble and exits, valid at birth, with one digest for the journal."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from domain.errors import InvalidInput
from domain.identity import digest

HIGHEST_LOOKBACK = 100
"""Bars behind the slowest column (the 100-bar average and the 100-bar volatility, which needs one return more)."""

_RANGES: dict[str, tuple[float, float]] = {
    "agreement": (0.0, 1.0),
    "min_votes": (1, 50),
    "min_confidence": (0.0, 1.0),
    "higher_weight_limit": (0.0, 1.0),
    "atr_stop": (0.5, 10.0),
    "reward_risk": (2.5, 4.0),
    "fast_clearance": (0.0, 0.02),
    "slow_clearance": (0.005, 0.025),
    "adx_trend": (5.0, 60.0),
    "rsi_oversold": (5.0, 45.0),
    "rsi_overbought": (55.0, 95.0),
    "signal_valid_bars": (1, 50),
    "confidence_decay": (0.1, 1.0),
    "warmup_bars": (0, 100_000),
    "chandelier_bars": (2, 500),
    "chandelier_atr": (0.5, 20.0),
    "trailing_activation_r": (0.0, 10.0),
    "trailing_step_atr": (0.0, 10.0),
    "time_exit_bars": (1, 1_000_000),
    "reversal_confidence": (0.0, 1.0),
    "reversal_volatility_bound": (0.0, 1.0),
    "ewma_decay": (0.5, 0.999),
    "garch_window_bars": (200, 20_000),
    "garch_refit_bars": (50, 100_000),
}

_CHOICES: dict[str, tuple[int | None, ...]] = {"trend_ma": (20, 50, 100), "exit_ma": (20, 50, None)}


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalSettings:
    """All parameters of this package. Lengths are bars, clearances fractions of the price, volatilities per bar.

    Ensemble: `agreement` is the least weight share of the winning side among the strategies that speak; `min_votes`
    the least number of strategies on it; `min_confidence` the least technical score; `higher_weight_limit` the
    most that the higher timeframe may weigh in the score. A signal stays valid `signal_valid_bars` bars including
    the one it fired on, its confidence multiplied by `confidence_decay` for every bar of age.

    Exits: `exit_ma` None switches the moving-average exit off, `time_exit_bars` None the time exit; the trailing
    stop begins once the best price is `trailing_activation_r` times the initial risk away from the entry, and
    moves only by at least `trailing_step_atr` ATR. A reversal exit needs `reversal_confidence`; at a forecast of
    `reversal_volatility_bound` or more it is suppressed.
    """

    agreement: float = 0.6
    min_votes: int = 2
    min_confidence: float = 0.65
    higher_weight_limit: float = 0.5
    atr_stop: float = 2.0
    reward_risk: float = 3.0
    trend_ma: int = 50
    fast_clearance: float = 0.0
    slow_clearance: float = 0.005
    adx_trend: float = 20.0
    rsi_oversold: float = 30.0
    rsi_overbought: float = 70.0
    signal_valid_bars: int = 3
    confidence_decay: float = 0.9
    warmup_bars: int = 150
    chandelier_bars: int = 22
    chandelier_atr: float = 3.0
    trailing_activation_r: float = 1.0
    trailing_step_atr: float = 0.25
    exit_ma: int | None = None
    time_exit_bars: int | None = 240
    reversal_confidence: float = 0.15
    reversal_volatility_bound: float = 0.003
    ewma_decay: float = 0.94
    garch_window_bars: int = 1000
    garch_refit_bars: int = 1000

    def __post_init__(self) -> None:
        faults = [*self._range_faults(), *self._choice_faults()]
        if faults:
            raise InvalidInput("signal settings: " + "; ".join(faults))

    def _range_faults(self) -> list[str]:
        faults = []
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name == "time_exit_bars":
                continue
            if not (math.isfinite(value) and low <= value <= high):
                faults.append(f"{name} is {value}; allowed is {low} to {high}")
            elif isinstance(low, int) and not isinstance(value, int):
                faults.append(f"{name} is {value}; allowed are whole numbers")
        return faults

    def _choice_faults(self) -> list[str]:
        return [
            f"{name} is {getattr(self, name)}; allowed are {', '.join(str(choice) for choice in choices)}"
            for name, choices in _CHOICES.items()
            if getattr(self, name) not in choices
        ]

    def digest(self) -> str:
        """A name for exactly these parameters, for the journal."""
        return digest("signal-settings", *(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self)))


def minimum_bars(settings: SignalSettings) -> int:
    """Bars an instrument needs before anything may be proposed: the slowest column, or the set warm-up if longer."""
    return max(HIGHEST_LOOKBACK + 1, settings.warmup_bars, settings.chandelier_bars + 1)
