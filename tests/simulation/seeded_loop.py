"""An event loop whose time is a number: waiting costs nothing, and the same callbacks run in the same order every time.

Where a real loop sleeps until its next timer, this one moves its time there. It has no threads and no sockets, so
whoever waits for something that no timer will ever bring is told so instead of waiting forever.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heappop
from typing import Any

COMMIT_S = (0.0005, 0.008)
"""How long a commit takes."""
NO_SKEW = timedelta(0)
RESOLUTION_S = 1e-6
"""Timers nearer together than this are due at the same time."""


class NothingWillHappen(RuntimeError):
    """Somebody waits, and no timer is set: a real daemon would hang here."""


class SeededLoop(asyncio.BaseEventLoop):
    """`time()` starts at 0 and is virtual. Use `run_until_complete` as with any loop."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self.disk = random.Random(0)  # noqa: S311 - as below
        self._scheduled: list[asyncio.TimerHandle]
        self._ready: deque[asyncio.Handle]
        self._stopping: bool

    def time(self) -> float:
        return self._now_s

    def _run_once(self) -> None:
        """One turn: where nothing is ready time moves to the next timer, and everything then due is run."""
        timers, ready = self._scheduled, self._ready
        while timers and timers[0].cancelled():
            heappop(timers)._scheduled = False  # type: ignore[attr-defined]  # as the loop that is built in does
        if not ready and not self._stopping:
            if not timers:
                raise NothingWillHappen("every task waits, and no timer is set")
            self._now_s = max(self._now_s, timers[0].when())
        until = self._now_s + RESOLUTION_S
        while timers and timers[0].when() < until:
            due = heappop(timers)
            due._scheduled = False  # type: ignore[attr-defined]  # as the loop that is built in does
            ready.append(due)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

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

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


class LoopClock:
    """The product's `Clock` on a loop's time; `skew` sets this machine's clock wrong."""

    def __init__(self, loop: SeededLoop, start: datetime) -> None:
        self._loop = loop
        self.start = start
        self._start_ms = round(start.timestamp() * 1000)
        self.skew = NO_SKEW
        self._read_at_s, self._read = 0.0, start

    def now(self) -> datetime:
        return self.true_now() if self.skew is NO_SKEW else self.true_now() + self.skew

    def true_now(self) -> datetime:
        now_s = self._loop.time()
        if now_s != self._read_at_s:
            self._read_at_s = now_s
            self._read = self.start + timedelta(microseconds=round(now_s * 1_000_000))
        return self._read

    def milliseconds(self) -> int:
        """True time since 1970, as the exchange reads it."""
        return self._start_ms + int(self._loop.time() * 1000 + 1e-6)


def stream(seed: int, purpose: str) -> random.Random:
    """Random numbers of their own for each purpose, so that one more draw for one changes no other."""
    return random.Random(f"{seed} {purpose}")  # noqa: S311 - chance is wanted here, not secrecy
