"""`ratchet demo`: one document, the same for the same seed, and enough trades to learn from."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ratchet_command import Ended, count, ratchet, rows, side_by_side, verified, verified_by_command

COUNTED = {"bars", "decisions", "orders", "fills", "trades_closed", "outcomes", "samples", "online_updates"}
PROMISED = COUNTED | {"equity_start", "equity_end", "max_drawdown", "holds", "elapsed_s", "journal"}
FACTORS = ("base", "drawdown", "hold", "probability", "social", "volatility", "portfolio")
SMALL = ("demo", "--json", "--bars", "400", "--instruments", "8", "--no-compare")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Ended]]:
    """The small demo, twice with the same seed."""
    folders = {name: tmp_path_factory.mktemp(name) / "state" for name in ("first", "second")}
    results = side_by_side(*((folder, SMALL) for folder in folders.values()))
    return {name: (folders[name], result) for name, result in zip(folders, results, strict=True)}


def test_it_prints_exactly_one_document_with_what_was_promised(runs: dict[str, tuple[Path, Ended]]) -> None:
    _, run = runs["first"]
    document = run.document  # nothing else stands on stdout, or it would not parse
    assert set(document) >= PROMISED
    assert run.err == ""
    assert document["finished"] is True
    assert document["trades_closed"] > 0
    assert document["samples"] <= document["outcomes"]
    assert document["online_updates"] > 0
    assert 0 <= document["max_drawdown"] < 1
    assert document["holds"]


def test_the_document_says_what_its_journal_holds(runs: dict[str, tuple[Path, Ended]]) -> None:
    state, run = runs["first"]
    document = run.document
    journal = Path(document["journal"])
    assert journal.is_relative_to(state)
    for name in ("decisions", "fills", "outcomes", "samples", "bars"):
        assert document[name] == count(journal, f"SELECT count(*) FROM {name}"), name
    assert document["orders"] == count(journal, "SELECT count(DISTINCT client_order_id) FROM orders")
    assert document["trades_closed"] == count(journal, "SELECT count(*) FROM outcomes WHERE kind = 'real'")
    assert count(journal, "SELECT count(*) FROM job_runs WHERE job = 'data_quality' AND detail <> ''") > 0


def test_every_order_is_explained_by_factors_that_multiply_to_what_was_risked(
    runs: dict[str, tuple[Path, Ended]],
) -> None:
    """From the journal alone: the product of the factors, times equity, over the loss of a unit, is the first cap."""
    state, run = runs["first"]
    journal = Path(run.document["journal"])
    ordered = rows(journal, "SELECT decision_id, quantity FROM decisions WHERE status = 'ordered' ORDER BY row_id")
    for decision_id, quantity in ordered[::10]:
        told = ratchet("risk", "explain", decision_id[:12], "--json", "--journal", str(journal), state=state).document
        value = {step["name"]: Decimal(step["value"]) for step in told["steps"]}
        product = math.prod((value[name] for name in FACTORS), start=Decimal(1))
        assert float(min(product, Decimal("0.01"))) == pytest.approx(float(value["risk_fraction"]), rel=1e-6)
        asked = value["risk_fraction"] * value["equity"] / value["loss_per_unit"]
        assert float(value["cap_risk"]) == pytest.approx(float(asked), rel=1e-6)
        caps = [amount for name, amount in value.items() if name.startswith("cap_")]
        assert value["quantity"] == Decimal(quantity)
        assert value["quantity"] <= min(caps)
        assert told["verdict"].startswith("ordered")


def test_the_same_seed_gives_the_same_digests(runs: dict[str, tuple[Path, Ended]]) -> None:
    digests = {name: verified(Path(run.document["journal"])) for name, (_, run) in runs.items()}
    assert digests["first"] == digests["second"]

    def lasting(document: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in document.items() if name not in ("elapsed_s", "bars_per_s", "journal")}

    assert lasting(runs["first"][1].document) == lasting(runs["second"][1].document)


def test_the_page_for_people_names_the_journal_and_is_not_json(tmp_path: Path) -> None:
    run = ratchet("demo", "--bars", "250", "--instruments", "2", "--no-compare", state=tmp_path / "state")
    assert run.status == 0
    for word in ("period", "equity", "trades", "learning", "holds", "journal", "Decisions"):
        assert word in run.out
    assert str(tmp_path / "state" / "demo" / "journal.sqlite") in run.out


@pytest.mark.slow
def test_the_whole_demo_closes_a_hundred_trades_over_eight_instruments(tmp_path: Path) -> None:
    run = ratchet("demo", "--json", "--no-compare", state=tmp_path / "state")
    document = run.document
    journal = Path(document["journal"])
    assert document["trades_closed"] >= 100
    traded = "SELECT count(DISTINCT instrument) FROM outcomes WHERE kind = 'real'"
    assert count(journal, traded) >= 8
    assert document["model"]["may_speak"] is True
    assert document["model"]["trainings"] > 0
    assert document["model"]["last_training"]
    verified_by_command(journal, tmp_path / "state")
