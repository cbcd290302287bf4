"""A fixed amount of work in plain Python and NumPy: the machine's own speed at this minute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.figures import Figure, in_unit
from bench.request import Request
from bench.timing import once_each

STEPS = 400_000
SIZE = 40_000


def run(request: Request) -> Iterator[Figure]:
    """The time of the loop. Benchmarks whose figures are compared must have nearly the same one beside them."""
    values = np.random.default_rng(7).normal(size=SIZE)
    seconds = once_each(lambda: _loop(values), max(request.repeat, 5))
    yield Figure(
        name="calibration",
        what="a fixed loop of plain Python and NumPy",
        unit="ms",
        values=in_unit(seconds, "ms"),
    )


def _loop(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    table: dict[int, float] = {}
    total = 0.0
    for step in range(STEPS):
        total += step * 0.5
        table[step & 1023] = total
    for _ in range(20):
        total += float(np.sort(values)[SIZE // 2]) + float(np.cumsum(values * values)[-1])
    return total + len(table)
