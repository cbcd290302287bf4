"""A market that moves by a seeded random walk, and the configuration of a daemon that trades on it all the time."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any

from exchange.process import RunningExchange
from exchange.symbols import LINEAR_SYMBOLS, SPOT_SYMBOLS
from fault_runs.wall import now_ms

STRATEGIES = Path(__file__).resolve().parent / "strategies"
STARTS: Mapping[str, float] = {
    "BTCUSDT": 30_000.0,
    "ETHUSDT": 2_000.0,
    "BNBUSDT": 300.0,
    "SOLUSDT": 100.0,
    "LTCUSDT": 80.0,
    "XRPUSDT": 0.6,
    "ADAUSDT": 0.5,
}
BARS = 300
"""How many bars of the past the exchange tells: a little more than indicators need."""
LENGTHS = {"1s": 1_000, "1m": 60_000}
STEP = 0.0006
"""The standard deviation of one move."""


class Market:
    """Prices of some symbols; `move` makes them trade a step further."""

    def __init__(self, exchange: RunningExchange, seed: int, symbols: tuple[str, ...] = tuple(STARTS)) -> None:
        self._exchange = exchange
        self._random = random.Random(seed)  # noqa: S311 - a market that can be told again, nothing secret
        self.prices = {symbol: STARTS[symbol] for symbol in symbols}

    def tell_past(self, timeframe: str) -> None:
        """The bars before now, and a first trade at the last of them."""
        length = LENGTHS[timeframe]
        begun = now_ms() // length * length
        for symbol in self.prices:
            rows = [self._row(symbol, begun - number * length) for number in range(BARS, 0, -1)]
            self._exchange.set_candles(symbol, timeframe, rows)
        self.move(0.0)

    def _row(self, symbol: str, at: int) -> list[Any]:
        draw = self._random.gauss
        first = self.prices[symbol]
        last = self.prices[symbol] = first * (1 + draw(0, STEP))
        high = max(first, last) * (1 + abs(draw(0, STEP / 2)))
        low = min(first, last) * (1 - abs(draw(0, STEP / 2)))
        return [at, *(self._text(symbol, price) for price in (first, high, low, last)), "100"]

    def move(self, step: float = STEP) -> None:
        for symbol in self.prices:
            self.move_one(symbol, 1 + self._random.gauss(0, step))

    def move_one(self, symbol: str, factor: float) -> None:
        self.prices[symbol] *= factor
        self._exchange.trade_at(symbol, self._text(symbol, self.prices[symbol]))

    @staticmethod
    def _text(symbol: str, price: float) -> str:
        tick = max(SPOT_SYMBOLS[symbol].tick, LINEAR_SYMBOLS[symbol].tick)
        return str((Decimal(repr(price)) / tick).to_integral_value(rounding=ROUND_DOWN) * tick)


def configuration(
    port: int, market: str, symbols: tuple[str, ...], **changes: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Sections of a daemon that enters wherever it may: stops lie near, trades end soon, no limit of risk is met."""
    sections: dict[str, dict[str, Any]] = {
        "account": {"kind": "demo", "currency": "USDT"},
        "broker": {
            "kind": "ccxt",
            "venue": "binance",
            "account": "demo",
            "market": market,
            "base_url": f"http://127.0.0.1:{port}",
        },
        "feed": {
            "timeframe": "1s" if market == "spot" else "1m",
            "instruments": list(symbols),
            "history": 250,
        },
        "api": {"port": 0},
        "metrics": {"port": 0},
        "logs": {"format": "json"},
        "schedule": {"scan_delay_s": 0.05, "reconcile_every_s": 5, "watch_every_s": 0.5},
        "signals": {
            "min_votes": 1,
            "agreement": 0.3,
            "min_confidence": 0.3,
            "atr_stop": 1.5,
            "reward_risk": 2.5,
            "trailing_activation_r": 0.5,
            "time_exit_bars": 6 if market == "spot" else 3,
            "warmup_bars": 150,
            "strategies": str(STRATEGIES),
        },
        "learning": {"minimum_score": 0.0},
        "sentiment": {"enabled": False},
        "risk": {
            "min_reward_risk": 0,
            "max_open_risk": 0.5,
            "max_gross_exposure": 100,
            "max_per_currency_exposure": 100,
            "max_correlation": 1,
            "max_positions": 100,
            "max_order_value": 0.12,
            "orders_per_minute": 10_000,
            "orders_per_day": 100_000,
            "repeated_executions": 1_000,
            "consecutive_losses": 1_000,
            "instrument_cooldown_hours": 0,
            "max_rejections": 1_000,
            "max_drawdown": 0.9,
            "daily_loss": 0.9,
            "weekly_loss": 0.9,
        },
    }
    return {name: {**sections.get(name, {}), **changes.get(name, {})} for name in {**sections, **changes}}


def toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"
