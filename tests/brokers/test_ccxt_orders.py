"""Orders at a venue: sent once, answered as facts, taken back, expired by the broker itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from ccxt_bench import GTD, Bench, name_of

from brokers.protocol import EventKind
from domain.errors import Denied, VenueBusy, VenueForbids, VenueRejected, VenueUnavailable
from domain.orders import Action, OrderKind, OrderState, Side, TimeInForce
from venues.records import MarketKind

A, F = EventKind.ACCEPTED, EventKind.FILLED


@pytest_asyncio.fixture
async def bench(tmp_path):
    bench = await Bench(tmp_path).open()
    yield bench
    await bench.broker.close()


async def test_a_market_order_is_accepted_and_filled_at_the_next_look(bench):
    await bench.market("entry")
    assert await bench.kinds("entry") == [A, F]
    (fill,) = await bench.fills("entry")
    assert (fill.quantity, fill.price, fill.fee) == (Decimal(1), Decimal(100), Decimal("0.04"))
    assert bench.link.asked.count("place") == 1


async def test_an_id_that_was_sent_is_never_sent_again(bench):
    entry = await bench.market("entry")
    await bench.broker.send(entry)
    await bench.told()
    await bench.broker.send(entry)
    await bench.reopen()
    await bench.broker.send(entry)
    assert bench.venue.placed == [entry.client_order_id]


async def test_an_id_whose_answer_was_lost_is_not_sent_again_either(bench):
    bench.faults.lost_on_the_way = 1
    entry = bench.intent("entry")
    for _ in range(3):
        with pytest.raises(VenueUnavailable):
            await bench.broker.send(entry)
    assert bench.link.asked.count("place") == 1


async def test_a_lost_answer_is_found_out_by_asking_for_the_id(bench):
    bench.faults.answers_lost = 1
    with pytest.raises(VenueUnavailable):
        await bench.market("entry")
    assert await bench.kinds("entry") == [A, F]


async def test_a_definite_no_is_told_as_a_rejection_and_not_sent_again(bench):
    bench.faults.refusal = VenueRejected("the filter says no")
    entry = await bench.market("entry")
    (event,) = await bench.told("entry")
    assert (event.kind, event.reason) == (EventKind.REJECTED, "the filter says no")
    bench.faults.refusal = None
    await bench.broker.send(entry)
    assert bench.venue.placed == []
    report = await bench.broker.find(entry)
    assert report is not None
    assert report.state is OrderState.REJECTED


@pytest.mark.parametrize("error", [VenueBusy("wait", wait_s=3), VenueForbids("no key")])
async def test_what_the_venue_did_not_take_may_be_sent_again(bench, error):
    bench.faults.refusal = error
    entry = bench.intent("entry")
    with pytest.raises(type(error)):
        await bench.broker.send(entry)
    assert await bench.told("entry") == []
    assert await bench.broker.find(entry) is None
    bench.faults.refusal = None
    await bench.broker.send(entry)
    assert await bench.kinds("entry") == [A, F]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account": "other"}, "it is for account other, not demo"),
        ({"action": Action.REPLACE, "target_id": "x"}, "memory changes no order in place"),
        (
            {"kind": OrderKind.STOP_LIMIT, "limit_price": Decimal(90), "stop_price": Decimal(91)},
            "memory takes no stop_limit order here",
        ),
        (
            {"kind": OrderKind.STOP, "stop_price": Decimal(91), "time_in_force": TimeInForce.IOC},
            "a stop order waits; it cannot be immediate or cancel",
        ),
    ],
)
async def test_what_cannot_be_worded_for_the_venue_is_denied_before_anything_leaves(bench, changes, reason):
    entry = replace(bench.intent("entry"), **changes)
    with pytest.raises(Denied, match=reason):
        await bench.broker.send(entry)
    assert "place" not in bench.link.asked
    assert await bench.told("entry") == []


async def test_an_instrument_that_is_not_traded_here_is_denied(bench):
    entry = bench.intent("entry")
    other = replace(entry, instrument="XRPUSDT", approval=replace(entry.approval, instrument="XRPUSDT"))
    with pytest.raises(Denied, match="there is no instrument XRPUSDT"):
        await bench.broker.send(other)


async def test_an_immediate_order_that_finds_nothing_ends_unfilled(bench):
    await bench.limit("dip", "90", time_in_force=TimeInForce.IOC)
    assert await bench.kinds("dip") == [A, EventKind.EXPIRED]


async def test_reduce_only_is_asked_only_where_the_venue_has_it(tmp_path):
    spot = await Bench(tmp_path, kind=MarketKind.SPOT).open()
    await spot.market("entry")
    await spot.market("exit", Side.SELL, "0.5", reduce_only=True)
    assert [request.reduce_only for request in spot.venue.requests.values()] == [False, False]
    assert await spot.kinds("exit") == [A, F]
    await spot.broker.close()


async def test_a_cancel_is_told_with_the_intent_that_asked(bench):
    await bench.limit("dip", "90")
    undo = await bench.cancel("undo", "dip")
    event = (await bench.told("dip"))[-1]
    assert (event.kind, event.intent_id, event.reason) == (EventKind.CANCELLED, undo.client_order_id, "enough")
    await bench.broker.send(undo)
    again = await bench.cancel("undo2", "dip")
    told = await bench.told("dip")
    assert [each.kind for each in told] == [A, EventKind.CANCELLED, EventKind.CANCEL_REJECTED]
    assert (told[-1].intent_id, told[-1].reason) == (again.client_order_id, "the order is cancelled")
    assert bench.link.asked.count("cancel") == 1


async def test_the_end_of_a_cancelled_order_waits_for_its_executions(bench):
    await bench.limit("dip", "99", quantity="3")
    bench.venue.trade_at("BTCUSDT", "99", most=Decimal(1))
    bench.faults.trades_hidden = 1
    await bench.cancel("undo", "dip")
    assert await bench.kinds("dip") == [A]
    bench.wait(1)
    assert await bench.kinds("dip") == [A]
    bench.faults.trades_hidden = 0
    bench.wait(1)
    assert await bench.kinds("dip") == [A, F, EventKind.CANCELLED]


async def test_a_cancel_that_comes_after_the_fill_is_refused_and_the_fill_stands(bench):
    await bench.limit("dip", "99")
    bench.venue.trade_at("BTCUSDT", "99")
    undo = await bench.cancel("undo", "dip")
    told = await bench.told("dip")
    assert [event.kind for event in told] == [A, F, EventKind.CANCEL_REJECTED]
    assert (told[-1].intent_id, told[-1].reason) == (undo.client_order_id, "the order is filled")


async def test_a_cancel_whose_answer_was_lost_names_its_intent_all_the_same(bench):
    await bench.limit("dip", "90")
    bench.faults.answers_lost = 1
    undo = bench.intent("undo", action=Action.CANCEL, target="dip")
    with pytest.raises(VenueUnavailable):
        await bench.broker.send(undo)
    bench.wait(5)
    told = await bench.told("dip")
    assert [(event.kind, event.intent_id) for event in told][-1] == (EventKind.CANCELLED, undo.client_order_id)
    await bench.broker.send(undo)
    assert await bench.told("dip") == told


async def test_a_cancel_that_the_venue_refuses_by_rule_says_why(bench):
    await bench.limit("dip", "90")
    bench.faults.refusal = VenueRejected("not now")
    await bench.cancel("undo", "dip")
    bench.faults.refusal = None
    event = (await bench.told("dip"))[-1]
    assert (event.kind, event.reason) == (EventKind.CANCEL_REJECTED, "not now")


async def test_a_cancel_of_an_order_that_nobody_knows_is_refused(bench):
    undo = await bench.cancel("undo", "never")
    (event,) = await bench.told("never")
    assert (event.kind, event.intent_id) == (EventKind.CANCEL_REJECTED, undo.client_order_id)
    assert event.reason == "the venue knows no such order"


async def test_a_cancel_of_an_order_that_only_the_venue_knows_ends_it(bench):
    await bench.limit("dip", "90")
    await bench.told()
    await bench.lose_log()
    await bench.cancel("undo", "dip")
    assert await bench.kinds("dip") == [A, EventKind.CANCELLED]


async def test_a_limit_order_whose_time_ran_out_is_taken_back_and_told_as_expired(bench):
    await bench.limit("dip", "90", time_in_force=GTD, expires_at=bench.clock.now() + timedelta(minutes=30))
    bench.wait(1799)
    assert await bench.kinds("dip") == [A]
    bench.wait(1)
    assert await bench.kinds("dip") == [A, EventKind.EXPIRED]
    assert bench.venue.open() == []


async def test_an_expiry_that_a_failure_interrupted_is_taken_up_again(bench):
    await bench.limit("dip", "90", time_in_force=GTD, expires_at=bench.clock.now() + timedelta(minutes=1))
    await bench.told()
    bench.wait(60)
    bench.faults.refusal = VenueUnavailable("no answer")
    cursor = (await bench.broker.events("")).cursor
    with pytest.raises(VenueUnavailable):
        await bench.broker.events(cursor)
    bench.faults.refusal = None
    await bench.reopen()
    assert await bench.kinds("dip") == [A, EventKind.EXPIRED]


async def test_a_fill_that_beats_the_expiry_is_a_fill(bench):
    await bench.limit("dip", "99", time_in_force=GTD, expires_at=bench.clock.now() + timedelta(minutes=1))
    bench.wait(60)
    bench.venue.trade_at("BTCUSDT", "99")
    assert await bench.kinds("dip") == [A, F]


async def test_the_expiry_of_a_market_order_is_not_the_brokers_business(bench):
    await bench.market("entry", time_in_force=GTD, expires_at=bench.clock.now() + timedelta(minutes=1))
    bench.wait(120)
    assert await bench.kinds("entry") == [A, F]
    assert "cancel" not in bench.link.asked


async def test_a_closed_broker_answers_that_it_is_unavailable(bench):
    entry = bench.intent("entry")
    await bench.broker.close()
    await bench.broker.close()
    assert bench.link.closed
    for question in (
        bench.broker.send(entry),
        bench.broker.find(entry),
        bench.broker.events(""),
        bench.broker.report(),
        bench.broker.refound(Decimal(0)),
    ):
        with pytest.raises(VenueUnavailable, match="is closed"):
            await question


async def test_what_the_venue_can_is_said(bench, tmp_path):
    can = bench.broker.capabilities
    assert (can.oco, can.replace, can.spot, can.shorts, can.reduce_only) == (False, False, False, True, True)
    assert can.demo_proof == bench.link.proof
    assert bench.broker.name == "memory"
    folder = tmp_path / "spot"
    folder.mkdir()
    spot = await Bench(folder, kind=MarketKind.SPOT).open()
    assert (spot.broker.capabilities.spot, spot.broker.capabilities.stacks_exits) == (True, False)
    await spot.broker.close()


async def test_ids_begin_with_our_prefix(bench):
    assert name_of("entry").startswith("rt")
