"""Numbered places at which a test may kill the process, so that every boundary is crossed by a crash at least once.

With `RATCHET_CRASH_AT=N` in the environment the process ends by SIGKILL at the N-th place it reaches, after naming
it on stderr. Without it, reaching a place does nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count

from domain.errors import InvalidInput

VARIABLE = "RATCHET_CRASH_AT"


def _nothing(point: str) -> None:  # the signature is the armed form's
    """What a process that was not told to crash does at a crash point."""


def _armed(target: int) -> Callable[[str], None]:
    numbers = count(1)

    def crash(point: str) -> None:
        if next(numbers) == target:
            os.write(2, f"crash point {target}: {point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return crash


def _resolved(text: str | None) -> Callable[[str], None]:
    if text is None:
        return _nothing
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInput(f"{VARIABLE} is {text!r}; it must be a whole number from 1 on")
    return _armed(int(text))


reach = _resolved(os.environ.get(VARIABLE))
