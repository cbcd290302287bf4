"""Crashes, full disks, locks, second writers: what was acknowledged stays, and nothing is ever half there."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from journal_child import TRADES
from journal_story import START, decision_at, story

from domain.errors import InvalidInput, JournalError, JournalLocked
from domain.instruments import Timeframe
from domain.records import Scan
from journal import Batch, Durability, Journal, verify
from journal.crashpoints import VARIABLE, _armed, _resolved

CHILD = Path(__file__).with_name("journal_child.py")
COMMITS = len(story(TRADES))
POINTS = ("journal.before_commit", "journal.after_commit")


def run_child(database: Path, kind: str, *, crash_at: int | None = None) -> subprocess.CompletedProcess[str]:
    """The story, told by another process; it ends by SIGKILL at a crash point if one is given."""
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    environment["PYTHONPATH"] = os.pathsep.join((str(CHILD.parent), str(CHILD.parents[2])))
    if crash_at is not None:
        environment[VARIABLE] = str(crash_at)
    command = [sys.executable, str(CHILD), str(database), kind]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, str]:
    """The digests of the story that nobody interrupted."""
    with Journal.open("sqlite://") as journal:
        for batch in story(TRADES):
            journal.commit(batch)
        return dict(verify(journal).digest)


@pytest.mark.parametrize("crash_at", range(1, 2 * COMMITS + 1))
def test_a_killed_writer_loses_nothing_acknowledged_and_goes_on_to_the_same_end(
    database: Path, undisturbed: dict[str, str], crash_at: int
) -> None:
    kind = ("journal", "inline", "thread")[crash_at % 3]
    killed = run_child(database, kind, crash_at=crash_at)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert f"crash point {crash_at}: {POINTS[(crash_at - 1) % 2]}" in killed.stderr
    acknowledged = [int(line) for line in killed.stdout.split()]
    durable = crash_at // 2
    assert acknowledged == list(range(1, (crash_at - 1) // 2 + 1))
    with Journal.open(database, read_only=True) as journal:
        assert journal.sequence == durable
        assert journal.read.counts() == _counts_after(durable)
    with Journal.open(database, durability=Durability.NORMAL) as journal:
        for batch in story(TRADES)[journal.sequence :]:
            journal.commit(batch)
        result = verify(journal)
        assert result.ok, [check for check in result.checks if not check.ok]
        assert dict(result.digest) == undisturbed


def commit_all(journal: Journal, batches: list[Batch]) -> None:
    for batch in batches:
        journal.commit(batch)


def _counts_after(commits: int) -> dict[str, int]:
    """What a journal holds after the first commits of the story."""
    with Journal.open("sqlite://") as journal:
        for batch in story(TRADES)[:commits]:
            journal.commit(batch)
        return journal.read.counts()


def test_an_unkilled_child_tells_the_whole_story(database: Path, undisturbed: dict[str, str]) -> None:
    ended = run_child(database, "thread")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == [str(number) for number in range(1, COMMITS + 1)]
    with Journal.open(database, read_only=True) as journal:
        assert dict(verify(journal).digest) == undisturbed


def test_a_crash_point_is_a_number_from_one_on() -> None:
    for text in ("0", "-1", "two", ""):
        with pytest.raises(InvalidInput, match=VARIABLE):
            _resolved(text)
    _resolved(None)("anywhere")
    _armed(2, None)("the first of two places is passed")


def test_a_second_writer_is_refused_and_may_come_when_the_first_has_left(database: Path) -> None:
    with Journal.open(database), pytest.raises(JournalLocked, match=f"process {os.getpid()}"):
        Journal.open(database)
    Journal.open(database).close()


def test_a_second_process_is_refused(database: Path) -> None:
    with Journal.open(database):
        refused = run_child(database, "journal")
    assert refused.returncode == 1
    assert f"is being written by process {os.getpid()}" in refused.stderr


def test_a_reader_beside_a_running_writer_sees_whole_commits_and_writes_nothing(database: Path) -> None:
    batches = story()
    with Journal.open(database) as writer, Journal.open(database, read_only=True) as reader:
        for batch in batches[:4]:
            sequence = writer.commit(batch)
            assert reader.sequence == sequence
            assert reader.read.counts() == writer.read.counts()
        with reader.read.snapshot():
            before = reader.read.counts()
            writer.commit(batches[4])
            assert reader.read.counts() == before
        assert reader.read.counts() == writer.read.counts()
        with pytest.raises(JournalError, match="opened for reading"):
            reader.commit(batches[5])
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.held.raw.execute("DELETE FROM fills")


def test_a_reader_needs_a_journal(database: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal at"):
        Journal.open(database, read_only=True)
    with pytest.raises(InvalidInput, match="memory"):
        Journal.open("sqlite://", read_only=True)
    with pytest.raises(InvalidInput, match="mysql"):
        Journal.open("mysql://localhost/journal")
    with pytest.raises(InvalidInput, match="names a host"):
        Journal.open("sqlite://journal.sqlite")
    with pytest.raises(InvalidInput, match="cannot be read"):
        Journal.open("sqlite://:not a url")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match="folder"):
        Journal.open(tmp_path / "file" / "journal.sqlite")


def test_a_locked_database_stops_the_journal_with_one_sentence(database: Path) -> None:
    first, second = story()[:2]
    with Journal.open(database, busy_timeout_ms=50) as journal:
        journal.commit(first)
        with closing(sqlite3.connect(database, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalError, match=r"commit 2 .* failed \(database is locked\)"):
                journal.commit(second)
            holder.execute("ROLLBACK")
        with pytest.raises(JournalError, match="until it is opened again"):
            journal.commit(second)
        assert journal.sequence == 1
        assert journal.read.counts()["decisions"] == 0
    with Journal.open(database) as journal:
        assert journal.commit(second) == 2


def test_a_full_database_keeps_what_was_there_and_takes_no_more(database: Path) -> None:
    with Journal.open(database) as journal:
        pages = journal.held.raw.execute("PRAGMA page_count").fetchone()[0]
        journal.held.raw.execute(f"PRAGMA max_page_count = {pages + 12}")
        with pytest.raises(JournalError, match="database or disk is full"):
            commit_all(journal, story(200))
        kept = journal.sequence
        assert kept > 1
        with pytest.raises(JournalError, match="until it is opened again"):
            journal.commit(Batch())
    with Journal.open(database) as journal:
        assert journal.sequence == kept
        assert verify(journal).ok


LIMITED = """
import resource, sys
from pathlib import Path
from journal_story import story
from domain.errors import JournalError
from journal import Journal
journal = Journal.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    for batch in story(200):
        journal.commit(batch)
except JournalError as error:
    print(journal.sequence)
    print(error)
"""


def test_a_file_that_may_not_grow_stops_the_journal(database: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(CHILD.parent), str(CHILD.parents[2])))}
    command = [sys.executable, "-c", LIMITED, str(database)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    sequence, sentence = ended.stdout.strip().splitlines()
    assert re.search(r"failed \((disk I/O error|database or disk is full)\)", sentence)
    with Journal.open(database) as journal:
        assert journal.sequence == int(sequence) > 1
        assert verify(journal).ok


@pytest.mark.parametrize("doubled", ["decisions", "intents", "orders", "fills", "outcomes", "samples", "cash_events"])
def test_a_fact_told_twice_is_an_error_and_nothing_of_its_commit_stays(told: Journal, doubled: str) -> None:
    before = told.read.counts()
    batch = Batch()
    fresh = decision_at(told.read.decisions()[-1].bar_opened_at.replace(year=2025))
    batch.add(fresh)
    records = {
        "decisions": told.read.decisions,
        "intents": told.read.intents,
        "orders": told.read.orders,
        "fills": told.read.fills,
        "outcomes": told.read.outcomes,
        "samples": told.read.samples,
        "cash_events": told.read.cash,
    }
    batch.add(records[doubled]()[0])
    with pytest.raises(JournalError, match=f"UNIQUE constraint failed: {doubled}"):
        told.commit(batch)
    assert told.read.counts() == before


def test_one_bar_is_decided_once_whatever_the_decision_is_called(told: Journal) -> None:
    batch = Batch()
    batch.add(replace(told.read.decisions()[0], decision_id="another"))
    with pytest.raises(JournalError, match="UNIQUE"):
        told.commit(batch)


def test_an_order_without_its_intent_is_refused(told: Journal) -> None:
    order = told.read.orders()[0]
    with Journal.open("sqlite://") as other:
        batch = Batch()
        batch.add(order)
        with pytest.raises(JournalError, match="FOREIGN KEY"):
            other.commit(batch)


def test_a_number_that_no_database_holds_stops_the_journal_and_leaves_nothing(journal: Journal) -> None:
    batch = Batch()
    batch.add(decision_at(START))
    batch.add(Scan(at=START, timeframe=Timeframe.H1, bars=10**30, decisions=0, reasons={}))
    with pytest.raises(JournalError, match=r"commit 1 .* failed .*too large"):
        journal.commit(batch)
    assert set(journal.read.counts().values()) == {0}


def test_a_closed_journal_takes_nothing_and_closes_once(database: Path) -> None:
    journal = Journal.open(database)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="is closed"):
        journal.commit(Batch())


def test_pragmas_are_what_reliability_needs(database: Path) -> None:
    with Journal.open(database, durability=Durability.FULL) as journal:
        asked = ("journal_mode", "synchronous", "foreign_keys", "mmap_size", "busy_timeout")
        found = [journal.held.raw.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
        assert found == ["wal", 2, 1, 0, 5000]
    with Journal.open(database, durability=Durability.NORMAL) as journal:
        assert journal.held.raw.execute("PRAGMA synchronous").fetchone()[0] == 1
