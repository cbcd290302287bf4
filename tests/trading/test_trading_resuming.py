"""Resuming after the venue's hold: whether the account is the one we knew is asked, not believed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from trading_rig import COIN, Rig, flat

from domain.errors import VenueUnavailable
from domain.holds import Effect, HoldCause, new_hold
from journal.batch import Batch
from trading.resuming import resume

SECOND = timedelta(seconds=1)


async def held(begin) -> Rig:
    """A position, and the hold of an account that seemed to be another one."""
    rig = await begin(flat(100, 6))
    await rig.closes()
    await rig.enter()
    await rig.opens()
    batch = Batch()
    detail = "the account was reset, or it is another one"
    rig.session.holds.set(
        new_hold(HoldCause.VENUE, Effect.HALT, since=rig.clock.now(), latched=True, detail=detail), batch
    )
    await rig.writer.commit(batch)
    rig.clock.move_to(rig.clock.now() + SECOND)
    return rig


async def told(rig: Rig):
    return await resume(rig.session, rig.trading.commands, who="a person", why="a test")


async def test_where_the_venue_agrees_the_hold_is_over(begin):
    rig = await held(begin)
    cleared = await told(rig)
    assert [hold.cause for hold in cleared] == [HoldCause.VENUE]
    assert not rig.session.holds.has(HoldCause.VENUE, None)
    assert rig.session.reconciler.last_at == rig.clock.now()


async def test_where_the_venue_does_not_answer_the_hold_latches_again_and_is_durable(begin):
    rig = await held(begin)
    rig.venue.faults.silent = True
    with pytest.raises(VenueUnavailable):
        await told(rig)
    (hold,) = [each for each in rig.session.holds.all() if each.cause is HoldCause.VENUE]
    assert (hold.latched, hold.effect) == (True, Effect.HALT)
    assert hold.detail == "resumed, but the venue could not be asked: no answer"
    rig.venue.faults.silent = False
    await rig.reopen()
    assert rig.session.holds.has(HoldCause.VENUE, None)
    assert rig.books.position(COIN) is not None
