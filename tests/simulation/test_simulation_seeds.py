"""Whole daemons on virtual time against the test exchange, with everything that goes wrong: nothing may break."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulation.plan import EVENTS, make_plan
from simulation.runner import Result, Task, run_one, workplace

from brokers.ccxt.records import CRASH_POINTS
from journal.crashpoints import POINTS
from venues.records import MarketKind

BARS = 36
SEEDS = range(1, 29)
TESTS = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, Path]]:
    with workplace() as made:
        yield made


@pytest.fixture(scope="module")
def results(place: tuple[Path, Path]) -> dict[int, Result]:
    """What was run so far."""
    return {}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invariant_holds_in_seed(seed: int, place: tuple[Path, Path], results: dict[int, Result]) -> None:
    result = results[seed] = run_one(Task(seed=seed, bars=BARS), *place)

    shown = "\n".join([*result.violations, *result.last[-40:]])
    assert not result.violations, f"PYTHONPATH=tests python -m simulation --seed {seed} --days {BARS / 24:g}\n{shown}"


def test_a_seed_leaves_the_same_trace_twice(place: tuple[Path, Path], results: dict[int, Result]) -> None:
    for seed in (3, 4):
        first = results.get(seed) or run_one(Task(seed=seed, bars=BARS), *place)

        assert run_one(Task(seed=seed, bars=BARS), *place).digest == first.digest


def test_another_process_with_another_hash_seed_leaves_the_same_trace(tmp_path: Path) -> None:
    found = []
    for hash_seed in ("1", "2"):
        path = tmp_path / f"{hash_seed}.json"
        command = [sys.executable, "-m", "simulation", "--first", "3", "--seeds", "2", "--days", "0.5", "--jobs", "1"]
        environment = {**os.environ, "PYTHONPATH": str(TESTS), "PYTHONHASHSEED": hash_seed}
        ended = subprocess.run([*command, "--json", str(path)], env=environment, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stdout.decode()
        found.append(json.loads(path.read_text())["digest"])

    assert found[0] == found[1]


def test_every_crash_point_is_come_to_and_orders_crash_and_recover(
    place: tuple[Path, Path], results: dict[int, Result]
) -> None:
    told = list(results.values()) or [run_one(Task(seed=seed, bars=BARS), *place) for seed in (1, 3)]
    reached = {point for result in told for point in result.points}

    assert reached >= set(CRASH_POINTS) | {point for point in POINTS if not point.startswith("paper.")}
    assert sum(result.lives for result in told) > len(told)
    assert sum(result.fills for result in told) > 10 * len(told)


def test_plans_hold_every_kind_of_event_and_both_markets() -> None:
    plans = [make_plan(seed, bars=240) for seed in range(1, 200)]
    drawn = Counter(event.name for plan in plans for event in plan.events)

    assert drawn.keys() == EVENTS.keys()
    assert {plan.kind for plan in plans} == set(MarketKind)


def test_without_faults_nothing_is_unprotected_for_long(place: tuple[Path, Path]) -> None:
    for seed in (1, 2):
        result = run_one(Task(seed=seed, bars=BARS, profile="none"), *place)

        assert not result.violations
        assert result.lives == 1
        assert result.longest_calm_s <= 5
