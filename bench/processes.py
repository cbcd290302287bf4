"""Running the real command in a fresh process, and what the kernel says it cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.request import ROOT


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A process that ended well: what it printed, how long it took, its CPU time (both kinds) and its peak memory."""

    output: str
    errors: str
    wall_s: float
    cpu_s: float
    peak_mb: float


def ratchet(arguments: Sequence[str]) -> Ended:
    """Run the installed command; raises `RuntimeError` with its last words when it fails."""
    return _run([str(Path(sys.executable).with_name("ratchet")), *arguments])


def module(name: str, arguments: Sequence[str]) -> Ended:
    """Run a module of this package as a program."""
    return _run([sys.executable, "-m", name, *arguments])


def _run(command: list[str]) -> Ended:
    """The peak is the child's own only as long as this process is small: it imports nothing heavy."""
    with tempfile.TemporaryFile("w+") as errors:
        began = time.monotonic()
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child:
            output = "".join(child.stdout or ())
            _, status, usage = os.wait4(child.pid, 0)
            wall_s = time.monotonic() - began
            child.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        told = errors.read()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}: {told[-500:]}")
    return Ended(
        output=output,
        errors=told,
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
    )
