"""Holds: set once, ended by a time, a condition or a person; the strongest decides; all of it survives a restart."""

from __future__ import annotations

from datetime import timedelta

import pytest
from trading_rig import COIN, HOUR, START, Candle, Rig, flat, instrument, series_of

from domain.errors import InvalidRecord
from domain.holds import Effect, Hold, HoldCause, new_hold
from domain.records import CalendarEvent, Impact
from journal.batch import Batch
from journal.engine import Durability
from journal.journal import Journal
from trading.holds import HoldBook
from trading.observer import Observer

NOW = START


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "journal.sqlite", durability=Durability.NORMAL) as opened:
        yield opened


@pytest.fixture
def book():
    return HoldBook(Observer())


def timed(until=NOW + HOUR, **changes) -> Hold:
    values = {"since": NOW, "detail": "a test", "until": until}
    return new_hold(HoldCause.DAILY_LOSS, Effect.NO_ENTRIES, **(values | changes))


def conditional(cause=HoldCause.STALE_DATA, scope=COIN, since=NOW) -> Hold:
    return new_hold(cause, Effect.NO_ENTRIES, since=since, detail="a test", scope=scope, condition="it ends")


def latched(cause=HoldCause.DRAWDOWN, effect=Effect.NO_ENTRIES, since=NOW) -> Hold:
    return new_hold(cause, effect, since=since, detail="a test", latched=True)


@pytest.mark.parametrize("hold", [timed(), conditional(), latched()], ids=["timed", "conditional", "latched"])
def test_setting_a_hold_twice_sets_it_once(book, hold):
    batch = Batch()
    assert book.set(hold, batch)
    assert not book.set(hold, batch)
    assert len(batch) == 1
    assert book.in_force(NOW) == (hold,)


def test_a_hold_ends_by_exactly_one_of_a_time_a_condition_and_a_person():
    for ends in ({}, {"until": NOW + HOUR, "latched": True}, {"condition": "x", "until": NOW + HOUR}):
        with pytest.raises(InvalidRecord, match="exactly one"):
            new_hold(HoldCause.OPERATOR, Effect.HALT, since=NOW, detail="a test", **ends)


def test_a_timed_hold_ends_at_its_time_and_not_before(book):
    batch = Batch()
    book.set(timed(), batch)
    just_before = NOW + HOUR - timedelta(microseconds=1)
    book.expire(just_before, batch)
    assert book.effect(COIN, just_before) is Effect.NO_ENTRIES
    assert book.effect(COIN, NOW + HOUR) is None
    book.expire(NOW + HOUR, batch)
    assert book.in_force(NOW) == ()
    assert not book.set(timed(), batch), "a loss is held once"


def test_a_timed_hold_that_lasts_longer_than_was_thought_is_prolonged(book, journal):
    batch = Batch()
    book.set(timed(), batch)
    assert book.set(timed(NOW + 3 * HOUR), batch)
    assert book.effect(COIN, NOW + 2 * HOUR) is Effect.NO_ENTRIES
    assert not book.set(timed(NOW + 2 * HOUR), batch)
    journal.commit(batch)
    again = HoldBook(Observer())
    again.restore(journal.read.holds())
    assert again.effect(COIN, NOW + 2 * HOUR) is Effect.NO_ENTRIES
    assert not again.set(timed(NOW + 3 * HOUR), Batch())


def test_a_conditional_hold_ends_when_its_condition_does_and_only_then(book):
    batch = Batch()
    book.set(conditional(), batch)
    book.expire(NOW + 1000 * HOUR, batch)
    book.clear_by_person(NOW, "a person", "wishful thinking", batch)
    assert book.has(HoldCause.STALE_DATA, COIN)
    book.release(HoldCause.STALE_DATA, "OTHERUSD", NOW, "another's", batch)
    assert book.has(HoldCause.STALE_DATA, COIN)
    book.release(HoldCause.STALE_DATA, COIN, NOW, "it ended", batch)
    assert book.in_force(NOW) == ()
    assert book.set(conditional(since=NOW + HOUR), batch), "it may happen again"


def test_one_conditional_hold_a_cause_and_scope_whenever_it_began(book):
    batch = Batch()
    assert book.set(conditional(), batch)
    assert not book.set(conditional(since=NOW + HOUR), batch)
    assert book.set(conditional(scope="OTHERUSD", since=NOW + HOUR), batch)


def test_a_latched_hold_ends_by_a_person_alone(book):
    batch = Batch()
    book.set(latched(), batch)
    book.expire(NOW + 10_000 * HOUR, batch)
    book.release(HoldCause.DRAWDOWN, None, NOW, "no", batch)
    book.release_others(HoldCause.DRAWDOWN, set(), NOW, "no", batch)
    assert book.effect(COIN, NOW) is Effect.NO_ENTRIES
    (cleared,) = book.clear_by_person(NOW + HOUR, "a person", "looked at it", batch, simulated=True)
    assert (cleared.cleared_by, cleared.cleared_why, cleared.simulated) == ("a person", "looked at it", True)
    assert book.effect(COIN, NOW) is None


def test_the_strongest_hold_decides_and_each_instrument_by_its_own(book):
    batch = Batch()
    book.set(latched(effect=Effect.SAFE), batch)
    book.set(conditional(), batch)
    assert book.effect(COIN, NOW) is Effect.NO_ENTRIES
    assert book.effect("OTHERUSD", NOW) is Effect.SAFE
    book.set(latched(HoldCause.OPERATOR, Effect.HALT), batch)
    assert book.effect("OTHERUSD", NOW) is Effect.HALT
    book.clear_by_person(NOW, "a person", "done", batch)
    assert (book.effect(COIN, NOW), book.effect("OTHERUSD", NOW)) == (Effect.NO_ENTRIES, None)


def test_what_was_in_force_is_in_force_after_a_restart_and_what_ended_has_ended(book, journal):
    batch = Batch()
    for hold in (timed(), conditional(), latched(), latched(HoldCause.OPERATOR, Effect.HALT)):
        book.set(hold, batch)
    book.release(HoldCause.STALE_DATA, COIN, NOW, "fresh", batch)
    journal.commit(batch)
    again = HoldBook(Observer())
    again.restore(journal.read.holds())
    assert again.in_force(NOW) == book.in_force(NOW)
    assert {hold.cause for hold in again.in_force(NOW)} == {
        HoldCause.DAILY_LOSS,
        HoldCause.DRAWDOWN,
        HoldCause.OPERATOR,
    }
    assert not again.set(timed(), Batch())


# -- news --------------------------------------------------------------------------------------------------------------


def event(at, impact=Impact.HIGH, currency="USD", name="Interest rate decision") -> CalendarEvent:
    return CalendarEvent(
        event_id=f"{name}-{at.isoformat()}",
        at=at,
        precise=True,
        currency=currency,
        impact=impact,
        name=name,
        actual=None,
        forecast=None,
        previous=None,
    )


async def test_a_blackout_hold_names_its_event_and_ends_with_its_window(begin):
    decision = event(START + 3 * HOUR)
    rig = await begin(flat(100, 12), events=(event(START - HOUR, Impact.LOW), decision))
    held = {}
    for _ in range(5):
        await rig.step()
        at = rig.moment.at
        held[at] = [hold for hold in rig.session.holds.in_force(at) if hold.cause is HoldCause.NEWS]
    assert [len(holds) for holds in held.values()] == [0, 0, 1, 0, 0]
    (hold,) = held[START + 3 * HOUR]
    assert "Interest rate decision" in hold.detail
    assert (hold.scope, hold.effect) == (COIN, Effect.NO_ENTRIES)
    assert (hold.since, hold.until) == (decision.at - timedelta(minutes=15), decision.at + timedelta(minutes=60))


async def test_a_blackout_is_set_once_and_known_after_a_restart(begin):
    rig = await begin(flat(100, 12), events=(event(START + 3 * HOUR), event(START + 4 * HOUR)))
    await rig.step(3)
    await rig.writer.flush()
    await rig.reopen()
    await rig.step(3)
    await rig.writer.flush()
    stored = [hold for hold in rig.journal.read.holds() if hold.cause is HoldCause.NEWS and hold.until]
    assert len(stored) == 1
    assert stored[0].until == START + 5 * HOUR


# -- data that cannot be trusted ---------------------------------------------------------------------------------------


async def silent_rig(tmp_path, missing: range, bars: int = 24, *, calendar: str = "24/7") -> Rig:
    """Two instruments; of the first the bars in `missing` never come."""
    there = [index for index in range(bars) if index not in missing]
    quiet = Candle(100, 100, 100, 100)
    series = {
        COIN: series_of(COIN, [quiet] * len(there), [int(START.timestamp()) + 3600 * index for index in there]),
        "OTHERUSD": series_of("OTHERUSD", [quiet] * bars),
    }
    rig = Rig(tmp_path, series, {COIN: instrument(calendar=calendar), "OTHERUSD": instrument("OTHERUSD")})
    await rig.open()
    await rig.step()
    return rig


def causes(rig, symbol=COIN) -> set[HoldCause]:
    return {hold.cause for hold in rig.session.holds.in_force(rig.clock.now()) if hold.covers(symbol)}


async def test_silence_is_held_as_stale_until_a_bar_closes_and_the_gap_then_settles(tmp_path):
    rig = await silent_rig(tmp_path, range(5, 10))
    story = {}
    for _ in range(16):
        await rig.step()
        story[(rig.moment.at - START) // HOUR] = causes(rig)
        assert causes(rig, "OTHERUSD") == set()
    await rig.close()
    # Bar 4 closed at hour 5 and nothing follows: two bars may be late, the third missing one is a silence.
    assert all(story[hour] == set() for hour in range(1, 8))
    assert story[8] == story[9] == story[10] == {HoldCause.STALE_DATA}
    assert story[11] == story[12] == story[13] == {HoldCause.DATA_QUALITY}
    assert story[14] == story[15] == set()


async def test_a_stale_instrument_is_still_stale_after_a_restart_and_freed_by_its_next_bar(tmp_path):
    rig = await silent_rig(tmp_path, range(5, 10))
    await rig.step(9)
    await rig.writer.flush()
    await rig.reopen()
    assert causes(rig) == {HoldCause.STALE_DATA}
    await rig.step(3)
    assert HoldCause.STALE_DATA not in causes(rig)
    await rig.writer.flush()
    assert sum(hold.cause is HoldCause.STALE_DATA for hold in rig.journal.read.holds()) == 1
    await rig.close()


async def test_one_missing_bar_is_a_gap_but_no_silence(tmp_path):
    rig = await silent_rig(tmp_path, range(5, 6))
    seen = set()
    for _ in range(12):
        await rig.step()
        seen |= causes(rig)
    await rig.close()
    assert seen == {HoldCause.DATA_QUALITY}


async def test_a_weekend_is_neither_silent_nor_a_gap(tmp_path):
    # From Friday 17:00 to Sunday 17:00 New York time; the clocks go forward in between.
    rig = await silent_rig(tmp_path, range(3 * 24 + 22, 5 * 24 + 21), 160, calendar="FX")
    seen = set()
    for _ in range(155):
        await rig.step()
        seen |= causes(rig)
    await rig.close()
    assert seen == set()
