"""A replay that is killed, or told to stop, and started again ends where one that ran through ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ratchet_command import count, ended, ratchet, running, until, verified

BARS = 500
KILLS = 5
SLOWED = str(200 * 3_600)
"""Two hundred hourly bars a second: slow enough to be interrupted somewhere."""


@pytest.fixture(scope="module")
def arguments(market_data: Path) -> tuple[str, ...]:
    folder = str(market_data / "crypto")
    chosen = ("--instruments", "BTCUSDT,ETHUSDT", "--max-bars", str(BARS))
    return ("run", "--replay", folder, "--timeframe", "1h", "--json", *chosen)


@pytest.fixture(scope="module")
def through(arguments: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of a replay that nobody disturbed."""
    state = tmp_path_factory.mktemp("through") / "state"
    document = ratchet(*arguments, state=state).document
    return verified(Path(document["journal"]))


def scans_in(state: Path) -> int:
    """How many moments the one replay under this folder has committed."""
    return sum(count(journal, "SELECT count(*) FROM scans") for journal in state.glob("replay-*/journal.sqlite"))


def demand_finished(arguments: tuple[str, ...], state: Path, through: dict[str, str]) -> None:
    last = ratchet(*arguments, state=state).document
    assert last["finished"] is True
    assert last["bars"] == 2 * BARS
    journal = Path(last["journal"])
    assert verified(journal) == through
    for table, key in (("intents", "client_order_id"), ("outcomes", "outcome_id"), ("samples", "decision_id, source")):
        doubled = f"SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY {key} HAVING count(*) > 1)"
        assert count(journal, doubled) == 0


def at_work(state: Path, target: int, process: subprocess.Popen[str]) -> Callable[[], bool]:
    """Whether so many moments are done, or it has ended."""
    return lambda: scans_in(state) >= target or process.poll() is not None


def test_killed_at_random_places_it_ends_in_the_same_digests(
    arguments: tuple[str, ...], through: dict[str, str], tmp_path: Path
) -> None:
    state, chance, done = tmp_path / "state", np.random.default_rng(20), 0
    for kill in range(KILLS):
        # Somewhere in the next part of what is left, so that each of the kills finds something to interrupt.
        target = done + int(chance.integers(1, (BARS - done) // (KILLS - kill + 1)))
        with running(*arguments, "--speed", SLOWED, state=state) as process:
            until(at_work(state, target, process), f"{target} moments")
            process.send_signal(signal.SIGKILL)
            assert ended(process).status == -signal.SIGKILL
        assert scans_in(state) > done
        done = scans_in(state)
    assert done < BARS
    demand_finished(arguments, state, through)


def test_told_to_stop_it_sums_up_what_it_did_and_continues(
    arguments: tuple[str, ...], through: dict[str, str], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with running(*arguments, "--speed", SLOWED, state=state) as process:
        until(at_work(state, 100, process), "a hundred moments")
        process.send_signal(signal.SIGTERM)
        stopped = ended(process, within_s=20).document
    assert stopped["finished"] is False
    assert 200 <= stopped["bars"] < 2 * BARS
    verified(Path(stopped["journal"]))
    demand_finished(arguments, state, through)


def test_told_to_stop_while_it_waits_for_the_next_bar_it_does_not_wait(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """At a simulated second a second the next hourly bar is an hour away."""
    state = tmp_path / "state"
    with running(*arguments, "--speed", "1", "--api-port", "0", state=state) as process:
        until(lambda: list(state.glob("replay-*/daemon.json")), "it serves its API, and so it plays")
        process.send_signal(signal.SIGINT)
        stopped = ended(process, within_s=20).document
    assert stopped["finished"] is False
