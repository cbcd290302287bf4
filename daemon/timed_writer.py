"""A journal writer that tells how long each commit took."""

from __future__ import annotations

import time
from collections.abc import Callable

from journal.batch import Batch
from journal.writer import Writer


class TimedWriter:
    """Passes everything on; `committed` hears the seconds of every commit that was waited for."""

    def __init__(self, inner: Writer, committed: Callable[[float], None]) -> None:
        self._inner = inner
        self._committed = committed

    async def commit(self, batch: Batch) -> None:
        began = time.perf_counter()
        await self._inner.commit(batch)
        self._committed(time.perf_counter() - began)

    def defer(self, batch: Batch) -> None:
        self._inner.defer(batch)

    async def flush(self) -> None:
        await self._inner.flush()

    async def close(self) -> None:
        await self._inner.close()
