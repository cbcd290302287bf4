"""The port through which async code writes: inline in a simulation, on one thread with group commit when live."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from domain.errors import JournalError
from journal.batch import Batch
from journal.journal import Journal

DEFERRED_LIMIT = 512
"""How many deferred records may wait for a commit before they are written on their own."""


class Writer(Protocol):
    """Makes batches durable, in the order in which they were given."""

    async def commit(self, batch: Batch) -> None:
        """Return when `batch`, and everything deferred before it, is durable; raises `JournalError` if it is not."""
        ...

    def defer(self, batch: Batch) -> None:
        """Let `batch` ride in front of the next commit, in the same transaction. It is not durable until then."""
        ...

    async def flush(self) -> None:
        """Return when everything given so far is durable."""
        ...

    async def close(self) -> None:
        """Flush, and let go of the thread. The journal stays open: whoever opened it closes it."""
        ...


class InlineWriter:
    """Commits at once, on the caller's thread; for simulations and replays."""

    def __init__(self, journal: Journal, *, limit: int = DEFERRED_LIMIT) -> None:
        self._journal = journal
        self._limit = limit
        self._deferred = Batch()

    async def commit(self, batch: Batch) -> None:
        self._write(batch)

    def defer(self, batch: Batch) -> None:
        self._deferred.extend(batch)
        if len(self._deferred) >= self._limit:
            self._write(Batch())

    async def flush(self) -> None:
        self._write(Batch())

    async def close(self) -> None:
        self._write(Batch())

    def _write(self, batch: Batch) -> None:
        if self._deferred:
            waiting, self._deferred = self._deferred, Batch()
            waiting.extend(batch)
            batch = waiting
        self._journal.commit(batch)


class _Group:
    """Batches that will share a transaction, and the future of all who wait for it."""

    __slots__ = ("batch", "done")

    def __init__(self, done: asyncio.Future[None]) -> None:
        self.batch = Batch()
        self.done = done


class ThreadWriter:
    """Commits on a thread of its own, so that the event loop never waits for the disk.

    While one transaction is being written, everything that arrives gathers in the next one. It belongs to the
    event loop it is first used on, and its methods are called from there.
    """

    def __init__(self, journal: Journal, *, limit: int = DEFERRED_LIMIT) -> None:
        self._journal = journal
        self._limit = limit
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._deferred = Batch()
        self._gathering: _Group | None = None
        self._writing: _Group | None = None
        self._closed = False

    async def commit(self, batch: Batch) -> None:
        group = self._gather(batch)
        # One caller's cancellation does not take the transaction from the others.
        await asyncio.shield(group.done)

    def defer(self, batch: Batch) -> None:
        self._deferred.extend(batch)
        if len(self._deferred) >= self._limit:
            self._gather(Batch())

    async def flush(self) -> None:
        # Even with nothing to write: a deferred batch that failed while nobody waited is told of here.
        await self.commit(Batch())

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self.flush()
        finally:
            self._thread.shutdown(wait=True)

    def _gather(self, batch: Batch) -> _Group:
        group = self._gathering
        if group is None:
            group = self._gathering = _Group(asyncio.get_running_loop().create_future())
        if self._deferred:
            waiting, self._deferred = self._deferred, Batch()
            group.batch.extend(waiting)
        group.batch.extend(batch)
        if self._writing is None:
            self._start()
        return group

    def _start(self) -> None:
        group, self._gathering = self._gathering, None
        if group is None:
            return
        self._writing = group
        written = asyncio.get_running_loop().run_in_executor(self._thread, self._journal.commit, group.batch)
        written.add_done_callback(self._finish)

    def _finish(self, written: asyncio.Future[int]) -> None:
        group, self._writing = self._writing, None
        error = JournalError("the writing of the journal was cancelled") if written.cancelled() else written.exception()
        if group is not None:
            if error is None:
                group.done.set_result(None)
            else:
                group.done.set_exception(error)
                group.done.exception()  # a flush that nobody waits for fails again at the next commit
        self._start()
