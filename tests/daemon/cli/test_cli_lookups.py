"""`sentiment score` and `data summary`, through the installed command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_account import Ratchet

KEYS = {"label", "score", "p_negative", "p_neutral", "p_positive", "p_unknown", "model"}
CANDLES = "timestamp,open,high,low,close,volume\n"


def test_one_text_is_one_document_whose_probabilities_sum_to_1(ratchet: Ratchet) -> None:
    done = ratchet("sentiment", "score", "Profits surge after the company beats estimates", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert set(document) == KEYS
    assert document["label"] == "positive"
    assert sum(document[key] for key in KEYS if key.startswith("p_")) == pytest.approx(1)


def test_a_text_that_says_nothing_known_is_unknown(ratchet: Ratchet) -> None:
    assert json.loads(ratchet("sentiment", "score", "qwrt zxcv", "--json").stdout)["label"] == "unknown"


def test_a_file_gives_one_document_a_line_in_order(ratchet: Ratchet) -> None:
    file = ratchet.home / "texts.jsonl"
    texts = ["Shares plunge on fraud probe", "Profits surge, outlook raised", "qwrt zxcv"]
    rows = [{"text": texts[0]}, {"headline": texts[1]}, {"text": texts[2], "label": "neutral"}]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    done = ratchet("sentiment", "score", "--file", file, "--json")
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()] == ["negative", "positive", "unknown"]


@pytest.mark.parametrize("line", ["no json", "[]", '{"title": "x"}', '{"text": 5}'])
def test_a_line_without_a_text_is_told_with_its_number(ratchet: Ratchet, line: str) -> None:
    file = ratchet.home / "texts.jsonl"
    file.write_text('{"text": "fine"}\n' + line + "\n")
    done = ratchet("sentiment", "score", "--file", file)
    assert done.returncode == 1
    assert f"{file} line 2" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_of_candles_is_summed_up(ratchet: Ratchet) -> None:
    folder = ratchet.home / "crypto"
    folder.mkdir()
    rows = "".join(f"2024-01-01T{hour:02}:00:00Z,100,101,99,100.5,7\n" for hour in (0, 1, 2, 5, 6))
    (folder / "BTCUSDT-1h.csv").write_text(CANDLES + rows)
    (folder / "ETHUSDT-1h.csv").write_text("a,b\n1,2\n")
    done = ratchet("data", "summary", folder, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    good, bad = json.loads(done.stdout)["files"]
    assert (good["symbol"], good["bars"], good["gaps"]["bars"]) == ("BTCUSDT", 5, 2)
    assert bad["bars"] == 0
    assert bad["error"]
    page = ratchet("data", "summary", folder)
    assert page.returncode == 0
    assert "1 (2 bars)" in page.stdout


def test_a_folder_that_is_not_there_is_told(ratchet: Ratchet) -> None:
    done = ratchet("data", "summary", ratchet.home / "absent")
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not exist" in done.stderr


def test_real_candles_are_summed_up(ratchet: Ratchet, market_data: Path) -> None:
    files = json.loads(ratchet("data", "summary", market_data / "equity_asx", "--json").stdout)["files"]
    assert len(files) >= 5
    assert all(row["error"] is None and row["bars"] > 1000 for row in files)
