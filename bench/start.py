"""From the start of a process to its first bar, and the commands that should feel immediate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.figures import Figure, in_unit
from bench.first_bar import MARK
from bench.processes import Ended, module, ratchet
from bench.request import Request


def run(request: Request) -> Iterator[Figure]:
    """Wall and CPU time of `--help` and `status`, and the wall time of a replay until its first bar was played."""
    told = request.replay_arguments("state", "--max-bars", "300")
    ratchet(told)
    status = ("status", "--json", "--state", told[told.index("--state") + 1])
    yield from _command("help", "ratchet --help", lambda: ratchet(("--help",)), request.repeat)
    yield from _command(
        "status", "ratchet status on a journal of 300 bars each", lambda: ratchet(status), request.repeat
    )
    seconds = [_until_first_bar(request, number) for number in range(request.repeat + 1)][1:]
    yield Figure(
        name="start.first_bar",
        what="ratchet run --replay: from the start of the process until the first bar was played",
        unit="s",
        values=tuple(seconds),
    )


def _command(name: str, what: str, call: Callable[[], Ended], repeat: int) -> Iterator[Figure]:
    call()
    done = [call() for _ in range(repeat)]
    wall, cpu = ([getattr(each, part) for each in done] for part in ("wall_s", "cpu_s"))
    yield Figure(name=f"start.{name}", what=f"{what}: wall time", unit="ms", values=in_unit(wall, "ms"))
    yield Figure(name=f"start.{name}.cpu", what=f"{what}: CPU time", unit="ms", values=in_unit(cpu, "ms"))
    yield Figure(
        name=f"start.{name}.peak", what=f"{what}: peak", unit="MB", values=tuple(each.peak_mb for each in done)
    )


def _until_first_bar(request: Request, number: int) -> float:
    errors = module("bench.first_bar", request.replay_arguments(f"first-{number}")).errors
    (told,) = [each for each in errors.splitlines() if each.startswith(MARK)]
    return float(told.removeprefix(MARK))
