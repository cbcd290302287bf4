"""Many seeds, side by side, and what came of each."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import multiprocessing
import resource
import shutil
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from simulation.planted_bugs import planted
from simulation.run import folder_for_runs, make_empty_journal, simulate
from simulation.world import World

BARS_A_DAY = 24
MOST_MEMORY = 4 * 2**30
"""Bytes of address space that the process of one seed may take; it needs less than one of those four gigabytes."""
WARM_UP_BARS = 6
LONGEST_S = 300.0
"""Seconds after which a seed counts as hanging."""
SLOW_TO_IMPORT = ("ccxt.pro", "river.linear_model", "scipy.stats", "exchange_calendars")


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One seed to be run; `plant` names a planted bug."""

    seed: int
    bars: int
    profile: str = "all"
    plant: str | None = None


@dataclass(kw_only=True, slots=True)
class Result:
    """What one seed came to; `violations` are invariants with details, `last` the end of its trace."""

    seed: int
    kind: str = ""
    digest: str = ""
    days: float = 0.0
    violations: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    points: dict[str, int] = field(default_factory=dict)
    lives: int = 0
    requests: int = 0
    orders: int = 0
    trades: int = 0
    fills: int = 0
    unknown_s: list[float] = field(default_factory=list)
    unprotected_s: float = 0.0
    unprotected_calm_s: float = 0.0
    longest_calm_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: int = 0
    """The most memory that its process held, what it shares with the others included."""
    wiped: bool = False


@contextmanager
def workplace() -> Iterator[tuple[Path, Path]]:
    """A folder for the files of runs, and in it an empty journal that every new account begins with."""
    folder = folder_for_runs()
    try:
        yield folder, make_empty_journal(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_one(task: Task, folder: Path, empty_journal: Path) -> Result:
    """Run one seed in this process; what the simulation itself fails with is its violation."""
    began = time.process_time()
    try:
        with planted(task.plant):
            world = simulate(
                task.seed,
                bars=task.bars,
                profile=task.profile,
                folder=folder,
                empty_journal=empty_journal,
                one_is_enough=task.plant is not None,
            )
    except Exception:  # noqa: BLE001 - whatever ended it, the other seeds are still wanted, and this one is told
        return Result(seed=task.seed, violations=["the simulation fails: see the trace"], last=_lines_of_error())
    return _result(task, world, time.process_time() - began)


def _lines_of_error() -> list[str]:
    return traceback.format_exc().splitlines()


def _result(task: Task, world: World, cpu_s: float) -> Result:
    checks, account = world.account_checks, world.truth.account
    ours = [each for each in (*account.orders, *account.algos) if each.client_id.startswith("rt")]
    failures = [line for error in world.failures if error is not None for line in traceback.format_exception(error)]
    return Result(
        seed=task.seed,
        kind=world.kind.value,
        digest=world.trace.digest,
        days=task.bars / BARS_A_DAY,
        violations=list(world.violations),
        last=[*world.trace.last, *failures] if world.violations else [],
        faults=dict(sorted(world.trouble.happened.items())),
        points=dict(sorted(world.points.items())),
        lives=world.lives,
        requests=world.network.requests,
        orders=len(ours),
        trades=sum(len(each) for each in checks.held.values()),
        fills=len(world.truth.trades),
        unknown_s=[round(each, 3) for each in world.resolved_s],
        unprotected_s=round(checks.unprotected_s, 3),
        unprotected_calm_s=round(checks.unprotected_calm_s, 3),
        longest_calm_s=round(checks.longest_calm_s, 3),
        cpu_s=round(cpu_s, 3),
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        wiped=world.truth.wiped,
    )


def run_side_by_side(tasks: Sequence[Task], *, jobs: int) -> Iterator[Result]:
    """The results of all tasks, in the order in which they end; each seed lives in a process of its own.

    So nothing of one seed is there in the next, and one that hangs or takes too much memory fails alone.
    """
    for name in SLOW_TO_IMPORT:
        importlib.import_module(name)  # once, before there are processes
    with workplace() as (folder, empty_journal):
        work = partial(run_one, folder=folder, empty_journal=empty_journal)
        for seed in (0, 1):
            work(Task(seed=seed, bars=WARM_UP_BARS))  # whatever is imported or made on first use is there for all
        gc.collect()
        gc.freeze()
        yield from _in_processes(work, deque(tasks), jobs)


def _in_processes(work: Callable[[Task], Result], waiting: deque[Task], jobs: int) -> Iterator[Result]:
    forked = multiprocessing.get_context("fork")
    running: dict[Connection, tuple[Task, BaseProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.popleft()
                hears, tells = forked.Pipe(duplex=False)
                process = forked.Process(target=_live_through, args=(work, task, tells))
                process.start()
                tells.close()
                running[hears] = (task, process)
            for heard in wait(list(running)):
                if isinstance(heard, Connection):
                    yield _ended(heard, *running.pop(heard))
    finally:
        for _, process in running.values():
            process.kill()


def _live_through(work: Callable[[Task], Result], task: Task, tells: Connection) -> None:
    """Run one seed, in the process that is its own; one that does not end shows where it is, and is ended."""
    gc.disable()  # the process is over before much garbage has gathered
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    faulthandler.dump_traceback_later(LONGEST_S, exit=True)
    tells.send(work(task))


def _ended(hears: Connection, task: Task, process: BaseProcess) -> Result:
    try:
        result: Result = hears.recv()
    except EOFError:
        process.join()
        failed = f"the simulation fails: the process of this seed ended with {process.exitcode} and told nothing"
        result = Result(seed=task.seed, violations=[failed])
    hears.close()
    process.join()
    return result
