"""Live runs against the test exchange: starting both, moving the market, and telling a run where to write its times."""

from __future__ import annotations

import http.client
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.request import ROOT
from bench.venue_exchange import PRICE

TESTS = ROOT / "tests"
STRATEGIES = TESTS / "end_to_end" / "venue_strategies"
"""The strategy of the end-to-end tests: it proposes to go with a close that jumps by 0.3% to 0.6%."""
UP, DOWN = Decimal("1.0045"), Decimal("0.9880")
"""Up enough for an entry; down enough from there for its stop, which lies 1% below."""
HISTORY_BARS = 420
SECONDS = {"1s": 1, "1m": 60}
WITHIN_S = 120.0
MARKS = "RATCHET_BENCH_MARKS"
"""The environment variable that names the file which a run writes its times to, one JSON object a line."""


class Exchange:
    """The test exchange in a process of its own; a context manager."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.venue_exchange", "--port", "0"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(ROOT)))}
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        self.port = int(json.loads(line)["port"])
        self._prices: dict[str, Decimal] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    def do(self, deed: str, **arguments: Any) -> None:
        """One of the exchange's controls, by name."""
        self._ask("POST", f"do/{deed}", arguments)

    def account(self, name: str) -> dict[str, Any]:
        """What the exchange's own ledger says of an account."""
        found: dict[str, Any] = self._ask("GET", "ledger")["accounts"][name]
        return found

    def requests(self) -> list[dict[str, Any]]:
        """Every order that was asked for, with the exchange's time in milliseconds."""
        found: list[dict[str, Any]] = self._ask("GET", "ledger")["requests"]
        return found

    def open(self, symbols: Sequence[str], timeframe: str) -> None:
        """Tell a quiet past of each instrument up to now, and let it trade."""
        length = SECONDS[timeframe] * 1000
        now = time.time_ns() // 1_000_000 // length * length
        for symbol in symbols:
            candles = [_candle(now - (HISTORY_BARS - number) * length, number) for number in range(HISTORY_BARS)]
            self.do("set_candles", symbol=symbol, interval=timeframe, rows=candles)
            self._prices[symbol] = PRICE
            self.move(symbol, Decimal(1))

    def move(self, symbol: str, factor: Decimal) -> None:
        """Let the instrument trade at its price times `factor`."""
        self._prices[symbol] = (self._prices[symbol] * factor).quantize(Decimal("0.01"))
        self.do("trade_at", symbol=symbol, price=str(self._prices[symbol]))

    def _ask(self, method: str, name: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            body = None if arguments is None else json.dumps(arguments)
            connection.request(method, f"/_exchange/{name}", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read().decode()
        finally:
            connection.close()
        if response.status >= 400:
            raise RuntimeError(f"the exchange refuses {name}: {answer}")
        told: dict[str, Any] = json.loads(answer)
        return told


def _candle(start: int, number: int) -> list[Any]:
    first, last = (float(PRICE) * (1 + 0.0004 * math.sin(number + shift) * math.sin(number / 7)) for shift in (0, 1))
    high, low = max(first, last) * 1.0001, min(first, last) * 0.9999
    return [start, *(f"{value:.4f}" for value in (first, high, low, last)), "100"]


class Run:
    """`ratchet run` on the test exchange through a module of ours that looks at it; ended by its process id."""

    def __init__(
        self, module: str, folder: Path, config: Mapping[str, Mapping[str, Any]], *, key: str = "trade"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "ratchet.toml"
        file.write_text(_toml(config))
        self.marks = folder / f"marks-{len(list(folder.glob('marks-*')))}"
        self.marks.touch()
        self._errors = folder / f"{self.marks.name}.err"
        environment = {
            **os.environ,
            "STATE_DIRECTORY": str(folder / "state"),
            "RATCHET_SECRET_VENUE_KEY": f"{key}-key",
            "RATCHET_SECRET_VENUE_SECRET": f"{key}-secret",
            MARKS: str(self.marks),
        }
        with self._errors.open("w") as errors:
            command = [sys.executable, "-m", module, "run", "-c", str(file)]
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=environment
            )

    def told(self) -> list[dict[str, Any]]:
        """The times written so far; a line that is being written is left out."""
        lines = self.marks.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def until(self, holds: Callable[[], object], what: str) -> None:
        """Ask again and again; raises `RuntimeError` with the run's last words where it ends or is too slow."""
        deadline = time.monotonic() + WITHIN_S
        while not holds():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the run did not come to {what}: {self._errors.read_text()[-800:]}")
            time.sleep(0.01)

    def until_mark(self, name: str) -> None:
        """Wait for the mark of this name."""
        self.until(lambda: any(each["mark"] == name for each in self.told()), name)

    def kill(self) -> None:
        """End it without a word, as a power cut would."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


JUMPS_ALONE: Mapping[str, Any] = {
    "strategies": str(STRATEGIES),
    "min_votes": 1,
    "agreement": 0.3,
    "min_confidence": 0.3,
    "signal_valid_bars": 1,
    "reversal_confidence": 1,
    "trailing_activation_r": 10,
}
"""Signals that follow jumps and nothing else."""
NO_LIMITS: Mapping[str, Any] = {
    "min_reward_risk": 0,
    "max_open_risk": 0.5,
    "max_gross_exposure": 100,
    "max_per_currency_exposure": 100,
    "max_correlation": 1,
    "max_positions": 100,
    "max_order_value": 0.01,
    "orders_per_minute": 10_000,
    "orders_per_day": 100_000,
    "repeated_executions": 1_000,
    "consecutive_losses": 1_000,
    "instrument_cooldown_hours": 0,
    "max_drawdown": 0.9,
    "daily_loss": 0.9,
    "weekly_loss": 0.9,
}
"""Risk limits so wide that none of them is met in a run."""


def config_for(
    exchange: Exchange,
    symbols: Sequence[str],
    *,
    market: str,
    timeframe: str,
    name: str = "main",
    durability: str = "full",
) -> dict[str, dict[str, Any]]:
    """A daemon that trades on jumps alone, with nothing to keep it from that. `name` is in the ids of its orders."""
    from signals.strategies import STRATEGIES as SHIPPED

    return {
        "account": {"name": name},
        "broker": {
            "kind": "ccxt",
            "venue": "binance",
            "market": market,
            "base_url": f"http://127.0.0.1:{exchange.port}",
        },
        "feed": {"timeframe": timeframe, "instruments": list(symbols)},
        "journal": {"durability": durability},
        "api": {"port": 0},
        "metrics": {"port": 0},
        "schedule": {"scan_delay_s": 0.0},
        "signals": dict(JUMPS_ALONE),
        "signals.weights": {strategy.name: 0 for strategy in SHIPPED},
        "learning": {"minimum_score": 0.0},
        "risk": dict(NO_LIMITS),
    }


def _toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    lines: list[str] = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def mark(name: str, **figures: float | str) -> None:
    """In a run: write down a moment, or what was measured at it."""
    with Path(os.environ[MARKS]).open("a") as file:
        file.write(json.dumps({"mark": name, **figures}) + "\n")
