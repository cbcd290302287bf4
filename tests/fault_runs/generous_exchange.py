"""The test exchange without request limits: a hundred starts a minute would spend what a venue allows in a minute.

That limits and bans are obeyed is shown by faults 20 and 21 of the catalogue, at an exchange that has them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from exchange import __main__ as program
from exchange.process import TESTS, ControlRefused, RunningExchange
from exchange.routing import Limits
from exchange.wire import Reply


class GenerousExchange(RunningExchange):
    """Steered as any other; a context manager."""

    def start(self) -> None:
        command = [sys.executable, "-m", "fault_runs.generous_exchange", "--port", "0", "--seed", str(self._seed)]
        paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.kill()
            raise ControlRefused("the exchange ended before it listened")
        self.port = int(json.loads(line)["port"])


def _count_nothing(limits: Limits, market: str, weight: int, now: int, *, order: bool) -> Reply | None:
    return None


def _say_nothing(limits: Limits, market: str) -> dict[str, str]:
    return {}


if __name__ == "__main__":
    Limits.count = _count_nothing  # type: ignore[assignment, method-assign]  # this process is an exchange without limits
    Limits.headers = _say_nothing  # type: ignore[assignment, method-assign]  # and tells of none
    program.main()
