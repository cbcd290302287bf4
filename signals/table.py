"""Everything about one instrument's bars that decisions read, computed once over arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from domain.bars import BarSeries
from domain.decisions import Vote
from domain.errors import InvalidInput
from domain.numbers import significant_array
from domain.orders import Side
from signals.indicators import Floats, indicator_columns, log_returns
from signals.settings import SignalSettings, minimum_bars
from signals.strategies import STRATEGIES, Strategy
from signals.strategies.base import Fired
from signals.volatility import forecast_volatility

SILENT = -1
"""Age where a strategy says nothing."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SignalTable:
    """Columns and votes of one instrument, at six significant digits, causal from the series' first bar.

    `columns` name -> one value a bar, NaN where missing; prices in quote currency, volatilities per bar.
    `sides`, `confidences` and `ages` have shape (strategies, bars): +1, -1 or 0; confidence in (0, 1], NaN where
    silent; bars since it fired, -1 where silent. `speaks` is True where a strategy speaks and warm-up is over.
    `garch_fits` and `garch_fallbacks` count walk-forward fits that held, and those left to EWMA.
    """

    symbol: str
    series: BarSeries
    strategies: tuple[Strategy, ...]
    columns: Mapping[str, Floats]
    matrix: Floats
    """The columns as one array of shape (columns, bars), in the order of `columns`."""
    sides: NDArray[np.int8]
    confidences: Floats
    ages: NDArray[np.int32]
    speaks: NDArray[np.bool_]
    garch_fits: int
    garch_fallbacks: int

    @classmethod
    def compute(
        cls,
        series: BarSeries,
        higher: BarSeries | None,
        settings: SignalSettings,
        strategies: Sequence[Strategy] = STRATEGIES,
    ) -> SignalTable:
        """The table of `series`. `higher` are closed bars of a longer timeframe of the same instrument; a bar of it
        counts from its close on, whatever else the series holds. Any number of bars is allowed, also none."""
        forecasts = forecast_volatility(log_returns(series.close), settings)
        raw = indicator_columns(series, settings)
        raw["volatility_ewma"] = forecasts.ewma
        raw["volatility_garch"] = forecasts.garch
        raw["volatility_forecast"] = forecasts.best
        raw |= _higher_columns(series, higher, settings)
        matrix = np.vstack([significant_array(column) for column in raw.values()])
        matrix.setflags(write=False)
        columns = {name: matrix[position] for position, name in enumerate(raw)}
        sides, confidences, ages = _votes_of_all(columns, settings, strategies, len(series))
        late_enough = np.arange(len(series)) >= minimum_bars(settings) - 1
        return cls(
            symbol=series.symbol,
            series=series,
            strategies=tuple(strategies),
            columns=columns,
            matrix=matrix,
            sides=sides,
            confidences=confidences,
            ages=ages,
            speaks=(sides != 0).any(axis=0) & late_enough,
            garch_fits=forecasts.fits,
            garch_fallbacks=forecasts.fallbacks,
        )

    def __len__(self) -> int:
        return len(self.series)

    def row(self, index: int) -> dict[str, float]:
        """The columns at one bar by name; what is missing is absent."""
        values = self.matrix[:, index].tolist()
        return {name: value for name, value in zip(self.columns, values, strict=True) if isfinite(value)}

    def votes(self, index: int) -> tuple[Vote, ...]:
        """What the strategies say at one bar, in the order of `strategies`; the silent ones are absent."""
        sides = self.sides[:, index].tolist()
        confidences = self.confidences[:, index].tolist()
        return tuple(
            Vote(
                strategy=strategy.name,
                side=(speaking := Side.BUY if side > 0 else Side.SELL),
                confidence=confidence,
                reason=strategy.reason(speaking),
            )
            for strategy, side, confidence in zip(self.strategies, sides, confidences, strict=True)
            if side
        )


def _votes_of_all(
    columns: Mapping[str, Floats], settings: SignalSettings, strategies: Sequence[Strategy], bars: int
) -> tuple[NDArray[np.int8], Floats, NDArray[np.int32]]:
    sides = np.zeros((len(strategies), bars), dtype=np.int8)
    confidences = np.full((len(strategies), bars), np.nan)
    ages = np.full((len(strategies), bars), SILENT, dtype=np.int32)
    with np.errstate(divide="ignore", invalid="ignore"):
        for position, strategy in enumerate(strategies):
            fired = _asked(strategy, columns, settings, bars)
            sides[position], confidences[position], ages[position] = _kept_valid(fired, settings)
    return sides, significant_array(confidences), ages


def _asked(strategy: Strategy, columns: Mapping[str, Floats], settings: SignalSettings, bars: int) -> Fired:
    """What a strategy gave, if it is usable; a user's own one may give anything, and raise anything."""
    try:
        fired = strategy.fire(columns, settings)
        shapes = (fired.sides.shape, fired.confidences.shape)
    except (LookupError, AttributeError, ValueError, TypeError, ArithmeticError) as error:
        raise InvalidInput(f"strategy {strategy.name}: fire() failed: {type(error).__name__}: {error}") from error
    if shapes != ((bars,), (bars,)):
        raise InvalidInput(f"strategy {strategy.name}: fire() gave arrays of shapes {shapes} for {bars} bars")
    if not bool(np.isin(fired.sides, (-1, 0, 1)).all()):
        raise InvalidInput(f"strategy {strategy.name}: fire() gave sides other than -1, 0 and 1")
    return fired


def _kept_valid(fired: Fired, settings: SignalSettings) -> tuple[NDArray[np.int8], Floats, NDArray[np.int32]]:
    """An event stays for `signal_valid_bars` bars with decaying confidence, until a newer one replaces it."""
    bars = np.arange(fired.sides.shape[0])
    happened = (fired.sides != 0) & (fired.confidences > 0)
    latest = np.maximum.accumulate(np.where(happened, bars, -1))
    age = bars - latest
    valid = (latest >= 0) & (age < settings.signal_valid_bars)
    decays = np.array([settings.confidence_decay**bars_ago for bars_ago in range(settings.signal_valid_bars)])
    faded = fired.confidences[latest] * decays[np.minimum(age, settings.signal_valid_bars - 1)]
    return (
        np.where(valid, fired.sides[latest], 0).astype(np.int8),
        np.where(valid, np.minimum(faded, 1.0), np.nan),
        np.where(valid, age, SILENT).astype(np.int32),
    )


def _higher_columns(series: BarSeries, higher: BarSeries | None, settings: SignalSettings) -> dict[str, Floats]:
    """The higher timeframe as of its last bar closed by the close of each bar: `higher_adx`, and `higher_side` +1
    when its close is above its 20-bar average with +DI above -DI, -1 when both are below, 0 otherwise."""
    missing = np.full(len(series), np.nan)
    if higher is None or len(higher) == 0:
        return {"higher_adx": missing, "higher_side": missing}
    columns = indicator_columns(higher, settings)
    close, average, plus, minus = (columns[name] for name in ("close", "ma_20", "plus_di", "minus_di"))
    up, down = (close > average) & (plus > minus), (close < average) & (plus < minus)
    known = np.isfinite(average) & np.isfinite(plus)
    side = np.where(known, up.astype(np.float64) - down.astype(np.float64), np.nan)
    last = np.searchsorted(higher.closed, series.closed, side="right") - 1
    there = last >= 0
    return {
        "higher_adx": np.where(there, columns["adx"][last], np.nan),
        "higher_side": np.where(there, side[last], np.nan),
    }
