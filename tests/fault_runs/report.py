"""The tables of docs/reliability.md, made of what the runs found; nothing in them is typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from fault_runs.catalogue import Fault
from fault_runs.kill_harness import SENDING, STARTING, TRADING, Told
from fault_runs.mutation_runs import WHAT_SHOWS

BEGIN = "<!-- made by `make faults`: begin -->"
NAMED: Mapping[str, Sequence[str]] = {
    "orders doubled": ("no order twice",),
    "orders or executions lost or invented": ("no order lost", "no execution lost", "no execution invented"),
    "positions that are not the sum of fills and the exchange's": ("position is sum of fills is exchange",),
    "positions without a stop for more than 5 s": ("a stop within 5 s",),
    "stops that outlived their position by 10 s": ("no orphan stop",),
}
"""What is told of kills, by the checker's rules."""
END = "<!-- made by `make faults`: end -->"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one row."""

    fault: Fault
    measured: str
    survived: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that was run. `bugs` are the rules that each planted bug broke, "" standing for none."""

    kills: Sequence[Told]
    points: Told
    reached: Sequence[tuple[str, int]]
    declared: int
    elsewhere: int
    bugs: Mapping[str, frozenset[str]]
    rows: Sequence[Outcome]
    simulation: Mapping[str, Any] | None

    @property
    def survived(self) -> bool:
        stories = [*self.kills, self.points]
        found = all(self.bugs[name] & WHAT_SHOWS[name] for name in WHAT_SHOWS) and not self.bugs[""]
        return not any(each.found.faults for each in stories) and found and all(row.survived for row in self.rows)


def written(document: str, report: Report) -> str:
    """The document with what stands between its markers made anew. Raises `ValueError` where they are missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} or no {END}")
    return f"{before}{BEGIN}\n\n" + "\n".join(_lines(report)) + f"\n\n{END}{after}"


def _lines(report: Report) -> Iterator[str]:
    yield from _kills(report.kills)
    yield from ("", *_points(report))
    yield from ("", *_bugs(report.bugs))
    if report.simulation is not None:
        yield from ("", *_simulation(report.simulation))
    yield from ("", "### The catalogue", "", *_rows(report.rows))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(each.replace('|', '/') for each in row)} |"


def _kills(told: Sequence[Told]) -> Iterator[str]:
    wrong = Counter(rule for each in told for rule, _ in each.found.faults)
    moments = [sum(each.killed.get(name, 0) for each in told) for name in (STARTING, TRADING, SENDING)]
    seen = [sum(each.found.figures[name] for each in told) for name in ("orders", "executions", "positions")]
    ready = [second for each in told for second in each.recovery_s]
    cuts = quantiles(ready, n=100) if len(ready) > 1 else [0.0] * 99
    longest = max((each.found.figures["longest_bare_s"] for each in told), default=0.0)
    others = wrong.total() - sum(wrong[rule] for rules in NAMED.values() for rule in rules)
    rows = [
        ("SIGKILLs", f"{sum(moments):,}"),
        ("while starting / trading / a request was under way", " / ".join(str(each) for each in moments)),
        ("stories, each on an exchange of its own, spot and futures in turn", str(len(told))),
        ("orders / executions / positions at the exchange", " / ".join(f"{each:,.0f}" for each in seen)),
        *((name, str(sum(wrong[rule] for rule in rules))) for name, rules in NAMED.items()),
        ("everything else that the checker found", str(others)),
        ("longest time that one position lay without its stop while the daemon lived", f"{longest:.1f} s"),
        ("a forked daemon's start until it trades, median / 99th percentile", f"{cuts[49]:.2f} s / {cuts[98]:.2f} s"),
    ]
    yield from ("### Random kills", "", *_table(("what", "figure"), rows))


def _points(report: Report) -> Iterator[str]:
    names = {name for name, _ in report.reached}
    covered = len(names) + report.elsewhere
    yield from ("### Crash points", "")
    yield (
        f"Died at {len(names)} points, {len(report.reached)} times in all; {report.elsewhere} more belong to the"
        f" embedded broker and are died at in its own tests: {covered} of {report.declared} declared points,"
        f" {100 * covered / report.declared:.0f} %. Found by the checker afterwards: {len(report.points.found.faults)}."
    )


def _bugs(bugs: Mapping[str, frozenset[str]]) -> Iterator[str]:
    yield from ("### Planted bugs", "")
    rows = [(name or "none", ", ".join(sorted(rules)) or "nothing") for name, rules in bugs.items()]
    yield from _table(("planted", "rules that the checker found broken"), rows)


def _simulation(told: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
        for name, value in told.items()
        if isinstance(value, int | float)
    ]
    yield from ("### Simulation", "", *_table(("what", "figure"), rows))


def _rows(rows: Sequence[Outcome]) -> Iterator[str]:
    yield from _table(
        ("#", "fault", "made by", "expected", "measured"),
        [(str(row.fault.number), row.fault.name, row.fault.injected, row.fault.expected, row.measured) for row in rows],
    )
