"""The example of a user's strategy: it loads, votes in a real replay, and knows nothing of the future.

The truncation test is made to be copied: put the path of your own file into EXAMPLE.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from docs_pages import ROOT

from daemon.check import run_checks
from daemon.config import Config, load
from daemon.options import ReplayOptions
from daemon.replay import run_replay
from daemon.settings import strategies_of
from daemon.summary import Summary
from domain.bars import BarSeries
from domain.errors import ConfigurationRefused, InvalidInput
from domain.instruments import Timeframe
from journal import Journal
from signals import STRATEGIES, SignalSettings, SignalTable, load_strategies

EXAMPLE = ROOT / "examples" / "strategies" / "one_small_strategy.py"
NAME = "three_in_a_row"
BARS = 400


def walk(bars: int, seed: int = 11) -> BarSeries:
    """A random walk of hourly bars whose volume changes."""
    random = np.random.default_rng(seed)
    close = 20_000 * np.exp(np.cumsum(0.01 * random.standard_normal(bars)))
    open_ = np.concatenate((close[:1], close[:-1]))
    start = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
    return BarSeries(
        symbol="BTCUSDT",
        timeframe=Timeframe.H1,
        source="made",
        opened=start + 3600 * np.arange(bars, dtype=np.int64),
        open=open_,
        high=np.maximum(open_, close) * 1.002,
        low=np.minimum(open_, close) * 0.998,
        close=close,
        volume=random.lognormal(5, 1, bars),
        half_spread=np.zeros(bars),
    )


def test_the_example_joins_the_shipped_strategies() -> None:
    assert [strategy.name for strategy in load_strategies(EXAMPLE.parent)] == [
        *(each.name for each in STRATEGIES),
        NAME,
    ]


@pytest.mark.parametrize("cut", [60, 151, 250, BARS - 1])
def test_a_shorter_history_gives_the_same_answers(cut: int) -> None:
    strategies, settings = load_strategies(EXAMPLE.parent), SignalSettings()
    series = walk(BARS)
    whole = SignalTable.compute(series, None, settings, strategies)
    part = SignalTable.compute(series.head(cut), None, settings, strategies)
    assert (whole.sides[-1] != 0).any()
    assert np.array_equal(part.sides, whole.sides[:, :cut])
    assert np.array_equal(part.confidences, whole.confidences[:, :cut], equal_nan=True)


def test_the_example_fires_on_the_third_close_in_a_row_and_not_on_the_fourth() -> None:
    strategy = load_strategies(EXAMPLE.parent)[-1]
    close = np.array([9.0, 10, 9, 10, 11, 12, 13, 12, 11, 10, 9])
    found = strategy.fire({"close": close, "volume_ratio": np.full(len(close), np.nan)}, SignalSettings())
    assert found.sides.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, -1, 0]
    assert found.confidences[[5, 9]].tolist() == [0.5, 0.5]


def test_the_page_names_every_column_there_is() -> None:
    table = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8").split("## What it may read")[1].split("##")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    told = re.findall(r"`(\w+)`", " ".join(rows))
    assert sorted(told) == sorted(SignalTable.compute(walk(10), None, SignalSettings()).columns)


# -- through the daemon ---------------------------------------------------------------------------------------------


def candles(folder: Path) -> Path:
    folder.mkdir()
    series = walk(BARS)
    rows = zip(series.opened, series.open, series.high, series.low, series.close, series.volume, strict=True)
    text = "\n".join(",".join(str(value) for value in (int(row[0]) * 1000, *row[1:])) for row in rows)
    (folder / "BTCUSDT-1h.csv").write_text(f"timestamp,open,high,low,close,volume\n{text}\n", encoding="utf-8")
    return folder


def replayed(folder: Path, state: Path, config: Config) -> Summary:
    return run_replay(ReplayOptions(folder=folder, timeframe=Timeframe.H1, config=config, state=state, quiet=True), {})


def plugged(folder: Path) -> Config:
    return load(flags=[f"signals.strategies={folder}", "signals.min_votes=1", "signals.min_confidence=0.5"]).config


def test_a_plugged_in_strategy_votes_in_a_replay_and_is_credited_with_its_trades(tmp_path: Path) -> None:
    summary = replayed(candles(tmp_path / "candles"), tmp_path / "state", plugged(EXAMPLE.parent))
    with Journal.open(Path(summary.journal), read_only=True) as journal:
        decisions = journal.read.decisions()
        outcomes = journal.read.outcomes()
    voted = [decision for decision in decisions if NAME in decision.signal.strategies]
    assert voted
    assert any(decision.reason == "approved" for decision in voted)
    assert any(NAME in outcome.strategies and outcome.profit is not None for outcome in outcomes)
    assert len({decision.strategy_hash for decision in decisions}) == 1


def test_a_changed_strategy_is_another_replay(tmp_path: Path) -> None:
    data, own = candles(tmp_path / "candles"), tmp_path / "own"
    own.mkdir()
    file = own / "three.py"
    file.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    first = replayed(data, tmp_path / "state", plugged(own))
    again = replayed(data, tmp_path / "state", plugged(own))
    assert (again.journal, again.counts) == (first.journal, first.counts)
    file.write_text(EXAMPLE.read_text(encoding="utf-8").replace("0.5 + 0.3", "0.6 + 0.3"), encoding="utf-8")
    assert replayed(data, tmp_path / "state", plugged(own)).journal != first.journal


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = (", "cannot be run"), ("x = 1", "it holds 0 strategies"), (None, "is not a folder")],
)
def test_a_strategy_folder_that_cannot_be_used_refuses_the_configuration(
    tmp_path: Path, text: str | None, said: str
) -> None:
    folder = tmp_path / "own"
    if text is not None:
        folder.mkdir()
        (folder / "bad.py").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationRefused, match=f"signals.strategies: .*{said}"):
        strategies_of(plugged(folder))


def test_check_names_the_strategies_of_a_folder_and_refuses_a_broken_one(tmp_path: Path) -> None:
    def row(folder: Path) -> tuple[bool | None, str]:
        rows = run_checks(plugged(folder), environ={}, state=tmp_path / "state")
        return next((each.ok, each.detail) for each in rows if each.name == "strategies")

    assert row(EXAMPLE.parent) == (True, f"{EXAMPLE.parent}: {NAME} beside the shipped ones")
    (tmp_path / "bad.py").write_text("import nothing_of_this_name", encoding="utf-8")
    refused, told = row(tmp_path)
    assert refused is False
    assert "No module named 'nothing_of_this_name'" in told


def test_a_strategy_that_fails_on_the_bars_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        EXAMPLE.read_text(encoding="utf-8").replace('columns["close"]', 'columns["clsoe"]'), encoding="utf-8"
    )
    with pytest.raises(InvalidInput, match=r"^strategy three_in_a_row: fire\(\) failed: KeyError: 'clsoe'$"):
        SignalTable.compute(walk(50), None, SignalSettings(), load_strategies(tmp_path))
