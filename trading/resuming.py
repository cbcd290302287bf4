"""Resuming, as a person commands it: what a venue's hold stood for is looked at again before anything is entered."""

from __future__ import annotations

from domain.errors import NotAvailable, VenueForbids
from domain.holds import Effect, Hold, HoldCause, new_hold
from journal.batch import Batch
from trading.commands import Commands
from trading.session import Session


async def resume(session: Session, commands: Commands, *, who: str, why: str) -> tuple[Hold, ...]:
    """Clear what a person may clear, durably; gives back the holds that ended. The caller holds the session's lock.

    Whether the account at the venue is the one we knew is not for a person to say: that hold latches again at once
    where it still is not, or where nobody can tell; then what the venue raised is raised.
    """
    batch = Batch()
    cleared = commands.resume(who=who, why=why, batch=batch)
    in_doubt = any(hold.cause is HoldCause.VENUE for hold in cleared)
    try:
        await session.execute([], batch)
        if in_doubt:
            await _compare(session)
    except (NotAvailable, VenueForbids) as error:
        if in_doubt:
            await _latch(session, f"resumed, but the venue could not be asked: {error}")
        raise
    return cleared


async def _compare(session: Session) -> None:
    batch = Batch()
    try:
        await session.reconciler.run(batch)
    finally:
        if len(batch):
            await session.writer.commit(batch)


async def _latch(session: Session, detail: str) -> None:
    batch = Batch()
    now = session.clock.now()
    session.holds.set(new_hold(HoldCause.VENUE, Effect.HALT, since=now, latched=True, detail=detail), batch)
    await session.writer.commit(batch)
