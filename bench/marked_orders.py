"""The ratchet command in a process of its own that writes down, for every entry, when each step on its way was taken.

Times are the machine's, in seconds since 1970: the exchange in its own process reads the same clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.marked_start import lift_budget
from bench.venue import mark

NANOSECONDS = 1e9


@dataclass(slots=True)
class Steps:
    """The moments of the scan that is under way, and of the order that is being sent."""

    times: dict[str, float] = field(default_factory=dict)

    def now(self, name: str) -> None:
        self.times[name] = time.time_ns() / NANOSECONDS

    def told(self, client_order_id: str) -> None:
        mark("order", client_order_id=client_order_id, **self.times)


def main() -> None:
    """Run the command line with the way of an entry watched."""
    from daemon.cli.main import main as ratchet

    lift_budget()
    watch(Steps())
    ratchet()


def watch(steps: Steps) -> None:
    """Put a clock around the scan, the commit of its intents, the venue log's row, and the request."""
    _watch_scans(steps)
    _watch_commits(steps)
    _watch_rows(steps)
    _watch_requests(steps)
    _mark_readiness()


def _watch_scans(steps: Steps) -> None:
    from trading.session import Session

    scan = Session.on_closes

    async def on_closes(session: Session, moment: Any) -> None:
        steps.times = {"closed": moment.at.timestamp()}
        steps.now("scan")
        await scan(session, moment)

    _put(Session, "on_closes", on_closes)


def _watch_commits(steps: Steps) -> None:
    """The commits of entries alone: only their way is measured."""
    from domain.orders import Leg
    from trading.orders import OrderDesk

    commit = getattr(OrderDesk, "_commit")  # noqa: B009 - it is private

    async def committed(desk: OrderDesk, batch: Any, meant: Any) -> None:
        if not any(intent.leg is Leg.ENTRY for intent in meant):
            await commit(desk, batch, meant)
            return
        steps.now("commit")
        await commit(desk, batch, meant)
        steps.now("committed")

    _put(OrderDesk, "_commit", committed)


def _watch_rows(steps: Steps) -> None:
    from brokers.ccxt.log import Log

    writing = Log.writing

    @contextmanager
    def written(log: Log, what: Any) -> Iterator[None]:
        steps.now("row")
        with writing(log, what):
            yield
        steps.now("rowed")

    _put(Log, "writing", written)


def _watch_requests(steps: Steps) -> None:
    """The request of an entry ends its way: what was noted of it is told."""
    from venues.account import CcxtAccount

    place = CcxtAccount.place

    async def placed(account: CcxtAccount, request: Any) -> Any:
        if "committed" in steps.times and request.stop_price is None and request.side.sign > 0:
            steps.now("place")
            steps.told(request.client_order_id)
            del steps.times["committed"]
        return await place(account, request)

    _put(CcxtAccount, "place", placed)


def _mark_readiness() -> None:
    from daemon.notify import Notifier

    ready = Notifier.ready

    def told_ready(notifier: Notifier, status: str) -> None:
        ready(notifier, status)
        mark("ready")

    _put(Notifier, "ready", told_ready)


def _put(owner: type, name: str, watched: Callable[..., Any]) -> None:
    setattr(owner, name, watched)


if __name__ == "__main__":
    main()
