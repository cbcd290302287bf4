"""What a live daemon does when its journal fails, or when it may not start: it sends nothing and says one sentence."""

from __future__ import annotations

import resource
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_daemon import LiveDaemon, quick, toml
from ratchet_command import count, ratchet, rows, until, verified

BEAT_S = 0.2
"""How often the watchdog is fed when systemd waits three times as long."""


@contextmanager
def written_by_another(journal: Path) -> Iterator[None]:
    """Another process's write lock on the database, held for as long as it takes."""
    other = sqlite3.connect(journal, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def demand_only_journaled_orders(daemon: LiveDaemon) -> None:
    """Whatever the venue was ever told stands in the journal: nothing was sent that was not written down before."""
    with sqlite3.connect(daemon.account / "paper.sqlite") as ledger:
        told = {row[0] for row in ledger.execute("SELECT client_order_id FROM orders")}
        told |= {row[0] for row in ledger.execute("SELECT client_order_id FROM requests")}
    ledger.close()
    assert told <= {row["client_order_id"] for row in rows(daemon.journal, "SELECT client_order_id FROM intents")}


def test_the_watchdog_is_fed_by_scans_and_starves_while_the_journal_is_locked(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path, watchdog_s=3 * BEAT_S) as daemon:
        daemon.until_ready()
        daemon.until_scans(2)
        with written_by_another(daemon.journal):
            until(lambda: daemon.ask("/health").status_code == 503, "a scan is overdue", within_s=6)
            assert "scan" in daemon.ask("/health").json()["detail"]
            until(lambda: daemon.logged("watchdog_starved"), "the next beat is left out", within_s=1)
            assert [line["overdue"] for line in daemon.logged("watchdog_starved")] == ["scan"]
            fed, beaten = len(daemon.manager.times_of("WATCHDOG=1")), time.monotonic() + 2 * BEAT_S
            until(lambda: time.monotonic() > beaten, "the time of two more beats has passed")
            assert len(daemon.manager.times_of("WATCHDOG=1")) == fed
        until(lambda: daemon.ask("/health").status_code == 200, "the scan goes on")
        until(lambda: len(daemon.manager.times_of("WATCHDOG=1")) > fed, "the watchdog is fed again")
        daemon.until_scans(3)
        daemon.stop()
        assert daemon.status == 0
    verified(daemon.journal)


def test_a_journal_that_stays_locked_ends_the_run_and_a_restart_continues_it(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path) as daemon:
        daemon.until_ready()
        until(lambda: count(daemon.journal, "SELECT count(*) FROM fills"), "the first fill")
        scans = daemon.scans
        with written_by_another(daemon.journal):
            assert daemon.status == 1
        assert "locked" in daemon.sentence
        assert "journal.sqlite" in daemon.sentence
        assert daemon.out == ""
        assert daemon.manager.times_of("STOPPING=1")
        assert not (daemon.account / "daemon.json").exists()
    assert daemon.scans <= scans + 2
    demand_only_journaled_orders(daemon)
    verified(daemon.journal)
    with LiveDaemon(tmp_path) as again:
        again.until_ready()
        again.until_scans(2)
        again.stop()
        assert again.status == 0
    demand_only_journaled_orders(again)
    verified(again.journal)


def test_a_full_disk_ends_the_run_and_a_restart_continues_it(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path) as daemon:
        daemon.until_ready()
        until(lambda: count(daemon.journal, "SELECT count(*) FROM fills"), "the first fill")
        # No file may grow beyond the journal's log as it is now: the next commit finds the disk full.
        room = daemon.journal.with_name("journal.sqlite-wal").stat().st_size
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (room, room))
        assert daemon.status == 1
        assert "the journal" in daemon.sentence
        assert "takes nothing more until it is opened again" in daemon.sentence
    demand_only_journaled_orders(daemon)
    verified(daemon.journal)
    with LiveDaemon(tmp_path) as again:
        again.until_ready()
        again.until_scans(2)
        again.stop()
    demand_only_journaled_orders(again)
    verified(again.journal)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> LiveDaemon:
    """An account that has run and was stopped."""
    with LiveDaemon(tmp_path_factory.mktemp("stopped")) as daemon:
        daemon.until_ready()
        daemon.until_scans(1)
        daemon.stop()
    return daemon


@contextmanager
def with_file_as(path: Path, content: bytes) -> Iterator[None]:
    kept = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(kept)


def test_a_journal_of_another_version_is_refused_with_78(stopped: LiveDaemon) -> None:
    with sqlite3.connect(stopped.journal) as journal:
        (version,) = journal.execute("SELECT version_num FROM alembic_version").fetchone()
        journal.execute("UPDATE alembic_version SET version_num = 'r9999'")
    journal.close()
    with LiveDaemon(stopped.folder) as daemon:
        assert daemon.status == 78
        assert "journal.sqlite" in daemon.sentence
    with sqlite3.connect(stopped.journal) as journal:
        journal.execute("UPDATE alembic_version SET version_num = ?", (version,))
    journal.close()


def test_a_damaged_paper_ledger_is_refused_with_78(stopped: LiveDaemon) -> None:
    ledger = stopped.account / "paper.sqlite"
    with with_file_as(ledger, b"not a database" * 500), LiveDaemon(stopped.folder) as daemon:
        assert daemon.status == 78
        assert "paper ledger" in daemon.sentence
        assert not daemon.manager.times_of("READY=1")


def test_a_taken_port_is_named_and_the_account_stays_startable(stopped: LiveDaemon) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for section in ("api", "metrics"):
            stopped.file.write_text(toml(quick(**{section: {"port": port}})))
            ended = ratchet("run", "-c", str(stopped.file), state=stopped.state)
            assert ended.status == 1
            assert str(port) in ended.sentence
    verified(stopped.journal)


def test_every_fault_of_a_configuration_is_told_at_once_with_78(tmp_path: Path) -> None:
    file = tmp_path / "ratchet.toml"
    file.write_text("[feed]\nbars = 5\ntimeframe = '7m'\n[account]\nname = 'NO'\n[schedule]\nsentiment_every_s = 300\n")
    ended = ratchet("run", "-c", str(file), state=tmp_path / "state")
    assert ended.status == 78
    for key in ("feed.bars", "feed.timeframe", "account.name", "schedule.sentiment_every_s"):
        assert key in ended.err
    assert not (tmp_path / "state").exists()


def test_recorded_candles_are_no_live_market(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path, quick(feed={"kind": "recorded", "path": str(tmp_path)})) as daemon:
        assert daemon.status == 78
        assert "ratchet run --replay" in daemon.sentence
