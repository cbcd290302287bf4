"""Starting the exchange as a process, and steering it from a test."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

TESTS = Path(__file__).resolve().parent.parent
PATIENCE_S = 10.0


def local_urls(urls: Any, port: int) -> Any:
    """ccxt's `urls["api"]` with every address on this machine, its path kept."""
    if isinstance(urls, Mapping):
        return {name: local_urls(url, port) for name, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    parts = urlsplit(urls)
    scheme = "ws" if parts.scheme in ("ws", "wss") else "http"
    return f"{scheme}://127.0.0.1:{port}{parts.path}"


class ControlRefused(Exception):
    """The exchange would not do what a test asked of it."""


class RunningExchange:
    """A context manager. The process is stopped by its own id when it ends."""

    def __init__(self, *, port: int = 0, seed: int = 0, state: Path | None = None) -> None:
        self._asked_port, self._seed, self._state = port, seed, state
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def __enter__(self) -> RunningExchange:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        command = [sys.executable, "-m", "exchange", "--port", str(self._asked_port), "--seed", str(self._seed)]
        if self._state is not None:
            command += ["--state", str(self._state)]
        paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        if self._process.stdout is None:
            raise ControlRefused("the exchange has no output to read its port from")
        line = self._process.stdout.readline()
        if not line:
            self.kill()
            raise ControlRefused("the exchange ended before it listened")
        self.port = int(json.loads(line)["port"])

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ControlRefused("the exchange is not running")
        return self._process.pid

    def stop(self) -> None:
        """Ask it to end; kill it where it does not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._ended()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._ended()

    def _ended(self) -> None:
        if self._process is not None:
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    # The controls

    def ledger(self) -> dict[str, Any]:
        return self._ask("GET", "ledger")

    def streams(self) -> dict[str, int]:
        """How many websockets are `open`, were ever `accepted`, and how often one `subscribed` to something."""
        return self._ask("GET", "streams")

    def drop_streams(self) -> int:
        """Close every websocket; returns how many there were."""
        return int(self._ask("POST", "streams")["dropped"])

    def do(self, deed: str, /, **arguments: Any) -> Any:
        """Any control of `control.py` by its name."""
        return self._ask("POST", f"do/{deed}", arguments)["result"]

    def trade_at(self, symbol: str, price: str, *, most: str | None = None) -> None:
        self.do("trade_at", symbol=symbol, price=price, most=most)

    def set_candles(self, symbol: str, interval: str, rows: list[list[Any]]) -> None:
        self.do("set_candles", symbol=symbol, interval=interval, rows=rows)

    def add_fault(self, kind: str, **options: Any) -> int:
        """Switch a fault on; returns its number. See `Faults.add`."""
        return int(self.do("add_fault", kind=str(kind), **options))

    def clear_fault(self, number: int) -> None:
        self.do("clear_fault", fault=number)

    def calm(self) -> None:
        """Switch every fault off, and lift every ban."""
        self.do("calm")

    def switch(self, **switches: Any) -> None:
        """`skew_ms`, `maintenance`, `streams_silent`."""
        self.do("switch", **switches)

    def fund(self, symbol: str, rate: str) -> None:
        self.do("fund", symbol=symbol, rate=rate)

    def _ask(self, method: str, name: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            body = None if arguments is None else json.dumps(arguments)
            connection.request(method, f"/_exchange/{name}", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read().decode()
        finally:
            connection.close()
        if response.status >= 400:
            raise ControlRefused(f"{name}: {answer}")
        told: dict[str, Any] = json.loads(answer)
        return told
