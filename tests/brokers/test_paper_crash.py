"""Killed at any commit and driven on from its last moment, the paper ledger ends as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import paper_story
import pytest

from domain.clock import SteppedClock, from_epoch

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """The story told without interruption: its ledger, and a copy of it from before and after every commit."""
    import asyncio

    folder = tmp_path_factory.mktemp("story")
    path, copies, clock = folder / "paper.db", [], SteppedClock(from_epoch(paper_story.BEGIN))
    moment = 0

    def reach(point: str) -> None:
        copy = folder / f"copy{len(copies)}"
        copy.mkdir()
        for file in folder.glob("paper.db*"):
            shutil.copy(file, copy / file.name)
        copies.append((copy, moment, point))

    broker = paper_story.open_broker(path, clock, reach)

    async def run() -> None:
        nonlocal moment
        for index in range(paper_story.MOMENTS):
            moment = index
            await paper_story.play_moment(broker, clock, index)
        await broker.close()

    asyncio.run(run())
    return paper_story.dump(path), copies


def test_the_story_is_worth_telling(untouched):
    final, copies = untouched
    kinds = [row[1] for row in final["events"]]
    for kind in ("filled", "cancelled", "expired", "replaced", "cash", "replace_rejected", "cancel_rejected"):
        assert kinds.count(kind) >= 2, kind
    assert len({row[3] for row in final["fills"]}) < len(final["fills"]), "no order was filled in parts"
    assert len(copies) > 150


async def test_the_ledger_ends_the_same_from_a_copy_of_every_commit(untouched):
    final, copies = untouched
    # Before a commit the file is as after the one before; a share of those is enough to see the later moment.
    chosen = [copy for number, copy in enumerate(copies) if copy[2] == "paper.after_commit" or number % 10 == 0]
    for folder, moment, point in chosen:
        clock = SteppedClock(from_epoch(paper_story.BEGIN + moment * paper_story.HOUR))
        broker = paper_story.open_broker(folder / "paper.db", clock)
        await paper_story.play(broker, clock, moment, resumed=True)
        await broker.close()
        assert paper_story.dump(folder / "paper.db") == final, f"{point} in moment {moment}"


@pytest.mark.parametrize("deadly", [3, 20, 41, 88, 133, 180])
async def test_the_ledger_ends_the_same_after_a_kill(untouched, tmp_path, deadly):
    final, _ = untouched
    path, progress = tmp_path / "paper.db", tmp_path / "moment"
    program = [sys.executable, str(HERE / "paper_story.py"), str(path), str(progress), str(deadly)]
    paths = os.pathsep.join([str(HERE.parent.parent), str(HERE)])
    ended = subprocess.run(program, env=os.environ | {"PYTHONPATH": paths}, check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    moment = int(progress.read_text())
    clock = SteppedClock(from_epoch(paper_story.BEGIN + moment * paper_story.HOUR))
    broker = paper_story.open_broker(path, clock)
    await paper_story.play(broker, clock, moment, resumed=True)
    await broker.close()
    assert paper_story.dump(path) == final


async def test_telling_every_moment_twice_changes_nothing(untouched, tmp_path):
    final, _ = untouched
    clock = SteppedClock(from_epoch(paper_story.BEGIN))
    broker = paper_story.open_broker(tmp_path / "paper.db", clock)
    for index in range(paper_story.MOMENTS):
        await paper_story.play_moment(broker, clock, index)
        await paper_story.play_moment(broker, clock, index)
    await broker.close()
    assert paper_story.dump(tmp_path / "paper.db") == final


async def test_moments_that_change_nothing_are_not_committed_and_may_be_told_again(tmp_path):
    points: list[str] = []
    clock = SteppedClock(from_epoch(paper_story.BEGIN))
    path = tmp_path / "paper.db"
    broker = paper_story.open_broker(path, clock, points.append)
    assert points == ["paper.before_commit", "paper.after_commit"]
    for index in range(1, 4):
        at = from_epoch(paper_story.BEGIN + index * paper_story.HOUR)
        broker.market_ranges(at, [paper_story.bar_of("BTCUSD", index - 1)], paper_story.RATES)
        broker.market_opens(at, [("BTCUSD", 100.0, 0.0)], paper_story.RATES)
    await broker.close()
    assert len(points) == 2
    before = paper_story.dump(path)
    again = paper_story.open_broker(path, clock, points.append)
    again.market_ranges(at, [paper_story.bar_of("BTCUSD", 2)], paper_story.RATES)
    again.market_opens(at, [("BTCUSD", 100.0, 0.0)], paper_story.RATES)
    await again.close()
    assert len(points) == 2
    assert paper_story.dump(path) == before
