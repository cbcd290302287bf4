"""The checker finds each planted bug in a real daemon, and nothing in the same story without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_runs.daemons import Nursery
from fault_runs.generous_exchange import GenerousExchange
from fault_runs.mutation_runs import WHAT_SHOWS, tell
from fault_runs.mutations import MUTATIONS

pytestmark = pytest.mark.slow


def test_without_a_planted_bug_nothing_is_found(nursery: Nursery, tmp_path: Path) -> None:
    with GenerousExchange(seed=20) as exchange:
        found = tell(nursery, exchange, tmp_path, None)
    assert found.faults == [], found.told()
    assert found.figures["executions"] >= 4


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
def test_every_planted_bug_is_found(nursery: Nursery, tmp_path: Path, mutation: str) -> None:
    with GenerousExchange(seed=20) as exchange:
        found = tell(nursery, exchange, tmp_path, mutation)
    assert found.rules & WHAT_SHOWS[mutation], found.told()


def test_every_planted_bug_has_a_rule_that_shows_it() -> None:
    assert WHAT_SHOWS.keys() == MUTATIONS.keys()
