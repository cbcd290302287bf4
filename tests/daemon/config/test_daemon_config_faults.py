"""A configuration with faults tells all of them at once, each with origin, key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import load
from daemon.config.faults import FaultsFound, looks_secret
from daemon.config.schema import sections
from domain.errors import ConfigurationRefused

TEN_FAULTS = """\
[account]
name = "Main Account"
kind = "live"
starting_cash = -5

[broker]
kind = "binance"

[feed]
timeframe = "7m"
kind = "recorded"

[signals]
trend_ma = 30
reward_risk = nan

[risk]
risk_per_trade = 0.5
risk_per_trad = 0.005

[api]
host = "0.0.0.0"
"""


def faults_of(tmp_path: Path, text: str, **layers: object) -> dict[str, str]:
    file = tmp_path / "ratchet.toml"
    file.write_text(text)
    with pytest.raises(FaultsFound) as refusal:
        load([file], **layers)  # type: ignore[arg-type]  # layers are what load takes
    return {fault.key: str(fault) for fault in refusal.value.faults}


def test_ten_faults_in_one_file_are_all_told(tmp_path: Path) -> None:
    told = faults_of(tmp_path, TEN_FAULTS)
    assert set(told) == {
        "account.name",
        "account.kind",
        "account.starting_cash",
        "broker.kind",
        "feed.timeframe",
        "signals.trend_ma",
        "signals.reward_risk",
        "risk.risk_per_trade",
        "risk.risk_per_trad",
        "api.host",
    }


def test_every_fault_names_file_and_line_the_value_and_what_is_allowed(tmp_path: Path) -> None:
    told = faults_of(tmp_path, TEN_FAULTS)
    file = tmp_path / "ratchet.toml"
    assert told["risk.risk_per_trade"] == (
        f"{file} line 18: risk.risk_per_trade is 0.5; allowed: a number from 0.002 to 0.01"
    )
    assert told["account.kind"] == f"{file} line 3: account.kind is 'live'; allowed: paper or demo"
    assert told["broker.kind"].endswith("broker.kind is 'binance'; allowed: paper or ccxt")
    assert told["feed.timeframe"].endswith("allowed: 1s, 1m, 5m, 15m, 30m, 1h, 4h or 1d")
    assert told["signals.trend_ma"].endswith("is 30; allowed: 20, 50 or 100")
    assert told["signals.reward_risk"].endswith("is nan; allowed: a number from 2.5 to 4")
    assert told["account.starting_cash"].endswith("is -5; allowed: a number from 1 to 1000000000000")
    assert "did you mean risk_per_trade?" in told["risk.risk_per_trad"]


def test_the_refusal_is_a_configuration_refusal_whose_text_has_every_fault(tmp_path: Path) -> None:
    file = tmp_path / "ratchet.toml"
    file.write_text(TEN_FAULTS)
    with pytest.raises(ConfigurationRefused) as refusal:
        load([file])
    lines = str(refusal.value).splitlines()
    assert lines[0] == "the configuration has 10 faults:"
    assert len(lines) == 11


def test_faults_of_all_layers_come_together(tmp_path: Path) -> None:
    told = faults_of(
        tmp_path,
        "[risk]\nmax_positions = 0\n",
        environ={"RATCHET__RISK__MAX_DRAWDOWN": "9", "RATCHET__RUSK__A": "1"},
        flags=["learning.mode=maybe", "feed"],
    )
    assert told["risk.max_drawdown"] == (
        "environment RATCHET__RISK__MAX_DRAWDOWN: risk.max_drawdown is '9'; allowed: a number above 0 and up to 0.9"
    )
    assert told["learning.mode"].startswith("flag --set: learning.mode is 'maybe'; allowed: score_enhancement")
    assert "did you mean risk?" in told["rusk.a"]
    assert told["feed"].endswith("allowed: section.key=value")
    assert "risk.max_positions" in told


def test_rules_between_values_are_told_beside_faults_of_other_sections(tmp_path: Path) -> None:
    told = faults_of(
        tmp_path,
        '[feed]\nkind = "recorded"\n[metrics]\nport = 8642\n[account]\nkind = "demo"\n[risk]\nprice_collar = 7\n'
        '[broker]\nbase_url = "https://api.binance.com"\n[sentiment]\nenabled = "perhaps"\n',
    )
    assert set(told) == {
        "feed.path",
        "metrics.port",
        "account.kind",
        "risk.price_collar",
        "broker.base_url",
        "sentiment.enabled",
    }
    assert "a folder of candle files" in told["feed.path"]
    assert told["sentiment.enabled"].endswith("allowed: true or false")


@pytest.mark.parametrize(
    ("address", "needle"),
    [
        ("https://api.binance.com/api", "Binance's live host"),
        ("https://api-fxtrade.oanda.com", "OANDA's live host"),
        ("https://unheard-of.example", "on no list of demo hosts"),
        ("https://testnet.binance.vision", "the paper broker is embedded and has no address"),
    ],
)
def test_an_address_of_a_venue_is_refused_a_live_one_by_name(tmp_path: Path, address: str, needle: str) -> None:
    told = faults_of(tmp_path, f'[broker]\nbase_url = "{address}"\n')
    assert needle in told["broker.base_url"]


def test_lower_ends_above_upper_ends_are_told(tmp_path: Path) -> None:
    told = faults_of(tmp_path, "[risk]\nrisk_per_trade_min = 0.008\nrisk_per_trade_max = 0.004\n")
    assert told["risk.risk_per_trade_min"].endswith("allowed: at most risk.risk_per_trade_max, which is 0.004")


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("[account\nname = 1\n", "at line 1"),
        ("[account]\nname = 'a'\nname = 'b'\n", "at line 3"),
        ("\n\n=\n", "at line 3"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str, needle: str) -> None:
    told = faults_of(tmp_path, text)
    assert needle in told["the file"]


def test_a_file_that_is_missing_or_no_text_is_told_beside_the_others(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaultsFound) as refusal:
        load([tmp_path / "absent.toml", binary, tmp_path])
    given = [fault.given for fault in refusal.value.faults]
    assert given == ["No such file or directory", "not UTF-8 at byte 0", "Is a directory"]


def test_wrong_shapes_are_told_in_words(tmp_path: Path) -> None:
    told = faults_of(
        tmp_path,
        'stray = 1\nrisk2 = 5\n[[api]]\nport = 1\n[feed]\ninstruments = "EURUSD"\nseries = { EURUSD = 5 }\n'
        "[journal]\ndurability = { a = 1 }\n",
    )
    assert "the sections are account" in told["stray"]
    assert "did you mean risk?" in told["risk2"]
    assert told["api"].endswith("allowed: a section, with its keys below it")
    assert "allowed: a list, each a name such as EURUSD" in told["feed.instruments"]
    assert told["feed.series.EURUSD"].endswith("is 5; allowed: a name such as EURUSD or BHP.AX")
    assert "allowed: a plain value: full or normal or none" in told["journal.durability.a"]


def test_numbers_are_not_made_of_booleans_or_words(tmp_path: Path) -> None:
    told = faults_of(tmp_path, '[risk]\nmax_positions = true\nmax_drawdown = "much"\n[api]\nport = 1.5\n')
    assert set(told) == {"risk.max_positions", "risk.max_drawdown", "api.port"}


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.4", "::", "example.org"])
def test_the_api_and_the_metrics_listen_on_loopback_only(tmp_path: Path, host: str) -> None:
    told = faults_of(tmp_path, f'[api]\nhost = "{host}"\n[metrics]\nhost = "{host}"\n')
    assert set(told) == {"api.host", "metrics.host"}


def test_a_secret_in_a_file_the_environment_or_a_flag_is_refused_and_never_shown(tmp_path: Path) -> None:
    canary = "hunter2-canary-value"
    told = faults_of(
        tmp_path,
        f'[broker]\napi_key = "{canary}"\npassword = "{canary}"\n[api]\ntoken = "{canary}"\n',
        environ={"RATCHET__BROKER__API_SECRET": canary},
        flags=[f"broker.passphrase={canary}"],
    )
    assert set(told) == {"broker.api_key", "broker.password", "api.token", "broker.api_secret", "broker.passphrase"}
    assert all(" is ***; allowed: no secret stands in the configuration" in line for line in told.values())
    assert canary not in "".join(told.values())


def test_no_key_of_the_configuration_is_named_like_a_secret() -> None:
    named = [f"{name}.{key}" for name, schema in sections().items() for key in schema.keys if looks_secret(key)]
    assert named == []


def test_a_password_inside_an_address_is_not_shown(tmp_path: Path) -> None:
    told = faults_of(tmp_path, '[journal]\nurl = "postgresql://me:canary-word@host/db"\n')
    assert "canary-word" not in told["journal.url"]
    assert told["journal.url"].endswith("allowed: sqlite:///PATH or none")


def test_long_values_are_cut_in_messages(tmp_path: Path) -> None:
    told = faults_of(tmp_path, f'[account]\nkind = "{"x" * 5000}"\n')
    assert len(told["account.kind"]) < 400
