"""A fixed amount of work in plain Python and NumPy: the machine's own speed at this minute."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.figures import Figure, in_unit
from bench.request import Request
from bench.timing import once_each

STEPS = 150_000
NAMES = 60_000
SIZE = 500_000
"""Larger than the caches of one core, as a running daemon is: who else uses the machine shows in memory first."""


def run(request: Request) -> Iterator[Figure]:
    """The time of the loop. Benchmarks whose figures are compared must have nearly the same one beside them."""
    values = np.random.default_rng(7).normal(size=SIZE)
    seconds = once_each(lambda: _loop(values), 3 * request.repeat)
    yield Figure(
        name="calibration",
        what="a fixed loop of plain Python and NumPy",
        unit="ms",
        values=in_unit(seconds, "ms"),
    )


def _loop(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    records = {f"name-{number}": (number, [0.5 * number]) for number in range(NAMES)}
    keys = list(records)
    total = 0.0
    for step in range(STEPS):
        number, prices = records[keys[step * 7_919 % NAMES]]
        total += prices[0] + number
    total += float(np.cumsum(values * values)[-1])
    return total + float(np.sort(values)[SIZE // 2])
