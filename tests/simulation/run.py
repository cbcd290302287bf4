"""One run: a seed's world from the daemon's first start to the quiet at the end."""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from pathlib import Path

from simulation.checks_end import faults_at_the_end
from simulation.plan import make_plan
from simulation.remembered import remembered
from simulation.seeded_loop import SeededLoop
from simulation.world import BEFORE_S, World

from journal import crashpoints
from journal.journal import Journal
from venues.records import MarketKind

MEMORY = Path("/dev/shm")
THRESHOLD = gc.get_threshold()
COLLECTED_EVERY = 100_000
"""Allocations between two rounds of the garbage collector: a run is over before much garbage has gathered."""
HEALED_WITHIN = 30
"""How many half minutes everything gets to become quiet once nothing goes wrong any more."""


def folder_for_runs() -> Path:
    """Where files lie that need not outlive the machine: in memory where that can be had."""
    return Path(tempfile.mkdtemp(prefix="simulation-", dir=MEMORY if MEMORY.is_dir() else None))


def make_empty_journal(folder: Path) -> Path:
    path = folder / "empty.sqlite"
    Journal.open(path).close()
    return path


def simulate(
    seed: int,
    *,
    bars: int,
    folder: Path,
    empty_journal: Path,
    profile: str = "all",
    kind: MarketKind | None = None,
    one_is_enough: bool = False,
) -> World:
    """The world of one seed after its run; `violations` says what did not hold."""
    plan = make_plan(seed, bars=bars, profile=profile, kind=kind)
    if gc.isenabled():
        gc.collect()
    gc.set_threshold(COLLECTED_EVERY)
    place = folder / f"seed-{seed}"
    shutil.rmtree(place, ignore_errors=True)
    loop = SeededLoop()
    try:
        world = World(seed=seed, plan=plan, bars=bars, folder=place, empty_journal=empty_journal, loop=loop)
        world.one_is_enough = one_is_enough
        crashpoints.hook(world.reach)
        with remembered():
            loop.run_until_complete(_whole(world))
    finally:
        gc.set_threshold(*THRESHOLD)
        crashpoints.hook(None)
        _clear(loop)
        shutil.rmtree(place, ignore_errors=True)
    return world


async def _whole(world: World) -> None:
    keeper = world.loop.create_task(world.keep_alive(), name="keeper")
    trouble = world.loop.create_task(world.trouble.play(BEFORE_S), name="trouble")
    story = world.loop.create_task(_story(world, trouble), name="story")
    broken = world.loop.create_task(world.broken.wait(), name="broken")
    await asyncio.wait({story, broken}, return_when=asyncio.FIRST_COMPLETED)
    if story.done():
        story.result()
    world.over = True
    if world.life is not None:
        world.life.kill("the story is over")
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)
    world.witness.close()


async def _story(world: World, trouble: asyncio.Task[None]) -> None:
    await world.play_market()
    await trouble
    await _heal(world)
    for invariant, detail in faults_at_the_end(world):
        world.violate(invariant, detail)


async def _heal(world: World) -> None:
    """Everything works again, and time goes on until nothing is under way any more."""
    world.trouble.end()
    faults = world.exchange.faults
    faults.clear()
    world.network.weather.cut = False
    for _ in range(HEALED_WITHIN):
        world.nudge()
        await asyncio.sleep(30)
        if _is_quiet(world):
            break
    if world.life is not None and world.life.started and not world.life.dead:
        await world.life.reconcile_now()
        await world.life.settle()
    world.account_checks.step()
    world.journal_checks.step()


def _is_quiet(world: World) -> bool:
    life = world.life
    if life is None or not life.started or life.dead or world.network.under_way:
        return False
    books = life.session.books
    return not books.pending() and not books.unknown() and not life.session.guardian.bare() and not life.attentive


def _clear(loop: SeededLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()
