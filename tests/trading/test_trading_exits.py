"""Exits and what a person says: stops only tighten, a halt sends nothing, flatten closes, resuming needs a reason."""

from __future__ import annotations

import itertools
from datetime import timedelta
from decimal import Decimal

import pytest
from trading_rig import COIN, HOUR, Candle, flat

from domain.decisions import ExitCause, OutcomeKind
from domain.errors import InvalidInput
from domain.holds import Effect, HoldCause, new_hold
from domain.orders import Action, Leg, OrderState, Side
from journal.batch import Batch

RISING = [Candle(price, price + 1, price - 1, price + 1) for price in range(100, 160)]
FALLING = [Candle(price, price + 1, price - 1, price - 1) for price in range(160, 100, -1)]


async def entered(begin, tape, side=Side.BUY, *, at: int = 1, market=None, **rest):
    rig = await begin(tape, **(market or {}))
    await rig.step(at - 1)
    await rig.closes()
    await rig.enter(side, **rest)
    await rig.opens()
    return rig


async def command(rig, name, **rest):
    batch = Batch()
    done = getattr(rig.trading.commands, name)(who="a person", why=rest.pop("why", "a test"), batch=batch, **rest)
    await rig.session.execute(done if name == "flatten" else [], batch)
    return done


def sent(rig, leg, action=Action.PLACE):
    return [intent for intent in rig.venue.sent if intent.leg is leg and intent.action is action]


# -- trailing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "tape"), [(Side.BUY, RISING), (Side.SELL, FALLING)])
async def test_a_trailing_stop_follows_and_only_ever_tightens(begin, side, tape):
    start = tape[30].open
    rig = await entered(
        begin, tape, side, at=30, entry=start, stop=start - 3 * side.sign, target=start + 90 * side.sign
    )
    stops = [rig.open_order(Leg.STOP).intent.stop_price]
    for _ in range(25):
        await rig.step()
        if not rig.books.trades:
            break
        stops.append(rig.open_order(Leg.STOP).intent.stop_price)
    moves = [(after - before) * side.sign for before, after in itertools.pairwise(stops)]
    assert all(move >= 0 for move in moves)
    assert sum(move > 0 for move in moves) >= 3
    assert len(sent(rig, Leg.STOP, Action.REPLACE)) == sum(move > 0 for move in moves)
    assert await rig.faults() == []


@pytest.mark.parametrize("price", ["94", "95", "95.001"])
async def test_a_stop_is_never_moved_away_from_the_market_nor_onto_itself(begin, price):
    rig = await entered(begin, flat(100, 4))
    moved = rig.session.protection.move_stop(rig.trade(), rig.books, rig.clock.now(), Decimal(price))
    assert moved == [] if Decimal(price) <= 95 else len(moved) == 1


async def test_a_stop_under_change_is_left_alone_until_the_venue_answered(begin):
    rig = await entered(begin, flat(100, 4))
    rig.venue.faults.lost_on_the_way = 1
    change = rig.session.protection.move_stop(rig.trade(), rig.books, rig.clock.now(), Decimal(97))
    await rig.desk.submit(change, Batch())
    assert rig.session.protection.move_stop(rig.trade(), rig.books, rig.clock.now(), Decimal(98)) == []
    await rig.desk.resolve()
    assert rig.open_order(Leg.STOP).intent.stop_price == Decimal(97)
    assert len(rig.session.protection.move_stop(rig.trade(), rig.books, rig.clock.now(), Decimal(98))) == 1


async def test_time_is_up_closes_at_the_next_open_and_cancels_the_rest(begin):
    rig = await entered(begin, flat(100, 12), market={"signals": {"time_exit_bars": 4}})
    await rig.step(3)
    assert sent(rig, Leg.CLOSE) == []
    await rig.step()
    assert await rig.held() == 0
    assert await rig.open_at_venue() == {}
    await rig.writer.flush()
    (outcome,) = rig.journal.read.outcomes(kind=OutcomeKind.REAL)
    assert (outcome.exit_cause, outcome.bars_held) == (ExitCause.TIME, 4)
    assert await rig.faults() == []


# -- holds in force ----------------------------------------------------------------------------------------------------


async def test_under_a_halt_nothing_is_sent_and_protection_stays_at_the_venue(begin):
    rig = await entered(begin, flat(100, 12), market={"signals": {"time_exit_bars": 2}})
    await command(rig, "halt")
    before, resting = list(rig.venue.sent), await rig.open_at_venue()
    await rig.step(5)
    assert rig.venue.sent == before
    assert await rig.open_at_venue() == resting
    assert len(resting) == 2
    await command(rig, "resume")
    await rig.step(2)
    assert await rig.held() == 0


async def test_a_halt_of_one_instrument_leaves_the_others_alone(begin):
    rig = await begin({COIN: flat(100, 12), "OTHERUSD": flat(100, 12)}, signals={"time_exit_bars": 2})
    await rig.closes()
    for symbol in (COIN, "OTHERUSD"):
        await rig.enter(symbol=symbol)
    await rig.opens()
    batch = Batch()
    hold = new_hold(
        HoldCause.SKEW, Effect.HALT, since=rig.clock.now(), detail="a test", scope=COIN, condition="the test ends"
    )
    rig.session.holds.set(hold, batch)
    await rig.writer.commit(batch)
    await rig.step(4)
    assert (await rig.held(COIN), await rig.held("OTHERUSD")) == (Decimal(10), Decimal(0))


async def test_reduce_only_takes_resting_entries_back_and_goes_on_managing_positions(begin):
    rig = await begin({COIN: flat(100, 12), "OTHERUSD": flat(100, 12, volume=0.0)}, signals={"time_exit_bars": 3})
    await rig.closes()
    for symbol in (COIN, "OTHERUSD"):
        await rig.enter(symbol=symbol, valid=9 * HOUR)
    await rig.opens()
    assert rig.books.entry_of("OTHERUSD") is not None
    batch = Batch()
    hold = new_hold(HoldCause.WEEKLY_LOSS, Effect.REDUCE_ONLY, since=rig.clock.now(), detail="a test", latched=True)
    rig.session.holds.set(hold, batch)
    await rig.writer.commit(batch)
    await rig.step()
    assert rig.books.entry_of("OTHERUSD") is None
    assert rig.trade(COIN).position.is_open
    await rig.step(3)
    assert await rig.held(COIN) == 0
    assert await rig.open_at_venue() == {}
    assert await rig.faults() == []


# -- commands ----------------------------------------------------------------------------------------------------------


async def test_flatten_closes_every_position_and_takes_entries_back(begin):
    tapes = {COIN: flat(100, 12), "OTHERUSD": flat(50, 12), "THIRDUSD": flat(100, 12, volume=0.0)}
    rig = await begin(tapes)
    await rig.closes()
    await rig.enter()
    await rig.enter(Side.SELL, symbol="OTHERUSD", entry=50.0)
    await rig.enter(symbol="THIRDUSD", valid=9 * HOUR)
    await rig.opens()
    await rig.closes()
    await command(rig, "flatten")
    await rig.opens()
    assert (await rig.venue.inner.report()).positions == {}
    assert await rig.open_at_venue() == {}
    await rig.writer.flush()
    causes = {outcome.exit_cause for outcome in rig.journal.read.outcomes(kind=OutcomeKind.REAL)}
    assert causes == {ExitCause.COMMAND}
    assert [each.name for each in rig.journal.read.commands()] == ["flatten"]
    assert await rig.faults() == []


async def test_flatten_of_one_instrument_leaves_the_others(begin):
    rig = await begin({COIN: flat(100, 12), "OTHERUSD": flat(50, 12)})
    await rig.closes()
    await rig.enter()
    await rig.enter(symbol="OTHERUSD", entry=50.0)
    await rig.opens()
    await command(rig, "flatten", instrument=COIN)
    await rig.step()
    assert (await rig.held(COIN), await rig.held("OTHERUSD")) == (Decimal(0), Decimal(10))
    with pytest.raises(InvalidInput, match="no position or entry in COINUSD"):
        rig.trading.commands.flatten(who="a person", why="", batch=Batch(), instrument=COIN)


async def test_flatten_works_under_a_halt(begin):
    rig = await entered(begin, flat(100, 12))
    await command(rig, "halt")
    await command(rig, "flatten")
    await rig.step()
    assert await rig.held() == 0


async def test_flatten_twice_at_one_moment_closes_once_and_is_one_command(begin):
    rig = await entered(begin, flat(100, 12))
    await command(rig, "flatten")
    await command(rig, "flatten")
    await rig.step()
    assert len(sent(rig, Leg.CLOSE)) == 1
    assert len(rig.journal.read.commands()) == 1
    assert await rig.faults() == []


async def test_a_pause_is_latched_noted_and_survives_a_restart(begin):
    rig = await begin(flat(100, 12))
    hold = await command(rig, "pause", why="the weather")
    assert hold.latched
    assert rig.session.holds.effect(COIN, rig.clock.now()) is Effect.NO_ENTRIES
    await rig.reopen()
    assert [each.hold_id for each in rig.session.holds.in_force(rig.clock.now())] == [hold.hold_id]
    (noted,) = rig.journal.read.commands()
    assert (noted.name, noted.who, noted.why, noted.simulated) == ("pause", "a person", "the weather", False)


@pytest.mark.parametrize("name", ["pause", "halt", "resume"])
async def test_without_a_reason_nothing_is_paused_halted_or_resumed(begin, name):
    rig = await begin(flat(100, 3))
    batch = Batch()
    with pytest.raises(InvalidInput, match="needs a reason"):
        getattr(rig.trading.commands, name)(who="a person", why="  ", batch=batch)
    assert len(batch) == 0
    assert rig.session.holds.in_force(rig.clock.now()) == ()


async def test_a_pause_after_a_resume_at_the_same_moment_counts(begin):
    rig = await begin(flat(100, 3))
    for _ in range(2):
        await command(rig, "pause")
        assert rig.session.holds.effect(COIN, rig.clock.now()) is Effect.NO_ENTRIES
        await command(rig, "pause")
        await command(rig, "resume")
        assert rig.session.holds.effect(COIN, rig.clock.now()) is None
    await command(rig, "pause")
    await rig.reopen()
    assert rig.session.holds.effect(COIN, rig.clock.now()) is Effect.NO_ENTRIES


async def test_resuming_measures_drawdown_from_today_and_says_so_in_the_journal(begin):
    tape = [*flat(100, 2), *flat(99, 10)]
    rig = await entered(begin, tape, quantity="200", stop=60.0, target=220.0)
    await rig.step(2)
    point = rig.session.last_point
    assert point.drawdown == pytest.approx(0.02)
    await command(rig, "resume", why="looked at it")
    assert rig.session.risk.state.peak == point.equity
    await rig.step()
    assert rig.session.last_point.drawdown == 0.0
    (noted,) = rig.journal.read.commands()
    assert (noted.name, noted.why) == ("resume", "looked at it")
    assert await rig.faults() == []


async def test_a_drawdown_latches_until_a_person_resumes_and_across_a_restart(begin):
    tape = [*flat(100, 2), *flat(60, 12)]
    rig = await entered(begin, tape, quantity="30", stop=20.0, target=400.0)
    await rig.step(2)
    held = {hold.cause for hold in rig.session.holds.in_force(rig.clock.now())}
    assert HoldCause.DRAWDOWN in held
    await rig.writer.flush()
    await rig.reopen()
    await rig.step(2)
    assert HoldCause.DRAWDOWN in {hold.cause for hold in rig.session.holds.in_force(rig.clock.now())}
    cleared = await command(rig, "resume")
    assert HoldCause.DRAWDOWN in {hold.cause for hold in cleared}
    assert rig.session.holds.effect(COIN, rig.clock.now()) is None
    await rig.reopen()
    assert rig.session.holds.effect(COIN, rig.clock.now()) is None


async def test_the_state_of_a_cancelled_entry_is_the_venues_word(begin):
    rig = await begin(flat(100, 6, volume=0.0))
    await rig.closes()
    decision = await rig.enter(valid=9 * HOUR)
    await rig.opens()
    await command(rig, "flatten")
    (entry,) = rig.books.orders_of(decision.decision_id)
    assert entry.state is OrderState.CANCELLED
    assert rig.clock.now() - entry.updated_at < timedelta(seconds=1)
