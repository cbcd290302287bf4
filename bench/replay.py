"""The whole daemon on recorded candles, each run in a fresh process with a fresh state folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from bench.figures import Figure
from bench.processes import Ended, ratchet
from bench.request import TIMEFRAME, Request

NORMAL, FULL = "normal", "full"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    bars: int
    elapsed_s: float
    process: Ended


def run(request: Request) -> Iterator[Figure]:
    """Bars per second of both durabilities, taken turn by turn so that a drift of the machine meets both."""
    numbers = count()
    _replay(request, NORMAL, next(numbers))  # the first run warms the page cache and writes compiled modules
    runs: dict[str, list[_Run]] = {NORMAL: [], FULL: []}
    for _ in range(request.repeat):
        for durability, done in runs.items():
            done.append(_replay(request, durability, next(numbers)))
    for durability, done in runs.items():
        yield from _figures(durability, done)


def _replay(request: Request, durability: str, number: int) -> _Run:
    arguments = request.replay_arguments(f"replay-{number}", "--set", f"journal.durability={durability}")
    process = ratchet(arguments)
    summary = json.loads(process.output)
    return _Run(bars=summary["bars"], elapsed_s=summary["elapsed_s"], process=process)


def _figures(durability: str, runs: list[_Run]) -> Iterator[Figure]:
    what = f"{runs[0].bars} bars of {TIMEFRAME}, journal durability {durability}"

    def figure(part: str, told: str, unit: str, values: tuple[float, ...]) -> Figure:
        return Figure(name=f"replay.{durability}.{part}", what=f"{what}: {told}", unit=unit, values=values)

    yield figure(
        "loop", "the loop, as the summary tells it", "bars/s", tuple(each.bars / each.elapsed_s for each in runs)
    )
    whole = tuple(each.bars / each.process.wall_s for each in runs)
    yield figure("process", "the whole process, start and summary included", "bars/s", whole)
    yield figure("cpu", "CPU time of the process", "s", tuple(each.process.cpu_s for each in runs))
    yield figure("peak", "peak resident memory", "MB", tuple(each.process.peak_mb for each in runs))
