"""An event loop whose time is a number: waiting costs nothing, and the same callbacks run in the same order every time.

Where a real loop sleeps until its next timer, this one moves its time there. It has no threads and no sockets, so
whoever waits for something that no timer will ever bring is told so instead of waiting forever.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

COMMIT_S = (0.0005, 0.008)
"""How long a commit takes."""
RESOLUTION_S = 1e-6
"""Timers nearer together than this are due at the same time."""


class NothingWillHappen(RuntimeError):
    """Somebody waits, and no timer is set: a real daemon would hang here."""


class _VirtualWaits:
    """What the loop takes for a selector: it watches nothing, and lets the time pass that it is told to wait."""

    def __init__(self, loop: SeededLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise NothingWillHappen("every task waits, and no timer is set")
        if timeout > 0:
            self._loop.jump()
        return []

    def close(self) -> None:
        """Nothing is held."""


class SeededLoop(asyncio.BaseEventLoop):
    """`time()` starts at 0 and is virtual. Use `run_until_complete` as with any loop."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self.disk = random.Random(0)  # noqa: S311 - as below
        self._clock_resolution = RESOLUTION_S
        self._selector = _VirtualWaits(self)
        self._scheduled: list[asyncio.TimerHandle]

    def time(self) -> float:
        return self._now_s

    def jump(self) -> None:
        """Move the time to the next timer."""
        self._now_s = max(self._now_s, self._scheduled[0].when())

    def leap(self, seconds: float) -> None:
        """Let time pass in which nothing of this process runs, as when the machine sleeps."""
        self._now_s += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """There are no threads: what one would do is done on the loop, as much later as a disk would take."""
        done = self.create_future()

        def run() -> None:
            if done.cancelled():
                return
            try:
                result = func(*args)
            except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
                done.set_exception(error)
            else:
                done.set_result(result)

        self.call_later(self.disk.uniform(*COMMIT_S), run)
        return done

    def _process_events(self, events: list[Any]) -> None:
        """There are none: nothing is watched."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


class LoopClock:
    """The product's `Clock` on a loop's time; `skew` sets this machine's clock wrong."""

    def __init__(self, loop: SeededLoop, start: datetime) -> None:
        self._loop = loop
        self.start = start
        self.skew = timedelta(0)

    def now(self) -> datetime:
        return self.true_now() + self.skew

    def true_now(self) -> datetime:
        return self.start + timedelta(microseconds=round(self._loop.time() * 1_000_000))

    def milliseconds(self) -> int:
        """True time since 1970, as the exchange reads it."""
        return round(self.start.timestamp() * 1000) + int(self._loop.time() * 1000 + 1e-6)


def stream(seed: int, purpose: str) -> random.Random:
    """Random numbers of their own for each purpose, so that one more draw for one changes no other."""
    return random.Random(f"{seed} {purpose}")  # noqa: S311 - chance is wanted here, not secrecy
