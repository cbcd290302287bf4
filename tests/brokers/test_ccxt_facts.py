"""What the venue is heard to say becomes facts once, in order, whatever it says twice, late, or not at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
import pytest_asyncio
from ccxt_bench import SECOND, Bench, name_of

from brokers.ccxt.records import order_met
from brokers.protocol import EventKind
from domain.errors import VenueBusy, VenueUnavailable
from domain.orders import OrderKind, OrderState, Side
from venues.records import MarketKind, OrderRequest, Payment, VenueOrder

A, F = EventKind.ACCEPTED, EventKind.FILLED


@pytest_asyncio.fixture
async def bench(tmp_path):
    bench = await Bench(tmp_path).open()
    yield bench
    await bench.broker.close()


@pytest_asyncio.fixture
async def spot(tmp_path):
    held = {"USDT": "10000", "BTC": "0.7", "BNB": "5"}
    bench = await Bench(tmp_path, kind=MarketKind.SPOT, totals=held).open()
    yield bench
    await bench.broker.close()


def request(name: str, side: Side = Side.BUY, quantity: str = "1", **rest) -> OrderRequest:
    """An order that somebody else sends on the same account."""
    kind = OrderKind.LIMIT if "limit_price" in rest else OrderKind.MARKET
    return OrderRequest(
        client_order_id=name, symbol="BTCUSDT", side=side, kind=kind, quantity=Decimal(quantity), **rest
    )


async def test_the_first_fact_is_the_balance_found(bench):
    assert await bench.cash() == [("deposit", Decimal(10000))]


async def test_a_resting_order_is_asked_about_every_five_seconds_and_executions_without_an_owner_every_thirty(bench):
    await bench.limit("dip", "90")
    await bench.told()
    bench.link.asked.clear()
    for _ in range(60):
        bench.wait(1)
        await bench.told()
    assert Counter(bench.link.asked) == {"open_orders": 12, "trades": 2}


async def test_an_idle_account_is_looked_at_every_half_minute(bench):
    await bench.told()
    bench.link.asked.clear()
    for _ in range(60):
        bench.wait(1)
        await bench.told()
    assert bench.link.asked.count("open_orders") == 2


async def test_asking_twice_in_one_second_asks_the_venue_once(bench):
    await bench.market("entry")
    await bench.told()
    bench.link.asked.clear()
    await bench.told()
    assert bench.link.asked == []


async def test_a_ring_is_a_reason_to_ask_once_a_second_at_most(bench):
    await bench.limit("dip", "99")
    await bench.told()
    bench.venue.trade_at("BTCUSDT", "99")
    assert await bench.kinds("dip") == [A]
    bench.link.ring()
    assert await bench.kinds("dip") == [A]
    bench.wait(1)
    assert await bench.kinds("dip") == [A, F]


async def test_a_ring_during_a_round_that_failed_is_not_forgotten(bench):
    await bench.limit("dip", "99")
    await bench.told()
    bench.venue.trade_at("BTCUSDT", "99")
    bench.wait(1)
    bench.link.ring()
    bench.faults.silent = 1
    await bench.told()
    bench.wait(1)
    assert await bench.kinds("dip") == [A, F]


async def test_a_silent_venue_is_said_to_be_silent_until_it_answers(bench):
    cursor = (await bench.broker.events("")).cursor
    bench.wait(60)
    bench.faults.silent = 2
    for _ in range(3):
        with pytest.raises(VenueUnavailable):
            await bench.broker.events(cursor)
    assert bench.faults.silent == 1
    assert (await bench.broker.events("")).events, "facts in the log are told whatever the venue does"
    bench.wait(1)
    with pytest.raises(VenueUnavailable):
        await bench.broker.events(cursor)
    bench.wait(1)
    assert (await bench.broker.events(cursor)).events == ()


async def test_a_busy_venue_is_left_alone_as_long_as_it_asks(bench, monkeypatch):
    cursor = (await bench.broker.events("")).cursor
    asked = []

    async def busy():
        asked.append(bench.clock.now())
        raise VenueBusy("banned", wait_s=10)

    monkeypatch.setattr(bench.link, "open_orders", busy)
    bench.wait(60)
    begin = bench.clock.now()
    for _ in range(25):
        with pytest.raises(VenueBusy):
            await bench.broker.events(cursor)
        bench.wait(1)
    assert [moment - begin for moment in asked] == [0 * SECOND, 10 * SECOND, 20 * SECOND]


async def test_executions_told_twice_and_in_any_order_count_once(bench):
    await bench.limit("dip", "99", quantity="3")
    bench.faults.disorder = 7
    for _ in range(3):
        bench.venue.trade_at("BTCUSDT", "99", most=Decimal(1))
        bench.wait(5)
        await bench.told()
    fills = await bench.fills("dip")
    assert [fill.quantity for fill in fills] == [Decimal(1)] * 3
    assert len({fill.trade_id for fill in fills}) == 3


async def test_an_execution_listed_late_is_read_back_for(bench):
    await bench.limit("dip", "99", quantity="2")
    bench.venue.trade_at("BTCUSDT", "99", most=Decimal(1))
    bench.faults.trades_hidden = 1
    bench.wait(5)
    assert await bench.kinds("dip") == [A]
    for _ in range(120):
        bench.wait(10)
        await bench.told()
    bench.faults.trades_hidden = 0
    bench.wait(5)
    assert await bench.kinds("dip") == [A, F]


async def test_a_stale_list_neither_ends_an_order_nor_hides_a_fill(bench):
    await bench.told()
    bench.faults.stale_list = True
    await bench.limit("dip", "99")
    bench.wait(5)
    assert await bench.kinds("dip") == [A]
    bench.venue.trade_at("BTCUSDT", "99")
    bench.wait(5)
    assert await bench.kinds("dip") == [A, F]


async def test_a_stale_list_does_not_bring_an_ended_order_back(bench):
    await bench.limit("dip", "90")
    bench.wait(5)
    await bench.told()
    bench.faults.stale_list = True
    await bench.cancel("undo", "dip")
    await bench.told()
    bench.wait(5)
    assert await bench.kinds("dip") == [A, EventKind.CANCELLED]


async def test_the_execution_of_an_order_met_nowhere_before_is_traced_to_its_owner(bench):
    bench.venue.take(request(name_of("early")))
    await bench.market("entry")
    bench.wait(30)
    assert await bench.kinds("early") == [A, F]


async def test_a_foreign_execution_is_never_told_as_a_fill_but_shows_in_the_position(bench):
    bench.venue.take(request("web_1", quantity="2"))
    await bench.market("entry")
    bench.wait(60)
    assert len(await bench.fills()) == 1
    assert await bench.held() == Decimal(3)
    bench.link.asked.clear()
    bench.wait(60)
    await bench.told()
    assert "order_by_venue_id" not in bench.link.asked, "whose it is was asked once"


async def test_an_execution_whose_owner_is_not_known_yet_is_not_passed_over(bench):
    await bench.market("entry")
    await bench.told()
    bench.venue.take(request(name_of("early")))
    bench.faults.nameless = True
    for _ in range(100):
        bench.wait(5)
        await bench.told()
    assert await bench.kinds("early") == []
    bench.faults.nameless = False
    bench.wait(30)
    assert await bench.kinds("early") == [A, F]


async def test_open_orders_of_others_are_reported_and_left_alone(bench):
    bench.venue.take(request("web_1", limit_price=Decimal(80)))
    bare = bench.venue.take(request("web_2", limit_price=Decimal(81)))
    bench.venue.orders[bare.venue_order_id] = replace(bare, client_order_id=None)
    await bench.limit("dip", "90")
    listed = {order.client_order_id for order in (await bench.broker.report()).open_orders}
    assert listed == {"web_1", f"foreign-{bare.venue_order_id}", name_of("dip")}
    bench.wait(60)
    assert {event.client_order_id for event in await bench.told()} == {None, name_of("dip")}
    assert len(bench.venue.open()) == 3


async def test_a_report_brings_up_what_is_not_told_yet(bench):
    await bench.limit("dip", "99")
    await bench.told()
    bench.venue.trade_at("BTCUSDT", "99")
    assert (await bench.broker.report()).positions == {"BTCUSDT": Decimal(1)}
    assert await bench.kinds("dip") == [A, F]


async def test_the_same_cursor_gives_the_same_facts_and_the_last_gives_none(bench):
    first = await bench.broker.events("")
    await bench.market("entry")
    everything = await bench.broker.events("")
    since = await bench.broker.events(first.cursor)
    assert everything.events == first.events + since.events
    assert await bench.broker.events(first.cursor) == since
    assert (await bench.broker.events(everything.cursor)).events == ()
    await bench.reopen()
    assert await bench.broker.events(first.cursor) == since


async def test_funding_and_transfers_are_told_once_and_only_in_the_accounts_currency(bench):
    at = bench.clock.now() + SECOND
    for number, (kind, currency, amount) in enumerate(
        [("funding", "USDT", "-0.3"), ("deposit", "USDT", "50"), ("deposit", "BTC", "1")]
    ):
        symbol = "BTCUSDT" if kind == "funding" else None
        bench.venue.payments.append(
            Payment(payment_id=f"p{number}", kind=kind, symbol=symbol, currency=currency, amount=Decimal(amount), at=at)
        )
    bench.venue.payments.append(replace(bench.venue.payments[0], payment_id="old", at=at - 2 * SECOND))
    for _ in range(3):
        bench.wait(300)
        await bench.told()
    assert await bench.cash() == [
        ("deposit", Decimal(10000)),
        ("funding", Decimal("-0.3")),
        ("deposit", Decimal(50)),
    ]
    await bench.reopen()
    bench.wait(300)
    assert len(await bench.cash()) == 3


async def test_a_report_of_a_margin_account_asks_for_payments_first(bench):
    await bench.told()
    bench.venue.payments.append(
        Payment(
            payment_id="p", kind="funding", symbol="BTCUSDT", currency="USDT", amount=Decimal(1), at=bench.clock.now()
        )
    )
    await bench.broker.report()
    assert len(await bench.cash()) == 2


async def test_a_fee_kept_in_the_base_is_valued_at_the_price_and_leaves_less_to_hold(spot):
    await spot.market("entry")
    (fill,) = await spot.fills()
    assert (fill.base_fee, fill.fee, fill.net) == (Decimal("0.001"), Decimal("0.1"), Decimal("0.999"))
    report = await spot.broker.report()
    assert report.positions == {"BTCUSDT": Decimal("0.999")}
    assert report.balance == Decimal(9900)
    await spot.market("exit", Side.SELL, "0.999")
    fill = (await spot.fills())[-1]
    assert (fill.base_fee, fill.fee) == (Decimal(0), Decimal("0.0999"))
    assert (await spot.broker.report()).positions == {}


async def test_a_fee_in_a_third_asset_is_charged_at_the_taker_rate_and_the_balance_stays_comparable(spot):
    spot.venue.fee_asset = "BNB"
    await spot.market("entry", quantity="2")
    event = (await spot.told("entry"))[-1]
    assert event.fill is not None
    assert event.fill.fee == Decimal("0.2")
    assert event.reason == "the fee of 0.0004 BNB is charged as 0.20000000 USDT, the venue's taker rate"
    report = await spot.broker.report()
    assert report.balance == Decimal(10000) - 200 - event.fill.fee
    assert report.positions == {"BTCUSDT": Decimal(2)}, "the BNB that went as a fee is no short position"


async def test_a_fill_after_the_end_is_told_all_the_same(bench):
    dip = await bench.limit("dip", "90", quantity="2")
    await bench.cancel("undo", "dip")
    await bench.told()
    order = bench.venue.by_client_id("BTCUSDT", dip.client_order_id)
    assert order is not None
    bench.venue._execute(order, Decimal(90))
    bench.wait(30)
    assert await bench.kinds("dip") == [A, EventKind.CANCELLED, F]


async def test_an_execution_listed_a_minute_late_is_found_though_nothing_asks_for_it(bench):
    bench.faults.late = [40 * SECOND]
    intent = bench.intent("entry")
    with pytest.raises(VenueUnavailable):
        await bench.broker.send(intent)
    bench.wait(20)
    assert await bench.broker.find(intent) is None
    bench.faults.trades_hidden = 1
    bench.wait(20)
    for _ in range(8):
        await bench.told()
        bench.wait(10)
    assert await bench.kinds("entry") == []
    bench.faults.trades_hidden = 0
    bench.wait(10)
    assert await bench.kinds("entry") == [A, F]


async def test_an_execution_that_seemed_foreign_is_asked_about_again_while_one_of_ours_is_missing(bench, monkeypatch):
    """A triggered stop goes on under another number, and the venue may name its owner late."""
    await bench.limit("dip", "99")
    order, order_by_venue_id, open_orders = bench.link.order, bench.link.order_by_venue_id, bench.link.open_orders
    unnamed = 2

    async def under_another_number(symbol, client_order_id):
        found = await order(symbol, client_order_id)
        return found and replace(found, venue_order_id="stop-1")

    async def listed_under_another_number():
        return [replace(each, venue_order_id="stop-1") for each in await open_orders()]

    async def named_late(symbol, venue_order_id):
        nonlocal unnamed
        unnamed -= 1
        found = await order_by_venue_id(symbol, venue_order_id)
        return replace(found, client_order_id=None) if unnamed >= 0 else found

    monkeypatch.setattr(bench.link, "order", under_another_number)
    monkeypatch.setattr(bench.link, "open_orders", listed_under_another_number)
    monkeypatch.setattr(bench.link, "order_by_venue_id", named_late)
    with bench.broker._log.writing("facts"):
        known = bench.broker._log.order(name_of("dip"))
        bench.broker._log.put_order(replace(known, venue_order_id="stop-1"))
    bench.venue.trade_at("BTCUSDT", "99")
    bench.wait(5)
    assert await bench.kinds("dip") == [A]
    bench.wait(1)
    assert await bench.kinds("dip") == [A, F]


def test_an_older_answer_takes_nothing_back():
    at = datetime.fromisoformat("2024-03-04T00:00:00+00:00")
    heard = VenueOrder(
        symbol="BTCUSDT",
        venue_order_id="1",
        client_order_id=name_of("dip"),
        side=Side.BUY,
        state=OrderState.CANCELLED,
        quantity=Decimal(3),
        filled=Decimal(2),
        at=at,
    )
    known = order_met(heard, name_of("dip")).seen(heard)
    stale = known.seen(replace(heard, state=OrderState.PARTIALLY_FILLED, filled=Decimal(1)))
    assert stale == known
    assert (known.seen_state, known.seen_filled, known.is_behind, known.is_ending) == (
        OrderState.CANCELLED,
        Decimal(2),
        True,
        True,
    )
