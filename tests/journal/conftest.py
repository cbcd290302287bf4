"""What the tests of the journal share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from journal_story import story

from journal import Durability, Journal


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where a journal may be made."""
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(database: Path) -> Iterator[Journal]:
    """An empty journal, open for writing."""
    with Journal.open(database, durability=Durability.NORMAL) as opened:
        yield opened


@pytest.fixture
def told(journal: Journal) -> Journal:
    """A journal with the story of three trades."""
    for batch in story():
        journal.commit(batch)
    return journal
