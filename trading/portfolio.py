"""How much of one trade's risk each instrument gets, from portfolio weights over what is traded.

Sizing gives every trade the same risk: the distance of its stop has the instrument's volatility in it already, so that
without weights every instrument has what inverse volatility would give it. A position's risk is therefore scaled by
its instrument's weight over that one (docs/adr/0023), within limits. Weights come from returns that were known when
they were computed; until there are enough of them nothing is scaled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from domain.numbers import decimal_of
from journal.batch import Batch
from risk.portfolio import Method, Solution, solve
from trading.view import MarketView

PORTFOLIO_KEY = "portfolio_weights"
STILL_TRADES = timedelta(days=7)
"""An instrument without a bar for longer than this, weekends and holidays over, weighs nothing."""

_ONE = Decimal(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class PortfolioSettings:
    """`method` of `risk.portfolio`; `lookback` the most returns and `fewest` the least that weights are computed from,
    in bars; `no_trade_band` the change of a weight below which all stay as they are; `turnover_cost` what moving a
    weight by 1 costs, as a fraction."""

    method: Method = Method.RISK_PARITY
    lookback: int = 500
    fewest: int = 120
    no_trade_band: float = 0.03
    turnover_cost: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PortfolioWeights:
    """Weights of the instruments that had enough common history, and `at_equal_risk` what inverse volatility gives
    them. `method` is the one that answered; `fell_back` says that it is not the one asked for, and `reason` why, or why
    there are no weights."""

    at: datetime
    method: str
    weights: Mapping[str, float] = field(default_factory=dict)
    at_equal_risk: Mapping[str, float] = field(default_factory=dict)
    fell_back: bool = False
    reason: str = ""

    def to_json(self) -> str:
        shown: dict[str, object] = {
            "at": self.at.isoformat(),
            "method": self.method,
            "fell_back": self.fell_back,
            "reason": self.reason,
        }
        shown = {**shown, "weights": dict(self.weights), "at_equal_risk": dict(self.at_equal_risk)}
        return json.dumps(shown, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> PortfolioWeights:
        values = json.loads(text)
        return cls(**{**values, "at": datetime.fromisoformat(values["at"])})


class Portfolio:
    """Holds the current weights and says what they make of a size."""

    def __init__(self, settings: PortfolioSettings) -> None:
        self.settings = settings
        self.current: PortfolioWeights | None = None

    def restore(self, text: str) -> None:
        """Take the weights over from the journal, unless every instrument is to weigh the same by now."""
        if self.settings.method is not Method.EQUAL:
            self.current = PortfolioWeights.from_json(text)

    def scale(self, symbol: str) -> Decimal:
        """Weight over the one of equal risk, at least 0; 1 where the instrument has none. Sizing keeps it in limits."""
        if self.current is None:
            return _ONE
        weight, alike = self.current.weights.get(symbol), self.current.at_equal_risk.get(symbol)
        return _ONE if weight is None or not alike else decimal_of(round(weight / alike, 6))

    def refresh(self, view: MarketView, now: datetime, batch: Batch) -> PortfolioWeights:
        """Weights from the bars that closed until now; what came of it is in `batch`."""
        self.current = self._weights(view, now)
        batch.put_state(PORTFOLIO_KEY, self.current.to_json())
        return self.current

    def _weights(self, view: MarketView, now: datetime) -> PortfolioWeights:
        settings = self.settings
        symbols = [symbol for symbol in sorted(view.tradable) if self._speaks(view, symbol, now)]
        if settings.method is Method.EQUAL or len(symbols) < 2:
            why = "" if settings.method is Method.EQUAL else "fewer than two instruments have enough history"
            return PortfolioWeights(at=now, method=Method.EQUAL.value, reason=why)
        returns = view.common_returns(symbols, settings.lookback)
        if len(returns) < settings.fewest:
            why = f"{len(returns)} returns are common to {len(symbols)} instruments; {settings.fewest} are needed"
            return PortfolioWeights(at=now, method=Method.EQUAL.value, reason=why)
        solution = solve(
            returns,
            settings.method,
            previous=self._previous(symbols),
            no_trade_band=settings.no_trade_band,
            turnover_cost=settings.turnover_cost,
        )
        return PortfolioWeights(
            at=now,
            method=solution.method_used,
            weights=_named(symbols, solution),
            at_equal_risk=_named(symbols, solve(returns, Method.INVERSE_VOLATILITY)),
            fell_back=solution.fell_back,
            reason=solution.reason or "",
        )

    def _speaks(self, view: MarketView, symbol: str, now: datetime) -> bool:
        """Whether the instrument has enough history and still trades: one that ended years ago, or begins years later
        than the others, has no period in common with them and must not take their weights away."""
        closed_at = view.closed_at(symbol)
        return closed_at is not None and view.closed[symbol] >= self.settings.fewest and now - closed_at <= STILL_TRADES

    def _previous(self, symbols: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
        """The weights in force, where they are of the same instruments."""
        if self.current is None or set(self.current.weights) != set(symbols):
            return None
        return np.array([self.current.weights[symbol] for symbol in symbols], dtype=np.float64)


def _named(symbols: Sequence[str], solution: Solution) -> dict[str, float]:
    """Six decimals: the same on two machines whose arithmetic differs in the last bits."""
    return {symbol: round(float(weight), 6) for symbol, weight in zip(symbols, solution.weights, strict=True)}
