"""`python -m bench` as it is typed: what it prints, what it refuses, and the candles it makes for itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.__main__ import BENCHMARKS
from bench.candles import BARS, SYMBOLS, write
from domain.instruments import Timeframe
from market.recorded import load_folder
from market.registry import Registry

ROOT = Path(__file__).resolve().parent.parent.parent


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_every_figure_is_one_json_line_between_two_calibrations(tmp_path: Path) -> None:
    done = bench("risk", "--json", "--repeat", "1", "--data", str(tmp_path))
    assert done.returncode == 0, done.stderr
    told = [json.loads(each) for each in done.stdout.splitlines()]
    names = [each["name"] for each in told]
    assert names == ["calibration.before", "risk.size", "risk.gate", "risk.mark", "calibration.after"]
    assert all(each["min"] <= each["median"] <= each["max"] and each["n"] >= 1 for each in told)
    assert told[1]["calibrations"] > 0


def test_an_unknown_benchmark_is_refused_with_the_list_of_those_there_are() -> None:
    done = bench("speed")
    assert done.returncode == 2
    assert all(name in done.stderr for name in (*BENCHMARKS, "profile"))


def test_a_benchmark_that_fails_is_named_and_fails_the_command(tmp_path: Path) -> None:
    done = bench("signals", "--repeat", "1", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "bench: signals ended with 1" in done.stderr


def test_the_candles_it_makes_are_candles_that_a_replay_takes(tmp_path: Path) -> None:
    write(tmp_path)
    feed = load_folder(tmp_path, Timeframe.H1, registry=Registry.shipped())
    assert tuple(feed.instruments) == SYMBOLS
    assert [len(feed.series(symbol)) for symbol in SYMBOLS] == [BARS] * len(SYMBOLS)
    assert not feed.report.rejected
