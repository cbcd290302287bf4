"""Asks the venue what happened, as seldom as the open questions allow, and has the answers told.

A stale list never ends an order: what is no longer listed is asked for by id. An end is told once the executions
told add up to what the venue says was executed; until then executions are read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from brokers.ccxt.executions import Executions
from brokers.ccxt.log import Log
from brokers.ccxt.records import (
    ASK_AGAIN,
    IDLE,
    PAYMENTS,
    RECENT,
    RESTING,
    SWEEP,
    AskedCancel,
    CancelStanding,
    KnownOrder,
    Reach,
    Standing,
)
from brokers.ccxt.story import FOUNDED_AT, Story
from domain.clock import Clock
from domain.errors import Impossible, VenueRejected
from venues.link import AccountLink
from venues.records import MarketKind, VenueOrder

PAYMENTS_READ_TO = "payments_read_to"


class Watch:
    """One account's questions. Only one round runs at a time; the broker sees to that."""

    def __init__(self, *, log: Log, link: AccountLink, story: Story, currency: str, clock: Clock, reach: Reach) -> None:
        self._log = log
        self._link = link
        self._story = story
        self._currency = currency
        self._clock = clock
        self._reach = reach
        self.executions = Executions(log=log, link=link, story=story, clock=clock)
        self._rung = True
        self._pressed = False
        self._last_full: datetime | None = None
        self._sweeps = True
        self._last_sweep: datetime | None = None
        self._last_round: datetime | None = None
        self._payments_read: datetime | None = None
        self._payments_to: datetime | None = None

    def ring(self) -> None:
        """Something happened at the venue: look at the orders. Rings that follow each other closely share one look."""
        self._rung = True

    def sweep(self) -> None:
        """Look at everything, executions that no order tells of included, at once."""
        self._rung = self._sweeps = True

    def press(self) -> None:
        """Something was just sent: ask about what is in question, at once."""
        self._pressed = True

    @property
    def venue_now(self) -> datetime:
        return self._clock.now() + self._link.skew

    def is_due(self, now: datetime) -> bool:
        return self._is_full_due(now) or self._pressed or self._is_question_due(now)

    async def round(self, now: datetime) -> None:
        """Ask what is due, and tell what follows. Raises what the link raises; then the same is due again."""
        full = self._is_full_due(now)
        rung, self._rung = self._rung, False
        done = False
        self._reach("ccxt.before_round")
        try:
            await self._take_back_overdue(now)
            listed = await self.listed() if full else {}
            await self._look_at_orders(listed, full=full)
            await self._read_executions(now, full=full)
            self._settle()
            if full and self._is_margin and _is_past(self._payments_read, now, PAYMENTS.total_seconds()):
                await self.read_payments(now)
            done = True
        finally:
            self._rung = self._rung or (rung and not done)
        self._pressed = False
        self._last_round = now
        if full:
            self._last_full = now
        self._reach("ccxt.after_round")

    async def listed(self) -> Mapping[str, VenueOrder]:
        """The open orders of ours by client id, each taken up if it was not known."""
        return self.heard(await self._link.open_orders())

    def heard(self, orders: Sequence[VenueOrder]) -> Mapping[str, VenueOrder]:
        """Take up what a list of open orders shows; what is not ours is left out."""
        ours: dict[str, VenueOrder] = {}
        for order in orders:
            if self.take_up(order) is not None:
                ours[order.client_order_id or ""] = order
        return ours

    def take_up(self, order: VenueOrder) -> KnownOrder | None:
        """Note the venue's word on one order; None for one that is not ours. Commits only what is new."""
        known = self._log.order(order.client_order_id or "")
        told = known is not None and known.standing in (Standing.OPEN, Standing.ENDED)
        if known is not None and told and known.seen(order) == known:
            return known
        with self._log.writing("facts"):
            return self._story.met(order)

    async def read_payments(self, now: datetime) -> None:
        """Funding and transfers that were not told, in the account's currency: others do not move its balance."""
        founded = self._log.meta(FOUNDED_AT)
        if founded is None:
            raise Impossible(f"the venue log {self._log.path} was never founded")
        since, asked_at = datetime.fromisoformat(founded), self.venue_now
        mark = self._payments_to or datetime.fromisoformat(self._log.meta(PAYMENTS_READ_TO) or founded)
        fresh = [
            each
            for each in await self._link.payments(max(since, mark - RECENT))
            if each.at >= since and each.currency == self._currency and not self._log.has_payment(each.payment_id)
        ]
        if fresh:
            with self._log.writing("facts"):
                for payment in fresh:
                    self._story.paid(payment)
                self._log.put_meta([(PAYMENTS_READ_TO, asked_at.isoformat())])
        self._payments_read, self._payments_to = now, asked_at

    @property
    def _is_margin(self) -> bool:
        return self._link.abilities.market is not MarketKind.SPOT

    def _is_full_due(self, now: datetime) -> bool:
        busy = self._log.open_orders() or any(self._log.nets().values())
        pause = ASK_AGAIN if self._rung else RESTING if busy else IDLE
        return self._sweeps or _is_past(self._last_full, now, pause.total_seconds())

    def _is_question_due(self, now: datetime) -> bool:
        asked = any(order.in_question or order.is_overdue(now) for order in self._log.open_orders())
        return (asked or bool(self._cancels())) and _is_past(self._last_round, now, ASK_AGAIN.total_seconds())

    def _cancels(self) -> dict[str, AskedCancel]:
        """Cancels that the venue answered and whose outcome is not told, by the order they mean."""
        untold = self._log.untold_cancels()
        return {each.target_id: each for each in untold if each.standing is not CancelStanding.ASKED}

    async def _take_back_overdue(self, now: datetime) -> None:
        for order in self._log.open_orders():
            if not order.is_overdue(now):
                continue
            if not order.expiring:
                with self._log.writing("facts"):
                    self._log.put_order(replace(order, expiring=True))
            self._reach("ccxt.before_request")
            try:
                await self._link.cancel(order.symbol, order.client_order_id)
            except VenueRejected:
                continue  # it is overdue still, and asked again in the next round
            self._reach("ccxt.after_request")

    async def _look_at_orders(self, listed: Mapping[str, VenueOrder], *, full: bool) -> None:
        cancels = self._cancels()
        for order in self._log.open_orders():
            name = order.client_order_id
            if order.in_question or name in cancels or (full and name not in listed):
                found = await self._link.order(order.symbol, name)
                if found is not None:
                    self.take_up(found)
        for target, cancel in cancels.items():
            if self._log.order(target) is None:
                found = await self._link.order(cancel.symbol, target)
                if found is not None:
                    self.take_up(found)

    async def _read_executions(self, now: datetime, *, full: bool) -> None:
        behind = {order.symbol for order in self._log.open_orders() if order.is_behind}
        also: set[str] = set()
        sweeps = full and (self._sweeps or _is_past(self._last_sweep, now, SWEEP.total_seconds()))
        if sweeps:
            also = {order.symbol for order in self._log.open_orders()}
            also |= {symbol for symbol, net in self._log.nets().items() if net != 0}
            also |= set(self._log.symbols_since(self.venue_now - RECENT))
        for symbol in sorted(behind | also):
            await self.executions.read(symbol)
        for symbol in sorted({order.symbol for order in self._log.open_orders() if order.is_behind}):
            late = [order.sent_at for order in self._log.open_orders() if order.is_behind and order.symbol == symbol]
            await self.executions.read(symbol, since=min(late))
        if sweeps:
            self._sweeps, self._last_sweep = False, now

    def _settle(self) -> None:
        if not self._story.is_settled:
            with self._log.writing("facts"):
                self._story.settle()


def _is_past(last: datetime | None, now: datetime, seconds: float) -> bool:
    """Whether so much time went by since `last`; a clock that was set back counts as that."""
    return last is None or now < last or (now - last).total_seconds() >= seconds
