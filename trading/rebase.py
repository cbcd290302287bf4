"""Beginning an account anew after its venue was reset, or after a person took there what was ours: a recorded
command, in three durable steps.

First everything that was believed to be there is given up, in the journal. Then the broker begins its own record
again and tells the difference as a reset of the balance. Last the hold that called for it is cleared. After a crash
between two steps the command is simply given again. Nothing is given up that the venue still has: what it holds or
lists of ours has to be closed first, or else nobody would look after it any more.
"""

from __future__ import annotations

from typing import cast

from brokers.protocol import Refoundable, VenueReport
from domain.errors import InvalidInput, NotAvailable
from domain.holds import HoldCause
from domain.numbers import ZERO
from domain.records import CashEvent
from journal.batch import Batch
from risk.breakers import CashMoved
from trading.books import Books
from trading.commands import Commands
from trading.reconcile import Finding, Mismatch, cash_at_venue, compare, held_at_venue, is_wiped
from trading.session import Session
from trading.trades import Changes


async def rebase(session: Session, commands: Commands, *, who: str, why: str) -> CashEvent:
    """Start a new ledger from what the venue holds now; gives back the reset that was booked.

    Raises `InvalidInput` where the account cannot be begun anew: it is on paper, something of ours is still there, or
    nothing calls for it. `VenueUnavailable`, `VenueBusy` and `VenueForbids` where the venue does not tell what it has.
    """
    if not hasattr(session.broker, "refound"):
        raise InvalidInput("this account is on paper: it has no venue that could have been reset")
    await session.desk.resolve()
    wiped = await _demand_nothing_of_ours(session)
    sold_elsewhere = bool(session.books.open_trades()) and not wiped
    now, changes = session.clock.now(), Changes()
    commands.note_rebase(who=who, why=why, batch=changes.batch)
    session.books.give_up(now, changes)
    await session.desk.let_go(changes)
    reset = await cast("Refoundable", session.broker).refound(session.books.balance)
    await session.desk.pump()
    cleared = Batch()
    if sold_elsewhere:
        # What a person made of our positions there is profit or loss: no withdrawal that the breakers would overlook.
        session.risk.step(CashMoved(at=reset.at, amount=-reset.amount), cleared)
    session.holds.clear_cause(HoldCause.VENUE, session.clock.now(), who, why, cleared)
    await session.writer.commit(cleared)
    return reset


async def _demand_nothing_of_ours(session: Session) -> bool:
    """Compare with the venue at this moment: what it still has of ours must not be given up. Whether it was wiped."""
    books, report = session.books, await session.broker.report()
    if not report.complete:
        raise NotAvailable("the venue's report leaves something out: nothing is given up before it tells all it has")
    spot = session.broker.capabilities.spot
    findings = compare(
        positions=held_at_venue(books),
        orders=tuple(books.all_open_orders()),
        balance=cash_at_venue(books, spot=spot),
        report=report,
    )
    if is_wiped(books, report, findings):
        return True
    left = _left_there(books, report)
    if left:
        raise InvalidInput(
            f"the venue still has {', '.join(left)}: close it first (ratchet flatten), then begin the account anew"
        )
    if not (session.holds.has(HoldCause.VENUE, None) or _differs(findings)):
        raise InvalidInput("the venue holds what our fills add up to: there is nothing to begin anew")
    return False


def _left_there(books: Books, report: VenueReport) -> list[str]:
    """Our orders that the venue lists, and the instruments of which it holds anything on our side."""
    ours = {order.client_order_id for order in books.all_open_orders()}
    orders = [f"our order {each.client_order_id}" for each in report.open_orders if each.client_order_id in ours]
    positions = [
        f"{trade.decision.instrument} that we opened"
        for trade in books.open_trades()
        if trade.position is not None
        and report.positions.get(trade.decision.instrument, ZERO) * trade.position.quantity > 0
    ]
    return [*positions, *orders]


def _differs(findings: tuple[Finding, ...]) -> bool:
    kinds = (Mismatch.POSITION, Mismatch.BALANCE, Mismatch.MISSING_ORDER)
    return any(finding.kind in kinds for finding in findings)
