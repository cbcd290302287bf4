"""One writer: a lock beside the SQLite file that the operating system lets go when its process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from domain.errors import JournalError, JournalLocked


class WriterLock:
    """Held from `take` to `release`, and by one holder only, also within a process.

    The file stays when it is released: removing it could take it from under the next holder.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, database: Path) -> WriterLock:
        """Raise `JournalLocked` when somebody else writes `database`."""
        path = lock_path(database)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"the journal's lock {path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "another process"
            os.close(descriptor)
            raise JournalLocked(f"the journal {database} is being written by process {holder}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Let go; releasing twice is releasing once."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_path(database: Path) -> Path:
    """The lock file of a database."""
    return database.with_name(database.name + ".lock")
