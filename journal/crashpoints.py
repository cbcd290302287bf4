"""Numbered places at which a test may kill the process, so that every boundary is crossed by a crash at least once.

With `RATCHET_CRASH_AT=N` in the environment the process ends by SIGKILL at the N-th place it reaches, after naming
it on stderr; `RATCHET_CRASH_AT=NAME:N` counts only the places of that name. Without it, reaching a place does nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count

from domain.errors import InvalidInput

VARIABLE = "RATCHET_CRASH_AT"

POINTS = (
    "journal.before_commit",
    "journal.after_commit",
    "orders.before_send",
    "orders.after_send",
    "paper.before_commit",
    "paper.after_commit",
    "ccxt.before_founding",
    "ccxt.after_founding",
    "ccxt.before_sent_row",
    "ccxt.after_sent_row",
    "ccxt.before_request",
    "ccxt.after_request",
    "ccxt.before_answer",
    "ccxt.after_answer",
    "ccxt.before_facts",
    "ccxt.after_facts",
    "ccxt.before_round",
    "ccxt.after_round",
)
"""Every place there is: a test compares them with the source, and another crosses each of them by a crash."""

Hook = Callable[[str], None]


def _nothing(point: str) -> None:  # the signature is the armed form's
    """What a process that was not told to crash does at a crash point."""


def _armed(target: int, only: str | None) -> Hook:
    numbers = count(1)

    def crash(point: str) -> None:
        if only in (None, point) and next(numbers) == target:
            os.write(2, f"crash point {target}: {point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return crash


def _resolved(text: str | None) -> Hook:
    if text is None:
        return _nothing
    name, separator, number = text.rpartition(":")
    if not number.isdecimal() or int(number) < 1 or (separator and name not in POINTS):
        raise InvalidInput(
            f"{VARIABLE} is {text!r}; it must be a whole number from 1 on, or the name of a crash point, : and a number"
        )
    return _armed(int(number), name or None)


_hook = _resolved(os.environ.get(VARIABLE))


def reach(point: str) -> None:
    """Say that a crash could happen here."""
    _hook(point)


def hook(new: Hook | None) -> None:
    """Let `new` hear of every place from now on, None nobody; for tests that crash a part of a process only."""
    global _hook  # noqa: PLW0603 - the one switch of a process, which its own environment sets otherwise
    _hook = _nothing if new is None else new
