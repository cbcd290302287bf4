"""The ratchet command in a process of its own that writes down when each step of its start was over.

Ages are seconds since the kernel started the process. Our count of the venue's allowance is lifted: a benchmark starts
more often than anybody does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bench.first_bar import age_s
from bench.venue import mark


def main() -> None:
    """Import everything that a live run on a venue needs, then run the command line with its steps watched."""
    import daemon.connection
    import daemon.service
    from brokers.ccxt.broker import CcxtBroker
    from daemon.cli.main import main as ratchet
    from daemon.notify import Notifier

    lift_budget()
    mark("imports", age_s=age_s())
    _after(daemon.connection, "account_of", "account")
    _after(daemon.connection, "load_history", "history")
    _after(CcxtBroker, "open", "broker")
    _around(daemon.service, "start")
    plain = Notifier.ready

    def ready(notifier: Notifier, status: str) -> None:
        plain(notifier, status)
        mark("ready", age_s=age_s())

    Notifier.ready = ready  # type: ignore[method-assign,assignment]  # only to see when it is called
    ratchet()


def lift_budget() -> None:
    """Nothing is asked too often any more."""
    from venues.budget import Budget

    async def take(_budget: Budget, _cost: float) -> None:
        return

    Budget.take = take  # type: ignore[method-assign,assignment]  # the exchange of a benchmark has no limits


def _after(owner: Any, name: str, told: str) -> None:
    """Write down when `owner.name` was over."""
    plain: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def call(*given: Any, **named: Any) -> Any:
        result = await plain(*given, **named)
        mark(told, age_s=age_s())
        return result

    setattr(owner, name, call)


def _around(owner: Any, name: str) -> None:
    """Write down when the reconciliation at the start began and when it was over."""
    plain: Callable[..., Awaitable[Any]] = getattr(owner, name)

    async def call(*given: Any, **named: Any) -> Any:
        mark("restored", age_s=age_s())
        result = await plain(*given, **named)
        mark("reconciled", age_s=age_s())
        return result

    setattr(owner, name, call)


if __name__ == "__main__":
    main()
