"""Waiting for a venue that does not answer yet, for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from daemon.notify import Notifier
from domain.errors import NotAvailable, VenueBusy

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 30.0

_log = logging.getLogger(__name__)
T = TypeVar("T")


async def patiently(ask: Callable[[], Awaitable[T]], notifier: Notifier, told: str) -> T:
    """The answer, however long the venue takes to give one; each wait is logged and told to the service manager."""
    wait_s = FIRST_WAIT_S
    while True:
        try:
            return await ask()
        except NotAvailable as error:
            named = error.wait_s if isinstance(error, VenueBusy) else 0.0
            pause = max(wait_s, named)
            _log.warning("venue_awaited", extra={"reason": str(error), "wait_s": pause})
            notifier.waiting(f"{told}: {error}", timedelta(seconds=2 * pause + 60))
            await asyncio.sleep(pause)
            wait_s = min(LONGEST_WAIT_S, 2 * wait_s)
