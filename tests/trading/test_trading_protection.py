"""Every fill rests behind a stop and a target of its size, whatever the venue refuses, loses or leaves unanswered."""

from __future__ import annotations

from decimal import Decimal

import pytest
from trading_rig import COIN, HOUR, Candle, flat

from domain.decisions import ExitCause, OutcomeKind
from domain.holds import Effect, HoldCause
from domain.orders import Action, Intent, Leg, OrderState, Side
from journal.batch import Batch
from trading.protection import ATTEMPTS
from trading.trades import Changes


async def entered(begin, tape, side=Side.BUY, *, refuses=None, market=None, **rest):
    """A rig with a position entered at the second open."""
    rig = await begin(tape, **(market or {}))
    await rig.closes()
    await rig.enter(side, **rest)
    if refuses is not None:
        rig.venue.faults.refuses = refuses
    await rig.opens()
    return rig


def placing(*legs: Leg):
    """Refuses new orders of these legs."""

    def refuses(intent: Intent) -> bool:
        return intent.action is Action.PLACE and intent.leg in legs

    return refuses


def sent(rig, leg: Leg, action: Action = Action.PLACE) -> list[Intent]:
    return [intent for intent in rig.venue.sent if intent.leg is leg and intent.action is action]


def nothing_more_to_derive(rig) -> bool:
    now = rig.clock.now()
    again = rig.session.protection.after(Changes(touched={COIN}), rig.books, now)
    return [*again, *rig.session.protection.guard(rig.books, now)] == []


async def only_real_outcome(rig):
    await rig.writer.flush()
    (outcome,) = rig.journal.read.outcomes(kind=OutcomeKind.REAL)
    return outcome


THIN = {"broker": {"slippage_bps": 0, "max_participation": 0.1}}


@pytest.mark.parametrize("side", Side)
async def test_a_fill_brings_stop_and_target_of_its_size_in_the_same_commit(begin, side):
    rig = await entered(begin, flat(100, 5), side)
    stop, target = rig.open_order(Leg.STOP), rig.open_order(Leg.TARGET)
    assert (stop.intent.quantity, target.intent.quantity) == (Decimal(10), Decimal(10))
    assert stop.intent.stop_price == Decimal(100 - 5 * side.sign)
    assert target.intent.limit_price == Decimal(100 + 15 * side.sign)
    assert stop.intent.side is target.intent.side is side.opposite
    assert stop.state is target.state is OrderState.ACCEPTED
    both = "SELECT sequence FROM fills UNION SELECT sequence FROM intents WHERE leg IN ('stop', 'target')"
    assert len(rig.journal.held.raw.execute(both).fetchall()) == 1
    assert nothing_more_to_derive(rig)
    assert await rig.faults() == []


async def test_each_partial_fill_resizes_both(begin):
    rig = await entered(begin, flat(100, 8, volume=40.0), market=THIN, valid=4 * HOUR)
    for held in (Decimal(4), Decimal(8), Decimal(10)):
        assert rig.trade().position.quantity == held
        for leg in (Leg.STOP, Leg.TARGET):
            order = rig.open_order(leg)
            assert order.remaining == held
            assert (await rig.open_at_venue())[order.client_order_id] == held
        assert nothing_more_to_derive(rig)
        await rig.step()
    assert len(sent(rig, Leg.STOP)) == len(sent(rig, Leg.TARGET)) == 1
    assert await rig.faults() == []


async def test_an_entry_that_expires_half_filled_leaves_a_position_that_is_protected_to_its_size(begin):
    rig = await entered(begin, flat(100, 8, volume=40.0), market=THIN, valid=HOUR)
    await rig.step(3)
    entry = next(order for order in rig.books.orders_of(rig.trade().trade_id) if order.intent.leg is Leg.ENTRY)
    assert entry.state is OrderState.EXPIRED
    assert 0 < entry.filled < 10
    assert rig.open_order(Leg.STOP).remaining == rig.open_order(Leg.TARGET).remaining == entry.filled
    assert await rig.faults() == []


async def test_a_target_filled_in_parts_keeps_the_stop_at_what_is_left(begin):
    tape = [*flat(100, 2, volume=200.0), Candle(100, 100, 100, 100, 40.0), Candle(120, 120, 120, 120, 40.0)]
    rig = await entered(begin, [*tape, *flat(120, 3, volume=40.0)], market=THIN)
    await rig.step(2)
    left = rig.trade().position.quantity
    assert left == Decimal(6)
    assert rig.open_order(Leg.STOP).remaining == rig.open_order(Leg.TARGET).remaining == left
    assert {left} == set((await rig.open_at_venue()).values())
    await rig.step(3)
    assert rig.books.trades == {}
    assert await rig.open_at_venue() == {}
    assert await rig.faults() == []


async def test_a_stop_refused_three_times_closes_the_position(begin):
    rig = await entered(begin, flat(100, 6), refuses=placing(Leg.STOP))
    assert len(sent(rig, Leg.STOP)) == ATTEMPTS
    assert len(sent(rig, Leg.CLOSE)) == 1
    await rig.step()
    assert await rig.held() == 0
    assert (await only_real_outcome(rig)).exit_cause is ExitCause.UNPROTECTED
    assert await rig.open_at_venue() == {}
    assert await rig.faults() == []


async def test_a_stop_refused_twice_is_placed_at_the_third_try(begin):
    refusals = iter([True, True])
    rig = await entered(begin, flat(100, 5), refuses=lambda intent: intent.leg is Leg.STOP and next(refusals, False))
    assert [order.state for order in rig.books.orders_of(rig.trade().trade_id) if order.intent.leg is Leg.STOP] == [
        OrderState.REJECTED,
        OrderState.REJECTED,
        OrderState.ACCEPTED,
    ]
    assert sent(rig, Leg.CLOSE) == []


async def test_a_venue_that_refuses_stops_and_closes_is_asked_once_a_bar_until_it_takes_the_close(begin):
    rig = await entered(begin, flat(100, 8), refuses=placing(Leg.STOP, Leg.CLOSE))
    assert len(sent(rig, Leg.STOP)) == len(sent(rig, Leg.CLOSE)) == ATTEMPTS
    for bar in (1, 2):
        await rig.step()
        assert len(sent(rig, Leg.CLOSE)) == ATTEMPTS + bar
        (hold,) = rig.session.holds.in_force(rig.clock.now())
        assert (hold.cause, hold.effect, hold.scope) == (HoldCause.UNPROTECTED, Effect.NO_ENTRIES, None)
        assert COIN in hold.detail
    assert len(sent(rig, Leg.STOP)) == ATTEMPTS
    rig.venue.faults.refuses = placing()
    await rig.step(2)
    assert await rig.held() == 0
    assert (await only_real_outcome(rig)).exit_cause is ExitCause.UNPROTECTED
    assert rig.session.holds.in_force(rig.clock.now()) == ()
    assert await rig.faults() == []


async def test_a_target_that_is_always_refused_is_left_out_and_the_stop_stays(begin):
    rig = await entered(begin, flat(100, 6), refuses=placing(Leg.TARGET))
    await rig.step(3)
    assert len(sent(rig, Leg.TARGET)) == ATTEMPTS
    assert rig.open_order(Leg.STOP).state is OrderState.ACCEPTED
    assert sent(rig, Leg.CLOSE) == []


async def test_a_refused_close_is_tried_again_with_its_cause(begin):
    rig = await entered(begin, flat(100, 6))
    await rig.closes()
    rig.venue.faults.refuses = placing(Leg.CLOSE)
    batch = Batch()
    await rig.session.execute(rig.trading.commands.flatten(who="a person", why="enough", batch=batch), batch)
    assert len(sent(rig, Leg.CLOSE)) == ATTEMPTS
    await rig.opens()
    rig.venue.faults.refuses = placing()
    await rig.step(2)
    assert await rig.held() == 0
    assert (await only_real_outcome(rig)).exit_cause is ExitCause.COMMAND
    assert await rig.faults() == []


async def test_a_stop_that_cannot_be_resized_is_cancelled_and_placed_anew(begin):
    rig = await entered(
        begin,
        flat(100, 8, volume=40.0),
        market=THIN,
        valid=4 * HOUR,
        refuses=lambda intent: intent.action is Action.REPLACE and intent.leg is Leg.STOP,
    )
    await rig.step()
    assert len(sent(rig, Leg.STOP, Action.REPLACE)) == ATTEMPTS
    stop = rig.open_order(Leg.STOP)
    assert (stop.remaining, stop.state, len(sent(rig, Leg.STOP))) == (Decimal(8), OrderState.ACCEPTED, 2)
    assert {incident.kind for incident in rig.journal.read.incidents()} == {"change_refused"}
    assert await rig.faults() == []


async def test_a_venue_that_refuses_every_change_is_not_asked_without_end(begin):
    rig = await entered(
        begin,
        flat(100, 8, volume=40.0),
        market=THIN,
        valid=4 * HOUR,
        refuses=lambda intent: intent.action is not Action.PLACE,
    )
    await rig.step()
    refused = len(sent(rig, Leg.STOP, Action.REPLACE)) + len(sent(rig, Leg.STOP, Action.CANCEL))
    assert refused <= 2 * ATTEMPTS + 1
    rig.venue.faults.refuses = placing()
    await rig.step(2)
    assert rig.open_order(Leg.STOP).remaining == rig.trade().position.quantity
    assert await rig.faults() == []


async def test_a_stop_whose_sending_was_not_answered_is_replaced_once_it_is_known_to_be_absent(begin):
    rig = await begin(flat(100, 6))
    await rig.closes()
    await rig.enter()
    rig.venue.faults.lost_on_the_way = 1
    await rig.opens()
    assert rig.open_order(Leg.STOP).state is OrderState.UNKNOWN
    await rig.desk.resolve()
    stop = rig.open_order(Leg.STOP)
    assert (stop.state, stop.intent.attempt) == (OrderState.ACCEPTED, 2)
    ids = [intent.client_order_id for intent in rig.venue.sent]
    assert len(ids) == len(set(ids))
    assert await rig.faults() == []


async def test_a_stop_whose_answer_was_lost_is_adopted_and_not_sent_again(begin):
    rig = await begin(flat(100, 6))
    await rig.closes()
    await rig.enter()
    rig.venue.faults.answers_lost = 1
    await rig.opens()
    assert rig.open_order(Leg.STOP).state is OrderState.ACCEPTED
    await rig.desk.resolve()
    assert len(sent(rig, Leg.STOP)) == 1


@pytest.mark.parametrize("fault", ["lost_on_the_way", "answers_lost"])
async def test_a_resize_that_was_not_answered_is_asked_for_again(begin, fault):
    rig = await entered(begin, flat(100, 8, volume=40.0), market=THIN, valid=4 * HOUR)
    setattr(rig.venue.faults, fault, 2)
    await rig.step()
    await rig.desk.resolve()
    assert rig.trade().position.quantity == Decimal(8)
    assert rig.open_order(Leg.STOP).remaining == rig.open_order(Leg.TARGET).remaining == Decimal(8)
    assert set((await rig.open_at_venue()).values()) >= {Decimal(8)}
    assert nothing_more_to_derive(rig)
    assert await rig.faults() == []


async def test_a_resize_that_nobody_answered_in_time_is_derived_anew(begin):
    rig = await entered(begin, flat(100, 8, volume=40.0), market=THIN, valid=4 * HOUR)
    rig.venue.faults.lost_on_the_way = 2
    await rig.step()
    assert rig.open_order(Leg.STOP).remaining == Decimal(4)
    rig.clock.move_to(rig.clock.now() + HOUR / 2)
    await rig.desk.resolve()
    assert rig.open_order(Leg.STOP).remaining == rig.open_order(Leg.TARGET).remaining == Decimal(8)
    assert await rig.faults() == []


async def test_a_stop_that_the_venue_lost_is_found_missing_and_placed_again(begin):
    rig = await entered(begin, flat(100, 6))
    lost = rig.open_order(Leg.STOP)
    rig.venue.faults.hides = {lost.client_order_id}
    batch = Batch()
    findings = await rig.session.reconciler.run(batch)
    assert [finding.ours for finding in findings] == [lost.client_order_id]
    stop = rig.open_order(Leg.STOP)
    assert stop.client_order_id != lost.client_order_id
    assert stop.state is OrderState.ACCEPTED
    assert stop.intent.stop_price == lost.intent.stop_price


async def test_an_open_order_of_no_trade_is_taken_back(begin):
    rig = await entered(begin, flat(100, 6))
    del rig.books.trades[COIN]
    intents = rig.session.protection.after(Changes(), rig.books, rig.clock.now())
    assert {(intent.action, intent.leg) for intent in intents} == {
        (Action.CANCEL, Leg.STOP),
        (Action.CANCEL, Leg.TARGET),
    }
    assert len({intent.client_order_id for intent in intents}) == 2


async def test_a_restart_in_the_middle_of_a_trade_derives_nothing_and_numbers_go_on(begin):
    rig = await entered(begin, flat(100, 8, volume=40.0), market=THIN, valid=4 * HOUR)
    await rig.step()
    await rig.writer.flush()
    used = {intent.client_order_id for intent in rig.journal.read.intents()}
    await rig.reopen()
    assert nothing_more_to_derive(rig)
    await rig.step(2)
    assert rig.open_order(Leg.STOP).remaining == Decimal(10)
    assert used < {intent.client_order_id for intent in rig.journal.read.intents()}
    assert await rig.faults() == []
