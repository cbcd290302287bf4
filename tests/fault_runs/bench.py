"""What the rows of the catalogue are made with: one exchange, one account, one daemon, and questions to all three."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from exchange.process import RunningExchange
from fault_runs.checker import STOP_RULE, Found
from fault_runs.daemons import Daemon, Nursery
from fault_runs.generous_exchange import GenerousExchange
from fault_runs.kill_harness import Plan, Story
from fault_runs.ledger_view import OURS, LedgerView
from fault_runs.wall import now_ms, pause, seconds_since, wait_until

ONE = ("BTCUSDT",)
TWO = ("BTCUSDT", "ETHUSDT")
SOON_S = 20.0
HELD = {"signals": {"time_exit_bars": 1_000, "trailing_activation_r": 10, "atr_stop": 10.0}}
"""Positions stay until somebody closes them."""


class NotAsExpected(AssertionError):
    """A fault was not survived as it must be."""


def demand(holds: object, told: str) -> None:
    if not holds:
        raise NotAsExpected(told)


class Bench:
    """Makes stories, each in a folder of its own under `folder`."""

    def __init__(self, nursery: Nursery, folder: Path) -> None:
        self.nursery, self.folder = nursery, folder
        self._made = 0

    @contextmanager
    def story(
        self,
        *,
        symbols: tuple[str, ...] = TWO,
        market: str = "spot",
        generous: bool = True,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Iterator[Trial]:
        """A prepared story on an exchange of its own; whatever still runs at the end is killed."""
        self._made += 1
        made: type[RunningExchange] = GenerousExchange if generous else RunningExchange
        folder = self.folder / f"trial-{self._made}"
        with made(seed=self._made) as exchange:
            plan = Plan(seed=self._made, kills=0, market=market, faults=(), symbols=symbols)
            trial = Trial(Story(self.nursery, exchange, folder, plan))
            trial.story.prepare(**(changes or {}))
            try:
                yield trial
            finally:
                trial.end()
        shutil.rmtree(folder)


class Trial:
    """One daemon on one story, and what can be asked of it."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.exchange = story.exchange
        self._daemon: Daemon | None = None

    @property
    def daemon(self) -> Daemon:
        demand(self._daemon is not None, "no daemon was started")
        assert self._daemon is not None
        return self._daemon

    def start(self, environ: Mapping[str, str] | None = None) -> Daemon:
        self._daemon = self.story.daemon(environ)
        self._daemon.until_ready()
        return self._daemon

    def end(self) -> None:
        if self._daemon is not None and self._daemon.lives:
            self._daemon.kill()

    # -- doing ------------------------------------------------------------------------------------------------

    def trade(self, seconds: float) -> None:
        self.story.trade_for(seconds, self.daemon)

    def trade_until(self, holds: Callable[[], object], what: str, seconds: float = SOON_S) -> float:
        """Let the market move until something holds; gives the seconds that took."""
        began = now_ms()
        while not holds():
            demand(self.daemon.lives, f"the daemon ended before {what}: {self.daemon.said[-800:]}")
            demand(seconds_since(began) < seconds, f"not within {seconds} s: {what}")
            self.story.market.move()
            pause(0.05)
        return seconds_since(began)

    def wait_for(self, holds: Callable[[], object], what: str, seconds: float = SOON_S) -> float:
        """As `trade_until`, in a market that stands still."""
        began = now_ms()
        demand(wait_until(holds, seconds, every_s=0.05), f"not within {seconds} s: {what}; {self.daemon.said[-800:]}")
        return seconds_since(began)

    def wait_for_quietly(self, holds: Callable[[], object], seconds: float) -> bool:
        return wait_until(holds, seconds, every_s=0.05)

    def watch(self, daemon: Daemon) -> None:
        """Take over a daemon that was started in another way."""
        self._daemon = daemon

    def finish(self, *, bare: bool = False) -> Found:
        """Stop it, start it once more in a quiet market, and check everything; with `bare` all but the time without a
        stop, where the exchange let nobody shorten it."""
        if self.daemon.lives:
            self.daemon.stop()
        self.story.died(self.daemon)
        self.story.ended_by_itself.clear()
        took, found = self.story.settle()
        found.figures["settled_s"] = took
        left = found.rules - ({STOP_RULE} if bare else set())
        demand(not left, found.told())
        return found

    # -- asking -----------------------------------------------------------------------------------------------

    def view(self) -> LedgerView:
        return LedgerView(self.exchange.ledger(), self.story.plan.market)

    def posts(self) -> list[Mapping[str, Any]]:
        """Placements of ours that reached the exchange."""
        return [
            each for each in self.view().requests if each["method"] == "POST" and each["client_id"].startswith(OURS)
        ]

    def rests(self) -> int:
        """Stops of ours that rest."""
        return sum(order.is_stop and order.rests for order in self.view().orders)

    def held(self) -> int:
        return sum(position.ended is None for position in self.view().held)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.story.journal}?mode=ro", uri=True, timeout=5)) as journal:
            return journal.execute(query).fetchall()

    def count(self, query: str) -> int:
        return int(self.rows(query)[0][0])

    def scans(self) -> int:
        return self.count("SELECT count(*) FROM scans")

    def unknown(self) -> int:
        return self.count("SELECT count(*) FROM orders WHERE state = 'unknown'")

    def holds(self) -> dict[str, str]:
        """Effect by cause of the holds in force."""
        query = """SELECT cause, effect FROM holds h WHERE cleared_at IS NULL
        AND row_id = (SELECT max(row_id) FROM holds l WHERE l.hold_id = h.hold_id)"""
        return dict(self.rows(query))

    def incidents(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT kind FROM incidents ORDER BY at")]


def file_limit(pid: int, limit: int) -> tuple[int, int]:
    """Set how many files a process may have open; gives the limit before."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    return before


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
