"""`python -m fault_runs`: every fault run there is, with progress, and the tables of docs/reliability.md made of it.

`--kills N` says how many random kills (1,000), `--only PART` runs one part, `--keep FOLDER` leaves there what the
stories left, `--simulation FILE` takes over the figures that `python -m simulation --json` wrote. The document is
written only when all parts ran.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fault_runs.bench import Bench, NotAsExpected
from fault_runs.catalogue import Fault, catalogue
from fault_runs.crash_points import ELSEWHERE, die_everywhere, visits
from fault_runs.daemons import ROOT, TESTS, EndedByItself, Nursery
from fault_runs.generous_exchange import GenerousExchange
from fault_runs.kill_harness import Plan, Story, Told, random_kills
from fault_runs.mutation_runs import tell
from fault_runs.mutations import MUTATIONS
from fault_runs.report import Outcome, Report, written
from fault_runs.wall import now_ms, seconds_since

from journal.crashpoints import POINTS

DOCUMENT = ROOT / "docs" / "reliability.md"
KILLS = 1_000
A_STORY = 100
FIRST_SEED = 1_000
PARTS = ("kills", "crash points", "mutations", "catalogue")


class Progress:
    """Says how far a part is, how fast it goes, and when it will be done."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total, self._began = name, total, now_ms()

    def after(self, before: int) -> Callable[[int], None]:
        """To be told what is done of the next piece alone."""
        return lambda done: self(before + done)

    def __call__(self, done: int) -> None:
        rate = done / max(seconds_since(self._began), 0.001)
        left = (self._total - done) / rate if rate else 0.0
        sys.stderr.write(f"\r{self._name}: {done} of {self._total}, {rate:.2f} a second, {left:.0f} s left   ")
        if done >= self._total:
            sys.stderr.write("\n")
        sys.stderr.flush()


@contextmanager
def _scene(nursery: Nursery, folder: Path, plan: Plan) -> Iterator[Story]:
    with GenerousExchange(seed=plan.seed) as exchange:
        yield Story(nursery, exchange, folder, plan)


def kills(nursery: Nursery, folder: Path, total: int) -> list[Told]:
    """Stories of a hundred kills: spot and futures in turn, in every second pair with answers that are lost."""
    told: list[Told] = []
    progress, done = Progress("random kills", total), 0
    while done < total:
        number = len(told)
        plan = Plan(
            seed=FIRST_SEED + number,
            kills=min(A_STORY, total - done),
            market=("spot", "linear")[number % 2],
            trouble=number % 4 >= 2,
        )
        with _scene(nursery, folder / f"kills-{number}", plan) as story:
            told.append(random_kills(story, progress.after(done)))
        (folder / f"kills-{number}" / "ledger.json").write_text(json.dumps(told[-1].ledger), encoding="utf-8")
        if told[-1].found.faults:
            sys.stderr.write(f"\nseed {plan.seed}, {plan.market}:\n{told[-1].found.told()}\n")
        done += plan.kills
    return told


def crash_points(nursery: Nursery, folder: Path) -> tuple[Told, list[tuple[str, int]]]:
    wanted = visits()
    with _scene(nursery, folder / "points", Plan(seed=7, kills=0)) as story:
        return die_everywhere(story, wanted, Progress("crash points", len(wanted)))


def mutations(nursery: Nursery, folder: Path) -> dict[str, frozenset[str]]:
    """Rules that each planted bug broke; under the name "" what the story without one broke."""
    progress, found = Progress("planted bugs", len(MUTATIONS) + 1), dict[str, frozenset[str]]()
    for done, name in enumerate((None, *MUTATIONS), 1):
        with GenerousExchange(seed=20) as exchange:
            found[name or ""] = tell(nursery, exchange, folder / f"bug-{done}", name).rules
        progress(done)
    return found


def tried(nursery: Nursery, folder: Path, told_by: Mapping[str, str]) -> list[Outcome]:
    """Every row of the catalogue."""
    rows = catalogue()
    progress, bench, found = Progress("faults", len(rows)), Bench(nursery, folder), list[Outcome]()
    for done, row in enumerate(rows.values(), 1):
        found.append(_outcome(row, bench, told_by))
        if not found[-1].survived:
            sys.stderr.write(f"\n{row.number} {row.name}: {found[-1].measured}\n")
        progress(done)
    return found


def _outcome(row: Fault, bench: Bench, told_by: Mapping[str, str]) -> Outcome:
    if row.why_not:
        return Outcome(row, f"not tried: {row.why_not}", True)
    if row.told_by:
        measured = told_by.get(row.told_by)
        return Outcome(row, measured or "its story was not told, or went wrong", measured is not None)
    if row.tests:
        return _passed(row)
    assert row.tried is not None
    try:
        return Outcome(row, row.tried(bench), True)
    except (NotAsExpected, EndedByItself, TimeoutError) as error:
        return Outcome(row, f"not as expected: {str(error).splitlines()[0][:200]}", False)


def _passed(row: Fault) -> Outcome:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *row.tests]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    names = ", ".join(f"`{test.partition('::')[2]}`" for test in row.tests)
    return Outcome(row, f"{'passes' if ended.returncode == 0 else 'fails'}: {names}", ended.returncode == 0)


def _stories(told: list[Told], points: tuple[Told, list[tuple[str, int]]]) -> dict[str, str]:
    """What rows are told that stories show which are told anyway."""
    found: dict[str, str] = {}
    if told and not any(each.found.faults for each in told):
        total = sum(sum(each.killed.values()) for each in told)
        found["kills"] = f"{total:,} kills: duplicates 0, lost 0"
    story, reached = points
    if not story.found.faults:
        for name in {name for name, _ in reached}:
            times = sum(each == name for each, _ in reached)
            found[name] = f"died there {times} times (`{name}`): duplicates 0, lost 0"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="faults", description="Run every fault there is and write what came of it.")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--only", choices=PARTS, default=None)
    parser.add_argument("--keep", type=Path, default=None, help="a folder for journals and logs, kept afterwards")
    parser.add_argument("--simulation", type=Path, default=None, help="what `python -m simulation --json` printed")
    asked = parser.parse_args()
    simulation: Mapping[str, Any] | None = None
    if asked.simulation is not None:
        simulation = json.loads(asked.simulation.read_text(encoding="utf-8"))

    def wanted(part: str) -> bool:
        return asked.only in (None, part)

    with tempfile.TemporaryDirectory(prefix="faults-") as made, Nursery() as nursery:
        folder = Path(made) if asked.keep is None else asked.keep
        told = kills(nursery, folder, asked.kills) if wanted("kills") else []
        points = crash_points(nursery, folder) if wanted("crash points") else None
        bugs = mutations(nursery, folder) if wanted("mutations") else {}
        stories = {} if points is None else _stories(told, points)
        rows = tried(nursery, folder, stories) if wanted("catalogue") else []
    if points is None or asked.only is not None:
        return _said(told, points, bugs, rows)
    report = Report(
        kills=told,
        points=points[0],
        reached=points[1],
        declared=len(POINTS),
        elsewhere=len(ELSEWHERE),
        bugs=bugs,
        rows=rows,
        simulation=simulation,
    )
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), report), encoding="utf-8")
    return 0 if report.survived else 1


def _said(told: list[Told], points: object, bugs: Mapping[str, frozenset[str]], rows: list[Outcome]) -> int:
    """The end of a run of one part: nothing is written."""
    for row in rows:
        sys.stdout.write(f"{row.fault.number} {row.fault.name}: {row.measured}\n")
    for name, rules in bugs.items():
        sys.stdout.write(f"{name or 'none planted'}: {', '.join(sorted(rules)) or 'nothing found'}\n")
    wrong = [fault for each in told for fault in each.found.faults]
    if isinstance(points, tuple):
        wrong += points[0].found.faults
    for rule, detail in wrong:
        sys.stdout.write(f"{rule}: {detail}\n")
    return 1 if wrong or any(not row.survived for row in rows) else 0


if __name__ == "__main__":
    sys.path.insert(0, str(TESTS))
    sys.exit(main())
