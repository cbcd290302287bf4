"""One short story for every planted bug and for none: the checker must find each bug, and nothing without one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from exchange.process import RunningExchange
from fault_runs.checker import Found
from fault_runs.daemons import EndedByItself, Nursery
from fault_runs.kill_harness import ROUTES, Plan, Story

from journal.crashpoints import VARIABLE

SEED = 20
LIVES_S = 6.0
BETWEEN_S = 3.0
MUTANT_SETTLES_S = 8.0
"""A planted bug need not come to rest: what it did cannot be undone."""
WHAT_SHOWS: Mapping[str, frozenset[str]] = {
    "sent before committed": frozenset({"no order lost"}),
    "executions counted again": frozenset({"the broker's log is the ledger"}),
    "sent again unasked": frozenset({"no order twice"}),
    "entered without a stop": frozenset({"a stop within 5 s"}),
    "facts of the dead time dropped": frozenset({"no execution lost"}),
}
"""Rules of which at least one must be broken by each planted bug."""


def tell(nursery: Nursery, exchange: RunningExchange, folder: Path, mutation: str | None) -> Found:
    """Three lives: killed between a request and its record, with answers that are lost, and between two commits."""
    story = Story(nursery, exchange, folder, Plan(seed=SEED, kills=3, mutation=mutation, faults=()))
    story.prepare(signals={"time_exit_bars": 1_000, "atr_stop": 5.0})
    _live(story, {VARIABLE: "ccxt.after_request:2"}, LIVES_S)
    exchange.add_fault("drop_after", method="POST", path=ROUTES, times=2)
    _live(story, {}, BETWEEN_S)
    _live(story, {VARIABLE: "ccxt.before_answer:2"}, LIVES_S)
    if mutation is None:
        return story.settle()[1]
    return story.settle(MUTANT_SETTLES_S, at_least_s=MUTANT_SETTLES_S)[1]


def _live(story: Story, environ: Mapping[str, str], seconds: float) -> None:
    daemon = story.daemon(environ)
    try:
        daemon.until_ready()
        story.trade_for(seconds, daemon)
    except EndedByItself:
        pass  # noted as an end of its own by `died`
    daemon.kill()
    story.died(daemon)
