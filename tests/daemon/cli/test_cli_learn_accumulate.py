"""`ratchet learn accumulate`: the replay's own samples, marked as a backtest's, kept once, beside whatever runs."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_account import ROOT, Ratchet

from daemon.config import load
from daemon.options import ReplayOptions
from daemon.paths import DaemonAddress
from daemon.replay import run_replay
from domain.instruments import Timeframe
from journal import Journal
from learning.accumulated import content_digest
from learning.parquet import read_samples
from learning.table import table_of
from signals.features import SCHEMA_HASH

sys.path.append(str(ROOT / "tests" / "end_to_end"))

from candle_files import walk, written

BARS = 420


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    folder = tmp_path / "candles"
    for seed, (symbol, price) in enumerate((("BTCUSDT", 100.0), ("ETHUSDT", 50.0))):
        written(folder / f"{symbol}-1h.csv", walk(BARS, price=price, seed=seed))
    return folder


def accumulated(ratchet: Ratchet, candles: Path, *more: str, **environ: str) -> dict[str, Any]:
    done = ratchet("learn", "accumulate", "--data", candles, "--timeframe", "1h", "--json", *more, **environ)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_the_samples_are_those_of_the_same_replay_marked_kept_once_and_nothing_else_is_left(
    ratchet: Ratchet, candles: Path, tmp_path: Path
) -> None:
    summary = run_replay(
        ReplayOptions(
            folder=candles,
            timeframe=Timeframe("1h"),
            config=load(environ={}, flags=["training.enabled=false"]).config,
            state=tmp_path / "replayed",
            quiet=True,
        ),
        {},
    )
    with Journal.open(Path(summary.journal), read_only=True) as journal:
        replayed = table_of(journal.read.samples(), SCHEMA_HASH)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    # A daemon of the account may run meanwhile: only files are written.
    paths = ratchet.state / "paper-main"
    paths.mkdir(parents=True)
    DaemonAddress(pid=os.getpid(), api=None, started_at="now", secrets="").write(paths / "daemon.json")
    found = accumulated(ratchet, candles, TMPDIR=str(scratch))
    file = Path(found["file"])
    table = read_samples(file).table
    assert file.parent == paths / "samples"
    assert set(table.source.tolist()) == {"backtest"}
    assert content_digest(table) == content_digest(replace(replayed, source=np.full(len(replayed), "backtest")))
    assert (found["samples"], found["winners"], found["new"]) == (len(table), int(table.label.sum()), True)
    assert found["mean_r"] == pytest.approx(float(table.r_net.mean()))
    assert found["instruments"] == {name: int((table.instrument == name).sum()) for name in ("BTCUSDT", "ETHUSDT")}
    assert found["from"] < found["to"]

    again = accumulated(ratchet, candles, TMPDIR=str(scratch))
    assert again == {**found, "new": False}
    assert list(scratch.iterdir()) == []
    assert {path.name for path in ratchet.state.rglob("*")} == {"paper-main", "samples", "daemon.json", file.name}


def test_part_of_the_folder_may_be_chosen_and_the_page_tells_what_was_kept(ratchet: Ratchet, candles: Path) -> None:
    part = ("--instruments", "BTCUSDT", "--start", "2022-03-07", "--end", "2022-03-23T12:00", "--class", "crypto")
    done = ratchet("learn", "accumulate", "--data", candles, "--timeframe", "1h", *part)
    assert done.returncode == 0, done.stderr
    assert "samples by instrument" in done.stdout
    assert "ETHUSDT" not in done.stdout
    (file,) = (ratchet.state / "paper-main" / "samples").iterdir()
    table = read_samples(file).table
    assert set(table.instrument.tolist()) == {"BTCUSDT"}
    assert f"samples  {len(table)} (" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("--data", "candles", "--timeframe", "7h"), 2, "'7h' is not one of"),
        (("--data", "nowhere", "--timeframe", "1h"), 1, "nowhere"),
        (("--data", "candles", "--timeframe", "1h", "--max-bars", "40"), 1, "candles 1h gave no samples"),
        (("--data", "candles", "--timeframe", "1h", "--currency", "XYZ"), 1, "--currency"),
    ],
)
def test_what_cannot_be_played_or_gives_nothing_is_refused(
    ratchet: Ratchet, candles: Path, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    assert candles.is_dir()
    done = ratchet("learn", "accumulate", *arguments)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert sentence in done.stderr
    assert not (ratchet.state / "paper-main" / "samples").exists()
