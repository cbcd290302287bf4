"""Asks the venue for its view, compares, and acts on what differs: incidents, and holds on the instrument."""

from __future__ import annotations

from datetime import datetime

from brokers.protocol import Broker, VenueReport
from domain.clock import Clock
from domain.errors import VenueForbids
from domain.holds import Effect, HoldCause, new_hold
from domain.identity import digest
from domain.records import Incident
from journal.batch import Batch
from trading.books import Books
from trading.holds import HoldBook
from trading.observer import Observer
from trading.orders import OrderDesk
from trading.reconcile import (
    Finding,
    Mismatch,
    cash_at_venue,
    compare,
    held_at_venue,
    held_by_others,
    is_wiped,
    short_at_venue,
)

REPORT_TRIES = 3
"""How often a report is asked for anew because something happened meanwhile."""


class Reconciler:
    """Runs at start, before anything trades, and repeatedly after."""

    def __init__(
        self, *, broker: Broker, books: Books, desk: OrderDesk, holds: HoldBook, clock: Clock, observer: Observer
    ) -> None:
        self._broker = broker
        self._books = books
        self._desk = desk
        self._holds = holds
        self._clock = clock
        self._observer = observer
        self.last_at: datetime | None = None
        self._strangers: set[str] = set()
        self._told: set[tuple[str, str, str, str]] = set()

    async def run(self, batch: Batch) -> tuple[Finding, ...]:
        """Resolve open questions by id, then compare; what was found is in the batch and in force."""
        await self._desk.resolve()
        report = await self._stable_report()
        now = self._clock.now()
        if report.at > now:
            return ()  # a replay catching up after a crash: the simulated venue is ahead of its clock
        spot = self._broker.capabilities.spot
        findings = compare(
            positions=held_at_venue(self._books),
            orders=tuple(self._books.all_open_orders()),
            balance=cash_at_venue(self._books, spot=spot),
            report=report,
        )
        if report.complete:
            self._books.foreign = held_by_others(self._books, report)
            self._books.short_of = short_at_venue(self._books, report)
        self._act(findings, report, now, batch)
        if is_wiped(self._books, report, findings):
            self._latch_wiped(report, now, batch)
            return findings
        missing = {finding.ours for finding in findings if finding.kind is Mismatch.MISSING_ORDER}
        if missing:
            await self._desk.recheck([self._books.orders[order_id] for order_id in sorted(missing)])
        self.last_at = now
        return findings

    async def _stable_report(self) -> VenueReport:
        """A report during which nothing happened, so that what is only on its way is not taken for a disagreement."""
        for _ in range(REPORT_TRIES - 1):
            report = await self._report()
            before = self._books.cursor
            await self._desk.pump()
            if self._books.cursor == before:
                return report
        return await self._report()

    async def _report(self) -> VenueReport:
        try:
            return await self._broker.report()
        except VenueForbids as error:
            self._desk.forbidden = str(error)  # the guardian's next look halts
            raise

    def _act(self, findings: tuple[Finding, ...], report: VenueReport, now: datetime, batch: Batch) -> None:
        for finding in findings:
            self._note(finding, now, batch)
        wrong = {finding.instrument for finding in findings if finding.kind is Mismatch.POSITION}
        # An order that carries our name and that nobody here meant: another daemon, or a journal that was lost.
        self._strangers = {
            finding.instrument or ""
            for finding in findings
            if finding.kind is Mismatch.UNEXPECTED_ORDER and finding.theirs not in self._books.orders
        }
        for symbol in sorted(symbol for symbol in wrong if symbol is not None):
            self._holds.set(
                new_hold(
                    HoldCause.UNKNOWN_POSITION,
                    Effect.NO_ENTRIES,
                    since=now,
                    scope=symbol,
                    condition="the venue's position equals the sum of our fills",
                    detail=f"the venue holds another quantity of {symbol} than our fills add up to",
                ),
                batch,
            )
        for hold in self._holds.in_force(now):
            told = report.complete or hold.scope in report.positions
            if hold.cause is HoldCause.UNKNOWN_POSITION and hold.scope not in wrong and told:
                self._holds.release(hold.cause, hold.scope, now, "the venue's position equals ours", batch)
        self._hold_unknown(now, batch)

    def _latch_wiped(self, report: VenueReport, now: datetime, batch: Batch) -> None:
        """Nothing is concluded from an account that is not the one we knew, but that a person must look."""
        if self._holds.has(HoldCause.VENUE, None):
            return
        detail = (
            f"the venue shows {report.balance} {report.currency} and nothing of what we had there: the account was "
            "reset, or it is another one; ratchet account rebase --why starts a new ledger from what is there"
        )
        self._holds.set(new_hold(HoldCause.VENUE, Effect.HALT, since=now, latched=True, detail=detail), batch)

    def _hold_unknown(self, now: datetime, batch: Batch) -> None:
        unknown = {order.intent.instrument for order in self._books.unknown()} | self._strangers
        for symbol in sorted(unknown):
            self._holds.set(
                new_hold(
                    HoldCause.UNKNOWN_ORDER,
                    Effect.NO_ENTRIES,
                    since=now,
                    scope=symbol,
                    condition="the fate of every order is known",
                    detail=f"it is not known whether the venue has an order in {symbol}",
                ),
                batch,
            )
        for hold in self._holds.in_force(now):
            if hold.cause is HoldCause.UNKNOWN_ORDER and hold.scope not in unknown:
                self._holds.release(hold.cause, hold.scope, now, "the order's fate is known", batch)

    def _note(self, finding: Finding, now: datetime, batch: Batch) -> None:
        """One incident a disagreement, however often it is found again."""
        key = (finding.kind.value, finding.instrument or "", finding.ours, finding.theirs)
        if key in self._told:
            return
        self._told.add(key)
        incident = Incident(
            incident_id=digest("reconcile", *key, now.isoformat()),
            at=now,
            kind=f"reconcile_{finding.kind}",
            instrument=finding.instrument,
            detail=f"ours: {finding.ours}; the venue's: {finding.theirs}",
        )
        batch.add(incident)
        self._observer.incident(incident)
