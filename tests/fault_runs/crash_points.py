"""A daemon that dies at each declared crash point in turn, at its first, its second and a later time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from fault_runs.daemons import ROOT
from fault_runs.kill_harness import Story, Told
from fault_runs.wall import seconds_since

from journal.crashpoints import POINTS, VARIABLE

TIMES = (1, 2, 4)
WITHIN_S = 25.0
ONCE = {"ccxt.before_founding": (1, 1), "ccxt.after_founding": (1,)}
"""An account's log is founded once: dying before that is done means that it is founded at the next start."""
ELSEWHERE: Mapping[str, str] = {
    "paper.before_commit": "tests/trading/test_trading_recovery.py::test_every_kind_of_crash_point_was_crossed",
    "paper.after_commit": "tests/trading/test_trading_recovery.py::test_every_kind_of_crash_point_was_crossed",
}
"""Points of the embedded paper broker, which a run on a venue has no use for, and the tests that die there."""

_LITERAL = re.compile(r"reach\(\s*f?\"([a-z_{}.]+)\"")
_WRITING = re.compile(r"writing\(\"([a-z_]+)\"\)")


def visits() -> list[tuple[str, int]]:
    """Point and which time, in the order in which they are died at; the founding comes first, as it does in life."""
    others = sorted(set(POINTS) - ELSEWHERE.keys() - ONCE.keys())
    return [
        *((point, number) for point, numbers in ONCE.items() for number in numbers),
        *((point, number) for point in others for number in TIMES),
    ]


def declared_in_source() -> set[str]:
    """The names that the product's source gives to `reach`; names that are put together stand for each ending."""
    found: set[str] = set()
    endings: set[str] = set()
    for path, text in _sources():
        found |= set(_LITERAL.findall(text))
        if path.parent.name == "ccxt":
            endings |= set(_WRITING.findall(text))
        if path.parent.name == "paper":
            found |= set(re.findall(r"\"(paper\.[a-z_]+)\"", text))
    joined = {name for name in found if "{" in name}
    return (found - joined) | {name.replace("{name}", ending) for name in joined for ending in endings}


def _sources() -> Iterator[tuple[Path, str]]:
    for package in ("brokers", "daemon", "journal", "trading", "venues"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, path.read_text(encoding="utf-8")


def die_everywhere(
    story: Story, wanted: Sequence[tuple[str, int]], progress: Callable[[int], None] | None = None
) -> tuple[Told, list[tuple[str, int]]]:
    """One story in which each life ends at one visit; gives also the visits at which a life did end."""
    story.prepare()
    reached: list[tuple[str, int]] = []
    for done, (point, number) in enumerate(wanted, 1):
        daemon = story.daemon({VARIABLE: f"{point}:{number}"})
        story.trade_for(WITHIN_S, daemon)
        if daemon.lives:
            daemon.kill()
        if f"crash point {number}: {point}\n" in daemon.said:
            reached.append((point, number))
        story.died(daemon)
        if daemon.ready_ms is not None and daemon.ended_ms is not None:
            story.recovery_s.append(seconds_since(daemon.began_ms) - seconds_since(daemon.ready_ms))
        if progress is not None:
            progress(done)
    took, found = story.settle()
    told = Told(
        found=found,
        lives=story.lives,
        killed={"crash points": len(reached)},
        ledger=story.exchange.ledger(),
        recovery_s=story.recovery_s,
        ended_by_itself=story.ended_by_itself,
        settled_s=took,
    )
    return told, reached
