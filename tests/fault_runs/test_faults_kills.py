"""Fifty SIGKILLs at seeded random times, while starting, trading and sending: nothing doubled, lost or left bare."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_runs.daemons import Nursery
from fault_runs.generous_exchange import GenerousExchange
from fault_runs.kill_harness import SENDING, STARTING, TRADING, Plan, Story, Told, random_kills

pytestmark = pytest.mark.slow
KILLS = 25


def killed(nursery: Nursery, folder: Path, plan: Plan) -> Told:
    with GenerousExchange(seed=plan.seed) as exchange:
        told = random_kills(Story(nursery, exchange, folder, plan))
    assert sum(told.killed.values()) == KILLS
    assert all(told.killed[moment] for moment in (STARTING, TRADING, SENDING)), told.killed
    assert told.found.figures["executions"] >= 8, "a story in which hardly anything was traded"
    return told


class TestWhileAnswersArrive:
    def test_killed_at_any_time_it_doubles_loses_and_leaves_nothing(self, nursery: Nursery, tmp_path: Path) -> None:
        told = killed(nursery, tmp_path, Plan(seed=101, kills=KILLS))
        assert told.found.faults == [], told.found.told()


class TestWhileAnswersAreLost:
    def test_killed_at_any_time_it_doubles_loses_and_leaves_nothing(self, nursery: Nursery, tmp_path: Path) -> None:
        told = killed(nursery, tmp_path, Plan(seed=102, kills=KILLS, trouble=True))
        assert told.found.faults == [], told.found.told()
        assert any(not each["answered"] for each in told.ledger["requests"]), "no answer was lost"
