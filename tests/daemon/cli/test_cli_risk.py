"""`ratchet risk explain`, through the installed command, on a real journal."""

from __future__ import annotations

import json

from cli_account import Ratchet

from daemon.config import load
from daemon.loosening import hold_to
from journal import Journal


def newest(told: Ratchet) -> str:
    return json.loads(told("decisions", "--json", "--limit", "1").stdout)["decisions"][0]["decision_id"]


def test_a_decision_is_named_by_its_id_by_its_beginning_or_as_the_last_one(told: Ratchet) -> None:
    decision_id = newest(told)
    pages = [told("risk", "explain", name, "--json") for name in (decision_id, decision_id[:10], "last")]
    assert {page.returncode for page in pages} == {0}
    assert {page.stdout for page in pages} == {pages[0].stdout}
    assert json.loads(pages[0].stdout)["decision_id"] == decision_id


def test_a_denied_one_tells_the_rule_and_the_figures_that_it_named(told: Ratchet) -> None:
    decisions = json.loads(told("decisions", "--json").stdout)["decisions"]
    denied = next(each for each in decisions if each["status"] == "denied")
    told_of = json.loads(told("risk", "explain", denied["decision_id"], "--json").stdout)
    assert told_of["others"] == denied["numbers"]
    assert "max_positions" in told_of["verdict"]
    page = told("risk", "explain", denied["decision_id"]).stdout
    for name, value in denied["numbers"].items():
        assert f"{name:<10}" in page
        assert value in page


def test_an_id_that_nothing_or_too_much_has_is_refused_in_one_sentence(told: Ratchet) -> None:
    unknown = told("risk", "explain", "nothing-like-it")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "is named nothing-like-it; ratchet decisions --json lists their ids" in unknown.stderr
    several = told("risk", "explain", "")
    assert (several.returncode, several.stdout) == (1, "")
    assert "give more of the id" in several.stderr
    wildcard = told("risk", "explain", "%")
    assert "is named %" in wildcard.stderr


def test_the_list_of_decisions_shows_enough_of_each_id_to_ask_for_it(told: Ratchet) -> None:
    page = told("decisions", "--limit", "1").stdout
    shown = newest(told)[:8]
    assert shown in page
    assert told("risk", "explain", shown).returncode == 0


def test_a_live_run_with_looser_limits_is_refused_until_a_person_accepts_them(ratchet: Ratchet) -> None:
    """The first run keeps its limits; the daemon itself is not needed for that: its journal is."""
    tight, loose = ratchet.home / "tight.toml", ratchet.home / "loose.toml"
    tight.write_text("[risk]\nmax_drawdown = 0.05\n", encoding="utf-8")
    loose.write_text("[risk]\nmax_drawdown = 0.2\n", encoding="utf-8")
    seeded = ratchet("risk", "accept", "-c", tight, "--why", "none yet")
    assert (seeded.returncode, seeded.stdout) == (1, "")
    assert "nothing in this configuration is looser" in seeded.stderr
    with Journal.open(ratchet.state / "paper-main" / "journal.sqlite") as journal:
        hold_to(journal, load([tight], environ={}).config)
    refused = ratchet("run", "-c", loose)
    assert refused.returncode == 78
    assert "risk.max_drawdown (0.05 -> 0.2); ratchet risk accept" in refused.stderr
    assert ratchet("risk", "accept", "-c", loose, "--why", " ").returncode != 0
    accepted = ratchet("risk", "accept", "-c", loose, "--why", "a test", "--who", "somebody", "--json")
    assert json.loads(accepted.stdout)["accepted"] == {"risk.max_drawdown": "0.05 -> 0.2"}
