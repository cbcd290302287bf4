"""The account in memory that the broker's stories run on behaves as the real one does on the test exchange."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
from ccxt_link import Account, Faults, MemoryLink
from exchange.core import Exchange

sys.path.append(str(Path(__file__).resolve().parent.parent / "contracts"))

from ccxt_harness import START, SYMBOL, linked  # found by the line above

from domain.clock import EPOCH, SteppedClock
from domain.errors import VenueRejected
from domain.identity import client_order_id
from domain.orders import OrderKind, OrderState, Side
from venues.link import AccountLink
from venues.records import MarketKind, OrderRequest

BEFORE = START - timedelta(days=1)


class Door:
    """A link, and hands on the market behind it."""

    def __init__(self, link: AccountLink, clock: SteppedClock, trade_at: Callable[[str, Decimal | None], None]) -> None:
        self.link = link
        self.clock = clock
        self.trade_at = trade_at

    def later(self) -> datetime:
        self.clock.move_to(self.clock.now() + timedelta(seconds=1))
        return self.clock.now()

    async def place(self, name: str, side: Side = Side.BUY, quantity: str = "1", **rest) -> str:
        kind = (
            OrderKind.LIMIT if "limit_price" in rest else OrderKind.STOP if "stop_price" in rest else OrderKind.MARKET
        )
        prices = {key: Decimal(rest.pop(key)) for key in ("limit_price", "stop_price") if key in rest}
        own = client_order_id("door", "command", name, "entry", 1)
        request = OrderRequest(
            client_order_id=own, symbol=SYMBOL, side=side, kind=kind, quantity=Decimal(quantity), **prices, **rest
        )
        placed = await self.link.place(request)
        assert (placed.client_order_id, placed.symbol, placed.side) == (own, SYMBOL, side)
        assert placed.quantity == Decimal(quantity)
        return own


def memory(kind: MarketKind) -> Door:
    clock = SteppedClock(START)
    venue = Account(
        clock=clock,
        kind=kind,
        totals={"USDT": Decimal(10000)},
        bases={SYMBOL: "SOL"},
        price={SYMBOL: Decimal(100)},
    )
    link = MemoryLink(venue, Faults())
    return Door(link, clock, lambda price, most=None: venue.trade_at(SYMBOL, price, most))


async def real(kind: MarketKind) -> Door:
    clock = SteppedClock(START)
    exchange = Exchange(clock_ms=lambda: (clock.now() - EPOCH) // timedelta(milliseconds=1))
    exchange.trade_at(SYMBOL, "100")
    link = await linked(exchange, clock, kind, SYMBOL)
    return Door(link, clock, lambda price, most=None: exchange.trade_at(SYMBOL, price, most=most))


@pytest_asyncio.fixture(params=[(made, kind) for made in ("memory", "real") for kind in MarketKind], ids=str)
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    made, kind = request.param
    door = memory(kind) if made == "memory" else await real(kind)
    yield door
    await door.link.close()


async def test_a_market_order_is_executed_at_once_and_listed(door):
    own = await door.place("entry")
    door.later()
    order = await door.link.order(SYMBOL, own)
    assert order is not None
    assert (order.state, order.filled, order.client_order_id) == (OrderState.FILLED, Decimal(1), own)
    (trade,) = await door.link.trades(SYMBOL, BEFORE)
    assert (trade.venue_order_id, trade.quantity, trade.price) == (order.venue_order_id, Decimal(1), Decimal(100))
    assert trade.at == START
    spot = door.link.abilities.market is MarketKind.SPOT
    assert (trade.fee_currency, trade.fee) == (("SOL", Decimal("0.001")) if spot else ("USDT", Decimal("0.04")))
    assert await door.link.order_by_venue_id(SYMBOL, trade.venue_order_id) == order
    assert not await door.link.open_orders()


async def test_what_rests_is_listed_and_found_by_either_id_until_it_is_taken_back(door):
    own = await door.place("dip", limit_price="90")
    door.later()
    (listed,) = await door.link.open_orders()
    assert (listed.client_order_id, listed.state, listed.filled) == (own, OrderState.ACCEPTED, Decimal(0))
    assert await door.link.order(SYMBOL, own) == listed
    by_venue = await door.link.order_by_venue_id(SYMBOL, listed.venue_order_id)
    assert by_venue == listed
    assert await door.link.cancel(SYMBOL, own) is True
    assert await door.link.cancel(SYMBOL, own) is False
    order = await door.link.order(SYMBOL, own)
    assert order is not None
    assert order.state is OrderState.CANCELLED
    assert not await door.link.open_orders()
    assert not await door.link.trades(SYMBOL, BEFORE)


async def test_an_order_filled_in_parts_says_how_far(door):
    own = await door.place("dip", quantity="3", limit_price="99")
    for number in (1, 2):
        door.later()
        door.trade_at("99", Decimal(1))
        order = await door.link.order(SYMBOL, own)
        assert order is not None
        assert (order.state, order.filled) == (OrderState.PARTIALLY_FILLED, Decimal(number))
        assert (await door.link.open_orders())[0].filled == Decimal(number)
    assert await door.link.cancel(SYMBOL, own) is True
    order = await door.link.order(SYMBOL, own)
    assert order is not None
    assert (order.state, order.filled) == (OrderState.CANCELLED, Decimal(2))
    told = await door.link.trades(SYMBOL, BEFORE)
    assert [trade.quantity for trade in told] == [Decimal(1)] * 2
    assert len({trade.trade_id for trade in told}) == 2
    assert [trade.at for trade in told] == sorted(trade.at for trade in told)
    assert list(await door.link.trades(SYMBOL, told[1].at)) == list(told)[1:]


async def test_a_stop_keeps_its_name_when_it_becomes_an_order(door):
    await door.place("entry", quantity="2")
    own = await door.place("stop", Side.SELL, stop_price="95", reduce_only=door.link.abilities.reduce_only)
    door.later()
    assert [order.client_order_id for order in await door.link.open_orders()] == [own]
    door.trade_at("94", None)
    order = await door.link.order(SYMBOL, own)
    assert order is not None
    assert (order.client_order_id, order.state, order.filled) == (own, OrderState.FILLED, Decimal(1))
    trade = (await door.link.trades(SYMBOL, BEFORE))[-1]
    found = await door.link.order_by_venue_id(SYMBOL, trade.venue_order_id)
    assert found is not None
    assert found.client_order_id == own
    assert not await door.link.open_orders()


async def test_nobody_knows_what_never_came(door):
    assert await door.link.order(SYMBOL, client_order_id("door", "command", "never", "entry", 1)) is None
    assert await door.link.order_by_venue_id(SYMBOL, "123456") is None
    assert await door.link.cancel(SYMBOL, client_order_id("door", "command", "never", "entry", 1)) is False


async def test_what_cannot_be_paid_is_refused(door):
    with pytest.raises(VenueRejected):
        await door.place("entry", quantity="100000")
    assert not await door.link.open_orders()


async def test_holdings_move_with_executions(door):
    await door.place("entry", quantity="2")
    held = await door.link.holdings()
    if door.link.abilities.market is MarketKind.SPOT:
        assert held.totals == {"USDT": Decimal(9800), "SOL": Decimal("1.998")}
        assert held.positions == {}
    else:
        assert held.totals == {"USDT": Decimal("9999.92")}
        assert held.positions == {SYMBOL: Decimal(2)}


async def test_the_window_and_the_clock_are_named(door):
    assert door.link.abilities.receive_window > timedelta(0)
    assert await door.link.measure_clock() == timedelta(0) == door.link.skew
    assert set(door.link.markets) == {SYMBOL}
    assert door.link.proof.endswith(".")
