"""A broker's own record as one SQLite file: made or opened, locked by one process, of a known schema."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from domain.errors import ConfigurationRefused


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordKind:
    """What kind of file it is. `name` names it for people, as in "the paper ledger"; the word behind the last space
    stands for it alone. `tables` are the statements that make it, each ended by a semicolon; `schema` is above 0."""

    name: str
    schema: int
    tables: str


def open_record(path: str, kind: RecordKind, *, durable: bool) -> sqlite3.Connection:
    """Open the file at `path`, or make it, and lock it for as long as the connection lives.

    `durable` waits for the disk at each commit; `:memory:` keeps nothing. Transactions are the caller's to begin and
    to end. Raises `ConfigurationRefused` for a file that cannot be opened, that another process has open, that is no
    such record, or that is of another schema.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=0.0)
    except sqlite3.Error as error:
        raise ConfigurationRefused(f"{kind.name} {path} cannot be opened: {error}") from error
    try:
        _prepare(connection, path, kind, durable)
    except sqlite3.Error as error:
        connection.close()
        word = kind.name.rsplit(" ", maxsplit=1)[-1]
        raise ConfigurationRefused(
            f"{kind.name} {path} cannot be used: {error}; it must be a {word} that no process has open"
        ) from error
    except ConfigurationRefused:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: str, kind: RecordKind, durable: bool) -> None:
    run = connection.execute
    run("PRAGMA locking_mode = EXCLUSIVE")
    run("PRAGMA journal_mode = WAL")
    run(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    run("BEGIN EXCLUSIVE")
    found = run("PRAGMA user_version").fetchone()[0]
    if found == 0 and run("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        for statement in kind.tables.split(";"):
            run(statement)
        run(f"PRAGMA user_version = {kind.schema}")
    elif found != kind.schema:
        run("ROLLBACK")
        raise ConfigurationRefused(f"{kind.name} {path} has schema {found}; this version reads schema {kind.schema}")
    run("COMMIT")
