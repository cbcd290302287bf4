"""How a call is timed: warmed up, in batches long enough for the clock, with the garbage collector waiting."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

BATCH_S = 0.02
"""A batch takes at least this long, so that the clock's own cost disappears in it."""


def per_call(work: Callable[[], object], repeat: int) -> tuple[float, ...]:
    """Seconds a call in each of `repeat` batches. The calls that find the size of a batch are the warm-up."""
    calls = 1
    while _batch(work, calls) < BATCH_S:
        calls *= 2
    return tuple(_batch(work, calls) / calls for _ in range(repeat))


def once_each(work: Callable[[], object], repeat: int) -> tuple[float, ...]:
    """Seconds of each of `repeat` calls after one that does not count; for work that takes long by itself."""
    _batch(work, 1)
    return tuple(_batch(work, 1) for _ in range(repeat))


def _batch(work: Callable[[], object], calls: int) -> float:
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        for _ in range(calls):
            work()
        return time.perf_counter() - began
    finally:
        gc.enable()
