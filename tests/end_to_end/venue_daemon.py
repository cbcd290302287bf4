"""A live daemon on the test exchange: real ccxt over HTTP, a market that moves only where the test moves it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from exchange.keys import TRADE_KEY, ApiKey
from exchange.markets import INTERVALS
from exchange.process import RunningExchange
from exchange.symbols import SPOT_SYMBOLS
from live_daemon import LiveDaemon, quick
from ratchet_command import Ended, count, ratchet, rows, until

from signals.strategies import STRATEGIES

STRATEGY_FOLDER = Path(__file__).parent / "venue_strategies"
PRICES: Mapping[str, str] = {
    "BTCUSDT": "30000",
    "ETHUSDT": "2000",
    "BNBUSDT": "300",
    "SOLUSDT": "150",
    "LTCUSDT": "80",
    "XRPUSDT": "0.6",
    "ADAUSDT": "0.5",
    "DOGEUSDT": "0.1",
}
"""What the market is before a test moves it. All are multiples of every tick."""
HISTORY_BARS = 420
UP, DOWN = Decimal("1.0045"), Decimal("0.9955")
"""What moves a price so far that the strategy in `venue_strategies` proposes to go with it."""


@dataclass(slots=True)
class Market:
    """The market outside: every price stands still until it is moved."""

    exchange: RunningExchange
    prices: dict[str, Decimal] = field(default_factory=dict)

    def open(self, symbols: Sequence[str], interval: str) -> None:
        """Tell a quiet past of each symbol up to now, and let it trade at its price."""
        length = INTERVALS[interval]
        now = time.time_ns() // 1_000_000 // length * length
        for symbol in symbols:
            price = self.prices.setdefault(symbol, Decimal(PRICES[symbol]))
            starts = range(now - HISTORY_BARS * length, now, length)
            self.exchange.set_candles(
                symbol, interval, [_row(start, number, float(price)) for number, start in enumerate(starts)]
            )
            self.exchange.trade_at(symbol, str(price))

    def move(self, symbol: str, factor: Decimal) -> Decimal:
        """Let the symbol trade at its price times `factor`, at a whole tick; gives the new price."""
        return self.trade(symbol, self.prices[symbol] * factor)

    def trade(self, symbol: str, price: Decimal) -> Decimal:
        tick = max(SPOT_SYMBOLS[symbol].tick, Decimal("0.0001"))
        self.prices[symbol] = (price / tick).quantize(Decimal(1), rounding=ROUND_HALF_UP) * tick
        self.exchange.trade_at(symbol, str(self.prices[symbol]))
        return self.prices[symbol]


def _row(start: int, number: int, price: float) -> list[Any]:
    """A candle of the past: it swings a little about the price, so that every indicator has something to say."""
    first, last = (price * (1 + 0.0004 * math.sin(number + shift) * math.sin(number / 7)) for shift in (0, 1))
    high, low = max(first, last) * 1.0001, min(first, last) * 0.9999
    return [start, *(f"{value:.6f}" for value in (first, high, low, last)), str(100 + number % 9)]


def venue_config(
    port: int, symbols: Sequence[str], *, market: str = "spot", timeframe: str = "1s", **changes: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """A daemon that trades on jumps alone, and asks often enough for a test to wait for it."""
    signals = {"strategies": str(STRATEGY_FOLDER), "signal_valid_bars": 1, "time_exit_bars": 100_000}
    broker = {
        "kind": "ccxt",
        "venue": "binance",
        "account": "demo",
        "market": market,
        "base_url": f"http://127.0.0.1:{port}",
    }
    ours = {
        "feed": {"timeframe": timeframe, "instruments": list(symbols)},
        "schedule": {
            "reconcile_every_s": 5 if market == "spot" else 15,
            "watch_every_s": 1,
            "equity_every_s": 5,
            "heartbeat_every_s": 1,
        },
        "signals": {
            **signals,
            "chandelier_atr": 2.0,
            "trailing_activation_r": 0.5,
            "trailing_step_atr": 2,
            "reversal_confidence": 1,
        },
        "risk": {"max_order_value": 0.08},
        "signals.weights": {strategy.name: 0 for strategy in STRATEGIES},
    }
    base = quick(**{name: {**ours.get(name, {}), **changes.get(name, {})} for name in {**ours, **changes}})
    base["broker"] = broker
    del base["feed"]["kind"], base["feed"]["seed"]
    return base


def key_of(key: ApiKey = TRADE_KEY) -> dict[str, str]:
    """The environment variables that hand an API key over."""
    return {"RATCHET_SECRET_VENUE_KEY": key.key, "RATCHET_SECRET_VENUE_SECRET": key.secret}


class VenueDaemon(LiveDaemon):
    """`ratchet run` on the demo account `main`."""

    def __init__(self, folder: Path, config: Mapping[str, Mapping[str, Any]], *, key: ApiKey = TRADE_KEY) -> None:
        super().__init__(folder, config, watchdog_s=3, extra=key_of(key))
        self.config = config
        self.account = self.state / "demo-main"
        self.journal = self.account / "journal.sqlite"

    def command(self, *arguments: str) -> Ended:
        """A command to the running daemon, as a person gives it."""
        return ratchet(*arguments, "--json", state=self.state)

    def shown(self) -> dict[str, Any]:
        """What `ratchet status --json` tells."""
        return self.command("status").document

    def holds(self) -> list[dict[str, Any]]:
        """Holds in force by the journal, oldest first."""
        newest = "SELECT max(row_id) FROM holds GROUP BY hold_id"
        found = rows(self.journal, f"SELECT * FROM holds WHERE row_id IN ({newest}) AND cleared_at IS NULL")
        return [dict(row) for row in found]

    def held(self, cause: str, scope: str | None = None) -> bool:
        return any(hold["cause"] == cause and hold["scope"] == scope for hold in self.holds())

    def orders(self, symbol: str, leg: str, state: str | None = None) -> list[dict[str, Any]]:
        """Orders of one leg in one instrument as they stand, oldest first; with `state`, those in it."""
        newest = "SELECT max(row_id) FROM orders GROUP BY client_order_id"
        statement = (
            "SELECT intents.client_order_id, intents.leg, intents.side, intents.position_id, intents.reason AS why,"
            " orders.* FROM orders JOIN intents USING (client_order_id)"
            f" WHERE orders.row_id IN ({newest}) AND intents.instrument = ? AND intents.leg = ? ORDER BY intents.row_id"
        )
        found = [dict(row) for row in rows(self.journal, statement, symbol, leg)]
        return [order for order in found if state in (None, order["state"])]

    def resting_stop(self, symbol: str) -> dict[str, Any] | None:
        return next(iter(self.orders(symbol, "stop", "accepted")), None)

    def until_protected(self, symbol: str) -> dict[str, Any]:
        """Wait for a position's resting stop."""
        until(lambda: self.resting_stop(symbol) or self.process.poll() is not None, f"a stop for {symbol}")
        found = self.resting_stop(symbol)
        assert found is not None, self.err
        return found

    def outcomes(self, symbol: str) -> list[str]:
        """Why trades in the instrument ended, oldest first."""
        statement = "SELECT exit_cause FROM outcomes WHERE kind = 'real' AND instrument = ? ORDER BY row_id"
        return [row["exit_cause"] for row in rows(self.journal, statement, symbol)]

    def until_ended(self, symbol: str, cause: str) -> None:
        """Wait for a trade's outcome."""
        until(lambda: cause in self.outcomes(symbol) or self.process.poll() is not None, f"{symbol} ends by {cause}")
        assert self.process.poll() is None, self.err

    def sent(self) -> int:
        """How many intents were journaled."""
        return count(self.journal, "SELECT count(*) FROM intents")

    def waiting(self) -> int:
        """How many orders have no answer yet."""
        newest = "SELECT max(row_id) FROM orders GROUP BY client_order_id"
        return count(
            self.journal, f"SELECT count(*) FROM orders WHERE row_id IN ({newest}) AND state IN ('pending', 'unknown')"
        )
