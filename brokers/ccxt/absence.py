"""Proof that an order never reached the venue: nobody answers that it was refused, so it must be shown.

An order is absent when, asked after the last moment at which its request could still arrive, the venue knows it
neither by id nor among the open orders nor by an execution. That moment is when the request left at the latest, plus
the venue's receive window, plus what its gateway may hold a request inside that window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from brokers.ccxt.log import Log
from brokers.ccxt.records import ARRIVAL, KnownOrder, Standing, order_asked
from brokers.ccxt.watch import Watch
from domain.clock import Clock
from domain.errors import VenueUnavailable
from domain.orders import Intent
from venues.link import AccountLink
from venues.records import VenueOrder

BORN_AT = "born_at"
"""When the log's file was made, on our clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Absence:
    """The judge of one account's missing orders. `opened_at` is venue time when this process began."""

    log: Log
    link: AccountLink
    watch: Watch
    clock: Clock
    durable: bool
    opened_at: datetime

    def note_left(self) -> None:
        """Write down, once, by when requests that nobody lived to see answered had left: before this process began.

        A process that is killed again before it could prove anything then does not postpone the proof.
        """
        adrift = [one for one in self.log.open_orders() if one.standing is Standing.ASKED and one.left_at is None]
        if adrift:
            with self.log.writing("facts"):
                for known in adrift:
                    self.log.put_order(replace(known, left_at=max(known.sent_at, self.opened_at)))

    async def prove(self, intent: Intent) -> VenueOrder | None:
        """None is proof that the venue has no order of `intent`; an order is what appeared while that was shown.

        Raises `VenueUnavailable` while it cannot be known, saying when it can. The look-up by id that showed nothing
        came before.
        """
        known = self.log.order(intent.client_order_id)
        if known is not None and known.standing is not Standing.UNSENT:
            return await self._prove_sent(intent, known)
        if known is None and not self._would_know(intent):
            return await self._prove_sent(intent, None)
        return (await self.watch.listed()).get(intent.client_order_id)

    def _would_know(self, intent: Intent) -> bool:
        """Whether a missing row says that nothing left: the row is durable before the first byte.

        That holds for what was meant after the log was made, and only where each commit waits for the disk.
        """
        born = self.log.meta(BORN_AT)
        return self.durable and born is not None and datetime.fromisoformat(born) <= intent.created_at

    async def _prove_sent(self, intent: Intent, known: KnownOrder | None) -> VenueOrder | None:
        left = intent.approval.expires_at if known is None else self._left_at(known)
        known_from = left + self.link.abilities.receive_window + ARRIVAL
        await self.link.measure_clock()
        if self.watch.venue_now <= known_from:
            raise VenueUnavailable(
                f"whether {self.link.abilities.venue} has order {intent.client_order_id} cannot be known before"
                f" {known_from.isoformat()} on its clock"
            )
        name, symbol = intent.client_order_id, intent.instrument
        found = await self.link.order(symbol, name)
        if found is None:
            found = (await self.watch.listed()).get(name)
        if found is None:
            found = await self._executed(intent, known)
        if found is None:
            gone = self.log.order(name) or order_asked(intent, left)
            with self.log.writing("facts"):
                self.log.put_order(replace(gone, standing=Standing.ABSENT))
        return found

    async def _executed(self, intent: Intent, before: KnownOrder | None) -> VenueOrder | None:
        """The order, when executions tell of it that the look-up knew nothing of."""
        since = intent.created_at if before is None else before.sent_at
        unowned = await self.watch.executions.read(intent.instrument, since=since)
        after = self.log.order(intent.client_order_id)
        if not unowned and (after is None or after == before or after.venue_order_id is None):
            return None
        if after is not None and after.venue_order_id is not None:
            found = await self.link.order_by_venue_id(intent.instrument, after.venue_order_id)
            if found is not None:
                return found
        raise VenueUnavailable(
            f"{self.link.abilities.venue} told of executions of {intent.instrument} whose order it does not know, so"
            f" {intent.client_order_id} may be theirs"
        )

    def _left_at(self, known: KnownOrder) -> datetime:
        """The latest moment, in venue time, at which the request can have left us.

        Where nobody lived to see it end, it left before the process that sent it died: before this one began.
        """
        return known.left_at or max(known.sent_at, self.opened_at)
