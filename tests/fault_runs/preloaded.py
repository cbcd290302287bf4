"""`python -m fault_runs.preloaded`: a parent that imported all a daemon needs, and forks one at each request.

It starts no thread and opens nothing before it forks, so a forked daemon differs from `ratchet run` only in the second
that importing would have taken. Requests come as lines of JSON on the standard input, one answer each on the output:

    {"do": "start", "arguments": [...], "environ": {...}, "output": PATH, "mutation": NAME or null} -> {"pid": N}
    {"do": "wait", "pid": N, "seconds": S} -> {"status": N or null}    the exit status, minus the signal's number

A daemon is reaped by `wait` only: until then its process id is nobody else's.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

NEEDED = (
    "daemon.cli.main",
    "daemon.service",
    "daemon.connection",
    "daemon.check",
    "daemon.config",
    "daemon.logs",
    "ccxt.async_support",
    "ccxt.pro",
    "aiohttp",
    "pandas",
    "pyarrow",
    "scipy",
    "scipy.stats",
    "scipy.optimize",
    "scipy.io",
    "talib",
    "river",
    "river.compose",
    "river.datasets",
    "river.drift",
    "river.feature_extraction",
    "river.linear_model",
    "river.optim",
    "river.preprocessing",
    "river.proba",
    "river.stats",
    "river.tree",
    "apscheduler.schedulers.asyncio",
    "apscheduler.triggers.cron",
    "apscheduler.triggers.interval",
    "apscheduler.executors.asyncio",
    "structlog",
    "tzlocal",
    "rich.traceback",
    "narwhals.stable.v1",
    "narwhals.stable.v2",
    "uvicorn",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.auto",
    "uvicorn.lifespan.on",
    "uvicorn.loops.asyncio",
    "uvicorn.protocols.http.h11_impl",
    "fastapi",
    "zoneinfo",
    "sqlalchemy.dialects.sqlite",
    "alembic",
    "fault_runs.mutations",
)
"""What a daemon imports on its way to a venue."""

PR_SET_PDEATHSIG = 1
TASKS = Path("/proc/self/task")
MEMORY_THREAD = "jemalloc_bg_thd"
"""Frees memory for pyarrow, and is made to be forked beside: its allocator holds its locks through a fork."""


def warm() -> None:
    """Import everything; nothing is built."""
    for name in NEEDED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def start(wanted: Mapping[str, Any]) -> int:
    """Fork a daemon; gives its process id."""
    others = [name for name in _threads() if name != MEMORY_THREAD]
    if len(others) != 1:
        raise RuntimeError(f"the threads {', '.join(others)} run before a fork: what they hold is never let go of")
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _become_daemon(wanted)
    return pid


def _threads() -> list[str]:
    return [(TASKS / number / "comm").read_text().strip() for number in os.listdir(TASKS)]


def _become_daemon(wanted: Mapping[str, Any]) -> NoReturn:
    status = 70
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _redirect(wanted["output"])
        os.environ.update(wanted["environ"])
        sys.argv = ["ratchet", *wanted["arguments"]]
        status = _run(wanted.get("mutation"))
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it is, the fork must not live on as a second parent
        sys.stderr.write(traceback.format_exc())
    finally:
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(status)


def _redirect(output: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    told = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(told, 1)
    os.dup2(told, 2)
    os.close(nothing)
    os.close(told)


def _run(mutation: str | None) -> int:
    from fault_runs.mutations import MUTATIONS

    from daemon.cli.main import main
    from journal import crashpoints

    crashpoints.hook(crashpoints._resolved(os.environ.get(crashpoints.VARIABLE)))
    if mutation is not None:
        MUTATIONS[mutation]()
    main()
    return 0


def wait(pid: int, seconds: float) -> int | None:
    """The exit status, minus the number of the signal that ended it, or None where it still runs after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            return None
        time.sleep(0.002)


def main() -> None:
    """Answer requests until the input ends."""
    warm()
    _answer({"ready": True})
    for line in sys.stdin:
        wanted = json.loads(line)
        if wanted["do"] == "start":
            _answer({"pid": start(wanted)})
        else:
            _answer({"status": wait(wanted["pid"], wanted["seconds"])})


def _answer(told: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
