"""The real ccxt, unmodified, against the test exchange: in the same process or over the wire."""

from __future__ import annotations

import time
from typing import Any

import ccxt.async_support
import ccxt.pro
from exchange.in_process import InProcessSession
from exchange.keys import TRADE_KEY, ApiKey
from exchange.process import local_urls

SPOT_OPTIONS = {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}}
LINEAR_OPTIONS = {"fetchCurrencies": False}
BTC = "BTC/USDT"
PERPETUAL = "BTC/USDT:USDT"


class ShiftedClock:
    """The machine's clock, moved by `shift_ms`."""

    def __init__(self) -> None:
        self.shift_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.shift_ms


def _config(key: ApiKey, options: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiKey": key.key,
        "secret": key.secret,
        "enableRateLimit": False,
        "timeout_on_exit": 0,
        "options": options,
    }


def spot_client(session: InProcessSession, key: ApiKey = TRADE_KEY) -> Any:
    return ccxt.async_support.binance({**_config(key, dict(SPOT_OPTIONS)), "session": session})


def linear_client(session: InProcessSession, key: ApiKey = TRADE_KEY) -> Any:
    return ccxt.async_support.binanceusdm({**_config(key, dict(LINEAR_OPTIONS)), "session": session})


def wired_spot(port: int, key: ApiKey = TRADE_KEY) -> Any:
    client = ccxt.pro.binance(_config(key, dict(SPOT_OPTIONS)))
    client.urls["api"] = local_urls(client.urls["api"], port)
    return client


def wired_linear(port: int, key: ApiKey = TRADE_KEY) -> Any:
    client = ccxt.pro.binanceusdm(_config(key, dict(LINEAR_OPTIONS)))
    client.urls["api"] = local_urls(client.urls["api"], port)
    return client
