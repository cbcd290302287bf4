"""What an account may risk tightens freely and loosens only by a recorded command."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.config import Config
from daemon.loosening import ACCEPTED, accept, hold_to, loosened_by
from domain.errors import ConfigurationRefused, InvalidInput
from journal import Durability, Journal

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite", durability=Durability.NORMAL) as opened:
        yield opened


def config(risk: dict[str, Any] | None = None, **account: Any) -> Config:
    return Config.model_validate({"risk": risk or {}, "account": account})


def test_the_first_run_is_held_to_whatever_it_is_given(journal: Journal) -> None:
    hold_to(journal, config({"max_drawdown": "0.5"}))
    assert loosened_by(journal, config({"max_drawdown": "0.5"})) == {}


def test_tighter_limits_start_at_once_and_are_what_the_next_run_is_held_to(journal: Journal) -> None:
    hold_to(journal, config({"max_drawdown": "0.2"}))
    hold_to(journal, config({"max_drawdown": "0.1"}))
    with pytest.raises(ConfigurationRefused, match=r"risk\.max_drawdown \(0\.1 -> 0\.2\).*ratchet risk accept"):
        hold_to(journal, config({"max_drawdown": "0.2"}))
    hold_to(journal, config({"max_drawdown": "0.1"}))


@pytest.mark.parametrize(
    ("earlier", "now", "named"),
    [
        ({"jurisdiction": "esma_retail"}, {}, "jurisdiction"),
        ({"jurisdiction": "esma_retail"}, {"jurisdiction": "us_retail_forex"}, "jurisdiction"),
        ({"fifo": True}, {}, "fifo"),
        ({"no_hedge": True}, {}, "no_hedge"),
        ({}, {"hedging": True}, "hedging"),
        ({"permitted": ["BTCUSDT"]}, {}, "permitted"),
        ({"permitted": ["BTCUSDT"]}, {"permitted": ["BTCUSDT", "ETHUSDT"]}, "permitted"),
        ({"forbidden": ["BTCUSDT"]}, {}, "forbidden"),
    ],
)
def test_an_accounts_rules_loosen_only_by_command(
    journal: Journal, earlier: dict[str, Any], now: dict[str, Any], named: str
) -> None:
    hold_to(journal, config(**earlier))
    assert list(loosened_by(journal, config(**now))) == [f"account.{named}"]
    with pytest.raises(ConfigurationRefused, match=f"account.{named}"):
        hold_to(journal, config(**now))


@pytest.mark.parametrize(
    "stricter",
    [
        {"jurisdiction": "esma_retail"},
        {"fifo": True},
        {"permitted": ["BTCUSDT"]},
        {"forbidden": ["BTCUSDT", "ETHUSDT"]},
    ],
)
def test_stricter_rules_need_nobody(journal: Journal, stricter: dict[str, Any]) -> None:
    hold_to(journal, config(forbidden=["BTCUSDT"] if "forbidden" in stricter else []))
    hold_to(journal, config(**stricter))


def test_an_accepted_loosening_is_recorded_with_who_and_why_and_starts(journal: Journal) -> None:
    hold_to(journal, config())
    looser = config({"daily_loss": "0.05", "max_positions": 20})
    loosened = accept(journal, looser, who="a person", why="a larger account", at=NOW)
    assert loosened == {"risk.daily_loss": "0.03 -> 0.05", "risk.max_positions": "8 -> 20"}
    hold_to(journal, looser)
    (command,) = journal.read.commands()
    assert (command.name, command.who, command.why) == (ACCEPTED, "a person", "a larger account")
    assert dict(command.arguments) == loosened
    with pytest.raises(InvalidInput, match="nothing in this configuration is looser"):
        accept(journal, looser, who="a person", why="again", at=NOW)


def test_without_a_reason_nothing_is_accepted(journal: Journal) -> None:
    hold_to(journal, config())
    looser = config({"daily_loss": "0.05"})
    with pytest.raises(InvalidInput, match="needs a reason"):
        accept(journal, looser, who="a person", why=" ", at=NOW)
    with pytest.raises(ConfigurationRefused):
        hold_to(journal, looser)
