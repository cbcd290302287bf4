"""Copies of a SQLite journal, taken beside a running writer, and put back in its place.

A PostgreSQL journal is backed up with the server's own tools.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from domain.errors import InvalidInput, JournalError
from journal.address import address_of
from journal.journal import Journal
from journal.lock import WriterLock

_SIDE_FILES = ("-wal", "-shm")


def backup(url: str | Path, target: Path) -> None:
    """Write a sound copy of the journal at `url` to the new file `target`, whoever writes the journal meanwhile.

    The copy is one file, durable and checked when this returns. Raises `InvalidInput` when `target` exists or the
    journal is not a SQLite file, `JournalError` when the copy cannot be made.
    """
    source = _file_of(url)
    if target.exists():
        raise InvalidInput(f"{target} exists; a backup is written to a new file")
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    with Journal.open(source, read_only=True) as journal:
        try:
            with closing(sqlite3.connect(partial)) as copy:
                journal.held.raw.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            partial.unlink(missing_ok=True)
            raise JournalError(f"the backup {target} could not be written: {error}") from error
    _demand_sound(partial)
    _place(partial, target)


def restore(copy: Path, url: str | Path, *, replace: bool = False) -> Path | None:
    """Put the backup `copy` in the place of the journal at `url`; raises `JournalLocked` while somebody writes it.

    A journal that is there is refused unless `replace`; it is then set aside, still readable, and where it went is
    returned. The backup itself stays untouched.
    """
    target = _file_of(url)
    if not copy.is_file():
        raise InvalidInput(f"there is no backup at {copy}")
    _demand_sound(copy)
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    lock = WriterLock.take(target)
    try:
        aside = _set_aside(target, replace=replace)
        partial = target.with_name(target.name + ".partial")
        shutil.copyfile(copy, partial)
        _place(partial, target)
    finally:
        lock.release()
    return aside


def _file_of(url: str | Path) -> Path:
    path = address_of(url).path
    if path is None:
        raise InvalidInput("only a SQLite journal in a file is copied here; use pg_dump for PostgreSQL")
    return path


def _demand_sound(path: Path) -> None:
    """Raise `JournalError` unless the file is a whole journal with the present tables."""
    with Journal.open(path, read_only=True) as journal:
        try:
            answer = journal.held.raw.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.Error as error:
            raise JournalError(f"{path} is damaged: {error}") from error
    if answer != "ok":
        raise JournalError(f"{path} is damaged: {answer}")


def _set_aside(target: Path, *, replace: bool) -> Path | None:
    """Move the present journal out of the way with its side files, under a name at which it can still be opened."""
    aside = None
    if target.exists():
        if not replace:
            raise InvalidInput(f"{target} exists; say that it is to be replaced, or restore elsewhere")
        aside = target.with_name(target.name + ".replaced")
        if aside.exists():
            raise InvalidInput(f"{aside} is still there from an earlier restore; move it away first")
        os.replace(target, aside)
    for ending in _SIDE_FILES:
        side = target.with_name(target.name + ending)
        if side.exists() and aside is not None:
            os.replace(side, aside.with_name(aside.name + ending))
        else:
            side.unlink(missing_ok=True)  # of a journal that is gone
    return aside


def _place(partial: Path, target: Path) -> None:
    """Make the file durable before it gets its name, and the name durable before this returns."""
    _sync(partial)
    os.replace(partial, target)
    _sync(target.absolute().parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
