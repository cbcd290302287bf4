"""The broker of a venue's demo account: the `Broker` protocol on one side, an `AccountLink` on the other.

Before a new order leaves, a row of it is durable; what the venue then says is a fact only once the log has it. An
answer that is lost, late, doubled or out of order is the same as one that was never asked for: the next round of
questions finds out. Nothing that may have left is ever sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from brokers.ccxt.absence import Absence
from brokers.ccxt.account import Account
from brokers.ccxt.log import Log
from brokers.ccxt.records import (
    ASK_AGAIN,
    LONGEST_TRADE,
    AskedCancel,
    CancelStanding,
    KnownOrder,
    Reach,
    Standing,
    order_asked,
)
from brokers.ccxt.story import Story
from brokers.ccxt.translate import report_of, report_of_ended, request_of
from brokers.ccxt.watch import Watch
from brokers.protocol import Capabilities, Events, OrderReport, VenueReport, demand_approval
from domain.clock import Clock
from domain.errors import (
    ConfigurationRefused,
    Denied,
    RatchetError,
    VenueBusy,
    VenueForbids,
    VenueRejected,
    VenueUnavailable,
)
from domain.instruments import Instrument
from domain.orders import Action, Intent
from domain.records import CashEvent
from venues.link import AccountLink
from venues.records import MarketKind

RELEARNED = "relearned"


class CcxtBroker:
    """One netting account at a venue. One question at a time is asked; callers may overlap."""

    def __init__(
        self,
        *,
        log: Log,
        link: AccountLink,
        account: Account,
        watch: Watch,
        story: Story,
        absence: Absence,
        clock: Clock,
        reach: Reach,
    ) -> None:
        """For `open`, which is how one is made."""
        self._log = log
        self._link = link
        self._account = account
        self._watch = watch
        self._story = story
        self._absence = absence
        self._clock = clock
        self._reach = reach
        self._turn = asyncio.Lock()
        self._usable = True
        self._failure: RatchetError | None = None
        self._failed_at: datetime | None = None

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        account: str,
        currency: str,
        instruments: Mapping[str, Instrument],
        link: AccountLink,
        clock: Clock,
        durable: bool,
        reach: Reach | None = None,
    ) -> CcxtBroker:
        """Open the account's log at `path`, or found it with what the account holds as its first event.

        `durable` makes each commit wait for the disk; only then is a missing row proof that nothing left. `reach` is
        told the `CRASH_POINTS`. The link is the broker's from here on and closed with it. Raises
        `ConfigurationRefused` when the file is another account's, another version's, damaged or open elsewhere, or
        when an instrument is not the venue's or not quoted in `currency`; founding also raises what the link raises.
        """
        _demand_instruments(instruments, currency, link)
        reached = reach or _nowhere
        log = Log(path, durable=durable, reach=reached)
        story = Story(
            log=log,
            account=account,
            instruments=instruments,
            markets=link.markets,
            abilities=link.abilities,
            clock=clock,
        )
        owned = Account(
            log=log, link=link, story=story, name=account, currency=currency, instruments=instruments, clock=clock
        )
        done = False
        try:
            if not owned.demand_owner():
                await owned.found()
            done = True
        finally:
            if not done:
                log.close()
        watch = Watch(log=log, link=link, story=story, currency=currency, clock=clock, reach=reached)
        absence = Absence(
            log=log, link=link, watch=watch, clock=clock, durable=durable, opened_at=clock.now() + link.skew
        )
        absence.note_left()
        link.listen(watch.ring)
        return cls(
            log=log, link=link, account=owned, watch=watch, story=story, absence=absence, clock=clock, reach=reached
        )

    @property
    def name(self) -> str:
        return self._link.abilities.venue

    @property
    def capabilities(self) -> Capabilities:
        abilities = self._link.abilities
        return Capabilities(
            kinds=abilities.kinds,
            oco=False,
            replace=False,
            reduce_only=abilities.reduce_only,
            shorts=abilities.shorts,
            demo_proof=self._link.proof,
            stacks_exits=abilities.stacks_exits,
            rejects_duplicates=abilities.rejects_duplicates,
            spot=abilities.market is MarketKind.SPOT,
        )

    async def send(self, intent: Intent) -> None:
        """See `Broker.send`; raises `Denied` also for another account's intent and for an id proven absent before.

        `VenueUnavailable` also answers an id that may have left and whose fate is not known: only `find` settles it.
        """
        async with self._turn:
            self._demand_usable()
            demand_approval(intent, self._clock.now())
            if intent.account != self._account.name:
                raise Denied(f"{intent.client_order_id}: it is for account {intent.account}, not {self._account.name}")
            if intent.instrument not in self._account.instruments:
                raise Denied(f"{intent.client_order_id}: there is no instrument {intent.instrument}")
            if intent.action is Action.PLACE:
                await self._place(intent)
            elif intent.action is Action.CANCEL:
                await self._cancel(intent, intent.target_id or "")
            else:
                raise Denied(f"{intent.client_order_id}: {self.name} changes no order in place")

    async def find(self, intent: Intent) -> OrderReport | None:
        """See `Broker.find`."""
        async with self._turn:
            self._demand_usable()
            known = self._log.order(intent.client_order_id)
            if known is not None and known.standing is Standing.ENDED:
                return report_of_ended(known)
            found = await self._link.order(intent.instrument, intent.client_order_id)
            if found is None:
                found = await self._absence.prove(intent)
            if found is None:
                return None
            known = self._log.order(intent.client_order_id)
            if known is None or known.kind is None:
                with self._log.writing("facts"):
                    asked = order_asked(intent, min(found.at, intent.created_at))
                    self._log.put_order(asked if known is None else known.worded(intent))
            self._watch.take_up(found)
            self._watch.press()
            return report_of(found)

    async def events(self, after: str) -> Events:
        """See `Broker.events`. Asks the venue when that is due; facts already in the log are told whether or not it
        answers. Raises what the link raises when it did not and there is nothing to tell.

        A cursor of another log (this one was lost) starts at this log's beginning, once what the lost one may have
        told was learned from the venue again.
        """
        async with self._turn:
            self._demand_usable()
            sequence = self._sequence_of(after)
            lost = sequence is None and self._log.meta(RELEARNED) is None
            await self._ask(self._clock.now(), lost=lost)
            told = tuple(self._log.events_after(sequence or 0))
            if self._failure is not None and (lost or not told):
                raise self._failure.with_traceback(None)
            last, mark = self._log.last()
            return Events(events=told, cursor=f"{last}-{mark}")

    async def report(self) -> VenueReport:
        """See `Broker.report`. Foreign open orders are in it under their own ids, or as `foreign-` and the venue's."""
        async with self._turn:
            self._demand_usable()
            if self._link.abilities.market is not MarketKind.SPOT:
                await self._watch.read_payments(self._clock.now())
            listed = await self._link.open_orders()
            self._watch.heard(listed)
            self._watch.sweep()  # what is in the report but not told yet is told to whoever asks next
            return await self._account.report(listed)

    async def refound(self, believed: Decimal) -> CashEvent:
        """Begin the account again from what the venue holds now, as after a testnet's wipe.

        `believed` is the balance of the caller's books; the reset that is told makes it the venue's. Cursors stay
        good. Holdings count as not ours from here on, so positions must be given up in the books as well.
        """
        async with self._turn:
            self._demand_usable()
            reset = await self._account.refound(believed)
            self._watch.executions.forget()
            self._watch.sweep()
            return reset

    async def close(self) -> None:
        """Let go of the link and the log; closing twice is harmless, and whatever is asked later is
        `VenueUnavailable`."""
        if self._usable:
            self._usable = False
            self._log.close()
            await self._link.close()

    async def _place(self, intent: Intent) -> None:
        request = request_of(intent, self._link.abilities)
        known = self._log.order(intent.client_order_id)
        if known is not None and known.standing is not Standing.UNSENT:
            _demand_answered(known)
            return
        asked = order_asked(intent, self._watch.venue_now)
        with self._log.writing("sent_row"):
            self._log.put_order(asked)
        self._watch.press()
        self._reach("ccxt.before_request")
        unanswered = True
        try:
            order = await self._link.place(request)
            unanswered = False
        except VenueRejected as error:
            unanswered = False
            self._reach("ccxt.after_request")
            with self._log.writing("answer"):
                self._story.refused(asked, str(error))
            return
        except (VenueBusy, VenueForbids):
            unanswered = False
            with self._log.writing("answer"):
                self._log.put_order(replace(asked, standing=Standing.UNSENT))
            raise
        finally:
            if unanswered:
                with self._log.writing("answer"):
                    self._log.put_order(replace(asked, left_at=self._watch.venue_now))
        self._reach("ccxt.after_request")
        with self._log.writing("answer"):
            self._story.met(order)

    async def _cancel(self, intent: Intent, target_id: str) -> None:
        known = self._log.cancel(intent.client_order_id)
        if known is not None and known.standing is not CancelStanding.ASKED:
            return
        cancel = AskedCancel(
            intent_id=intent.client_order_id,
            target_id=target_id,
            symbol=intent.instrument,
            standing=CancelStanding.ASKED,
            reason=intent.reason,
        )
        target = self._log.order(target_id)
        if target is not None and target.standing is Standing.ENDED:
            with self._log.writing("answer"):
                self._story.too_late(cancel, target, f"the order is {target.end}")
            return
        with self._log.writing("sent_row"):
            self._log.put_cancel(cancel)
        self._watch.press()
        self._reach("ccxt.before_request")
        try:
            taken = await self._link.cancel(intent.instrument, target_id)
        except VenueRejected as error:
            taken, cancel = False, replace(cancel, reason=str(error))
        self._reach("ccxt.after_request")
        standing = CancelStanding.TAKEN if taken else CancelStanding.REFUSED
        with self._log.writing("answer"):
            self._log.put_cancel(replace(cancel, standing=standing))

    async def _ask(self, now: datetime, *, lost: bool) -> None:
        """One round of questions, when it is due and the last failure is long enough ago."""
        if self._failure is not None and self._failed_at is not None:
            wait = ASK_AGAIN.total_seconds()
            if isinstance(self._failure, VenueBusy):
                wait = max(wait, self._failure.wait_s)
            if 0 <= (now - self._failed_at).total_seconds() < wait:
                return
        if not (lost or self._failure is not None or self._watch.is_due(now)):
            return
        try:
            if lost:
                await self._relearn()
            await self._watch.round(now)
        except (VenueUnavailable, VenueBusy, VenueForbids) as error:
            self._failure, self._failed_at = error, now
            return
        self._failure = self._failed_at = None

    def _sequence_of(self, cursor: str) -> int | None:
        """The number of the fact that a cursor stands after; None for one of another log."""
        if cursor == "":
            return 0
        number, _, mark = cursor.partition("-")
        if number.isascii() and number.isdecimal() and self._log.mark(int(number)) == mark:
            return int(number)
        return None

    async def _relearn(self) -> None:
        """Learn from the venue what a lost log may have told: every execution of ours since the longest trade began."""
        since = self._watch.venue_now - LONGEST_TRADE
        for symbol in sorted(self._account.instruments):
            await self._watch.executions.read(symbol, since=since)
        with self._log.writing("facts"):
            self._log.put_meta([(RELEARNED, self._watch.venue_now.isoformat())])

    def _demand_usable(self) -> None:
        if not self._usable:
            raise VenueUnavailable(f"the venue log {self._log.path} is closed")


def _demand_answered(known: KnownOrder) -> None:
    """What is answered when an id is sent that was sent before: nothing where its fate is known."""
    if known.standing is Standing.ASKED:
        raise VenueUnavailable(
            f"{known.client_order_id} may have left before; it is not known whether the venue has it"
        )
    if known.standing is Standing.ABSENT:
        raise Denied(f"{known.client_order_id} left before and never arrived; no id is sent twice")


def _demand_instruments(instruments: Mapping[str, Instrument], currency: str, link: AccountLink) -> None:
    venue = link.abilities.venue
    for symbol, instrument in sorted(instruments.items()):
        if symbol not in link.markets:
            raise ConfigurationRefused(f"{venue} does not trade {symbol} here")
        if instrument.quote != currency:
            raise ConfigurationRefused(
                f"{symbol} is quoted in {instrument.quote}; an account at {venue} in {currency} trades only what is"
                f" quoted in {currency}"
            )
    bases = [instrument.base for instrument in instruments.values()]
    doubled = sorted({base for base in bases if bases.count(base) > 1})
    if doubled and link.abilities.market is MarketKind.SPOT:
        raise ConfigurationRefused(
            f"several instruments hold {', '.join(doubled)}; an account keeps one position of it"
        )


def _nowhere(point: str) -> None:
    """What a broker that nobody watches does at a crash point."""
