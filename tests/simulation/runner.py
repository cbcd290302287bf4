"""Many seeds, side by side, and what came of each."""

from __future__ import annotations

import faulthandler
import importlib
import multiprocessing
import resource
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from simulation.planted_bugs import planted
from simulation.run import folder_for_runs, make_empty_journal, simulate
from simulation.world import World

BARS_A_DAY = 24
MOST_MEMORY = 4 * 2**30
"""Bytes of address space that one worker may take; a run needs less than one of those four gigabytes."""
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
        wiped=world.truth.wiped,
    )


def run_side_by_side(tasks: Sequence[Task], *, jobs: int) -> Iterator[Result]:
    """The results of all tasks, in the order in which they end. A worker that dies ends all of it, and says so."""
    for name in SLOW_TO_IMPORT:
        importlib.import_module(name)  # once, before the workers are forked
    with workplace() as (folder, empty_journal):
        work = partial(run_one, folder=folder, empty_journal=empty_journal)
        if jobs == 1:
            yield from map(work, tasks)
            return
        forked = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(jobs, mp_context=forked, initializer=_limit_worker) as pool:
            for ended in as_completed([pool.submit(_watched, work, task) for task in tasks]):
                yield ended.result()


def _limit_worker() -> None:
    """A run that takes more memory than any should fails, instead of taking the machine's."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def _watched(work: Callable[[Task], Result], task: Task) -> Result:
    """Run one seed; one that does not end shows where it is, and ends the worker."""
    faulthandler.dump_traceback_later(LONGEST_S, exit=True)
    try:
        return work(task)
    finally:
        faulthandler.cancel_dump_traceback_later()
