"""Properties of the paper account under random orders and random markets."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper_bench import Bench, instrument

from brokers.paper.settings import PaperSettings
from brokers.protocol import BrokerEvent, EventKind
from domain.numbers import money
from domain.orders import TRANSITIONS, Action, OrderKind, OrderState, Side, TimeInForce
from domain.records import CashKind

CENT = Decimal("0.01")
STATES = {
    EventKind.ACCEPTED: OrderState.ACCEPTED,
    EventKind.REJECTED: OrderState.REJECTED,
    EventKind.CANCELLED: OrderState.CANCELLED,
    EventKind.EXPIRED: OrderState.EXPIRED,
}

prices = st.integers(8000, 12500).map(lambda cents: cents * CENT)
bars = st.fixed_dictionaries(
    {
        "open": st.floats(80, 125),
        "up": st.floats(0, 8),
        "down": st.floats(0, 8),
        "volume": st.sampled_from([math.nan, 0.0, 3.0, 40.0]),
    }
)
orders = st.fixed_dictionaries(
    {
        "side": st.sampled_from(list(Side)),
        "kind": st.sampled_from(list(OrderKind)),
        "action": st.sampled_from([Action.PLACE, Action.PLACE, Action.PLACE, Action.REPLACE, Action.CANCEL]),
        "quantity": st.integers(1, 40).map(lambda tenths: str(Decimal(tenths) / 10)),
        "limit": prices,
        "stop": prices,
        "reduce_only": st.booleans(),
        "group": st.sampled_from([None, None, "a", "b"]),
        "tif": st.sampled_from(list(TimeInForce)),
        "hours": st.integers(0, 3),
        "target": st.integers(0, 30),
    }
)
streams = st.lists(st.one_of(bars, orders), min_size=1, max_size=40)


def worded(choice: dict[str, Any], bench: Bench) -> dict[str, Any]:
    kind, action = choice["kind"], choice["action"]
    limited, stopped = kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT), kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
    timed = choice["tif"] is TimeInForce.GTD
    return {
        "kind": kind,
        "action": action,
        "target": None if action is Action.PLACE else f"o{choice['target']}",
        "limit": str(choice["limit"]) if limited else None,
        "stop": str(choice["stop"]) if stopped else None,
        "reduce_only": choice["reduce_only"],
        "group": choice["group"],
        "tif": choice["tif"],
        "expires_at": bench.now + timedelta(hours=choice["hours"]) if timed else None,
    }


async def played(stream: list[dict[str, Any]], bench: Bench) -> Bench:
    """Tell the bars and send the orders in between; each order's id is o and its number."""
    bench.flat(100.0)
    for number, each in enumerate(stream):
        if "open" in each:
            open_ = each["open"]
            bench.opens(open_)
            bench.closes(open_, open_ + each["up"], open_ - each["down"], open_, each["volume"])
        else:
            await bench.send(f"o{number}", each["side"], each["quantity"], **worded(each, bench))
        held = [event.fill for event in bench.broker._book.recent if event.fill is not None]
        assert bench.broker._book.held("BTCUSD") == sum((fill.side.sign * fill.quantity for fill in held), Decimal(0))
    bench.flat(100.0)
    return bench


def bench_of(**changes: Any) -> Bench:
    traded = instrument(
        swap_long_per_day=Decimal("-0.0002"), swap_short_per_day=Decimal("0.0001"), max_leverage=Decimal(1), **changes
    )
    return Bench(
        instruments={"BTCUSD": traded},
        settings=PaperSettings(seed=5, slippage_bps=20, max_participation=0.5, reject_rate=0.05),
        half_spread=0.02,
    )


def run(stream: list[dict[str, Any]], **changes: Any) -> Bench:
    return asyncio.run(played(stream, bench_of(**changes)))


def told(bench: Bench) -> list[BrokerEvent]:
    return list(asyncio.run(bench.broker.events("")).events)


relaxed = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(streams)
def test_every_event_sequence_stays_within_the_order_state_table(stream):
    states: dict[str, OrderState] = {}
    filled: dict[str, Decimal] = {}
    bench = run(stream)
    for event in told(bench):
        name = event.client_order_id
        if name is None or event.kind in (
            EventKind.REPLACED,
            EventKind.REPLACE_REJECTED,
            EventKind.CANCEL_REJECTED,
        ):
            continue
        if event.fill is not None:
            filled[name] = filled.get(name, Decimal(0)) + event.fill.quantity
            state = OrderState.PARTIALLY_FILLED
        else:
            state = STATES[event.kind]
        before = states.get(name, OrderState.PENDING)
        assert state in TRANSITIONS[before] or state is before is OrderState.PARTIALLY_FILLED
        states[name] = state
    for name, quantity in filled.items():
        report = asyncio.run(bench.found(name))
        assert report is not None
        assert report.filled == quantity
        assert quantity <= bench.broker._ledger.order(name).quantity


@relaxed
@given(streams)
def test_the_balance_is_the_sum_of_what_was_told(stream):
    bench = run(stream)
    events = told(bench)
    cash = sum((event.cash.amount for event in events if event.cash is not None), Decimal(0))
    realized, fees, held, cost = Decimal(0), Decimal(0), Decimal(0), Decimal(0)
    fills = [event.fill for event in events if event.fill is not None]
    for fill in fills:
        fees += fill.fee
        assert fill.fee == money(Decimal("0.001") * fill.price * fill.quantity)
        held += fill.side.sign * fill.quantity
        cost += fill.side.sign * fill.quantity * fill.price
    report = asyncio.run(bench.broker.report())
    assert report.positions == ({"BTCUSD": held} if held else {})
    # Equity from the books equals equity from the cash that changed hands, at any price: here at 100.
    position = bench.broker._book.holdings.get("BTCUSD")
    floating = Decimal(0) if position is None else position.position.floating(Decimal(100), Decimal(1))
    realized = held * 100 - cost - floating
    assert abs(report.balance - (cash + realized - fees)) < Decimal("0.000001")
    assert {event.cash.kind for event in events if event.cash is not None} <= {CashKind.DEPOSIT, CashKind.SWAP}


@relaxed
@given(streams)
def test_reduce_only_never_turns_or_enlarges_a_position(stream):
    bench = run(stream)
    held = Decimal(0)
    for event in told(bench):
        if event.fill is None:
            continue
        change = event.fill.side.sign * event.fill.quantity
        order = bench.broker._ledger.order(event.fill.client_order_id)
        if order.reduce_only:
            assert held * change < 0
            assert abs(change) <= abs(held)
        held += change


@relaxed
@given(streams)
def test_what_cannot_be_shorted_is_never_short(stream):
    held = Decimal(0)
    for event in told(run(stream, shortable=False)):
        if event.fill is not None:
            held += event.fill.side.sign * event.fill.quantity
            assert held >= 0


@relaxed
@given(streams)
def test_nothing_fills_before_the_market_after_it_was_told(stream):
    bench = run(stream)
    accepted = {}
    for event in told(bench):
        if event.kind is EventKind.ACCEPTED:
            accepted[event.client_order_id] = event.at
        if event.fill is not None:
            sent = accepted[event.fill.client_order_id]
            order = bench.broker._ledger.order(event.fill.client_order_id)
            assert event.fill.at >= sent
            # What fills inside a bar fills at its close, an hour after an open at or after the sending.
            assert order.kind is OrderKind.MARKET or event.fill.at == sent or event.fill.at >= sent + timedelta(hours=1)


@relaxed
@given(streams)
def test_at_most_one_order_of_a_group_ever_completes_while_both_rest(stream):
    bench = run(stream)
    resting = asyncio.run(bench.broker.report()).open_orders
    for report in resting:
        assert 0 <= report.filled < report.quantity
        order = bench.broker._book.open[report.client_order_id]
        assert order.available > 0
        assert not order.reduce_only or bench.broker._book.reducible(order) > 0


@relaxed
@given(streams)
def test_the_same_stream_gives_the_same_story(stream):
    assert told(run(stream)) == told(run(stream))
