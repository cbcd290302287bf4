"""A tenth of the equity lost at once, in a real process that is killed: the latch waits for a person."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from candle_files import walk, written
from ratchet_command import count, ended, ratchet, rows, running, until, verified

from daemon.clock import LiveClock
from domain.instruments import Timeframe
from market.recorded import load_folder
from market.registry import Registry
from market.stress import SCENARIOS, Ground

BARS = 600
COINS = {"BTCUSDT": 20_000.0, "ETHUSDT": 1_500.0}
WHY = "the fall was real, and the size of the account is right for it"
BARS_A_SECOND = 3_600
LATCHED = """
SELECT count(*) FROM holds WHERE cause = 'drawdown' AND cleared_at IS NULL
AND row_id IN (SELECT max(row_id) FROM holds GROUP BY hold_id)
"""
ENTRIES_SINCE = "SELECT count(*) FROM intents WHERE leg = 'entry' AND created_at > ?"


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Candle files in which both markets turn against what the daemon holds, so that a tenth of its equity is gone."""
    place = tmp_path_factory.mktemp("fallen")
    for number, (symbol, price) in enumerate(COINS.items()):
        written(place / "calm" / "crypto" / f"{symbol}-1h.csv", walk(BARS, price=price, seed=40 + number))
    asked = ("stress", "--data", str(place / "calm" / "crypto"), "--timeframe", "1h", "--scenario", "equity_minus_10")
    found = ratchet(*asked, "--bars", str(BARS), "--json", state=place / "state").document
    ground = Ground(at=datetime.fromisoformat(found["moment"]), exposure=found["exposure"])
    calm = load_folder(
        place / "calm" / "crypto", Timeframe.H1, registry=Registry.shipped(), class_hint="crypto", now=LiveClock().now()
    )
    scenario = next(each for each in SCENARIOS if each.name == "equity_minus_10")
    for symbol, bars in scenario.change({symbol: calm.series(symbol) for symbol in calm.instruments}, ground).items():
        columns = (bars.opened, bars.open, bars.high, bars.low, bars.close, bars.volume)
        lines = [
            [datetime.fromtimestamp(opened, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), *(repr(value) for value in values)]
            for opened, *values in zip(*(column.tolist() for column in columns), strict=True)
        ]
        written(place / "fallen" / "crypto" / f"{symbol}-1h.csv", lines)
    return place / "fallen" / "crypto"


def journal_in(state: Path) -> Path:
    return next(iter(state.glob("replay-*/journal.sqlite")), state / "none")


def held(state: Path) -> list[dict[str, Any]]:
    document = ratchet("holds", "--journal", str(journal_in(state)), "--json", state=state).document
    return [hold for hold in document["holds"] if hold["cause"] == "drawdown" and hold["cleared_at"] is None]


@pytest.mark.slow
def test_it_latches_survives_a_kill_and_is_cleared_by_a_person_alone(fallen: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    replay = ("run", "--replay", str(fallen), "--timeframe", "1h", "--operator", "none", "--api-port", "0", "--json")

    def latched() -> bool:
        return count(journal_in(state), LATCHED) == 1

    with running(*replay, "--speed", str(200 * BARS_A_SECOND), state=state) as first:
        until(lambda: latched() or first.poll() is not None, "the drawdown latches")
        first.send_signal(signal.SIGKILL)
        assert ended(first).status == -signal.SIGKILL
    journal = journal_in(state)
    assert latched()
    verified(journal)
    since = count(journal, "SELECT min(since) FROM holds WHERE cause = 'drawdown'")
    seen = count(journal, "SELECT count(*) FROM scans")
    assert seen < BARS

    with running(*replay, "--speed", str(5 * BARS_A_SECOND), state=state) as again:
        until(
            lambda: count(journal, "SELECT count(*) FROM scans") >= seen + 3 or again.poll() is not None, "three bars"
        )
        assert latched()
        assert len(held(state)) == 1
        assert count(journal, ENTRIES_SINCE, since) == 0
        refused = ratchet("resume", "--why", " ", state=state)
        assert refused.status == 2
        assert latched()
        answer = ratchet("resume", "--why", WHY, "--who", "the person on duty", "--json", state=state)
        assert answer.status == 0, answer.err
        until(lambda: not latched() or again.poll() is not None, "the hold is cleared")
        again.send_signal(signal.SIGTERM)
        assert ended(again).status == 0
    assert not latched()
    command = rows(journal, "SELECT name, who, why, simulated FROM commands")
    assert [tuple(row) for row in command] == [("resume", "the person on duty", WHY, 0)]
    cleared = rows(
        journal,
        "SELECT cleared_by, cleared_why, simulated FROM holds WHERE cleared_at IS NOT NULL AND cause = 'drawdown'",
    )
    assert [tuple(row) for row in cleared] == [("the person on duty", WHY, 0)]

    document = ratchet(*replay, state=state).document
    assert document["finished"] is True
    assert count(journal, ENTRIES_SINCE, since) > 0
    verified(journal)
