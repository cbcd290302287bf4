"""Backups beside a running writer, and putting them back."""

from __future__ import annotations

from pathlib import Path

import pytest
from journal_story import story

from domain.errors import InvalidInput, JournalError, JournalLocked, JournalSchemaUnknown
from journal import Journal, backup, restore, verify


def test_a_backup_beside_the_writer_is_the_journal_as_it_was(told: Journal, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    backup(database, copy)
    with Journal.open(copy, read_only=True) as kept:
        assert verify(kept).ok
        assert verify(kept).digest == verify(told).digest
        assert kept.sequence == told.sequence
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("copy")) == ["copy.sqlite"]


def test_a_backup_never_overwrites(told: Journal, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    copy.write_text("precious")
    with pytest.raises(InvalidInput, match="exists"):
        backup(database, copy)
    assert copy.read_text() == "precious"


def test_a_backup_to_nowhere_says_so(told: Journal, database: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="could not be written"):
        backup(database, tmp_path / "absent" / "copy.sqlite")
    with pytest.raises(InvalidInput, match="pg_dump"):
        backup("postgresql://localhost/journal", tmp_path / "copy.sqlite")


def test_a_restored_journal_goes_on_and_the_old_one_is_set_aside(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    batches = story()
    with Journal.open(database) as journal:
        for batch in batches[:3]:
            journal.commit(batch)
        backup(database, copy)
        with pytest.raises(JournalLocked):
            restore(copy, database, replace=True)
        for batch in batches[3:]:
            journal.commit(batch)
    with pytest.raises(InvalidInput, match="say that it is to be replaced"):
        restore(copy, database)
    aside = restore(copy, database, replace=True)
    assert aside is not None
    with Journal.open(aside, read_only=True) as old:
        assert old.sequence == len(batches)
    with Journal.open(database) as journal:
        assert journal.sequence == 3
        for batch in batches[3:]:
            journal.commit(batch)
        assert verify(journal).ok
    with pytest.raises(InvalidInput, match="earlier restore"):
        restore(copy, database, replace=True)


def test_a_restore_where_nothing_was_needs_no_permission(told: Journal, database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    backup(database, copy)
    target = tmp_path / "new" / "journal.sqlite"
    assert restore(copy, target) is None
    with Journal.open(target) as journal:
        assert journal.sequence == told.sequence


def test_what_is_no_sound_journal_is_not_restored(told: Journal, database: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no backup"):
        restore(tmp_path / "absent.sqlite", tmp_path / "journal-2.sqlite")
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    with pytest.raises(JournalSchemaUnknown):
        restore(empty, tmp_path / "journal-2.sqlite")
    copy = tmp_path / "copy.sqlite"
    backup(database, copy)
    data = bytearray(copy.read_bytes())
    data[-4096:-4000] = b"\xff" * 96
    copy.write_bytes(bytes(data))
    with pytest.raises(JournalError, match="damaged"):
        restore(copy, tmp_path / "journal-2.sqlite")
    assert not (tmp_path / "journal-2.sqlite").exists()
