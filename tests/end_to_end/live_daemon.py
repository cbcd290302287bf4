"""A live daemon in a process of its own, with a service manager's socket beside it, on a market of one-second bars."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from ratchet_command import count, rows, started, the_sentence, until

COINS = ("SIMBRAUSD", "SIMCOLUSD", "SIMDUNUSD", "SIMELMUSD")
"""Instruments that trade on every day of the week, whenever the tests run."""

QUICK: dict[str, dict[str, Any]] = {
    "feed": {"kind": "simulated", "timeframe": "1s", "seed": 7, "instruments": list(COINS)},
    "api": {"port": 0},
    "metrics": {"port": 0},
    "logs": {"format": "json"},
    "broker": {"slippage_bps": 0.0},
    "schedule": {"scan_delay_s": 0.05},
    "signals": {"min_votes": 1, "agreement": 0.3, "min_confidence": 0.3, "atr_stop": 10.0, "time_exit_bars": 5},
    "learning": {"minimum_score": 0.0},
    "risk": {
        "min_reward_risk": 0,
        "max_open_risk": 0.5,
        "max_gross_exposure": 100,
        "max_per_currency_exposure": 100,
        "max_correlation": 1,
        "max_positions": 100,
        "max_order_value": 0.2,
        "orders_per_minute": 10_000,
        "orders_per_day": 100_000,
        "repeated_executions": 1_000,
        "consecutive_losses": 1_000,
        "instrument_cooldown_hours": 0,
        "max_drawdown": 0.9,
        "daily_loss": 0.9,
        "weekly_loss": 0.9,
    },
}
"""Bars of a second are far too short to pay for their costs; here nothing keeps the daemon from trading on them."""


def toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def quick(**changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The quick configuration with some values of its sections changed."""
    return {name: {**QUICK.get(name, {}), **changes.get(name, {})} for name in {**QUICK, **changes}}


class ServiceManager:
    """What systemd is to the daemon: a socket that hears READY, WATCHDOG and STOPPING, each with its time."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.address = str(path)
        self.heard: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            self.heard.append((time.monotonic(), message.decode()))

    def times_of(self, word: str) -> list[float]:
        return [at for at, message in list(self.heard) if word in message.split("\n")]

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.address)
        self._thread.join(timeout=5)
        self._socket.close()


class LiveDaemon:
    """`ratchet run -c FILE`; ended by its process id, whatever a test does."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        watchdog_s: float = 1.5,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.state = folder, folder / "state"
        self.file = folder / "ratchet.toml"
        self.file.write_text(toml(config or QUICK))
        self.account = self.state / "paper-main"
        self.journal = self.account / "journal.sqlite"
        number = len(list(folder.glob("run-*.err")))
        self._output = folder / f"run-{number}"
        self.manager = ServiceManager(folder / f"notify-{number}")
        self.began = time.monotonic()
        self.process = started(
            "run",
            "-c",
            str(self.file),
            state=self.state,
            out=self._output,
            extra={
                "NOTIFY_SOCKET": self.manager.address,
                "WATCHDOG_USEC": str(int(watchdog_s * 1_000_000)),
                **(extra or {}),
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=20)
        self.manager.close()

    # -- its life ---------------------------------------------------------------------------------------------

    def until_ready(self) -> float:
        """Seconds from the process's start to READY=1."""
        until(lambda: self.manager.times_of("READY=1") or self.process.poll() is not None, "READY=1")
        assert self.process.poll() is None, self.err
        return self.manager.times_of("READY=1")[0] - self.began

    def until_scans(self, more: int) -> None:
        """Until so many more bars have been scanned."""
        target = self.scans + more
        until(lambda: self.scans >= target or self.process.poll() is not None, f"{more} more scans")
        assert self.process.poll() is None, self.err

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """End it; gives back after how many seconds it had ended."""
        began = time.monotonic()
        os.kill(self.process.pid, number)
        self.process.wait(timeout=30)
        return time.monotonic() - began

    @property
    def status(self) -> int:
        """The exit status, once it has ended by itself."""
        return self.process.wait(timeout=30)

    # -- what it says -----------------------------------------------------------------------------------------

    @property
    def err(self) -> str:
        return self._output.with_suffix(".err").read_text()

    @property
    def out(self) -> str:
        return self._output.with_suffix(".out").read_text()

    @property
    def sentence(self) -> str:
        return the_sentence(self.err)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        lines = [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def metrics(self) -> dict[str, float]:
        """Every series of the metrics page by its name with labels."""
        page = httpx.get(self.logged("metrics_served")[0]["url"], timeout=10).text
        pairs = (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    @property
    def address(self) -> dict[str, Any]:
        found = json.loads((self.account / "daemon.json").read_text())
        assert isinstance(found, dict)
        return found

    def ask(self, path: str, token: str | None = None, body: Mapping[str, str] | None = None) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        method = "GET" if body is None else "POST"
        return httpx.request(method, self.address["api"] + path, headers=headers, json=body, timeout=20)

    def memory_mib(self) -> float:
        """Resident memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))

    def cpu_s(self) -> float:
        """Seconds of processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # -- what it wrote ----------------------------------------------------------------------------------------

    @property
    def scans(self) -> int:
        return count(self.journal, "SELECT count(*) FROM scans")

    def scan_times(self) -> list[int]:
        """When scans were, seconds since 1970, in the order they were written."""
        return [row["at"] // 1_000_000 for row in rows(self.journal, "SELECT at FROM scans ORDER BY row_id")]
