"""`config show`, `check` and how refusals leave the process."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest
from cli_account import Ratchet, write_journal

CANARY = "canary-secret-value-7"
TEN_FAULTS = """\
[account]
name = "Main Account"
kind = "live"
starting_cash = -5
[broker]
kind = "binance"
[feed]
timeframe = "7m"
[signals]
trend_ma = 30
[risk]
risk_per_trade = 0.5
risk_per_trad = 0.1
[api]
port = "http"
[metrics]
host = "0.0.0.0"
"""
TEN_KEYS = (
    *("account.name", "account.kind", "account.starting_cash", "broker.kind", "feed.timeframe", "signals.trend_ma"),
    *("risk.risk_per_trade", "risk.risk_per_trad", "api.port", "metrics.host"),
)


def ten_faults(ratchet: Ratchet) -> Path:
    file = ratchet.home / "ten.toml"
    file.write_text(TEN_FAULTS)
    return file


@pytest.mark.parametrize("verb", [("config", "show"), ("check",), ("run",)])
def test_ten_faults_are_all_told_on_stderr_and_exit_78(ratchet: Ratchet, verb: tuple[str, ...]) -> None:
    done = ratchet(*verb, "-c", ten_faults(ratchet))
    assert (done.returncode, done.stdout) == (78, "")
    told = done.stderr.splitlines()
    assert told[0] == "ratchet: the configuration has 10 faults:"
    for key in TEN_KEYS:
        assert [line for line in told[1:] if f": {key} is " in line and "allowed: " in line], key
    assert len(told) == 11
    assert "Traceback" not in done.stderr


def test_the_environment_counts_among_the_faults(ratchet: Ratchet) -> None:
    done = ratchet("config", "show", RATCHET__RISK__MAX_DRAWDOWN="9")
    assert done.returncode == 78
    assert "environment RATCHET__RISK__MAX_DRAWDOWN: risk.max_drawdown is '9'" in done.stderr


def test_what_is_shown_can_be_used_again(ratchet: Ratchet) -> None:
    shown = ratchet("config", "show", "--set", "risk.max_positions=3", RATCHET__ACCOUNT__CURRENCY="EUR")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert tomllib.loads(shown.stdout)["risk"]["max_positions"] == 3
    file = ratchet.home / "again.toml"
    file.write_text(shown.stdout)
    again = ratchet("config", "show", "-c", file)
    assert again.stdout == shown.stdout
    assert 'currency = "EUR"' in again.stdout


def test_origins_are_shown_beside_each_value(ratchet: Ratchet) -> None:
    file = ratchet.home / "r.toml"
    file.write_text("[risk]\nmax_positions = 4\n")
    shown = ratchet("config", "show", "--origins", "-c", file, "--set", "api.port=0").stdout
    assert f"max_positions = 4  # {file} line 2" in shown
    assert "port = 0  # flag --set" in shown
    assert "reject_rate = 0.0  # default" in shown


def test_json_has_the_configuration_its_digest_and_masked_secrets(ratchet: Ratchet) -> None:
    done = ratchet("config", "show", "--json", "--origins", RATCHET_SECRET_API_TOKEN=CANARY)
    document = json.loads(done.stdout)
    assert document["config"]["account"]["starting_cash"] == "10000"
    assert len(document["digest"]) == 20
    assert document["secrets"]["api_token"] == {
        "value": "***",
        "origin": "from environment RATCHET_SECRET_API_TOKEN",
    }
    assert document["origins"] == {}
    assert CANARY not in done.stdout + done.stderr


def test_no_secret_shows_in_any_output(ratchet: Ratchet) -> None:
    file = ratchet.home / "secret.toml"
    file.write_text(f'[broker]\napi_key = "{CANARY}"\n')
    for arguments in (("config", "show"), ("config", "show", "-c", file), ("check",), ("check", "-c", file)):
        done = ratchet(*arguments, RATCHET_SECRET_API_TOKEN=CANARY)
        assert CANARY not in done.stdout + done.stderr


def test_check_passes_where_nothing_is_wrong_and_makes_a_private_state_folder(ratchet: Ratchet) -> None:
    done = ratchet("check", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["ok"] is True
    names = {row["name"] for row in document["checks"]}
    assert names >= {
        "configuration",
        "demo proof",
        "API token",
        "state folder",
        "free disk",
        "journal",
        "clock",
        "SQLite",
    }
    assert stat.S_IMODE(ratchet.state.stat().st_mode) == 0o700
    page = ratchet("check")
    assert page.returncode == 0
    assert "demo proof" in page.stdout


def rows(ratchet: Ratchet, *arguments: str | Path) -> tuple[int, dict[str, str]]:
    done = ratchet("check", "--json", *arguments)
    checks = json.loads(done.stdout)["checks"]
    return done.returncode, {row["name"]: row["detail"] for row in checks if row["ok"] is False}


def test_check_refuses_a_secret_that_others_may_read(ratchet: Ratchet) -> None:
    secret = ratchet.state / "secrets" / "api_token"
    secret.parent.mkdir(parents=True, mode=0o700)
    secret.write_text(CANARY)
    secret.chmod(0o644)
    code, refused = rows(ratchet)
    assert code == 78
    assert f"chmod 600 {secret}" in refused["API token"]


def test_check_refuses_data_that_is_not_there(ratchet: Ratchet) -> None:
    settings = ("--set", "feed.kind=recorded", "--set", "feed.path=absent", "--set", "sentiment.calendar=absent.jsonl")
    code, refused = rows(ratchet, *settings)
    assert code == 78
    assert set(refused) == {"candles", "calendar"}


def test_check_reads_the_journal_that_is_there_and_refuses_one_that_is_none(ratchet: Ratchet) -> None:
    path = write_journal(ratchet.state / "paper-main" / "journal.sqlite")
    assert rows(ratchet) == (0, {})
    path.write_bytes(b"no database" * 1000)
    code, refused = rows(ratchet)
    assert (code, set(refused)) == (78, {"journal"})


def test_a_state_folder_that_cannot_be_made_is_refused(ratchet: Ratchet) -> None:
    ratchet.state.write_text("a file")
    code, refused = rows(ratchet)
    assert code == 78
    assert "state folder" in refused


def test_a_live_run_refuses_the_simulated_operator(ratchet: Ratchet) -> None:
    file = ratchet.home / "r.toml"
    file.write_text("[operator]\nsimulated = true\n")
    done = ratchet("run", "-c", file)
    assert (done.returncode, done.stdout) == (78, "")
    assert "a live run never has a simulated operator" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "--replay", "x", "--speed", "0"),
        ("run", "--replay", "x", "--speed", "fast"),
        ("run", "--replay", "x", "--timeframe", "1w"),
        ("run", "--replay", "x", "--start", "yesterday"),
        ("run", "--replay", "x", "--series", "EURUSD"),
        ("run", "--replay", "x", "--cash", "-1"),
        ("run", "--replay", "x", "--operator", "me"),
        ("demo", "--bars", "1"),
        ("status", "--no-such-option"),
        ("no-such-verb",),
        ("resume",),
        ("pause", "--why", "  "),
        ("decisions", "--limit", "0"),
        ("sentiment", "score"),
    ],
)
def test_wrong_usage_exits_2_with_nothing_on_stdout(ratchet: Ratchet, arguments: tuple[str, ...]) -> None:
    done = ratchet(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: ratchet" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version_exit_0(ratchet: Ratchet) -> None:
    assert ratchet("--version").stdout.startswith("ratchet ")
    for verb in ("status", "run", "demo", "check", "pause", "verify"):
        assert ratchet(verb, "--help").returncode == 0
