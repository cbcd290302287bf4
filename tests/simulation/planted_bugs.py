"""Bugs to be planted into the product while a seed runs: the simulation must find every one of them.

Each is what a hasty programmer might have written. Nothing of the product knows of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import simulation.life

import brokers.ccxt.account
import brokers.ccxt.broker
import brokers.ccxt.executions
import brokers.ccxt.story
import brokers.ccxt.watch
from brokers.ccxt.absence import Absence
from brokers.ccxt.broker import CcxtBroker
from brokers.ccxt.executions import Executions
from brokers.ccxt.log import Log
from brokers.ccxt.story import Story
from brokers.ccxt.translate import request_of
from daemon.wiring import Trading
from domain.errors import NotAvailable, VenueUnavailable
from domain.orders import Fill, Intent, Leg, Order, OrderState
from journal.batch import Batch
from trading.books import Books
from trading.guardian import Guardian
from trading.holds import HoldBook
from trading.orders import OrderDesk
from trading.protection import Protection
from trading.reconcile import Finding, Mismatch
from trading.reconciler import Reconciler
from trading.session import Session
from trading.trades import Changes
from venues.account import CcxtAccount
from venues.records import Holdings, OrderRequest, VenueOrder

Plant = Callable[[ExitStack], None]


@dataclass(frozen=True, slots=True)
class Bug:
    """`profile` is what has to go wrong for it to show, `why` what it breaks. The search begins with `first_seed`: near
    one in which it shows, to spare time."""

    plant: Plant
    profile: str
    why: str
    first_seed: int = 1


def _put(stack: ExitStack, owner: object, name: str, new: object) -> None:
    stack.enter_context(patch.object(owner, name, new))


def _sent_before_commit(stack: ExitStack) -> None:
    async def commit(self: OrderDesk, batch: Batch, meant: Sequence[Intent]) -> None:
        self._durable.extend(meant)
        await self._send_durable()
        await self._writer.commit(batch)

    _put(stack, OrderDesk, "_commit", commit)


def _fills_counted_twice(stack: ExitStack) -> None:
    apply = Books._apply_fill

    def forgetful(self: Books, fill: Fill, order: Order, changes: Changes) -> None:
        self.seen_fills.clear()
        apply(self, fill, order, changes)

    _put(stack, Log, "has_trade", lambda *_, **__: False)
    _put(stack, Books, "_apply_fill", forgetful)


def _sent_again(stack: ExitStack, reworded: Callable[[OrderRequest], OrderRequest]) -> None:
    place = CcxtAccount.place

    async def stubborn(self: CcxtAccount, request: OrderRequest) -> VenueOrder:
        try:
            return await place(self, request)
        except VenueUnavailable:
            return await place(self, reworded(request))

    _put(stack, CcxtAccount, "place", stubborn)


def _sent_again_with_the_same_id(stack: ExitStack) -> None:
    _sent_again(stack, lambda request: request)


def _sent_again_with_a_new_id(stack: ExitStack) -> None:
    _sent_again(stack, lambda request: replace(request, client_order_id=f"{request.client_order_id[:-1]}x"))


def _unknown_is_failed(stack: ExitStack) -> None:
    def mark(self: OrderDesk, order: Order, reason: str, changes: Changes) -> None:
        if order.state is OrderState.PENDING:
            self._books.set_state(order, OrderState.ABSENT, self._clock.now(), changes, reason=reason)

    _put(stack, OrderDesk, "_mark_unknown", mark)


def _not_looked_up(stack: ExitStack) -> None:
    async def find(self: CcxtBroker, intent: Intent) -> None:
        return None

    _put(stack, CcxtBroker, "find", find)


def _absent_at_once(stack: ExitStack) -> None:
    async def prove(self: Absence, intent: Intent) -> None:
        return None

    _put(stack, Absence, "prove", prove)


def _ends_before_executions(stack: ExitStack) -> None:
    def settle(self: Story) -> None:
        for order in self.log.open_orders():
            if order.is_ending and order.seen_state in brokers.ccxt.story._ENDS:
                self._end(order, order.seen_state)
        for cancel in self.log.untold_cancels():
            if cancel.standing.value != "asked":
                self._answer(cancel, self.log.order(cancel.target_id))

    _put(stack, Story, "settle", settle)
    _put(stack, Story, "is_settled", property(lambda self: False))


def _stop_not_resized(stack: ExitStack) -> None:
    size = Protection._size

    def once(self: Protection, trade: Any, position: Any, leg: Leg, price: Decimal, draft: Any) -> None:
        if not draft.books.open_orders(trade.trade_id, leg):
            size(self, trade, position, leg, price, draft)

    _put(stack, Protection, "_size", once)


def _orphans_left(stack: ExitStack) -> None:
    look = Protection._look_after

    def forgetful(self: Protection, trade: Any, draft: Any) -> None:
        if trade.position is None or trade.position.is_open:
            look(self, trade, draft)

    _put(stack, Protection, "_look_after", forgetful)
    _put(stack, Protection, "_withdraw_orphans", lambda self, draft: None)


def _empty_report_believed(stack: ExitStack) -> None:
    holdings, act = CcxtAccount.holdings, Reconciler._act

    async def believing(self: CcxtAccount) -> Holdings:
        try:
            return await holdings(self)
        except VenueUnavailable:
            return Holdings(at=self._clock.now(), totals={}, positions={})

    def dropping(self: Reconciler, findings: Sequence[Finding], report: Any, now: datetime, batch: Batch) -> None:
        act(self, tuple(findings), report, now, batch)
        for finding in findings:
            if finding.kind is Mismatch.POSITION and finding.theirs == "0":
                self._books.trades.pop(finding.instrument or "", None)

    _put(stack, CcxtAccount, "holdings", believing)
    _put(stack, brokers.ccxt.account, "_is_believable", lambda holdings, *, had_money: True)
    _put(stack, Reconciler, "_act", dropping)


def _exits_may_open(stack: ExitStack) -> None:
    def worded(intent: Intent, abilities: Any) -> OrderRequest:
        return replace(request_of(intent, abilities), reduce_only=False)

    _put(stack, brokers.ccxt.broker, "request_of", worded)


def _foreign_orders_cancelled(stack: ExitStack) -> None:
    run = Reconciler.run

    async def tidy(self: Reconciler, batch: Batch) -> tuple[Finding, ...]:
        findings = await run(self, batch)
        for finding in findings:
            if finding.kind is Mismatch.FOREIGN_ORDER:
                broker: Any = self._broker
                await broker._link.cancel(finding.instrument, finding.theirs)
        return findings

    _put(stack, Reconciler, "run", tidy)


def _latched_holds_forgotten(stack: ExitStack) -> None:
    restore = HoldBook.restore
    _put(stack, HoldBook, "restore", lambda self, holds: restore(self, [each for each in holds if not each.latched]))


def _no_barrier(stack: ExitStack) -> None:
    async def start(trading: Trading) -> None:
        await trading.session.desk.pump()

    _put(stack, simulation.life, "start", start)


def _base_fee_ignored(stack: ExitStack) -> None:
    priced = brokers.ccxt.story.priced

    def without(*arguments: Any) -> Any:
        told = priced(*arguments)
        return replace(told, fill=replace(told.fill, base_fee=Decimal(0)))

    _put(stack, brokers.ccxt.story, "priced", without)


def _no_approval(stack: ExitStack) -> None:
    _put(stack, brokers.ccxt.broker, "demand_approval", lambda intent, now: None)
    _put(stack, OrderDesk, "_is_fresh", lambda self, intent: True)


def _no_guardian(stack: ExitStack) -> None:
    _put(stack, Guardian, "look", lambda self, now, quotes, batch: [])


def _mark_moved_past_untold(stack: ExitStack) -> None:
    read = Executions.read

    async def hasty(self: Executions, symbol: str, *, since: datetime | None = None) -> Any:
        asked_at = self._clock.now() + self._link.skew
        told = await read(self, symbol)
        self._read_to[symbol] = asked_at
        return told

    _put(stack, Executions, "read", hasty)
    _put(stack, brokers.ccxt.executions, "OVERLAP", timedelta(0))


def _numbers_forgotten(stack: ExitStack) -> None:
    _put(stack, Books, "next_attempt", lambda self, trade_id, leg: 1)


def _holds_ignored(stack: ExitStack) -> None:
    scan = Session._scan

    def careless(self: Session, moment: Any, now: datetime, point: Any) -> Any:
        with patch.object(HoldBook, "in_force", lambda self, now: ()):
            return scan(self, moment, now, point)

    _put(stack, Session, "_scan", careless)


def _lost_stop_not_replaced(stack: ExitStack) -> None:
    async def recheck(self: OrderDesk, orders: Any) -> None:
        return None

    _put(stack, OrderDesk, "recheck", recheck)
    _put(stack, brokers.ccxt.watch.Watch, "_look_at_orders", _look_at_nothing)
    _put(stack, Guardian, "look", lambda self, now, quotes, batch: [])


async def _look_at_nothing(self: Any, listed: Mapping[str, VenueOrder], *, full: bool) -> None:
    for order in self._log.open_orders():
        if order.in_question:
            found = await self._link.order(order.symbol, order.client_order_id)
            if found is not None:
                self.take_up(found)


def _silence_is_absence(stack: ExitStack) -> None:
    find = CcxtBroker.find

    async def guessing(self: CcxtBroker, intent: Intent) -> Any:
        try:
            return await find(self, intent)
        except NotAvailable:
            return None

    _put(stack, CcxtBroker, "find", guessing)


BUGS: Mapping[str, Bug] = {
    "sent before commit": Bug(_sent_before_commit, "none", "an order leaves that a crash forgets"),
    "fills counted twice": Bug(_fills_counted_twice, "lies", "a repeated execution moves the position again"),
    "sent again with the same id": Bug(_sent_again_with_the_same_id, "answers", "an id is free again once filled"),
    "sent again with a new id": Bug(_sent_again_with_a_new_id, "answers", "the first may have arrived"),
    "unknown is failed": Bug(_unknown_is_failed, "answers", "an order without an answer may be there"),
    "not looked up": Bug(_not_looked_up, "torn", "an order without an answer may be there"),
    "absent at once": Bug(_absent_at_once, "torn", "a request may still be under way"),
    "silence is absence": Bug(_silence_is_absence, "torn", "no answer is taken for a no"),
    "ends before executions": Bug(_ends_before_executions, "ends", "an end is told while executions are not"),
    "stop not resized": Bug(_stop_not_resized, "thin", "the stop is larger than what is left"),
    "orphans left": Bug(_orphans_left, "none", "a stop outlasts its position"),
    "lost stop not replaced": Bug(_lost_stop_not_replaced, "refusals", "a stop that is gone is believed to rest"),
    "empty report believed": Bug(_empty_report_believed, "lies", "an answer that lacks a position makes it flat"),
    "exits may open": Bug(_exits_may_open, "none", "an exit can open a position"),
    "foreign orders cancelled": Bug(_foreign_orders_cancelled, "people", "somebody else's order is taken back"),
    "latched holds forgotten": Bug(_latched_holds_forgotten, "people", "a restart lifts a halt"),
    "holds ignored": Bug(_holds_ignored, "people", "a paused account is entered"),
    "no barrier": Bug(_no_barrier, "none", "something is entered before the venue was asked"),
    "base fee ignored": Bug(_base_fee_ignored, "none", "more is believed held than is"),
    "no approval": Bug(_no_approval, "bans", "an old order leaves"),
    "no guardian": Bug(_no_guardian, "refusals", "a position stays without a stop"),
    "mark moved past untold": Bug(_mark_moved_past_untold, "lies", "an execution is never told"),
    "numbers forgotten": Bug(_numbers_forgotten, "none", "an id is used for two orders"),
}
"""Every planted bug by its name."""


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant one bug while inside; None plants nothing."""
    with ExitStack() as stack:
        if name is not None:
            BUGS[name].plant(stack)
        yield
