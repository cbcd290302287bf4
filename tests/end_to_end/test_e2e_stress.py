"""`ratchet stress`: one document with a report a scenario, tables for people, and exit 1 when a promise was broken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ratchet_command import Ended, count, ratchet, side_by_side, verified

from market.stress import SCENARIOS

NAMES = [scenario.name for scenario in SCENARIOS]
PROMISED = {
    "scenario",
    "fired",
    "worst_loss",
    "worst_loss_amount",
    "max_drawdown",
    "worst_trade_r",
    "denied",
    "entries",
    "orders",
    "fills",
    "positions_without_stop",
    "verify",
    "resumed",
    "moment",
    "faults",
}
SIMULATED = ("stress", "--simulated", "--bars", "450", "--instruments", "SIMBRAUSD,SIMCOLUSD,SIMELMUSD")
"""Three coins, whose market never closes."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    state = tmp_path_factory.mktemp("stress") / "state"
    return state, ratchet(*SIMULATED, "--json", state=state)


def reports(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["scenario"]: each for each in (document["baseline"], *document["scenarios"])}


def causes(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["cause"]: each for each in report["fired"]}


def demand_promises(document: dict[str, Any]) -> None:
    assert document["ok"] is True
    assert [each["scenario"] for each in document["scenarios"]] == NAMES
    for report in reports(document).values():
        assert set(report) >= PROMISED
        assert report["positions_without_stop"] == 0
        assert report["verify"] is True
        assert report["moment"] == document["moment"]
        assert 0 <= report["worst_loss"] < 1
        verified(Path(report["journal"]))


def test_every_scenario_is_reported_and_every_promise_kept(run: tuple[Path, Ended]) -> None:
    state, ended = run
    demand_promises(ended.document)
    assert ended.err == ""
    assert len(list(state.glob("stress/*/journal.sqlite"))) == 1 + len(NAMES)
    assert not list(state.glob("*/journal.sqlite"))  # what reads "the" journal means none of these


def test_until_the_moment_every_scenario_is_the_run_that_nobody_disturbed(run: tuple[Path, Ended]) -> None:
    document = run[1].document
    at = int(datetime.fromisoformat(document["moment"]).timestamp() * 1_000_000)
    until = {
        name: [
            count(Path(report["journal"]), f"SELECT count(*) FROM {table} WHERE {column} <= ?", at)
            for table, column in (("decisions", "decided_at"), ("fills", "at"), ("equity", "at"))
        ]
        for name, report in reports(document).items()
    }
    assert all(found == until["undisturbed"] for found in until.values())
    assert min(until["undisturbed"]) > 0


def test_a_tenth_of_equity_lost_at_once_latches_within_a_bar_and_nobody_resumes(run: tuple[Path, Ended]) -> None:
    report = reports(run[1].document)["equity_minus_10"]
    drawdown = causes(report)["drawdown"]
    assert (drawdown["latched"], drawdown["effect"], drawdown["after_bars"]) == (True, "no_entries", 1)
    assert drawdown["after_s"] == 3_600
    assert 0.10 <= report["worst_loss"] < 0.15
    assert report["entries"] == 0
    assert report["denied"]["hold_drawdown"] > 0
    assert report["resumed"]["at"] is None
    assert "drawdown" in report["resumed"]["held_at_end"]
    assert count(Path(report["journal"]), "SELECT count(*) FROM commands") == 0


def test_a_silent_feed_is_held_while_it_is_silent_and_while_it_settles(run: tuple[Path, Ended]) -> None:
    found = reports(run[1].document)
    one, everything = causes(found["feed_loss_one"]), causes(found["feed_loss_all"])
    assert one["stale_data"]["after_bars"] == 3
    assert one["stale_data"]["undisturbed"] == 0
    assert one["data_quality"]["after_bars"] == 13
    assert everything["data_quality"]["count"] == 3  # one an instrument


def test_the_undisturbed_run_is_the_yardstick(run: tuple[Path, Ended]) -> None:
    document = run[1].document
    found = reports(document)
    calm = found["undisturbed"]
    assert calm["entries"] > 0
    assert calm["resumed"]["at"] is None
    assert "drawdown" not in causes(calm)
    assert document["exposure"]
    assert found["gap"]["worst_loss"] > calm["worst_loss"]
    assert found["correlation_one"]["denied"].get("correlated", 0) > calm["denied"].get("correlated", 0)


def few(*more: str) -> tuple[str, ...]:
    return (*SIMULATED, "--scenario", "gap,equity_minus_10", *more)


def test_the_same_seed_gives_the_same_document_and_another_seed_another(tmp_path: Path) -> None:
    calls: Sequence[tuple[Path, tuple[str, ...]]] = [
        (tmp_path / name, few("--json", *more)) for name, more in (("a", ()), ("b", ()), ("c", ("--seed", "8")))
    ]
    first, again, other = (ended.document for ended in side_by_side(*calls))

    def without_places(document: dict[str, Any]) -> str:
        for report in reports(document).values():
            del report["journal"]
        return json.dumps(document, sort_keys=True)

    assert without_places(first) == without_places(again) != without_places(other)


def test_people_are_shown_tables(tmp_path: Path) -> None:
    ended = ratchet(*few(), state=tmp_path / "state")
    assert ended.status == 0
    lines = ended.out.splitlines()
    row = next(line for line in lines if line.startswith("equity_minus_10"))
    assert "drawdown 1*" in row
    assert any(line.startswith("trading again") for line in lines)
    assert "only a person clears what latched, and nobody did" in ended.out


def test_a_breaker_that_must_fire_and_does_not_ends_in_one_sentence(tmp_path: Path) -> None:
    ended = ratchet(*few("--set", "risk.max_drawdown=0.14", "--json"), state=tmp_path / "state")
    assert ended.status == 1
    assert ended.sentence.startswith("the stress run broke a promise: equity_minus_10: no drawdown hold was set")
    document = json.loads(ended.out)
    assert document["ok"] is False
    assert document["faults"] == ["equity_minus_10: no drawdown hold was set, and this scenario must bring one"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--scenario", "gapp"), "there is no scenario gapp; there are all, price_jump_up"),
        (("--instruments", "BTCUSDT"), "the simulated market has no BTCUSDT; it has SIMBRAUSD"),
        (("--at", "2031-01-01", "--bars", "200"), "lies after the last bar"),
        (("--at", "2024-01-01T05:00", "--bars", "200", "--scenario", "equity_minus_10"), "with more at stake"),
        (("--instruments", "SIMBRAUSD", "--scenario", "correlation_one"), "needs 2 instruments, and there is 1"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    ended = ratchet("stress", *arguments, "--json", state=tmp_path / "state")
    assert ended.status == 1
    assert told in ended.sentence
    assert ended.out == ""


@pytest.mark.slow
def test_recorded_candles_keep_the_promises_too(market_data: Path, tmp_path: Path) -> None:
    chosen = ("--instruments", "BTCUSDT,ETHUSDT", "--timeframe", "1h", "--bars", "600", "--json")
    document = ratchet("stress", "--data", str(market_data / "crypto"), *chosen, state=tmp_path / "state").document
    demand_promises(document)
    found = reports(document)
    assert causes(found["equity_minus_10"])["drawdown"]["latched"] is True
    assert found["price_jump_down"]["worst_loss"] > found["gap"]["worst_loss"] > 0
