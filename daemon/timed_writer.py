"""A journal writer that tells how long each commit took, and whom it concerns that the journal has failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from domain.errors import JournalError
from journal.batch import Batch
from journal.writer import Writer


class TimedWriter:
    """Passes everything on; `committed` hears the seconds of every commit that was waited for.

    A journal that failed once takes nothing more, so the first failure is kept: `broken` shows it, and `watch` is
    the service that ends with it.
    """

    def __init__(self, inner: Writer, committed: Callable[[float], None]) -> None:
        self._inner = inner
        self._committed = committed
        self._failed = asyncio.Event()
        self.broken: JournalError | None = None

    async def commit(self, batch: Batch) -> None:
        began = time.perf_counter()
        try:
            await self._inner.commit(batch)
        except JournalError as error:
            self._break(error)
            raise
        self._committed(time.perf_counter() - began)

    def defer(self, batch: Batch) -> None:
        self._inner.defer(batch)

    async def flush(self) -> None:
        try:
            await self._inner.flush()
        except JournalError as error:
            self._break(error)
            raise

    async def close(self) -> None:
        await self._inner.close()

    def demand_whole(self) -> None:
        """Raise the journal's failure, if it has failed: what is in memory is then ahead of what is durable."""
        if self.broken is not None:
            raise self.broken

    async def watch(self) -> None:
        """For ever, or until the journal fails; then raise its `JournalError`."""
        await self._failed.wait()
        self.demand_whole()

    def _break(self, error: JournalError) -> None:
        if self.broken is None:
            self.broken = error
        self._failed.set()
