"""The synchronous door to the durable record: one connection, one writer, all or nothing."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import func, select

from domain.errors import JournalError
from journal.address import Address, address_of
from journal.batch import Batch
from journal.crashpoints import reach
from journal.engine import Durability, HeldConnection, hold
from journal.lock import WriterLock
from journal.migrate import demand_present, prepare
from journal.reader import Reader
from journal.schema import commits
from journal.statements import Statements

BUSY_TIMEOUT_MS = 5_000


class Journal:
    """Opened with `Journal.open`. Used from one thread at a time; reads and commits of several threads queue up."""

    def __init__(self, held: HeldConnection, *, read_only: bool, closing: ExitStack) -> None:
        self._held = held
        self._read_only = read_only
        self._closing = closing
        self._reader = Reader(held)
        self._statements = None if read_only else Statements(held.dialect)
        self._failure: str | None = None
        self._cursor: Any = held.raw.cursor()
        self._sequence = self._stored_sequence()

    @classmethod
    def open(
        cls,
        url: str | Path,
        *,
        durability: Durability = Durability.FULL,
        read_only: bool = False,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    ) -> Journal:
        """Open the journal at a path, a `sqlite://` or a `postgresql://` URL.

        A writer creates what is missing and moves older tables up; a reader (`read_only`) needs a present journal
        and may read beside a running writer. Raises `JournalLocked` when another process writes it,
        `JournalSchemaUnknown` when its tables are not ours, `JournalError` when it cannot be opened.
        `busy_timeout_ms` is how long a commit waits for a lock that somebody else holds on the database.
        """
        address = address_of(url)
        with ExitStack() as closing:
            if not read_only and address.path is not None:
                _make_folder(address)
                closing.callback(WriterLock.take(address.path).release)
            held = hold(address, durability=durability, read_only=read_only, busy_timeout_ms=busy_timeout_ms)
            closing.callback(held.close)
            with held.telling():
                if read_only:
                    demand_present(held)
                else:
                    prepare(held)
            return cls(held, read_only=read_only, closing=closing.pop_all())

    def commit(self, batch: Batch) -> int:
        """Make everything of `batch` durable in one transaction, and return the sequence number of the commit.

        An empty batch changes nothing and gives the present number. Raises `JournalError` when it cannot be
        written (disk full, locked, I/O error, a fact that exists already); the journal then takes nothing more
        until it is opened again, for what it holds may no longer be what its user believes.
        """
        with self._held.lock:
            if self._failure is not None:
                raise JournalError(self._failure)
            if self._statements is None:
                raise JournalError(f"the journal {self._held.shown} was opened for reading")
            if not batch:
                return self._sequence
            sequence = self._sequence + 1
            self._failure = f"the journal {self._held.shown} stopped in the middle of commit {sequence}: open it again"
            try:
                self._write(batch, sequence, self._statements)
            except (self._held.driver_errors, OverflowError) as error:
                self._give_up(sequence, error)
            self._failure = None
            self._sequence = sequence
            return sequence

    @property
    def read(self) -> Reader:
        """Everything that can be asked of the journal."""
        return self._reader

    @property
    def sequence(self) -> int:
        """The number of the last commit; 0 before the first. A reader asks the database each time."""
        return self._stored_sequence() if self._read_only else self._sequence

    @property
    def held(self) -> HeldConnection:
        """The connection, for the checks and digests of this package."""
        return self._held

    @property
    def shown(self) -> str:
        """Where it lies, for messages."""
        return self._held.shown

    def close(self) -> None:
        """Let go of the connection and the lock; closing twice is closing once."""
        with self._held.lock:
            self._failure = f"the journal {self._held.shown} is closed"
            self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, batch: Batch, sequence: int, statements: Statements) -> None:
        states = batch.states()
        cursor = self._cursor
        cursor.execute(self._held.begin)
        facts = 0
        for table, statement in statements.facts:
            rows = batch.rows.get(table)
            if rows:
                cursor.executemany(statement, [(sequence, *row) for row in rows])
                facts += len(rows)
        for table, statement in statements.collected:
            rows = batch.rows.get(table)
            if rows:
                cursor.executemany(statement, rows)
        if states:
            cursor.executemany(statements.state, states)
        cursor.execute(statements.commit, (sequence, facts))
        reach("journal.before_commit")
        cursor.execute("COMMIT")
        reach("journal.after_commit")

    def _give_up(self, sequence: int, error: Exception) -> None:
        """Undo what can be undone, and say why nothing more is written."""
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        self._failure = (
            f"commit {sequence} to the journal {self._held.shown} failed ({said}); "
            "it takes nothing more until it is opened again"
        )
        failed = JournalError(self._failure)
        if getattr(self._held.raw, "in_transaction", True):
            try:
                self._cursor.execute("ROLLBACK")
            except self._held.driver_errors as second:
                failed.add_note(f"undoing it failed too: {second}")
        raise failed from error

    def _stored_sequence(self) -> int:
        return int(self._held.rows(select(func.coalesce(func.max(commits.c.sequence), 0)))[0][0])


def _make_folder(address: Address) -> None:
    if address.path is None:
        return
    try:
        address.path.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalError(f"the folder of the journal {address.shown} cannot be made: {error.strerror}") from error
