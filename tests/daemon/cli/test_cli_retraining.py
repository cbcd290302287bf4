"""`ratchet status` says what became of retraining after the newest drawdown, and nothing where there was none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_account import Ratchet

from journal import Batch, Durability, Journal
from learning.challenger import RETRAINING_KEY

NOTICED = {"hold_id": "a1", "cause": "drawdown", "since": "2024-03-05T08:00:00+00:00", "samples": 40}
ANSWERED = {**NOTICED, "hold_id": "a0", "judged": 38, "sentence": "drawdown of 2024-03-05: the champion stays"}


def keep(told: Ratchet, documents: list[dict[str, Any]]) -> None:
    batch = Batch()
    batch.put_state(RETRAINING_KEY, json.dumps(documents))
    path = told.state / "paper-main" / "journal.sqlite"
    with Journal.open(path, durability=Durability.NORMAL) as journal:
        journal.commit(batch)


def test_without_a_drawdown_there_is_nothing_to_say(told: Ratchet) -> None:
    assert json.loads(told("status", "--json").stdout)["drawdown_retraining"] is None
    assert "retrained" not in told("status").stdout


@pytest.mark.parametrize(
    ("documents", "line"),
    [
        ([NOTICED, ANSWERED], "retrained     drawdown of 2024-03-05: the champion stays"),
        ([ANSWERED, NOTICED], "drawdown of 2024-03-05T08:00:00+00:00: a challenger is to be trained"),
    ],
)
def test_the_newest_one_is_told(told: Ratchet, documents: list[dict[str, Any]], line: str) -> None:
    keep(told, documents)
    assert json.loads(told("status", "--json").stdout)["drawdown_retraining"] == documents[-1]
    assert line in told("status").stdout
