"""Daemons forked from the preloaded parent: started, waited for, killed, and what they said."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fault_runs.wall import now_ms, wait_until

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
ENDED_S = 25.0
READY_S = 60.0
KEY, SECRET = "trade-key", "trade-secret"
SECRETS = {"RATCHET_SECRET_VENUE_KEY": KEY, "RATCHET_SECRET_VENUE_SECRET": SECRET}


class EndedByItself(Exception):
    """A daemon ended while something was expected of it; the text is what it said last."""


class Notices:
    """A service manager's socket, read when somebody asks; the kernel keeps what was sent meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        self.address = str(path)
        self.heard: list[str] = []

    def has(self, word: str) -> bool:
        self.listen()
        return word in self.heard

    def listen(self) -> None:
        while True:
            try:
                self.heard += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return

    def close(self) -> None:
        self._socket.close()
        self._path.unlink(missing_ok=True)


class Nursery:
    """The preloaded parent; a context manager. What it forked ends with it."""

    def __init__(self) -> None:
        paths = os.pathsep.join([str(TESTS), str(ROOT)])
        environ = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        environ |= {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fault_runs.preloaded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
            cwd=ROOT,
        )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=ENDED_S)
        self._process.stdout.close()

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str], output: Path, mutation: str | None = None
    ) -> int:
        wanted = {"do": "start", "arguments": list(arguments), "environ": dict(environ), "output": str(output)}
        return int(self._ask({**wanted, "mutation": mutation})["pid"])

    def wait(self, pid: int, seconds: float = 0.0) -> int | None:
        """The exit status, minus the signal's number where one ended it; None where it still runs."""
        status = self._ask({"do": "wait", "pid": pid, "seconds": seconds})["status"]
        return None if status is None else int(status)

    def _ask(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EndedByItself(f"the preloaded parent ended with {self._process.wait(timeout=ENDED_S)}")
        told: dict[str, Any] = json.loads(line)
        return told


class Daemon:
    """One life of `ratchet run`. Times are milliseconds since 1970; `ready_ms` is None until it was seen ready."""

    def __init__(
        self,
        nursery: Nursery,
        folder: Path,
        number: int,
        *,
        environ: Mapping[str, str] | None = None,
        mutation: str | None = None,
    ) -> None:
        self._nursery = nursery
        self.output = folder / f"life-{number}.log"
        self.notices = Notices(folder / "notify")
        given = {
            **SECRETS,
            "HOME": str(folder),
            "STATE_DIRECTORY": str(folder / "state"),
            "NOTIFY_SOCKET": self.notices.address,
            **(environ or {}),
        }
        self.began_ms = now_ms()
        self.ready_ms: int | None = None
        self.ended_ms: int | None = None
        self.status: int | None = None
        self.pid = nursery.start(["run", "-c", str(folder / "ratchet.toml")], given, self.output, mutation)

    @property
    def lives(self) -> bool:
        if self.status is None:
            self.notices.listen()
            self._note(self._nursery.wait(self.pid))
        return self.status is None

    def is_ready(self) -> bool:
        if self.ready_ms is None and self.notices.has("READY=1"):
            self.ready_ms = now_ms()
        return self.ready_ms is not None

    def until_ready(self, seconds: float = READY_S) -> float:
        """Seconds from the fork to READY=1."""
        wait_until(lambda: self.is_ready() or not self.lives, seconds, every_s=0.005)
        if self.ready_ms is None:
            raise EndedByItself(f"not ready within {seconds} s (status {self.status}): {self.said[-3000:]}")
        return (self.ready_ms - self.began_ms) / 1000

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def signal(self, number: signal.Signals) -> None:
        if self.lives:
            os.kill(self.pid, number)

    def stop(self) -> float:
        """End it as systemd does; gives back after how many seconds it had ended."""
        began = now_ms()
        self.signal(signal.SIGTERM)
        self.wait()
        assert self.ended_ms is not None
        return (self.ended_ms - began) / 1000

    def wait(self, seconds: float = ENDED_S) -> int:
        """The exit status, once it has ended."""
        if self.status is None:
            self._note(self._nursery.wait(self.pid, seconds))
        if self.status is None:
            raise TimeoutError(f"daemon {self.pid} still runs after {seconds} s: {self.said[-3000:]}")
        return self.status

    def _note(self, status: int | None) -> None:
        if status is not None:
            self.is_ready()
            self.status, self.ended_ms = status, now_ms()
            self.notices.close()

    @property
    def said(self) -> str:
        return self.output.read_text() if self.output.is_file() else ""

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.said.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]
