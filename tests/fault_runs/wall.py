"""The machine's clock, for what happens in several processes at once; the exchange's ledger is kept on it too."""

from __future__ import annotations

import time
from collections.abc import Callable


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def seconds_since(began_ms: int) -> float:
    return (now_ms() - began_ms) / 1000


def seconds_of_minute() -> float:
    return now_ms() % 60_000 / 1000


def pause(seconds: float) -> None:
    time.sleep(seconds)


def wait_until(holds: Callable[[], object], seconds: float, *, every_s: float = 0.01) -> bool:
    """Whether `holds` came true within so many seconds."""
    began = now_ms()
    while not holds():
        if seconds_since(began) >= seconds:
            return False
        time.sleep(every_s)
    return True
