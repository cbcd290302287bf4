"""`verify` passes a lawful journal and names every planted fault."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from journal_story import START, Account, story

from domain.errors import JournalError
from domain.records import CashEvent, CashKind, Command
from journal import Batch, Durability, Journal, verify
from journal.verify import CHECKS

LOOSE = ("intents", "orders", "fills", "decisions", "outcomes", "samples", "cash_events", "commits", "positions")


@contextmanager
def tampered(database: Path) -> Iterator[sqlite3.Connection]:
    """A raw connection to the file; SQLite then checks no references."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        yield connection


def without_constraints(connection: sqlite3.Connection, table: str) -> None:
    """The same rows in a table that takes anything."""
    connection.execute(f"CREATE TABLE loose AS SELECT * FROM {table}")
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE loose RENAME TO {table}")


def failing(database: Path) -> dict[str, str]:
    """Names and details of the checks that fail."""
    with Journal.open(database, read_only=True) as journal:
        result = verify(journal)
    assert result.ok == (not any(not check.ok for check in result.checks))
    return {check.name: check.detail for check in result.checks if not check.ok}


@pytest.fixture
def closed(database: Path) -> Path:
    """The file of a journal that tells three trades and is written by nobody now."""
    with Journal.open(database, durability=Durability.NORMAL) as journal:
        for batch in story():
            journal.commit(batch)
    return database


def test_a_lawful_journal_passes_every_check_and_gives_its_digests(told: Journal) -> None:
    result = verify(told)
    assert [check for check in result.checks if not check.ok] == []
    assert [check.name for check in result.checks] == list(CHECKS)
    assert sorted(result.digest) == [
        "decisions", "fills", "model_events", "orders", "outcomes", "predictions", "samples",
    ]  # fmt: skip
    assert all(len(value) == 64 for value in result.digest.values())


def test_an_empty_journal_passes(journal: Journal) -> None:
    assert verify(journal).ok


UPDATES = [
    ("positions are sums of fills", "UPDATE positions SET quantity = '0.5' WHERE quantity = '0'"),
    ("positions are sums of fills", "UPDATE positions SET realized = '1' WHERE quantity = '0'"),
    ("positions are sums of fills", "UPDATE positions SET entry_price = '1' WHERE quantity = '0'"),
    ("positions are sums of fills", "DELETE FROM positions"),
    ("positions are sums of fills", "UPDATE fills SET side = 'sell', quantity = '9' WHERE row_id = 2"),
    ("orders are filled by their fills", "UPDATE orders SET filled = '0.25' WHERE state = 'filled'"),
    ("orders are filled by their fills", "UPDATE orders SET quantity = '1' WHERE state = 'filled'"),
    ("fills have an intent", "UPDATE fills SET client_order_id = 'rt-nobody' WHERE row_id = 1"),
    ("fills have an intent", "UPDATE intents SET action = 'cancel', target_id = 'x' WHERE leg = 'entry'"),
    (
        "placed intents have an order",
        "DELETE FROM orders WHERE client_order_id = (SELECT client_order_id FROM intents)",
    ),
    ("ordered decisions have an entry intent", "UPDATE intents SET cause_id = 'other' WHERE leg = 'entry'"),
    ("cash events are what fills say", "UPDATE cash_events SET amount = '1' WHERE kind = 'realized'"),
    ("cash events are what fills say", "DELETE FROM cash_events WHERE kind = 'fee' AND row_id < 4"),
    ("cash events are what fills say", "UPDATE cash_events SET event_id = 'fee-else' WHERE row_id = 2"),
    ("balance is the sum of cash", "UPDATE cash_events SET amount = '-9' WHERE kind = 'swap'"),
    ("balance is the sum of cash", "UPDATE equity SET balance = '1' WHERE row_id = 3"),
    ("equity is balance and floating", "UPDATE equity SET floating = '3' WHERE row_id = 2"),
    ("the peak falls only by command", "UPDATE equity SET peak = '10000.5' WHERE row_id = 2"),
    ("the peak falls only by command", "UPDATE equity SET peak = '1' WHERE row_id = 2"),
    ("drawdown is the distance to the peak", "UPDATE equity SET drawdown = 0.5 WHERE row_id = 3"),
    ("outcomes have their decision", "UPDATE outcomes SET decision_id = 'gone' WHERE row_id = 1"),
    ("samples have their outcome", "DELETE FROM outcomes WHERE kind = 'real'"),
    ("samples have their outcome", "UPDATE outcomes SET r_net = 0.1 WHERE kind = 'real'"),
    ("samples have their outcome", "UPDATE samples SET source = 'real'"),
    ("samples have their outcome", "UPDATE samples SET decision_id = 'gone' WHERE row_id = 1"),
    ("decisions follow the close of their bar", "UPDATE decisions SET decided_at = bar_opened_at + 3599999999"),
    ("commits have no gap", "DELETE FROM commits WHERE sequence = 3"),
    ("commits have no gap", "DELETE FROM commits WHERE sequence = (SELECT max(sequence) FROM commits)"),
    ("commits have no gap", "DELETE FROM scans WHERE row_id = 1"),
    ("commits have no gap", "UPDATE commits SET sequence = 99 WHERE sequence = 2"),
    ("rows are valid records", "UPDATE fills SET quantity = '-1' WHERE row_id = 1"),
    ("rows are valid records", "UPDATE decisions SET features = '{' WHERE row_id = 1"),
    ("rows are valid records", "UPDATE orders SET state = 'lost'"),
    ("rows are valid records", "UPDATE scans SET timeframe = '1w'"),
    ("the database is sound", "DELETE FROM intents WHERE leg = 'stop'"),
]


@pytest.mark.parametrize(("name", "tampering"), UPDATES)
def test_a_planted_fault_fails_its_check(closed: Path, name: str, tampering: str) -> None:
    with tampered(closed) as connection:
        assert connection.execute(tampering).rowcount > 0
    found = failing(closed)
    assert name in found
    assert found[name]


@pytest.mark.parametrize("table", ["intents", "orders", "fills", "decisions", "outcomes", "samples", "cash_events"])
def test_a_fact_that_is_there_twice_is_found(closed: Path, table: str) -> None:
    with tampered(closed) as connection:
        without_constraints(connection, table)
        connection.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE row_id = 1")
    assert "2 times" in failing(closed)["nothing is there twice"]


def test_two_positions_of_one_instrument_at_once_are_found(closed: Path) -> None:
    with tampered(closed) as connection:
        connection.execute("DELETE FROM positions WHERE quantity = '0' AND row_id = 3")
    assert "open at once" in failing(closed)["one open position an instrument"]


def overwrite_pages(database: Path, first: int) -> None:
    """Spoil the head of every page from `first` on."""
    data = bytearray(database.read_bytes())
    pages = range(first, len(data) // 4096)
    assert pages
    for page in pages:
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    database.write_bytes(bytes(data))


def test_damaged_pages_fail_the_check_of_the_database(closed: Path) -> None:
    overwrite_pages(closed, closed.stat().st_size // 4096 - 2)
    assert "the database is sound" in failing(closed)


def test_a_damaged_table_of_contents_is_refused_in_one_sentence(closed: Path) -> None:
    overwrite_pages(closed, 1)
    with pytest.raises(JournalError, match="cannot be used"):
        failing(closed)


def test_a_resume_may_lower_the_peak_and_so_may_a_withdrawal(told: Journal) -> None:
    account = Account(balance=told.read.equity()[-1].balance)
    at = told.read.equity()[-1].at
    resume = Batch()
    resume.add(Command(command_id="c-1", at=at, name="resume", who="somebody", why="looked", arguments={}))
    resume.add(account.point(at))
    told.commit(resume)
    assert verify(told).ok
    withdrawal = Batch()
    account.book(
        withdrawal, CashEvent(event_id="deposit-2", kind=CashKind.DEPOSIT, at=START, amount=-account.balance / 2)
    )
    account.peak = account.balance
    withdrawal.add(account.point(at))
    told.commit(withdrawal)
    assert verify(told).ok


def test_another_command_does_not_lower_the_peak(told: Journal) -> None:
    account = Account(balance=told.read.equity()[-1].balance)
    at = told.read.equity()[-1].at
    batch = Batch()
    batch.add(Command(command_id="c-1", at=at, name="pause", who="somebody", why="looked", arguments={}))
    batch.add(account.point(at))
    told.commit(batch)
    assert [check.name for check in verify(told).checks if not check.ok] == ["the peak falls only by command"]


def test_digests_do_not_depend_on_how_the_story_was_cut_into_commits(told: Journal) -> None:
    whole = Batch()
    for batch in story():
        whole.extend(batch)
    with Journal.open("sqlite://") as other:
        other.commit(whole)
        assert verify(other).digest == verify(told).digest


@pytest.mark.parametrize(
    ("kind", "tampering"),
    [
        ("decisions", "UPDATE decisions SET score = 0.680001 WHERE row_id = 1"),
        ("orders", "UPDATE orders SET state = 'cancelled' WHERE state = 'filled'"),
        ("fills", "UPDATE fills SET price = '1' WHERE row_id = 1"),
        ("outcomes", "UPDATE outcomes SET bars_held = 7 WHERE row_id = 1"),
        ("samples", "UPDATE samples SET weight = 0.5 WHERE row_id = 1"),
    ],
)
def test_a_business_column_changes_exactly_its_digest(closed: Path, kind: str, tampering: str) -> None:
    with Journal.open(closed, read_only=True) as journal:
        before = verify(journal).digest
    with tampered(closed) as connection:
        connection.execute(tampering)
    with Journal.open(closed, read_only=True) as journal:
        after = verify(journal).digest
    assert [name for name in before if before[name] != after[name]] == [kind]


def test_digests_ignore_intermediate_order_states_and_the_order_of_features(closed: Path) -> None:
    with Journal.open(closed, read_only=True) as journal:
        before = verify(journal).digest
    with tampered(closed) as connection:
        connection.execute("DELETE FROM orders WHERE state = 'accepted' AND version = 1")
        (features,) = connection.execute("SELECT features FROM decisions WHERE row_id = 1").fetchone()
        turned = "{" + ",".join(reversed(features.strip("{}").split(","))) + "}"
        connection.execute("UPDATE decisions SET features = ? WHERE row_id = 1", (turned,))
    with Journal.open(closed, read_only=True) as journal:
        assert verify(journal).digest == before
