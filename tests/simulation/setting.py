"""The configuration of a simulated daemon: everything real, limits wide open so that it trades often."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from exchange.symbols import LINEAR_SYMBOLS, SPOT_SYMBOLS, Rules

from daemon.config import Config
from venues.records import MarketKind

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
RULES: Mapping[MarketKind, Mapping[str, Rules]] = {
    MarketKind.SPOT: {symbol: SPOT_SYMBOLS[symbol] for symbol in SYMBOLS},
    MarketKind.LINEAR: {symbol: LINEAR_SYMBOLS[symbol] for symbol in SYMBOLS},
}


def price_steps(kind: MarketKind) -> Mapping[str, Decimal]:
    return {symbol: rules.tick for symbol, rules in RULES[kind].items()}


def config_for(kind: MarketKind, *, lively: bool) -> Config:
    """Bars of an hour decide; stops lie near, trades end soon, and no limit of risk keeps the daemon from trading."""
    sections: dict[str, Mapping[str, Any]] = {
        "account": {"kind": "demo", "currency": "USDT"},
        "broker": {"kind": "ccxt", "venue": "binance", "market": kind.value},
        "feed": {"kind": "venue", "timeframe": "1h", "instruments": SYMBOLS},
        "signals": {
            "min_votes": 1 if lively else 2,
            "agreement": 0.5,
            "min_confidence": 0.65,
            "atr_stop": 1.2,
            "reward_risk": 2.5,
            "trailing_activation_r": 0.5,
            "time_exit_bars": 24,
        },
        "learning": {"minimum_score": 0.0},
        "sentiment": {"enabled": False},
        "risk": {
            "min_reward_risk": 0,
            "max_open_risk": "0.5",
            "max_gross_exposure": 3,
            "max_per_currency_exposure": 3,
            "max_correlation": 1,
            "max_positions": 10,
            "max_order_value": "0.2",
            "orders_per_minute": 1_000,
            "orders_per_day": 100_000,
            "repeated_executions": 1_000,
            "consecutive_losses": 1_000,
            "instrument_cooldown_hours": 0,
            "max_drawdown": "0.9",
            "daily_loss": "0.9",
            "weekly_loss": "0.9",
        },
    }
    return Config.model_validate(sections)
