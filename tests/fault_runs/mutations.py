"""Planted bugs: each changes the product in a forked daemon before it runs, and the checker must notice.

They are the mistakes that other programs make: sending before recording, counting an execution each time it is told,
sending again what may have arrived, entering without a stop, and beginning after a restart with what is told next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from brokers.ccxt.broker import CcxtBroker
from brokers.ccxt.log import Log
from brokers.ccxt.records import Standing
from brokers.protocol import Events, OrderReport
from domain.orders import Intent
from journal.batch import Batch
from trading.books import Books
from trading.guardian import Guardian
from trading.orders import OrderDesk
from trading.protection import Protection
from trading.trades import Changes
from venues.account import CcxtAccount
from venues.records import VenueTrade


def send_before_commit() -> None:
    """What is meant is sent first and made durable afterwards."""

    async def commit(desk: OrderDesk, batch: Batch, meant: Sequence[Intent]) -> None:
        desk._durable.extend(meant)
        await desk._send_durable()
        await desk._writer.commit(batch)

    OrderDesk._commit = commit  # type: ignore[assignment, method-assign]  # the bug that is planted


def count_executions_again() -> None:
    """No execution is recognised as one that was told before."""

    class Forgetful(set[tuple[str, str]]):
        def __contains__(self, key: object) -> bool:
            return False

    def has_trade(log: Log, trade: VenueTrade, *, as_ours: bool = False) -> bool:
        return False

    made = Books.__init__

    def make(books: Books, *arguments: Any, **named: Any) -> None:
        made(books, *arguments, **named)
        books.seen_fills = Forgetful()

    Log.has_trade = has_trade  # type: ignore[assignment, method-assign]  # the bug that is planted
    Books.__init__ = make  # type: ignore[assignment, method-assign]


def send_again_unasked() -> None:
    """What may have arrived is not asked for by its id but sent again under it."""
    place = CcxtBroker._place

    async def order(account: CcxtAccount, symbol: str, client_order_id: str) -> OrderReport | None:
        return None

    async def place_again(broker: CcxtBroker, intent: Intent) -> None:
        known = broker._log.order(intent.client_order_id)
        if known is not None and known.standing is Standing.ASKED:
            with broker._log.writing("facts"):
                broker._log.put_order(replace(known, standing=Standing.UNSENT))
        await place(broker, intent)

    async def resolve_place(desk: OrderDesk, intent: Intent, changes: Changes) -> None:
        desk._queue(intent)

    CcxtAccount.order = order  # type: ignore[assignment, method-assign]  # the bug that is planted
    CcxtBroker._place = place_again  # type: ignore[assignment, method-assign]
    OrderDesk._resolve_place = resolve_place  # type: ignore[assignment, method-assign]


def enter_without_stop() -> None:
    """No stop is placed, and nobody looks for one."""

    def size(*_arguments: Any, **_named: Any) -> None:
        return None

    def look(guardian: Guardian, now: datetime, *_arguments: Any, **_named: Any) -> list[Intent]:
        return []

    Protection._size = size  # type: ignore[method-assign]  # the bug that is planted
    Guardian.look = look  # type: ignore[assignment, method-assign]


def begin_with_what_comes_next() -> None:
    """After a restart the facts that were told meanwhile are taken for known, as with a cursor that is not kept."""
    events = CcxtBroker.events
    ends: dict[int, str] = {}

    async def begin_at_the_end(broker: CcxtBroker, after: str) -> Events:
        if after and id(broker) not in ends:
            told = await events(broker, after)
            ends[id(broker)] = told.cursor
            return Events(events=(), cursor=told.cursor)
        first = ends.setdefault(id(broker), after)
        behind = after and int(after.partition("-")[0]) < int(first.partition("-")[0] or 0)
        return await events(broker, first if behind else after)

    CcxtBroker.events = begin_at_the_end  # type: ignore[assignment, method-assign]  # the bug that is planted


MUTATIONS: Mapping[str, Callable[[], None]] = {
    "sent before committed": send_before_commit,
    "executions counted again": count_executions_again,
    "sent again unasked": send_again_unasked,
    "entered without a stop": enter_without_stop,
    "facts of the dead time dropped": begin_with_what_comes_next,
}
