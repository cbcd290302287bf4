"""Between bars: no position lies bare, watched targets are taken, and a venue that refuses us is not asked again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from trading_rig import COIN, Rig, flat

from brokers.protocol import Capabilities
from domain.bars import Quote
from domain.decisions import ExitCause, OutcomeKind
from domain.errors import VenueForbids, VenueUnavailable
from domain.holds import Effect, HoldCause
from domain.orders import Action, Intent, Leg, OrderState, Side
from journal.batch import Batch
from trading.guardian import BARE_FOR, MOST_DOUBLINGS, REFIT_AFTER, UNPROTECTED, Guardian
from trading.observer import Observer
from trading.protection import ATTEMPTS

SECOND = timedelta(seconds=1)


async def entered(begin, bars: int = 6) -> Rig:
    rig = await begin(flat(100, bars))
    await rig.closes()
    await rig.enter()
    return rig


async def seconds_pass(rig: Rig, count: int, quotes: dict[str, Quote] | None = None) -> None:
    """The watch job, once a second."""
    for _ in range(count):
        rig.clock.move_to(rig.clock.now() + SECOND)
        await rig.session.look_after(quotes or {})


async def unanswered_seconds_pass(rig: Rig, count: int) -> None:
    for _ in range(count):
        rig.clock.move_to(rig.clock.now() + SECOND)
        with pytest.raises(VenueUnavailable, match="no answer"):
            await rig.session.look_after({})


def locks_what_it_sells(rig: Rig) -> None:
    """As on a spot account: one resting exit at a time, and nothing can be replaced."""
    rig.session.protection._can_replace = False
    rig.session.protection._stacks = False


def quoted(rig: Rig, bid: float, ask: float) -> dict[str, Quote]:
    return {COIN: Quote(symbol=COIN, at=rig.clock.now(), bid=bid, ask=ask)}


def of_leg(rig: Rig, leg: Leg, action: Action = Action.PLACE) -> list[Intent]:
    return [intent for intent in rig.venue.sent if intent.leg is leg and intent.action is action]


async def outcomes(rig: Rig):
    await rig.writer.flush()
    return rig.journal.read.outcomes(kind=OutcomeKind.REAL)


async def test_a_stop_lost_on_its_way_is_asked_for_and_placed_anew_before_anything_is_sold(begin):
    rig = await entered(begin)
    rig.venue.faults.lost_on_the_way = 1
    await rig.opens()
    stop = next(order for order in rig.books.all_open_orders() if order.intent.leg is Leg.STOP)
    assert stop.state is OrderState.UNKNOWN
    rig.venue.faults.silent = True
    await unanswered_seconds_pass(rig, int(BARE_FOR / SECOND) - 1)
    assert of_leg(rig, Leg.CLOSE) == []
    rig.venue.faults.silent = False
    # Asked by id the venue has no such stop, so a new one is placed before anything needs to be sold.
    await seconds_pass(rig, 1)
    assert rig.open_order(Leg.STOP).state is OrderState.ACCEPTED
    assert of_leg(rig, Leg.CLOSE) == []
    assert await rig.faults() == []


async def test_a_venue_that_answers_no_question_does_not_keep_a_bare_position_from_being_closed(begin):
    rig = await entered(begin)
    rig.venue.faults.lost_on_the_way = 1
    await rig.opens()
    rig.venue.faults.silent = True
    await unanswered_seconds_pass(rig, int(BARE_FOR / SECOND) + 3)
    (close,) = of_leg(rig, Leg.CLOSE)  # tried once: while nobody knows of it, it is not sent again
    assert close.reason is ExitCause.UNPROTECTED
    rig.venue.faults.silent = False
    await rig.step()
    await seconds_pass(rig, 1)
    assert await rig.held() == 0
    assert rig.books.open_trades() == []
    assert await rig.faults() == []


async def test_a_stop_without_an_answer_from_before_a_restart_is_not_waited_for(begin):
    rig = await entered(begin)
    rig.venue.faults.lost_on_the_way = 1
    await rig.opens()
    (stop,) = rig.books.open_orders(rig.trade().trade_id, Leg.STOP)
    assert stop.state is OrderState.UNKNOWN
    rig.clock.move_to(rig.clock.now() + SECOND)
    assert rig.session.guardian.look(rig.clock.now(), {}, Batch()) == []
    parts = {"books": rig.books, "protection": rig.session.protection, "holds": rig.session.holds}
    restarted = Guardian(began=rig.clock.now(), observer=Observer(), **parts)
    (close,) = restarted.look(rig.clock.now(), {}, Batch())
    assert (close.leg, close.reason) == (Leg.CLOSE, ExitCause.UNPROTECTED)


async def test_a_position_that_stays_bare_is_closed_within_five_seconds(begin):
    rig = await entered(begin)
    await rig.opens()
    stop = rig.open_order(Leg.STOP)
    rig.books._open_ids[stop.intent.position_id].pop(stop.client_order_id)  # nobody knows of a stop any more
    await seconds_pass(rig, int(BARE_FOR / SECOND) - 1)
    assert of_leg(rig, Leg.CLOSE) == []
    await seconds_pass(rig, 1)
    (close,) = of_leg(rig, Leg.CLOSE)
    assert (close.reason, close.quantity, close.reduce_only) == (ExitCause.UNPROTECTED, Decimal(10), True)
    await rig.writer.flush()
    assert [each.kind for each in rig.journal.read.incidents()] == [UNPROTECTED]


async def test_a_close_that_is_always_refused_halts_the_rest_and_is_tried_on(begin):
    rig = await entered(begin)
    rig.venue.faults.refuses = lambda intent: intent.leg in (Leg.STOP, Leg.CLOSE)
    await rig.opens()
    assert rig.books.refused(rig.trade().trade_id, Leg.CLOSE) == ATTEMPTS
    await seconds_pass(rig, 2**ATTEMPTS * int(BARE_FOR / SECOND) + 2)
    (hold,) = [each for each in rig.session.holds.in_force(rig.clock.now()) if each.cause is HoldCause.UNPROTECTED]
    assert (hold.effect, hold.latched) == (Effect.HALT, True)
    tried = len(of_leg(rig, Leg.CLOSE))
    assert tried == ATTEMPTS + 1
    await seconds_pass(rig, 2**MOST_DOUBLINGS * int(BARE_FOR / SECOND) + 1)
    assert len(of_leg(rig, Leg.CLOSE)) == tried + 1
    rig.venue.faults.refuses = lambda _intent: False
    await seconds_pass(rig, 2**MOST_DOUBLINGS * int(BARE_FOR / SECOND) + 1)
    await rig.step()
    (outcome,) = await outcomes(rig)
    assert outcome.exit_cause is ExitCause.UNPROTECTED
    assert await rig.faults() == []


@pytest.mark.parametrize(("bid", "ask", "taken"), [(114.99, 115.2, False), (115.0, 115.2, True)])
async def test_a_watched_target_is_taken_at_the_bid_once_the_stop_that_locks_it_is_back(begin, bid, ask, taken):
    rig = await entered(begin)
    locks_what_it_sells(rig)
    await rig.opens()
    assert of_leg(rig, Leg.TARGET) == []
    await seconds_pass(rig, 1, quoted(rig, bid, ask))
    assert len(of_leg(rig, Leg.STOP, Action.CANCEL)) == len(of_leg(rig, Leg.CLOSE)) == taken
    if taken:
        await rig.step()
        (outcome,) = await outcomes(rig)
        assert outcome.exit_cause is ExitCause.TARGET
    assert await rig.faults() == []


async def test_what_was_to_be_sold_is_still_sold_after_a_crash_between_the_cancel_and_the_sale(begin):
    rig = await entered(begin)
    locks_what_it_sells(rig)
    await rig.opens()
    rig.venue.faults.refuses = lambda intent: intent.leg is Leg.CLOSE
    await seconds_pass(rig, 1, quoted(rig, 116, 116.2))
    assert len(of_leg(rig, Leg.CLOSE)) == ATTEMPTS
    assert rig.open_order(Leg.STOP).state is OrderState.ACCEPTED  # refused so often, the sale makes room for a stop
    await rig.reopen()
    locks_what_it_sells(rig)
    assert rig.trade().leaving is ExitCause.TARGET
    await rig.opens_again()
    await rig.step(2)
    (outcome,) = await outcomes(rig)
    assert outcome.exit_cause is ExitCause.TARGET
    assert await rig.faults() == []


async def test_a_trailing_stop_that_cannot_be_replaced_is_taken_back_and_placed_anew_where_it_was_wanted(begin):
    rig = await entered(begin)
    locks_what_it_sells(rig)
    await rig.opens()
    moved = rig.session.protection.move_stop(rig.trade(), rig.books, rig.clock.now(), Decimal(97))
    assert [(intent.leg, intent.action) for intent in moved] == [(Leg.STOP, Action.CANCEL)]
    await rig.desk.submit(moved, Batch())
    stop = rig.open_order(Leg.STOP)
    assert (stop.intent.stop_price, stop.state, stop.remaining) == (Decimal(97), OrderState.ACCEPTED, Decimal(10))
    assert list(await rig.open_at_venue()) == [stop.client_order_id]
    looser = rig.session.protection.move_stop(rig.trade(), rig.books, rig.clock.now(), Decimal(96))
    assert looser == []


async def test_an_order_the_venue_was_too_busy_for_leaves_when_it_may_be_asked_again(begin):
    rig = await begin(flat(100, 6))
    await rig.closes()
    rig.venue.faults.busy = 1
    decision = await rig.enter()
    (order,) = rig.books.open_orders(decision.decision_id)
    assert order.state is OrderState.PENDING
    await seconds_pass(rig, 1)
    assert [intent.client_order_id for intent in rig.venue.sent] == [order.client_order_id] * 2
    await rig.opens()
    assert rig.trade().position.quantity == Decimal(10)


async def test_a_revoked_key_halts_everything_until_a_person_looks_and_is_not_tried_again(begin):
    rig = await entered(begin)
    await rig.opens()
    rig.venue.faults.forbids = True
    await seconds_pass(rig, 1)
    (hold,) = [each for each in rig.session.holds.in_force(rig.clock.now()) if each.cause is HoldCause.VENUE]
    assert (hold.effect, hold.latched, hold.scope) == (Effect.HALT, True, None)
    assert "the key was revoked" in hold.detail
    before = len(rig.venue.sent)
    rig.venue.faults.forbids = False
    await seconds_pass(rig, 3)
    with pytest.raises(VenueForbids):
        await rig.desk.pump()
    assert len(rig.venue.sent) == before
    await rig.reopen()
    assert any(each.cause is HoldCause.VENUE for each in rig.session.holds.in_force(rig.clock.now()))
    await rig.desk.pump()


async def test_short_positions_take_watched_targets_at_the_ask(begin):
    rig = await begin(flat(100, 6))
    await rig.closes()
    await rig.enter(Side.SELL)
    locks_what_it_sells(rig)
    await rig.opens()
    await seconds_pass(rig, 1, quoted(rig, 84.9, 85.1))
    assert of_leg(rig, Leg.CLOSE) == []
    await seconds_pass(rig, 1, quoted(rig, 84.8, 85.0))
    assert [intent.side for intent in of_leg(rig, Leg.CLOSE)] == [Side.BUY]


def test_every_capability_that_is_not_said_is_the_embedded_brokers():
    can = Capabilities(kinds=frozenset(), oco=True, replace=True, reduce_only=True, shorts=True, demo_proof="a test")
    assert (can.stacks_exits, can.rejects_duplicates, can.spot) == (True, True, False)


async def test_a_successor_of_a_stop_that_was_refused_too_often_is_asked_for_again_before_the_bar_closes(begin):
    rig = await entered(begin)
    await rig.opens()
    rig.session.protection._can_replace = False  # a new price is a new order beside the old one
    rested = rig.open_order(Leg.STOP)
    rig.venue.faults.refuses = lambda intent: intent.leg is Leg.STOP
    higher = rested.intent.stop_price + 1
    intents = rig.session.protection.move_stop(rig.trade(), rig.books, rig.clock.now(), higher)
    await rig.session.execute(intents, Batch())
    assert rig.books.refused(rig.trade().trade_id, Leg.STOP) == ATTEMPTS
    (unfit,) = rig.session.guardian.unfit()
    assert unfit is rig.trade()
    asked = len(of_leg(rig, Leg.STOP))
    await seconds_pass(rig, int(REFIT_AFTER / SECOND) - 1)
    assert len(of_leg(rig, Leg.STOP)) == asked
    rig.venue.faults.refuses = lambda _intent: False
    await seconds_pass(rig, 2)
    successor = rig.open_order(Leg.STOP)
    assert (successor.intent.stop_price, successor.state) == (higher, OrderState.ACCEPTED)
    assert rig.session.guardian.unfit() == []
    assert await rig.faults() == []
