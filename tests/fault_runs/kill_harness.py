"""One market, one account, and a daemon that is killed again and again; then quiet, and the checker.

Everything random comes from the seed: how the market moves, what the exchange does to requests, and when the daemon is
killed, which is before it is ready, while it trades, or while a request of its is under way. What the machine makes of
that differs from run to run; the rules do not.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exchange.process import RunningExchange
from fault_runs.checker import ORPHAN_RULE, STOP_RULE, Found, Life, Run, check
from fault_runs.daemons import Daemon, EndedByItself, Nursery
from fault_runs.ledger_view import Span
from fault_runs.market_story import STARTS, STEP, Market, configuration, toml
from fault_runs.wall import now_ms, pause, seconds_of_minute, seconds_since, wait_until

TICK_S = 0.1
SETTLE_S = 60.0
BEFORE_CLOSE_S = 56.0
HISTORY = frozenset({STOP_RULE, ORPHAN_RULE})
"""Rules that no waiting mends."""
STARTING, TRADING, SENDING = "starting", "trading", "sending"
ROUTES = "/(order|algoOrder)$"
UNANSWERED_MS = 7_000
"""How long after a placement without an answer a stop may be missing for the exchange's sake."""
STEPS = {"spot": STEP, "linear": STEP / 4}
"""Bars of a minute are decided on once a minute: there the market moves less, so that positions last."""
NOISE: Sequence[Mapping[str, Any]] = (
    {"kind": "delay_after", "method": "POST", "path": ROUTES, "times": None, "probability": 0.5, "ms": 60},
    {"kind": "partial", "method": "POST", "path": ROUTES, "times": None, "probability": 0.1, "share": "0.4"},
    {"kind": "trades_repeated", "path": "rades", "times": None, "probability": 0.2},
    {"kind": "trades_reordered", "path": "rades", "times": None, "probability": 0.2},
)
"""What the exchange does to requests in every story; the first makes a kill in the middle of a send likely."""
TROUBLE: Sequence[Mapping[str, Any]] = (
    {"kind": "drop_after", "method": "POST", "path": ROUTES, "times": None, "probability": 0.03},
    {"kind": "status_after", "method": "POST", "path": ROUTES, "times": None, "probability": 0.03},
    {"kind": "drop_before", "method": "POST", "path": ROUTES, "times": None, "probability": 0.01},
    {"kind": "drop_after", "method": "GET", "times": None, "probability": 0.01},
    {"kind": "drop_after", "method": "POST", "path": ROUTES, "skip": 3, "times": 2},
)
"""Answers that are lost, in every second story: by chance, and the fourth and fifth for certain."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One story. `mutation` names a planted bug; `crashes` are values of RATCHET_CRASH_AT, one a life."""

    seed: int
    kills: int
    market: str = "spot"
    trouble: bool = False
    mutation: str | None = None
    faults: Sequence[Mapping[str, Any]] = NOISE
    symbols: tuple[str, ...] = tuple(STARTS)


@dataclass(kw_only=True, slots=True)
class Told:
    """What came of a story."""

    found: Found
    lives: list[Life]
    killed: dict[str, int]
    ledger: dict[str, Any]
    recovery_s: list[float] = field(default_factory=list)
    ended_by_itself: list[str] = field(default_factory=list)
    settled_s: float = 0.0


class Story:
    """An exchange, a market, and the state of one account in `folder`."""

    def __init__(self, nursery: Nursery, exchange: RunningExchange, folder: Path, plan: Plan) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.nursery, self.exchange, self.folder, self.plan = nursery, exchange, folder, plan
        self.market = Market(exchange, plan.seed, plan.symbols)
        self.lives: list[Life] = []
        self.killed = {STARTING: 0, TRADING: 0, SENDING: 0}
        self.recovery_s: list[float] = []
        self.ended_by_itself: list[str] = []
        self.starts = 0

    @property
    def journal(self) -> Path:
        return self.folder / "state" / "demo-main" / "journal.sqlite"

    def prepare(self, **changes: Mapping[str, Any]) -> None:
        """Tell the past, write the configuration, switch the noise on."""
        plan = self.plan
        self.market.tell_past("1s" if plan.market == "spot" else "1m")
        sections = configuration(self.exchange.port, plan.market, plan.symbols, **changes)
        (self.folder / "ratchet.toml").write_text(toml(sections))
        for fault in (*plan.faults, *(TROUBLE if plan.trouble else ())):
            self.exchange.add_fault(**fault)

    def daemon(self, environ: Mapping[str, str] | None = None) -> Daemon:
        self.starts += 1
        return Daemon(self.nursery, self.folder, self.starts, environ=environ, mutation=self.plan.mutation)

    def trade_for(self, seconds: float, daemon: Daemon, until: Callable[[], bool] | None = None) -> None:
        """Let the market move for so long, while the daemon lives and `until` does not hold."""
        began = now_ms()
        while seconds_since(began) < seconds and daemon.lives and not (until is not None and until()):
            self.market.move(STEPS[self.plan.market])
            pause(min(TICK_S, max(0.0, seconds - seconds_since(began))))

    def died(self, daemon: Daemon) -> None:
        """Note a life that is over."""
        assert daemon.ended_ms is not None
        self.lives.append(Life(began=daemon.began_ms, ready=daemon.ready_ms, ended=daemon.ended_ms))
        if daemon.status != -9:
            self.ended_by_itself.append(f"life {self.starts} ended with {daemon.status}: {daemon.said[-600:]}")

    def settle(self, within_s: float = SETTLE_S, at_least_s: float = 0.0) -> tuple[float, Found]:
        """The market stands still and nothing goes wrong any more: start the daemon a last time, wait until the
        journal says what the exchange says, stop it, and check."""
        self.exchange.calm()
        daemon = self.daemon()
        began = now_ms()
        try:
            daemon.until_ready()
            wait_until(
                lambda: not daemon.lives or (seconds_since(began) >= at_least_s and self._is_settled()),
                within_s,
                every_s=0.5,
            )
        except EndedByItself as error:
            self.ended_by_itself.append(str(error))
        took = seconds_since(began)
        daemon.stop()
        self.died(daemon)
        if daemon.status == 0:
            self.ended_by_itself.pop()
        return took, self.check()

    def _is_settled(self) -> bool:
        found = check(replace(self._run(self.exchange.ledger()), venue_log=None))
        return not found.rules - HISTORY and not self._open_questions()

    def _open_questions(self) -> int:
        query = """SELECT count(*) FROM orders o WHERE state IN ('pending', 'unknown')
        AND version = (SELECT max(version) FROM orders l WHERE l.client_order_id = o.client_order_id)"""
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as journal:
            return int(journal.execute(query).fetchone()[0])

    def _run(self, ledger: Mapping[str, Any]) -> Run:
        return Run(
            ledger=ledger,
            market=self.plan.market,
            journal=self.journal,
            venue_log=self.journal.with_name("venue.sqlite"),
            lives=self.lives,
            excused=_unanswered(ledger),
        )

    def check(self) -> Found:
        found = check(self._run(self.exchange.ledger()))
        if self.ended_by_itself:
            found.faults += [("only a kill ends it", told) for told in self.ended_by_itself]
        return found


def _unanswered(ledger: Mapping[str, Any]) -> list[Span]:
    """The times after placements to which the exchange gave no answer, joined."""
    spans: list[Span] = []
    for each in ledger["requests"]:
        if each["method"] != "POST" or each["answered"]:
            continue
        began, ended = int(each["at"]), int(each["at"]) + UNANSWERED_MS
        if spans and began <= spans[-1][1]:
            spans[-1] = (spans[-1][0], ended)
        else:
            spans.append((began, ended))
    return spans


def random_kills(story: Story, progress: Callable[[int], None] | None = None) -> Told:
    """Tell a story of kills at seeded random times."""
    plan = story.plan
    draw = random.Random(plan.seed)  # noqa: S311 - a story that can be told again, nothing secret
    story.prepare()
    if plan.market == "linear":
        _wait_for_close(story)  # an account that has never scanned begins with a close that it lives to see
    for number in range(plan.kills):
        moment = draw.choices((STARTING, TRADING, SENDING), weights=(3, 4, 3))[0]
        if plan.market == "linear" and seconds_of_minute() >= BEFORE_CLOSE_S:
            _over_the_close(story, draw.random())
        else:
            _one_life(story, moment, draw.random())
        if progress is not None:
            progress(number + 1)
    took, found = story.settle()
    return Told(
        found=found,
        lives=story.lives,
        killed=story.killed,
        ledger=story.exchange.ledger(),
        recovery_s=story.recovery_s,
        ended_by_itself=story.ended_by_itself,
        settled_s=took,
    )


def _wait_for_close(story: Story) -> None:
    while seconds_of_minute() < BEFORE_CLOSE_S:
        story.market.move()
        pause(TICK_S)


def _over_the_close(story: Story, share: float) -> None:
    """A daemon on bars of a minute lives over the close and dies while, or soon after, it acts on it."""
    daemon = story.daemon()
    try:
        story.recovery_s.append(daemon.until_ready())
        before = _orders_asked(story)
        story.trade_for(63.0 - seconds_of_minute(), daemon, until=lambda: _orders_asked(story) > before)
        story.trade_for(0.5 * share, daemon)
    except EndedByItself:
        pass
    daemon.kill()
    story.killed[SENDING] += 1
    story.died(daemon)


def _one_life(story: Story, moment: str, share: float) -> None:
    daemon = story.daemon()
    if moment == STARTING:
        story.trade_for(0.02 + 0.5 * share, daemon)
    else:
        try:
            story.recovery_s.append(daemon.until_ready())
        except EndedByItself:
            daemon.kill()
            story.died(daemon)
            return
        if moment == TRADING:
            story.trade_for(1.2 * share, daemon)
        else:
            before = _orders_asked(story)
            story.trade_for(2.5, daemon, until=lambda: _orders_asked(story) > before)
            pause(0.06 * share)
    daemon.kill()
    story.killed[moment if daemon.ready_ms is not None else STARTING] += 1
    story.died(daemon)


def _orders_asked(story: Story) -> int:
    calls: Mapping[str, int] = story.exchange.ledger()["calls"]
    return sum(count for name, count in calls.items() if name.startswith(("POST ", "DELETE ")) and "rder" in name)
