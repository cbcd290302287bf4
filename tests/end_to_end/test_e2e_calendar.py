"""A replay with a real economic calendar enters nothing around its events, and says which they were."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from candle_files import trading_week, walk, written
from ratchet_command import Ended, count, ratchet, rows, verified

BARS = 330
RATE_DECISION = datetime(2022, 3, 16, 18, tzinfo=UTC)
"""The Federal Reserve's first rise of that year, as the calendar has it."""


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("candles") / "forex"
    for seed, (symbol, price) in enumerate((("EURUSD", 1.10), ("GBPUSD", 1.31), ("AUDUSD", 0.73))):
        written(folder / f"{symbol}-1h.csv", trading_week(walk(BARS, price=price, seed=seed)))
    return folder


def played(candles: Path, state: Path, *more: str) -> Ended:
    return ratchet("run", "--replay", str(candles), "--timeframe", "1h", "--json", *more, state=state)


def test_entries_are_held_around_real_events_which_the_holds_name(
    market_data: Path, candles: Path, tmp_path: Path
) -> None:
    calendar = market_data / "calendar" / "forexfactory_2022.jsonl"
    document = played(candles, tmp_path / "state", "--calendar", str(calendar)).document
    journal = Path(document["journal"])
    assert document["holds"]["news"] >= 9
    at = int(RATE_DECISION.timestamp()) * 10**6
    held = rows(
        journal,
        "SELECT DISTINCT scope, detail, since, until FROM holds WHERE cause = 'news' AND since < ? AND until > ?",
        at,
        at,
    )
    assert {hold["scope"] for hold in held} == {"EURUSD", "GBPUSD", "AUDUSD"}
    assert all("Federal Funds Rate" in hold["detail"] for hold in held)
    assert count(journal, "SELECT count(*) FROM calendar_events WHERE name = 'Federal Funds Rate'") > 0
    windows = rows(journal, "SELECT DISTINCT scope, since, until FROM holds WHERE cause = 'news'")
    inside = (
        "SELECT count(*) FROM intents WHERE leg = 'entry' AND instrument = ? AND created_at >= ? AND created_at < ?"
    )
    assert sum(count(journal, inside, hold["scope"], hold["since"], hold["until"]) for hold in windows) == 0
    assert count(journal, "SELECT count(*) FROM intents WHERE leg = 'entry'") > 0
    verified(journal)


def test_without_a_calendar_there_are_no_such_holds(candles: Path, tmp_path: Path) -> None:
    assert "news" not in played(candles, tmp_path / "state").document["holds"]


def test_a_calendar_that_is_none_is_refused_in_one_sentence(candles: Path, tmp_path: Path) -> None:
    file = tmp_path / "calendar.jsonl"
    for content in ("", "no json\n", '{"when": "tomorrow"}\n'):
        file.write_text(content)
        refused = played(candles, tmp_path / "state", "--calendar", str(file))
        assert refused.status == 1
        assert "calendar" in refused.sentence
