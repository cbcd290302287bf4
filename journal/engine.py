"""The one held connection: how it is opened on SQLite and PostgreSQL, and how it begins and reads.

On SQLite the writer is the only connection that writes or checkpoints (several of them can corrupt a WAL before
SQLite 3.51.3); readers open the file read-only. Memory mapping is off. PostgreSQL takes the same statements through
psycopg, which is an extra; it is exercised by a test only where a server and psycopg are installed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import sqlalchemy
from sqlalchemy import Executable, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from domain.errors import InvalidInput, JournalError, JournalLocked
from journal.address import Address
from journal.codec import AnyRow

_ADVISORY_LOCK = 7_274_001
"""The number under which a writer locks a PostgreSQL database; any constant of our own."""

CHECKPOINT_PAGES = 4_000
"""How large the write-ahead log grows (16 MB) before it is folded into the file, which costs two syncs."""


class Durability(StrEnum):
    """What a returned commit survives: FULL a power loss, NORMAL a killed process (the newest commits may go with
    the power, the journal stays whole)."""

    FULL = "full"
    NORMAL = "normal"


class HeldConnection:
    """One connection, kept for the journal's life, used by one thread at a time under `lock`.

    `raw` is the driver's connection in autocommit: transactions are begun and ended in words, so that what is
    atomic is written where it is meant.
    """

    def __init__(self, address: Address, engine: sqlalchemy.Engine, *, begin: str, snapshot: str) -> None:
        self.shown = address.shown
        self.lock = threading.RLock()
        self.dialect = engine.dialect
        self.begin = begin
        self._snapshot = snapshot
        self._depth = 0
        self._engine = engine
        try:
            self.connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except SQLAlchemyError as error:
            engine.dispose()
            raise unreadable(self.shown, error) from error
        self.raw: Any = self.connection.connection.driver_connection
        self.driver_errors: type[Exception] = engine.dialect.loaded_dbapi.Error

    def rows(self, statement: Executable) -> Sequence[AnyRow]:
        """All rows of a select."""
        with self.lock, self.telling():
            return self.connection.execute(statement).all()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What the driver or SQLAlchemy raises inside becomes a `JournalError` of one sentence."""
        try:
            yield
        except (SQLAlchemyError, self.driver_errors) as error:
            raise unreadable(self.shown, error) from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Every read inside sees the journal as it was at the first of them, whoever writes meanwhile."""
        with self.lock:
            if self._depth == 0:
                with self.telling():
                    self.raw.execute(self._snapshot)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.raw.execute("ROLLBACK")  # nothing was written

    def close(self) -> None:
        with self.lock:
            self.connection.close()
            self._engine.dispose()


def unreadable(shown: str, error: Exception) -> JournalError:
    """One sentence for what the driver said."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    return JournalError(f"the journal {shown} cannot be used: {said[0] if said else type(error).__name__}")


def hold(address: Address, *, durability: Durability, read_only: bool, busy_timeout_ms: int) -> HeldConnection:
    """Open the one connection; raises `JournalError` when that cannot be done."""
    if address.url is not None:
        return _hold_postgresql(address, durability=durability, read_only=read_only, busy_timeout_ms=busy_timeout_ms)
    return _hold_sqlite(address, durability=durability, read_only=read_only, busy_timeout_ms=busy_timeout_ms)


def _hold_sqlite(address: Address, *, durability: Durability, read_only: bool, busy_timeout_ms: int) -> HeldConnection:
    if read_only and address.path is None:
        raise InvalidInput("a journal in memory has no other readers than its writer")
    if read_only and address.path is not None and not address.path.is_file():
        raise JournalError(f"there is no journal at {address.shown}")

    def connect() -> sqlite3.Connection:
        # The lock of the held connection keeps threads apart.
        return sqlite3.connect(
            address.uri(read_only=read_only), uri=True, isolation_level=None, check_same_thread=False
        )

    engine = sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=StaticPool)

    def set_pragmas(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA mmap_size = 0")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
            return
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if address.path is not None and mode != "wal":
            raise JournalError(f"the journal {address.shown} lies on a file system without write-ahead logging")
        connection.execute(f"PRAGMA synchronous = {durability.value}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

    event.listen(engine, "connect", set_pragmas)
    return HeldConnection(address, engine, begin="BEGIN IMMEDIATE", snapshot="BEGIN")


def _hold_postgresql(
    address: Address, *, durability: Durability, read_only: bool, busy_timeout_ms: int
) -> HeldConnection:
    if address.url is None:
        raise InvalidInput(f"{address.shown} is not a PostgreSQL URL")
    try:
        engine = sqlalchemy.create_engine(address.url, poolclass=StaticPool, paramstyle="format")
    except ModuleNotFoundError as error:
        raise JournalError("a journal in PostgreSQL needs psycopg: install the extra 'postgres'") from error

    def set_session(connection: Any, _record: object) -> None:
        synchronous = "on" if durability is Durability.FULL else "off"
        with connection.cursor() as cursor:
            cursor.execute(f"SET synchronous_commit TO {synchronous}")
            cursor.execute(f"SET lock_timeout TO {busy_timeout_ms}")
            cursor.execute(f"SET default_transaction_read_only TO {'on' if read_only else 'off'}")
        connection.commit()

    event.listen(engine, "connect", set_session)
    held = HeldConnection(address, engine, begin="BEGIN", snapshot="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if not read_only:
        taken = held.rows(sqlalchemy.select(sqlalchemy.func.pg_try_advisory_lock(_ADVISORY_LOCK)))[0][0]
        if not taken:
            held.close()
            raise JournalLocked(f"the journal {address.shown} is being written by another process")
    return held
