"""Metrics of sizing: what each instrument weighs, and how often weights could not be solved for."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.metrics.families import NOT_MEASURED, Families
from daemon.metrics.vocabulary import Vocabulary


class RiskMetrics:
    """Portfolio weights are shares of 1; NaN means that none were computed for the instrument."""

    def __init__(self, make: Families, words: Vocabulary) -> None:
        self._instruments = words.own_instruments
        self._weights = make.gauged(
            "portfolio_weight_ratio",
            "Weight of an instrument in the portfolio, as a share of 1; NaN while there is none.",
            "instrument",
            words.own_instruments,
            NOT_MEASURED,
        )
        self._fallbacks = make.counter(
            "portfolio_fallbacks", "Portfolio weights that could not be solved for: inverse volatility was used."
        )

    def weighed(self, weights: Mapping[str, float], *, fell_back: bool) -> None:
        """Weights were computed anew; instruments that are not named have none."""
        for instrument in self._instruments:
            self._weights.put(instrument, weights.get(instrument, NOT_MEASURED))
        if fell_back:
            self._fallbacks.inc()
