"""Bugs are planted into the product: the simulation must find each of them, or it proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from simulation.planted_bugs import BUGS
from simulation.runner import Task, run_one, workplace

BARS = 30
MOST_SEEDS = 40


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, Path]]:
    with workplace() as made:
        yield made


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, place: tuple[Path, Path]) -> None:
    bug = BUGS[name]
    for seed in range(bug.first_seed, bug.first_seed + MOST_SEEDS):
        planted = run_one(Task(seed=seed, bars=BARS, profile=bug.profile, plant=name), *place)
        if planted.violations:
            break
    else:
        pytest.fail(f"{name} was not found in {MOST_SEEDS} seeds: {bug.why}")
    without = run_one(Task(seed=seed, bars=BARS, profile=bug.profile), *place)

    assert not without.violations, f"seed {seed} fails without {name} too"
