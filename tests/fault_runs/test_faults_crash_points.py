"""Every declared crash point is died at, at its first, its second and a later time, and the daemon comes back whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_runs.crash_points import ELSEWHERE, declared_in_source, die_everywhere, visits
from fault_runs.daemons import ROOT, Nursery
from fault_runs.generous_exchange import GenerousExchange
from fault_runs.kill_harness import Plan, Story

from journal.crashpoints import POINTS


def test_the_declared_crash_points_are_those_that_the_source_reaches() -> None:
    assert len(POINTS) == len(set(POINTS))
    assert declared_in_source() == set(POINTS)


def test_the_tests_that_die_elsewhere_exist_and_name_their_points() -> None:
    for point, test in ELSEWHERE.items():
        path, _, name = test.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name}(" in text
        assert f'"{point}"' in text


@pytest.mark.slow
def test_dying_at_every_crash_point_doubles_loses_and_leaves_nothing(nursery: Nursery, tmp_path: Path) -> None:
    wanted = visits()
    with GenerousExchange(seed=7) as exchange:
        told, reached = die_everywhere(Story(nursery, exchange, tmp_path, Plan(seed=7, kills=0)), wanted)
    assert reached == wanted
    assert {point for point, _ in reached} | ELSEWHERE.keys() == set(POINTS)
    assert told.found.faults == [], told.found.told()
