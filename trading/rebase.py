"""Beginning an account anew after its venue was reset: a recorded command of a person, in three durable steps.

First everything that was believed to be there is given up, in the journal. Then the broker begins its own record
again and tells the difference as a reset of the balance. Last the hold that called for it is cleared. After a crash
between two steps the hold still stands, and the command is simply given again.
"""

from __future__ import annotations

from typing import cast

from brokers.protocol import Refoundable
from domain.errors import InvalidInput
from domain.holds import HoldCause
from domain.records import CashEvent
from journal.batch import Batch
from trading.commands import Commands
from trading.session import Session
from trading.trades import Changes


async def rebase(session: Session, commands: Commands, *, who: str, why: str) -> CashEvent:
    """Start a new ledger from what the venue holds now; gives back the reset that was booked.

    Raises `InvalidInput` where the account cannot be begun anew (it is on paper), or where nothing calls for it.
    """
    if not hasattr(session.broker, "refound"):
        raise InvalidInput("this account is on paper: it has no venue that could have been reset")
    if not session.holds.has(HoldCause.VENUE, None) and not session.books.short_of:
        raise InvalidInput("the venue holds what our fills add up to: there is nothing to begin anew")
    now, changes = session.clock.now(), Changes()
    commands.note_rebase(who=who, why=why, batch=changes.batch)
    session.books.give_up(now, changes)
    await session.desk.let_go(changes)
    reset = await cast("Refoundable", session.broker).refound(session.books.balance)
    await session.desk.pump()
    cleared = Batch()
    session.holds.clear_cause(HoldCause.VENUE, session.clock.now(), who, why, cleared)
    await session.writer.commit(cleared)
    return reset
