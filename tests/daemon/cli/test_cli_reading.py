"""The reading verbs, through the installed command, on a real journal."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli_account import Ratchet, write_journal

VERBS = ("status", "positions", "trades", "decisions", "outcomes", "equity", "holds", "verify")


def document(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    """The one JSON document on stdout; anything before or after it fails the reading."""
    assert (done.returncode, done.stderr) == (code, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_one_document_that_says_which_journal(told: Ratchet, verb: str) -> None:
    assert document(told(verb, "--json"))["journal"] == str(told.state / "paper-main" / "journal.sqlite")


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_for_people_says_which_journal(told: Ratchet, verb: str) -> None:
    done = told(verb)
    assert (done.returncode, done.stderr) == (0, "")
    assert "paper-main/journal.sqlite" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_where_nothing_was_run_yet_one_sentence_says_what_to_run(ratchet: Ratchet, verb: str) -> None:
    done = ratchet(verb, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"ratchet: there is no journal under {ratchet.state} yet: run `ratchet demo` or `ratchet run` first\n"
    )


def test_status_tells_equity_positions_holds_in_force_and_reasons(told: Ratchet) -> None:
    standing = document(told("status", "--json"))
    assert standing["account"] == "paper-main"
    assert standing["daemon"] is None
    assert standing["positions"] == ["BTC-USD"]
    assert [hold["cause"] for hold in standing["holds"]] == ["drawdown"]
    assert standing["holds"][0]["effect"] == "no_entries"
    assert standing["counts"]["decisions"] == 6
    assert standing["reasons"] == {"denied:max_positions": 3, "ordered:ordered": 3}
    assert standing["bars_without_proposal"] == {"no_signal": 24, "spread": 6}
    assert standing["last_scan"]["timeframe"] == "1h"
    page = told("status").stdout
    assert "drawdown: no_entries (all, until a person resumes)" in page
    assert "denied:max_positions 3" in page


def test_money_is_text_and_times_are_utc(told: Ratchet) -> None:
    point = document(told("equity", "--json", "--limit", "1"))["equity"][0]
    assert isinstance(point["equity"], str)
    assert point["at"].endswith("Z")
    assert isinstance(point["drawdown"], float)


def test_trades_are_the_real_outcomes_newest_first(told: Ratchet) -> None:
    trades = document(told("trades", "--json"))["trades"]
    assert [trade["kind"] for trade in trades] == ["real", "real"]
    assert trades[0]["closed_at"] > trades[1]["closed_at"]
    assert trades[0]["profit"] == "-6.9"
    page = told("trades").stdout
    assert "-0.93" in page
    assert "stop" in page


def test_outcomes_are_of_both_kinds_unless_one_is_asked_for(told: Ratchet) -> None:
    assert len(document(told("outcomes", "--json"))["outcomes"]) == 6
    shadows = document(told("outcomes", "--json", "--kind", "shadow"))["outcomes"]
    assert {outcome["kind"] for outcome in shadows} == {"shadow"}


def test_decisions_can_be_limited_and_chosen_by_instrument_and_reason(told: Ratchet) -> None:
    assert len(document(told("decisions", "--json"))["decisions"]) == 6
    assert len(document(told("decisions", "--json", "-n", "2"))["decisions"]) == 2
    assert document(told("decisions", "--json", "-i", "ETH-USD"))["decisions"] == []
    denied = document(told("decisions", "--json", "--reason", "max_pos", "-n", "1"))["decisions"]
    assert [(made["status"], made["reason"]) for made in denied] == [("denied", "max_positions")]
    assert denied[0]["features"]["values"]["feature_01"] == pytest.approx(1 / 7)


def test_holds_are_those_in_force_unless_all_are_asked_for(told: Ratchet) -> None:
    assert [hold["cause"] for hold in document(told("holds", "--json"))["holds"]] == ["drawdown"]
    assert len(document(told("holds", "--json", "--all"))["holds"]) == 2
    assert "until a person resumes" in told("holds").stdout


def test_positions_are_the_open_ones_unless_all_are_asked_for(told: Ratchet) -> None:
    position = document(told("positions", "--json"))["positions"]
    assert [(held["instrument"], held["quantity"], held["entry_price"]) for held in position] == [
        ("BTC-USD", "1.5", "100.3")
    ]
    assert len(document(told("positions", "--json", "--all"))["positions"]) == 3


def test_verify_passes_on_a_sound_journal_and_gives_a_digest_of_each_kind_of_fact(told: Ratchet) -> None:
    result = document(told("verify", "--json"))
    assert result["ok"] is True
    facts = {"decisions", "orders", "fills", "outcomes", "samples", "predictions", "model_events"}
    assert set(result["digest"]) == facts
    assert all(set(check) == {"name", "ok", "detail"} for check in result["checks"])


def test_verify_fails_with_exit_1_on_a_journal_that_was_tampered_with(told: Ratchet) -> None:
    path = told.state / "paper-main" / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE cash_events SET amount = '1' WHERE kind = 'deposit'")
    result = document(told("verify", "--json"), code=1)
    assert result["ok"] is False
    broken = [check for check in result["checks"] if not check["ok"]]
    assert any("balance" in check["name"] for check in broken)
    page = told("verify")
    assert page.returncode == 1
    assert "BROKEN" in page.stdout


def test_the_most_recently_written_journal_is_read_unless_one_is_named(told: Ratchet) -> None:
    other = write_journal(told.state / "demo" / "journal.sqlite", open_trade=False)
    main = told.state / "paper-main" / "journal.sqlite"
    for place, path in enumerate((main, other)):
        os.utime(path, (2_000_000_000 + place, 2_000_000_000 + place))
    assert document(told("status", "--json"))["account"] == "demo"
    assert document(told("status", "--json", "--account", "main"))["account"] == "paper-main"
    assert document(told("status", "--json", "--account", "paper-main"))["account"] == "paper-main"
    assert document(told("status", "--json", "--journal", str(main)))["account"] == "paper-main"
    assert document(told("status", "--json", "--journal", str(main.parent)))["account"] == "paper-main"
    assert document(told("status", "--json", "--state", str(told.state)))["account"] == "demo"


def test_a_name_that_fits_none_or_several_is_told(told: Ratchet) -> None:
    write_journal(told.state / "demo-main" / "journal.sqlite")
    several = told("status", "--account", "main")
    assert (several.returncode, several.stdout) == (1, "")
    assert "more than one" in several.stderr
    assert "demo-main, paper-main" in several.stderr or "paper-main, demo-main" in several.stderr
    none = told("status", "--account", "other")
    assert none.returncode == 1
    assert "for account other" in none.stderr


def test_a_journal_of_another_version_exits_78(told: Ratchet) -> None:
    path = told.state / "paper-main" / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    done = told("status", "--json")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("ratchet: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_no_journal_is_told_in_one_sentence(ratchet: Ratchet) -> None:
    file = ratchet.home / "notes.sqlite"
    file.write_text("no database at all, but long enough to look at" * 50)
    done = ratchet("status", "--journal", file)
    assert done.returncode in (1, 78)
    assert len(done.stderr.splitlines()) == 1
    missing = ratchet("status", "--journal", ratchet.home / "absent.sqlite")
    assert missing.stderr == f"ratchet: there is no journal at {ratchet.home / 'absent.sqlite'}\n"


def test_reading_changes_nothing_in_the_state_directory(told: Ratchet) -> None:
    def contents() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in told.state.rglob("*") if path.suffix == ".sqlite"}

    before = contents()
    for verb in VERBS:
        assert told(verb).returncode == 0
    assert contents() == before


HEAVY = (
    "pandas",
    "talib",
    "river",
    "scipy",
    "fastapi",
    "uvicorn",
    "structlog",
    "alembic",
    "exchange_calendars",
    "rich",
)


def test_status_does_not_wait_for_libraries_that_it_does_not_need(told: Ratchet) -> None:
    program = (
        "import sys; sys.argv = ['ratchet', 'status', '--json']\n"
        "from daemon.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"sys.stderr.write(','.join(name for name in {HEAVY} if name in sys.modules))"
    )
    paths = os.pathsep.join([str(Path(__file__).resolve().parents[3]), os.environ.get("PYTHONPATH", "")])
    environ = {"STATE_DIRECTORY": str(told.state), "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout)["account"] == "paper-main"
    assert done.stderr == ""
