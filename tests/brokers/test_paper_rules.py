"""What the paper venue refuses, and what it answers to changes and cancels."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from paper_bench import START, Bench, instrument, intent

from brokers.paper.settings import PaperSettings
from brokers.protocol import EventKind
from domain.errors import Denied, InvalidInput, InvalidRecord
from domain.orders import Action, OrderKind, OrderState, Side, TimeInForce


@pytest.fixture
def bench():
    bench = Bench()
    bench.flat(100)
    return bench


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ({"symbol": "DOGEUSD"}, "there is no instrument DOGEUSD"),
        ({"quantity": "1.0005"}, "quantity 1.0005 is not a multiple of the lot 0.001"),
        (
            {"kind": OrderKind.LIMIT, "limit": "99.005"},
            "price 99.005 is not a multiple of the tick 0.01",
        ),
        (
            {"kind": OrderKind.STOP, "stop": "101", "tif": TimeInForce.IOC},
            "a stop order waits; it cannot be immediate or cancel",
        ),
        ({"reduce_only": True}, "reduce-only, and there is no position to reduce"),
        ({"quantity": "0.01"}, "notional 1.000 is below the minimum 5 USD"),
        (
            {"quantity": "501"},
            "insufficient margin: 10020.00 USD would be bound, equity is 10000.00",
        ),
    ],
)
async def test_what_the_venue_cannot_take_is_rejected_with_the_reason(bench, rest, reason):
    await bench.send("order", **rest)
    (event,) = await bench.told(EventKind.REJECTED)
    assert event.reason == reason
    assert await bench.state("order") == "rejected"
    bench.flat(100)
    assert await bench.fills() == []


async def test_quantities_below_the_minimum_are_rejected():
    bench = Bench(instruments={"BTCUSD": instrument(min_quantity=Decimal("0.5"))})
    bench.flat(100)
    await bench.send("order", quantity="0.4")
    (event,) = await bench.told(EventKind.REJECTED)
    assert event.reason == "quantity 0.4 is below the minimum 0.5"


async def test_a_market_order_without_any_known_price_is_rejected():
    bench = Bench()
    await bench.send("order")
    (event,) = await bench.told(EventKind.REJECTED)
    assert event.reason == "no price of BTCUSD is known yet"


async def test_shorts_of_what_cannot_be_shorted_are_rejected_but_selling_what_is_held_is_not():
    bench = Bench(instruments={"BTCUSD": instrument(shortable=False)})
    bench.flat(100)
    await bench.send("short", Side.SELL)
    (event,) = await bench.told(EventKind.REJECTED)
    assert event.reason == "BTCUSD cannot be sold short"
    await bench.send("entry")
    bench.flat(100)
    await bench.send("sell", Side.SELL)
    await bench.send("again", Side.SELL)
    bench.flat(101)
    assert await bench.state("sell") == "filled"
    assert await bench.state("again") == "cancelled"
    assert (await bench.broker.report()).positions == {}
    assert not bench.broker.capabilities.shorts


async def test_margin_counts_resting_entries_and_positions_of_all_instruments():
    pair = {"BTCUSD": instrument(), "ETHUSD": instrument("ETHUSD")}
    bench = Bench(instruments=pair)
    bench.flat(100)
    bench.broker.market_opens(bench.now, [("ETHUSD", 50.0, 0.0)], bench.rates)
    await bench.send("entry", quantity="300")
    bench.opens(100)
    await bench.send("rest", quantity="300", kind=OrderKind.LIMIT, limit="50", symbol="ETHUSD")
    await bench.send("more", quantity="120", symbol="ETHUSD")
    (event,) = await bench.told(EventKind.REJECTED)
    assert event.client_order_id == "more"
    assert event.reason == "insufficient margin: 10200.00 USD would be bound, equity is 9970.00"
    await bench.send("less", quantity="90", symbol="ETHUSD")
    assert await bench.state("less") == "accepted"


async def test_margin_is_bound_at_each_instruments_own_leverage():
    """A leveraged currency pair beside an unleveraged share: what one binds is not judged by the other's leverage."""
    pair, share = instrument("EURUSD", max_leverage=Decimal(30)), instrument("ABCUSD", max_leverage=Decimal(1))
    bench = Bench(instruments={"EURUSD": pair, "ABCUSD": share})
    bench.opens(100.0, symbol="EURUSD")
    bench.opens(100.0, symbol="ABCUSD")
    await bench.send("pair", symbol="EURUSD", quantity="1000")
    await bench.send("share", symbol="ABCUSD", quantity="60")
    assert await bench.told(EventKind.REJECTED) == []
    await bench.send("more", symbol="ABCUSD", quantity="10")
    (event,) = await bench.told(EventKind.REJECTED)
    assert event.client_order_id is not None
    assert event.reason.startswith("insufficient margin: 10333.33 USD would be bound")


async def test_turning_a_position_around_needs_margin_only_for_what_it_ends_with(bench):
    await bench.send("entry", quantity="400")
    bench.opens(100)
    await bench.send("turn", Side.SELL, quantity="850")
    assert await bench.state("turn") == "accepted"
    await bench.send("too much", Side.SELL, quantity="1000")
    assert await bench.state("too much") == "rejected"


async def test_reducing_needs_no_minimum():
    bench = Bench(
        instruments={"BTCUSD": instrument(min_quantity=Decimal("0.5"))}, settings=PaperSettings(slippage_bps=0)
    )
    bench.flat(100, volume=1)
    await bench.send("entry", quantity="0.6")
    bench.opens(100)
    bench.closes(100, 100, 100, 100)
    await bench.send("close", Side.SELL, "0.1", reduce_only=True)
    assert await bench.state("close") == "accepted"


async def test_another_accounts_intent_is_denied(bench):
    with pytest.raises(Denied, match="it is for account other, not test"):
        await bench.send("order", account="other")
    assert await bench.state("order") == "absent"


async def test_a_duplicate_of_an_ended_order_changes_nothing(bench):
    await bench.send("entry")
    bench.flat(100)
    before = await bench.told()
    await bench.send("entry", quantity="7")
    bench.flat(100)
    assert await bench.told() == before


async def test_a_replacement_names_both_ids_and_is_idempotent(bench):
    await bench.send("dip", kind=OrderKind.LIMIT, limit="90")
    change = bench.worded("change", quantity="2", kind=OrderKind.LIMIT, limit="91", action=Action.REPLACE, target="dip")
    await bench.broker.send(change)
    await bench.broker.send(change)
    (event,) = await bench.told(EventKind.REPLACED)
    assert (event.client_order_id, event.intent_id) == ("dip", "change")
    assert (await bench.found("dip")).quantity == Decimal(2)
    assert await bench.found("change") is None


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ({"limit": "91.005"}, "price 91.005 is not a multiple of the tick 0.01"),
        ({"limit": "91", "side": Side.SELL}, "instrument, side and kind of an order cannot be replaced"),
        ({"limit": "91", "quantity": "9999"}, "insufficient margin: 181981.80 USD would be bound, equity is 10000.00"),
        ({"limit": "91", "target": "nothing"}, "there is no such order"),
    ],
)
async def test_a_refused_replacement_leaves_the_order_as_it_was(bench, rest, reason):
    await bench.send("dip", kind=OrderKind.LIMIT, limit="90")
    await bench.send("change", **({"target": "dip", "kind": OrderKind.LIMIT, "action": Action.REPLACE} | rest))
    (event,) = await bench.told(EventKind.REPLACE_REJECTED)
    assert event.reason == reason
    assert event.intent_id == "change"
    bench.opens(90)
    assert await bench.fills() == [("dip", Decimal(1), Decimal(90))]


async def test_the_new_quantity_must_exceed_what_is_filled():
    bench = Bench(settings=PaperSettings(slippage_bps=0))
    bench.flat(100, volume=10)
    await bench.send("entry", quantity="3", kind=OrderKind.LIMIT, limit="101")
    bench.opens(100)
    await bench.send("change", quantity="1", kind=OrderKind.LIMIT, limit="101", action=Action.REPLACE, target="entry")
    (event,) = await bench.told(EventKind.REPLACE_REJECTED)
    assert event.reason == "1.000 are filled already; 1 cannot be the whole quantity"


async def test_cancels_and_changes_of_ended_orders_are_refused_with_the_state(bench):
    await bench.send("entry")
    bench.opens(100)
    await bench.send("undo", action=Action.CANCEL, target="entry")
    await bench.send("change", quantity="2", action=Action.REPLACE, target="entry")
    (cancel,) = await bench.told(EventKind.CANCEL_REJECTED)
    (change,) = await bench.told(EventKind.REPLACE_REJECTED)
    assert cancel.reason == change.reason == "the order is filled"
    assert (cancel.client_order_id, cancel.intent_id) == ("entry", "undo")


async def test_an_unknown_cursor_says_that_the_ledger_is_another_one(bench):
    for cursor in ("7", "-1", "x", "²"):
        with pytest.raises(InvalidInput, match="never gave the cursor"):
            await bench.broker.events(cursor)


async def test_an_approval_covers_what_it_names_only(bench):
    sold = bench.worded("order", Side.SELL)
    with pytest.raises(Denied, match="the approval is for sell BTCUSD"):
        await bench.broker.send(intent_with(sold, side=Side.BUY))
    old = intent("old", at=START - timedelta(days=3))
    with pytest.raises(Denied, match="has expired"):
        await bench.broker.send(old)
    assert [event.kind for event in await bench.told()] == [EventKind.CASH]


def intent_with(original, **changes):
    from dataclasses import replace

    return replace(original, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"slippage_bps": -1},
        {"slippage_bps": float("nan")},
        {"latency_s": -1},
        {"grace_s": float("inf")},
        {"max_participation": 0},
        {"max_participation": 1.5},
        {"reject_rate": 2},
        {"starting_cash": Decimal(0)},
        {"starting_cash": Decimal("nan")},
    ],
)
def test_settings_that_make_no_sense_do_not_exist(changes):
    with pytest.raises(InvalidRecord, match=next(iter(changes))):
        PaperSettings(**changes)


async def test_an_order_reports_its_state(bench):
    await bench.send("dip", kind=OrderKind.LIMIT, limit="90")
    report = await bench.found("dip")
    assert (report.state, report.filled, report.venue_order_id) == (OrderState.ACCEPTED, Decimal(0), "paper-1")
