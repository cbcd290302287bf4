"""The vendor object as we fit it: one look at every answer, exact numbers, and a check of its own before sending."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from venue_accounts import MachineClock, RecordingSession, credentials, open_at, our_id
from venue_payloads import NOW_MS

from domain.errors import ConfigurationRefused, VenueUnavailable
from venues.budget import Budget
from venues.guard import demand_account
from venues.profiles import PROFILES
from venues.records import MarketKind
from venues.urls import switch_to_demo
from venues.vendor import Vendor, make_exchange

SPOT = PROFILES["binance", MarketKind.SPOT]
LINEAR_SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "contractType": "PERPETUAL",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "marginAsset": "USDT",
    "orderTypes": ["MARKET"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9000", "stepSize": "0.001"},
    ],
}


def _vendor(session: RecordingSession, clock: MachineClock, *, demo: bool = True) -> Vendor:
    given = credentials()
    exchange = make_exchange("binance", {"session": session, "apiKey": given.key, "secret": given.secret})
    if demo:
        switch_to_demo(exchange, SPOT)
    budget = Budget("Binance", SPOT.allowance, clock)
    return Vendor(exchange, venue="binance", clock=clock, budget=budget, check=demand_account, secrets=given.texts)


async def test_a_live_address_is_stopped_before_any_session_is_asked(venue_clock: MachineClock) -> None:
    session = RecordingSession({"/api/v3/time": {"serverTime": NOW_MS}})
    vendor = _vendor(session, venue_clock, demo=False)
    for question in (vendor.call(vendor.exchange.fetch_time), vendor.ask("privatePostOrder", {}, asking=False)):
        with pytest.raises(ConfigurationRefused, match="live host"):
            await question
    assert session.sent == []
    await vendor.close()


@pytest.mark.parametrize(
    "body", ["", "{}", "null", "3", '"text"', "<html>sorry</html>", '{"serverTime": 17', '{"serverTime": NaN}', "[1"]
)
async def test_an_answer_that_is_not_whole_is_stopped_before_the_vendor_reads_it(
    body: str, venue_clock: MachineClock
) -> None:
    vendor = _vendor(RecordingSession({"/api/v3/time": body}), venue_clock)
    with pytest.raises(VenueUnavailable, match="answered HTTP 200 with what cannot be read"):
        await vendor.ask("publicGetTime")
    await vendor.close()


async def test_numbers_come_out_as_the_text_that_was_sent(venue_clock: MachineClock) -> None:
    session = RecordingSession({"/api/v3/time": '{"price": 0.1000000000000000055511151231257827}'})
    vendor = _vendor(session, venue_clock)
    assert await vendor.ask("publicGetTime") == {"price": "0.1000000000000000055511151231257827"}
    await vendor.close()


async def test_requests_are_stamped_with_the_venues_time(venue_clock: MachineClock) -> None:
    session = RecordingSession({"/api/v3/account": {"balances": [{"asset": "USDT", "free": "1", "locked": "0"}]}})
    vendor = _vendor(session, venue_clock)
    vendor.offset = vendor.now - venue_clock.now() + _hour()
    await vendor.ask("privateGetAccount")
    stamped = int(session.last("/api/v3/account").parameters["timestamp"])
    assert abs(stamped - 1000 * (venue_clock.now() + _hour()).timestamp()) < 1000
    await vendor.close()


async def test_an_order_that_a_stop_became_is_found_to_be_the_stops(venue_clock: MachineClock) -> None:
    child: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "orderId": 77,
        "clientOrderId": "chosen_by_the_venue",
        "side": "SELL",
        "status": "FILLED",
        "origQty": "0.010",
        "executedQty": "0.010",
        "reduceOnly": True,
        "updateTime": NOW_MS,
    }
    stops = [
        {"algoId": 1, "clientAlgoId": our_id(1), "actualOrderId": ""},
        {"algoId": 2, "clientAlgoId": our_id(2), "actualOrderId": "77"},
    ]
    position = {"symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": "0", "leverage": "5"}
    session = RecordingSession(
        {
            "/fapi/v1/time": {"serverTime": NOW_MS},
            "/fapi/v1/exchangeInfo": {"symbols": [LINEAR_SYMBOL]},
            "/fapi/v1/positionSide/dual": {"dualSidePosition": False},
            "/fapi/v2/positionRisk": [position],
            "/fapi/v1/order": child,
            "/fapi/v1/allAlgoOrders": stops,
        }
    )
    account = await open_at("binance", MarketKind.LINEAR, session, venue_clock)
    owner = await account.order_by_venue_id("BTCUSDT", "77")
    assert owner is not None
    assert (owner.client_order_id, owner.venue_order_id) == (our_id(2), "77")
    child["orderId"] = 78
    foreign = await account.order_by_venue_id("BTCUSDT", "78")
    assert foreign is not None
    assert foreign.client_order_id == "chosen_by_the_venue"
    assert account.markets["BTCUSDT"].max_leverage == 5

    session.answers["/fapi/v1/positionSide/dual"] = {"dualSidePosition": True}
    with pytest.raises(ConfigurationRefused, match=r"hedge mode.*One-way"):
        await open_at("binance", MarketKind.LINEAR, session, venue_clock)
    await account.close()


def _hour() -> timedelta:

    return timedelta(hours=1)
