"""`python -m simulation`: simulate seeds, show how it goes, and what came of them. Run with tests/ on the path.

Ends with status 1 where an invariant did not hold, and says how each such seed is repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from simulation.plan import PROFILES
from simulation.planted_bugs import BUGS
from simulation.runner import BARS_A_DAY, Result, Task, run_side_by_side
from simulation.table import lines_of, summed_up

TWICE_EVERY = 50
"""Every so many seeds one is run twice, and must leave the same trace."""
SHOWN_LINES = 40


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    first, count = (given.seed, 1) if given.seed is not None else (given.first, given.seeds)
    tasks = [
        Task(seed=seed, bars=round(given.days * BARS_A_DAY), profile=given.profile, plant=given.plant)
        for seed in range(first, first + count)
    ]
    again = tasks[::TWICE_EVERY] if given.seed is None else []
    results = _run([*tasks, *again], jobs=given.jobs)
    unlike = _unlike(results)
    once = list({result.seed: result for result in results}.values())
    failed = sorted((result for result in once if result.violations), key=lambda result: result.seed)
    for result in failed[: given.show]:
        _say(_told(result, given))
    for seed in unlike:
        _say(f"seed {seed} left another trace the second time")
    figures = {**summed_up(once), "seeds_run_twice": len(again), "traces_that_differed": len(unlike)}
    _say("\n".join(lines_of(figures)))
    if failed:
        _say(f"failed: {' '.join(str(result.seed) for result in failed)}")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    return 1 if failed or unlike else 0


def _say(line: str, where: TextIO | None = None) -> None:
    stream = where or sys.stdout
    stream.write(f"{line}\n")
    stream.flush()


def _run(tasks: Sequence[Task], *, jobs: int) -> list[Result]:
    results: list[Result] = []
    began = told = time.monotonic()
    for result in run_side_by_side(tasks, jobs=jobs):
        results.append(result)
        now = time.monotonic()
        if now - told > 5 or len(results) == len(tasks):
            told = now
            rate = len(results) / (now - began)
            left = timedelta(seconds=round((len(tasks) - len(results)) / rate))
            bad = sum(bool(each.violations) for each in results)
            shown = f"{len(results)} of {len(tasks)} seeds, {60 * rate:.1f} a minute, {left} left, {bad} failed"
            _say(shown, sys.stderr)
    return results


def _unlike(results: Sequence[Result]) -> list[int]:
    """Seeds that were run twice and left different traces."""
    digests: dict[int, set[str]] = {}
    for result in results:
        digests.setdefault(result.seed, set()).add(result.digest)
    return sorted(seed for seed, found in digests.items() if len(found) > 1)


def _told(result: Result, given: argparse.Namespace) -> str:
    extra = "" if given.profile == "all" else f" --profile {given.profile}"
    extra += "" if given.plant is None else f" --plant {given.plant}"
    command = f"PYTHONPATH=tests python -m simulation --seed {result.seed} --days {given.days:g}{extra}"
    return "\n".join(
        [
            f"seed {result.seed} ({result.kind}): {len(result.violations)} violations",
            *(f"  {violation}" for violation in result.violations[:10]),
            *(f"    {line}" for line in result.last[-SHOWN_LINES:]),
            f"  repeat it: {command}",
            "",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--days", type=float, default=10.0, help="simulated days of each")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="all", help="what goes wrong")
    parser.add_argument("--plant", choices=sorted(BUGS), help="with this bug planted in the product")
    parser.add_argument("--show", type=int, default=5, help="how many failing seeds are shown in full")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
