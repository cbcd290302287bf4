"""The paper broker: the `Broker` protocol on one side, the market's story on the other.

Whoever drives it tells, at each moment T, first `market_ranges` of the bars that close at T, then (after deciding
and sending) `market_opens` of the bars that open at T. An order sent at T can fill at an open at or after T, or in
the range of a bar that opened at or after T; never in the bar it was decided on.

Every call that changes something commits once before it answers, together with how far each market was told, so
telling a moment twice changes nothing. Prices and volumes that changed nothing else are not committed: after
opening a ledger again, tell the last moment (and the last closed bar of instruments that were silent in it) again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType

from brokers.paper import desk
from brokers.paper.book import Book
from brokers.paper.ledger import Ledger
from brokers.paper.market import OpenTold, RangeTold, hear_opens, hear_ranges, run_opens, run_ranges
from brokers.paper.records import VENUE, PaperOrder, seconds_of
from brokers.paper.settings import PaperSettings
from brokers.protocol import Capabilities, Events, OrderReport, VenueReport, demand_approval
from domain.clock import Clock
from domain.errors import ConfigurationRefused, Denied, InvalidInput, VenueUnavailable
from domain.instruments import FxRates, Instrument
from domain.orders import Action, Intent, OrderKind
from domain.records import CashEvent, CashKind

Reach = Callable[[str], None]
_RESOLUTION = timedelta(microseconds=1)


class PaperBroker:
    """One netting account on paper. Not thread-safe: one loop drives it."""

    def __init__(self, ledger: Ledger, book: Book, settings: PaperSettings, clock: Clock, reach: Reach | None) -> None:
        """For `open`, which is how one is made."""
        self._ledger = ledger
        self._book = book
        self._settings = settings
        self._clock = clock
        self._reach = reach
        self._rates = FxRates(as_of=clock.now())
        self._usable = True
        self._nothing = Events(events=(), cursor=str(book.sequence))
        self._opened_at = clock.now()
        self._found, self._found_until = book.sequence, self._opened_at
        if book.sequence:
            with self._asking():
                self._found_until = ledger.events_after(book.sequence - 1)[-1].at

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        account: str,
        currency: str,
        instruments: Mapping[str, Instrument],
        settings: PaperSettings,
        clock: Clock,
        durable: bool,
        reach: Reach | None = None,
    ) -> PaperBroker:
        """Open the account's ledger at `path`, or found it with the starting cash as its first event.

        `durable` makes each commit wait for the disk. `reach` is told "paper.before_commit" and
        "paper.after_commit", for crash tests. Raises `ConfigurationRefused` when the file is another account's,
        another version's, damaged, or open elsewhere.
        """
        ledger = Ledger(path, durable=durable)
        try:
            book = _open_book(ledger, account, currency, instruments)
        except ConfigurationRefused:
            ledger.close()
            raise
        broker = cls(ledger, book, settings, clock, reach)
        if book.sequence == 0:
            broker._deposit(settings)
        return broker

    @property
    def name(self) -> str:
        return VENUE

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            kinds=frozenset(OrderKind),
            oco=True,
            replace=True,
            reduce_only=True,
            shorts=any(instrument.shortable for instrument in self._book.instruments.values()),
            demo_proof="The paper account is a local file and its broker has no network code: no order can leave.",
        )

    async def send(self, intent: Intent) -> None:
        """See `Broker.send`; raises `Denied` also for another account's intent."""
        now = self._clock.now()
        demand_approval(intent, now)
        self._demand_usable()
        book = self._book
        if intent.account != book.account:
            raise Denied(f"{intent.client_order_id}: it is for account {intent.account}, not {book.account}")
        with self._asking():
            known = intent.client_order_id in book.open or self._ledger.has_seen(intent.client_order_id)
        if known:
            return
        with self._changing():
            if intent.action is Action.PLACE:
                desk.place(book, intent, now, self._settings, self._rates)
            elif intent.action is Action.CANCEL:
                desk.cancel(book, intent, self._order(intent.target_id), now)
            else:
                desk.change(book, intent, self._order(intent.target_id), now, self._rates)

    async def find(self, intent: Intent) -> OrderReport | None:
        """See `Broker.find`; what the ledger lacks was never sent, at once."""
        self._demand_usable()
        order = self._order(intent.client_order_id)
        return None if order is None else _report_of(order)

    async def events(self, after: str) -> Events:
        """See `Broker.events`; the cursor is the number of the last event, as text.

        After a crash a ledger may know more than a replay that was set back: of what it held when it was opened, only
        what lies before the clock, or in the market's story as told since, is told. Raises `InvalidInput` for a
        cursor this ledger never gave: it is another ledger, or this one was lost.
        """
        self._demand_usable()
        if after == self._nothing.cursor:
            return self._nothing
        book = self._book
        sequence = _sequence_of(after)
        if sequence is None or sequence > book.sequence:
            raise InvalidInput(f"the paper ledger has {book.sequence} events and never gave the cursor {after!r}")
        if sequence >= book.recent_after:
            told = tuple(book.recent[sequence - book.recent_after :])
        else:
            with self._asking():
                told = tuple(self._ledger.events_after(sequence))
        found = told[: max(0, self._found - sequence)]
        old = tuple(takewhile(lambda event: self._has_happened(event.at), found))
        if sequence + len(old) < self._found:
            told = old
        return Events(events=told, cursor=str(sequence + len(told)))

    async def report(self) -> VenueReport:
        """See `Broker.report`; always complete. It is of a later time than the clock's where the ledger is ahead."""
        self._demand_usable()
        book = self._book
        held = {symbol: book.holdings[symbol].position.quantity for symbol in sorted(book.holdings)}
        return VenueReport(
            at=self._told_at(),
            account=book.account,
            currency=book.currency,
            balance=book.balance,
            positions=MappingProxyType(held),
            open_orders=tuple(_report_of(order) for order in book.open.values()),
            complete=True,
        )

    async def close(self) -> None:
        """Let go of the ledger; closing twice is harmless, and whatever is asked later is `VenueUnavailable`."""
        self._usable = False
        self._ledger.close()

    def market_opens(self, at: datetime, opens: Sequence[OpenTold], rates: FxRates) -> None:
        """Bars open at `at`: swaps are paid, gapped stops and limits and waiting market orders fill, time runs out.

        What one order may take is a share of the bar before, since the opening bar's volume lies in the future.
        Raises `NoRate` (and changes nothing) when a fill needs a rate that `rates` lacks.
        """
        self._demand_usable()
        opened = self._heard(at, rates)
        busy = hear_opens(self._book, opened, opens)
        if busy or self._book.timed:
            with self._changing():
                run_opens(self._book, self._settings, at, opened, busy, rates)

    def market_ranges(self, at: datetime, bars: Sequence[RangeTold], rates: FxRates) -> None:
        """Bars close at `at`: resting orders that their ranges touch fill, stops before limits.

        Raises `NoRate` (and changes nothing) when a fill needs a rate that `rates` lacks.
        """
        self._demand_usable()
        self._heard(at, rates)
        busy = hear_ranges(self._book, bars)
        if busy or self._book.timed:
            with self._changing():
                run_ranges(self._book, self._settings, at, busy, rates)

    def _heard(self, at: datetime, rates: FxRates) -> int:
        self._rates = rates
        seconds = seconds_of(at)
        self._book.told_until = max(self._book.told_until, seconds)
        return int(seconds)

    def _deposit(self, settings: PaperSettings) -> None:
        deposit = CashEvent(
            event_id=f"deposit-{self._book.account}",
            kind=CashKind.DEPOSIT,
            at=self._clock.now(),
            amount=settings.starting_cash,
        )
        with self._changing():
            self._book.tell_cash(deposit)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One commit for all that is changed inside; whatever fails inside leaves the last commit standing."""
        done = False
        try:
            yield
            self._commit()
            done = True
        finally:
            if not done:
                self._reload()

    def _commit(self) -> None:
        book = self._book
        if not book.changes.some:
            return
        self._reached("paper.before_commit")
        with self._asking():
            self._ledger.commit(book.changes, [(symbol, book.markets[symbol]) for symbol in sorted(book.moved)])
        book.committed()
        self._nothing = Events(events=(), cursor=str(book.sequence))
        self._reached("paper.after_commit")

    def _reload(self) -> None:
        """Forget everything since the last commit."""
        self._usable = False
        with self._asking():
            contents = self._ledger.load()
        book = self._book
        self._book = Book(account=book.account, currency=book.currency, instruments=book.instruments, contents=contents)
        self._nothing = Events(events=(), cursor=str(contents.sequence))
        self._usable = True

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise VenueUnavailable(f"the paper ledger {self._ledger.path} cannot be used: {error}") from error

    def _has_happened(self, at: datetime) -> bool:
        """Whether what the ledger held when it was opened lies in the past of whoever opened it."""
        return at <= self._opened_at or at < self._clock.now() or seconds_of(at) <= self._book.told_until

    def _told_at(self) -> datetime:
        """The time of a report: the clock's, or a later one as long as the ledger knows what has not happened yet."""
        now = self._clock.now()
        return now if self._has_happened(self._found_until) else max(now, self._found_until) + _RESOLUTION

    def _order(self, client_order_id: str | None) -> PaperOrder | None:
        if client_order_id is None:
            return None
        found = self._book.open.get(client_order_id)
        if found is not None:
            return found
        with self._asking():
            return self._ledger.order(client_order_id)

    def _reached(self, point: str) -> None:
        if self._reach is not None:
            self._reach(point)

    def _demand_usable(self) -> None:
        if not self._usable:
            raise VenueUnavailable(f"the paper ledger {self._ledger.path} is closed")


def _open_book(ledger: Ledger, account: str, currency: str, instruments: Mapping[str, Instrument]) -> Book:
    try:
        owner = ledger.owner()
        if owner is None:
            ledger.found(account, currency)
        elif owner != (account, currency):
            raise ConfigurationRefused(
                f"the paper ledger {ledger.path} is of account {owner[0]} in {owner[1]}, not {account} in {currency}"
            )
        contents = ledger.load()
    except sqlite3.Error as error:
        raise ConfigurationRefused(f"the paper ledger {ledger.path} is damaged: {error}") from error
    unknown = sorted({*contents.holdings, *(order.instrument for order in contents.open_orders)} - set(instruments))
    if unknown:
        raise ConfigurationRefused(
            f"the paper ledger {ledger.path} holds or trades {', '.join(unknown)}, which is no instrument here"
        )
    return Book(account=account, currency=currency, instruments=instruments, contents=contents)


def _sequence_of(cursor: str) -> int | None:
    if cursor == "":
        return 0
    return int(cursor) if cursor.isascii() and cursor.isdecimal() else None


def _report_of(order: PaperOrder) -> OrderReport:
    return OrderReport(
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        instrument=order.instrument,
        state=order.state,
        quantity=order.effective,
        filled=order.filled,
    )
