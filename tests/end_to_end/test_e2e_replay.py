"""`ratchet run --replay` over every class of real candles: a summary, a journal that verifies, the same twice."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from ratchet_command import Ended, count, ratchet, side_by_side, verified, verified_by_command


class Class(NamedTuple):
    """A folder of real candles, what to play it with, and what the account is then worth its cash in."""

    folder: str
    timeframe: str
    currency: str
    more: tuple[str, ...] = ()


CLASSES = (
    Class("crypto", "1h", "USDT"),
    Class("forex", "1h", "USD"),
    Class("equity_us", "1d", "USD", ("--instruments", "AAPL,AMD,AMZN,BA,BAC,GOOG")),
    Class("equity_asx", "1d", "AUD"),
    Class("equity_in", "1d", "INR", ("--currency", "INR")),
)
BARS = 320
FACTS = ("decisions", "orders", "fills", "outcomes", "samples", "scans", "equity", "job_runs", "incidents", "holds")


def played(data: Path, each: Class, *more: str) -> tuple[str, ...]:
    folder = str(data / each.folder)
    bars = ("--max-bars", str(BARS))
    return ("run", "--replay", folder, "--timeframe", each.timeframe, "--json", *bars, *each.more, *more)


@pytest.mark.parametrize("each", CLASSES, ids=[each.folder for each in CLASSES])
def test_real_candles_give_a_summary_and_the_same_digests_twice(market_data: Path, tmp_path: Path, each: Class) -> None:
    states = [tmp_path / name / "state" for name in ("first", "second")]
    both = side_by_side(*((state, played(market_data, each)) for state in states))
    documents = [run.document for run in both]
    first, second = documents
    assert first["finished"] is True
    assert first["currency"] == each.currency
    assert first["decisions"] > 30
    assert first["trades_closed"] >= 5
    assert first["outcomes"] >= first["trades_closed"]
    assert first["samples"] > 0
    journals = [Path(document["journal"]) for document in documents]
    assert count(journals[0], "SELECT count(*) FROM job_runs WHERE job = 'data_quality' AND detail <> ''") > 0
    assert verified(journals[0]) == verified(journals[1])
    assert {**first, **dict.fromkeys(("elapsed_s", "bars_per_s", "journal"))} == {
        **second,
        **dict.fromkeys(("elapsed_s", "bars_per_s", "journal")),
    }


def test_a_finished_replay_started_again_only_tells_its_summary(market_data: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    arguments = played(market_data, CLASSES[0], "--instruments", "BTCUSDT,ETHUSDT")
    first = ratchet(*arguments, state=state).document
    journal = Path(first["journal"])
    before = {table: count(journal, f"SELECT count(*) FROM {table}") for table in FACTS}
    digests = verified_by_command(journal, state)
    again = ratchet(*arguments, state=state).document
    assert {table: count(journal, f"SELECT count(*) FROM {table}") for table in FACTS} == before
    assert verified(journal) == digests
    own = ("elapsed_s", "bars_per_s")
    assert {name: again[name] for name in again if name not in own} == {
        name: first[name] for name in first if name not in own
    }
    assert again["elapsed_s"] < first["elapsed_s"]


def test_what_the_folder_holds_beside_is_named(market_data: Path, tmp_path: Path) -> None:
    document = ratchet(*played(market_data, CLASSES[1]), state=tmp_path / "state").document
    notes = document["notes"]
    assert "EURUSD-4h.parquet is coarser than 1h and was skipped" in notes
    assert any("EURUSD_FXCM" in note and "--series EURUSD=EURUSD_FXCM" in note for note in notes)


def test_an_account_in_a_currency_without_a_rate_is_refused_naming_one_that_has(
    market_data: Path, tmp_path: Path
) -> None:
    india = CLASSES[4]._replace(more=("--currency", "USD"))
    refused: Ended = ratchet(*played(market_data, india), state=tmp_path / "state")
    assert refused.status == 1
    assert "--currency INR" in refused.sentence
    assert refused.out == ""


@pytest.mark.parametrize(("operator", "resumes"), [("simulated", True), ("none", False)])
def test_a_latched_drawdown_is_resumed_by_the_simulated_operator_or_by_nobody(
    market_data: Path, tmp_path: Path, operator: str, resumes: bool
) -> None:
    limits = ("--set", "risk.max_drawdown=0.01", "--operator", operator)
    document = ratchet(*played(market_data, CLASSES[0], *limits), state=tmp_path / "state").document
    journal = Path(document["journal"])
    assert document["holds"]["drawdown"] >= 1
    simulated = count(journal, "SELECT count(*) FROM commands WHERE name = 'resume' AND simulated = 1")
    assert document["resumed_by_simulated_operator"] == simulated
    latest = "row_id IN (SELECT max(row_id) FROM holds GROUP BY hold_id)"
    latched = f"SELECT count(*) FROM holds WHERE cause = 'drawdown' AND cleared_at IS NULL AND {latest}"
    if resumes:
        assert simulated >= 1
    else:
        assert simulated == 0
        assert count(journal, latched) == 1
        held = "SELECT min(since) FROM holds WHERE cause = 'drawdown'"
        entries = "SELECT count(*) FROM intents WHERE leg = 'entry' AND created_at > ?"
        assert count(journal, entries, count(journal, held)) == 0
    verified(journal)
