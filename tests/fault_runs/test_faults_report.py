"""The tables of docs/reliability.md are made of what the runs found, between two markers, and of nothing else."""

from __future__ import annotations

import pytest
from fault_runs.catalogue import catalogue
from fault_runs.checker import Found
from fault_runs.daemons import ROOT
from fault_runs.kill_harness import SENDING, STARTING, TRADING, Told
from fault_runs.mutation_runs import WHAT_SHOWS
from fault_runs.report import BEGIN, END, Outcome, Report, written

FIGURES = {"orders": 12.0, "executions": 8.0, "positions": 4.0, "longest_bare_s": 1.25}
PAGE = f"before\n{BEGIN}\nold\n{END}\nafter\n"


def told(*faults: tuple[str, str]) -> Told:
    killed = {STARTING: 2, TRADING: 3, SENDING: 4}
    found = Found(faults=list(faults), figures=dict(FIGURES))
    return Told(found=found, lives=[], killed=killed, ledger={}, recovery_s=[0.5, 0.7])


def report(kills: list[Told], bugs: dict[str, frozenset[str]] | None = None, *, survived: bool = True) -> Report:
    return Report(
        kills=kills,
        points=told(),
        reached=[("journal.before_commit", 1), ("journal.before_commit", 2)],
        declared=3,
        elsewhere=2,
        bugs={"": frozenset[str](), **WHAT_SHOWS} if bugs is None else bugs,
        rows=[Outcome(catalogue()[12], "bare 0.1 s | adopted", survived)],
        simulation={"seeds": 1_000, "violations": 0, "digest": "abc"},
    )


def test_only_what_stands_between_the_markers_is_made_anew() -> None:
    page = written(PAGE, report([told(), told()]))
    assert page.startswith(f"before\n{BEGIN}\n")
    assert page.endswith(f"{END}\nafter\n")
    assert "old" not in page
    assert "| SIGKILLs | 18 |" in page
    assert "| orders doubled | 0 |" in page
    assert "3 of 3 declared points, 100 %" in page
    assert "| 12 | 503 after acceptance |" in page
    assert "bare 0.1 s / adopted |" in page, "a bar would end the cell"
    assert "| seeds | 1,000 |" in page
    assert written(page, report([told(), told()])) == page


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="has no"):
        written("nothing", report([]))


def test_what_was_found_is_counted_by_its_rule_and_is_no_success() -> None:
    found = report([told(("no order twice", "rt1"), ("cash is the wallet", "1"))])
    page = written(PAGE, found)
    assert "| orders doubled | 1 |" in page
    assert "| everything else that the checker found | 1 |" in page
    assert not found.survived


def test_a_bug_that_was_not_found_and_a_fault_that_was_not_survived_are_no_success() -> None:
    assert report([told()]).survived
    assert not report([told()], survived=False).survived
    missed = {"": frozenset[str](), **dict.fromkeys(WHAT_SHOWS, frozenset[str]())}
    assert not report([told()], missed).survived
    assert not report([told()], {**WHAT_SHOWS, "": frozenset({"no order lost"})}).survived


def test_the_page_has_its_markers() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert page.index(BEGIN) < page.index(END)
