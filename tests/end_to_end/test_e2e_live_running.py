"""A live daemon from its start on: ready after reconciliation, a scan at each bar's close, commands obeyed."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_daemon import QUICK, LiveDaemon
from ratchet_command import Ended, count, ratchet, rows, until, verified

PEAK_MIB = 400
LONGEST_START_S = 3.0


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDaemon]:
    with LiveDaemon(tmp_path_factory.mktemp("live")) as live:
        live.until_ready()
        yield live


def told(daemon: LiveDaemon, *arguments: str) -> Ended:
    return ratchet(*arguments, "--json", state=daemon.state)


def command_row(daemon: LiveDaemon, name: str) -> tuple[int, str, str]:
    """The commit, who and why of the last command of this name."""
    found = rows(daemon.journal, "SELECT * FROM commands WHERE name = ? ORDER BY row_id DESC", name)[0]
    return found["sequence"], found["who"], found["why"]


def open_positions(daemon: LiveDaemon) -> int:
    token = (daemon.state / "secrets" / "api_token").read_text().strip()
    positions = daemon.ask("/v1/positions", token).json()["positions"]
    return len(positions)


def test_it_is_ready_within_three_seconds_of_work_and_stays_small(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path) as live:
        live.until_ready()
        assert live.cpu_s() < LONGEST_START_S
        assert live.ask("/ready").status_code == 200
        assert live.metrics()["ratchet_last_reconcile_timestamp_seconds"] > 0
        assert count(live.journal, "SELECT count(*) FROM job_runs WHERE job = 'data_quality'") == 1
        live.until_scans(3)
        assert live.memory_mib() < PEAK_MIB


def test_a_scan_follows_every_bars_close_and_the_metrics_count_it(daemon: LiveDaemon) -> None:
    before = daemon.metrics()["ratchet_scans_total"]
    daemon.until_scans(4)
    times = daemon.scan_times()
    assert times == list(range(times[0], times[0] + len(times)))
    page = daemon.metrics()
    assert page["ratchet_scans_total"] >= before + 4
    assert page["ratchet_live_clock"] == 1
    assert page["ratchet_last_scan_timestamp_seconds"] >= times[-1]
    assert page["ratchet_bars_total"] == 4 * page["ratchet_scans_total"]
    runs = rows(daemon.journal, "SELECT outcome FROM job_runs WHERE job = 'scan'")
    assert {run["outcome"] for run in runs} <= {"done", "missed"}  # missed: this machine had no time for us
    done = "SELECT count(*) FROM job_runs WHERE job = 'scan' AND outcome = 'done'"
    until(lambda: count(daemon.journal, done) >= 4, "runs of the job")
    assert len(daemon.manager.times_of("WATCHDOG=1")) >= 4


def test_the_api_is_for_the_holder_of_the_token_file_of_its_owner(daemon: LiveDaemon) -> None:
    token_file = daemon.state / "secrets" / "api_token"
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert (daemon.account / "daemon.json").stat().st_mode & 0o777 == 0o600
    assert daemon.state.stat().st_mode & 0o777 == 0o700
    token = token_file.read_text().strip()
    assert daemon.ask("/health").status_code == 200
    assert daemon.ask("/v1/status").status_code == 401
    assert daemon.ask("/v1/status", "wrong").status_code == 401
    status = daemon.ask("/v1/status", token).json()
    assert (status["account"], status["mode"], status["currency"]) == ("main", "live", "USD")


def test_the_reading_verbs_tell_of_the_running_daemon(daemon: LiveDaemon) -> None:
    daemon.until_scans(1)
    status = told(daemon, "status").document
    assert str(daemon.process.pid) in json.dumps(status["daemon"])
    assert told(daemon, "holds").document["holds"] == []
    assert "positions" in told(daemon, "positions").document


def test_pause_blocks_entries_flatten_closes_halt_sends_nothing_and_resume_needs_a_reason(daemon: LiveDaemon) -> None:
    journal = daemon.journal
    entries = "SELECT count(*) FROM intents WHERE leg = 'entry' AND sequence > ?"
    until(lambda: count(journal, "SELECT count(*) FROM intents WHERE leg = 'entry'"), "the first entry")

    until(lambda: open_positions(daemon) > 0, "a position to flatten")
    assert told(daemon, "pause", "--who", "ann", "--why", "looking at the news").document["hold"]["latched"] is True
    paused, who, why = command_row(daemon, "pause")
    assert (who, why) == ("ann", "looking at the news")
    denied = "SELECT count(*) FROM decisions WHERE reason = 'hold_operator' AND sequence > ?"
    until(lambda: count(journal, denied, paused), "a decision that the pause denied")
    flattened = told(daemon, "flatten", "--who", "ann", "--why", "too much risk").document
    assert len(flattened["closing"]) == len(flattened["intents"])
    until(lambda: open_positions(daemon) == 0, "no position is left")
    assert count(journal, entries, paused) == 0
    exits = "SELECT count(*) FROM outcomes WHERE kind = 'real' AND sequence > ?"
    # On a slow machine the position may have met its stop before the pause: then there was nothing left to flatten.
    assert count(journal, exits, paused if flattened["closing"] else 0) > 0

    refused = ratchet("resume", state=daemon.state)
    assert refused.status == 2
    assert "--why" in refused.err
    blank = ratchet("resume", "--why", "  ", state=daemon.state)
    assert blank.status == 2
    assert count(journal, "SELECT count(*) FROM commands WHERE name = 'resume'") == 0

    assert len(told(daemon, "resume", "--who", "ann", "--why", "the news were old").document["cleared"]) == 1
    resumed, who, why = command_row(daemon, "resume")
    assert (who, why) == ("ann", "the news were old")
    until(lambda: count(journal, entries, resumed), "entries again")

    until(lambda: open_positions(daemon) > 0, "a position to hold on to")
    told(daemon, "halt", "--who", "bob", "--why", "something is wrong")
    halted, who, why = command_row(daemon, "halt")
    assert (who, why) == ("bob", "something is wrong")
    assert told(daemon, "holds").document["holds"][0]["effect"] == "halt"
    daemon.until_scans(7)  # longer than any position is held
    assert rows(journal, "SELECT * FROM intents WHERE sequence > ?", halted) == []
    decided = rows(journal, "SELECT DISTINCT status FROM decisions WHERE sequence > ?", halted)
    assert "ordered" not in {row["status"] for row in decided}
    told(daemon, "resume", "--who", "bob", "--why", "it was nothing")
    until(lambda: count(journal, "SELECT count(*) FROM intents WHERE sequence > ?", halted), "sending again")

    unknown = ratchet("flatten", "--instrument", "BTCUSD", "--why", "no such position", state=daemon.state)
    assert unknown.status == 1
    assert "BTCUSD" in unknown.sentence
    assert verified(journal)


def test_a_daemon_that_serves_no_api_still_says_that_it_runs(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path, {**QUICK, "api": {"enabled": False}, "metrics": {"enabled": False}}) as live:
        live.until_ready()
        assert str(live.process.pid) in json.dumps(told(live, "status").document["daemon"])
        refused = ratchet("pause", "--why", "a test", state=live.state)
        assert refused.status == 1
        assert "serves no API" in refused.sentence
        live.stop(signal.SIGINT)
        assert live.status == 0
        assert not (live.account / "daemon.json").exists()
