"""What would go to Bybit's demo: address, headers, client id, reduce-only; and how its answers are read.

No venue can be reached from a test: the answers are the documented fields, put in by hand.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from venue_accounts import MachineClock, RecordingSession, Sent, all_are_demo, open_at, order, our_id
from venue_payloads import NOW_MS, bybit_answer, bybit_answers

from domain.errors import (
    ConfigurationRefused,
    VenueBusy,
    VenueForbids,
    VenueRejected,
    VenueUnavailable,
)
from domain.orders import OrderState, Side
from venues.records import MarketKind

NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
BTC = "BTCUSDT"


def _bybit(kind: MarketKind, **more: Any) -> RecordingSession:
    paths = {f"/v5/{name.replace('__', '/').replace('_', '-')}": answer for name, answer in more.items()}
    return RecordingSession({**bybit_answers(kind is MarketKind.LINEAR), **paths})


def _taken_by_bybit(sent: Sent) -> object:
    return bybit_answer({"orderId": "1321003749386327552", "orderLinkId": sent.parameters["orderLinkId"]})


async def test_bybit_linear_orders_carry_our_id_and_the_reduce_only_flag(venue_clock: MachineClock) -> None:
    session = _bybit(MarketKind.LINEAR, order__create=_taken_by_bybit)
    account = await open_at("bybit", MarketKind.LINEAR, session, venue_clock)
    assert account.proof == "api-demo.bybit.com is Bybit's demo trading host: its accounts hold no real money."
    made = await account.place(order(1, Side.SELL, "0.010", limit="60000.1", reduce_only=True))
    sent = session.last("/v5/order/create")
    assert sent.url == "https://api-demo.bybit.com/v5/order/create"
    assert sent.parameters == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderType": "Limit",
        "qty": "0.01",
        "price": "60000.1",
        "timeInForce": "GTC",
        "orderLinkId": our_id(1),
        "positionIdx": 0,
        "reduceOnly": True,
    }
    assert {"X-BAPI-API-KEY", "X-BAPI-SIGN"} <= sent.headers.keys()
    assert sent.headers["X-BAPI-RECV-WINDOW"] == "5000"
    assert (made.state, made.venue_order_id) == (OrderState.ACCEPTED, "1321003749386327552")
    all_are_demo(session)
    await account.close()


@pytest.mark.parametrize(("side", "direction"), [(Side.SELL, 2), (Side.BUY, 1)])
async def test_a_bybit_linear_stop_names_the_direction_of_its_trigger(
    side: Side, direction: int, venue_clock: MachineClock
) -> None:
    session = _bybit(MarketKind.LINEAR, order__create=_taken_by_bybit)
    account = await open_at("bybit", MarketKind.LINEAR, session, venue_clock)
    await account.place(order(2, side, stop="50000", reduce_only=True))
    told = session.last("/v5/order/create").parameters
    assert (told["orderType"], told["triggerPrice"], told["triggerDirection"]) == ("Market", "50000", direction)
    assert told["reduceOnly"] is True
    assert "stopLoss" not in told
    await account.close()


async def test_bybit_spot_orders_are_counted_in_base_units_and_stops_wait_apart(venue_clock: MachineClock) -> None:
    session = _bybit(MarketKind.SPOT, order__create=_taken_by_bybit)
    account = await open_at("bybit", MarketKind.SPOT, session, venue_clock)
    await account.place(order(3, quantity="0.001"))
    bought = session.last("/v5/order/create").parameters
    assert (bought["marketUnit"], bought["qty"], bought["timeInForce"]) == ("baseCoin", "0.001", "IOC")
    assert "reduceOnly" not in bought
    await account.place(order(4, Side.SELL, "0.001", stop="50000", reduce_only=True))
    stop = session.last("/v5/order/create").parameters
    assert (stop["orderFilter"], stop["triggerPrice"]) == ("StopOrder", "50000")
    assert "reduceOnly" not in stop
    all_are_demo(session)
    await account.close()


async def test_a_bybit_order_is_absent_only_after_both_lists_said_so(venue_clock: MachineClock) -> None:
    empty = bybit_answer({"list": [], "nextPageCursor": "", "category": "linear"})
    session = _bybit(MarketKind.LINEAR, order__realtime=empty, order__history=empty)
    account = await open_at("bybit", MarketKind.LINEAR, session, venue_clock)
    assert await account.order(BTC, our_id(1)) is None
    assert session.last("/v5/order/history").parameters["orderLinkId"] == our_id(1)
    row = {
        "orderId": "1",
        "orderLinkId": our_id(1),
        "symbol": "BTCUSDT",
        "side": "Buy",
        "orderStatus": "PartiallyFilledCanceled",
        "qty": "0.010",
        "cumExecQty": "0.004",
        "reduceOnly": False,
        "createdTime": str(NOW_MS),
        "updatedTime": str(NOW_MS + 1),
        "rejectReason": "EC_NoError",
    }
    session.answers["/v5/order/history"] = bybit_answer({"list": [row], "nextPageCursor": ""})
    found = await account.order(BTC, our_id(1))
    assert found is not None
    assert (found.state, found.filled, found.quantity) == (OrderState.CANCELLED, Decimal("0.004"), Decimal("0.01"))
    session.answers["/v5/order/history"] = '{"retCode":0,"result":{"li'
    with pytest.raises(VenueUnavailable):
        await account.order(BTC, our_id(1))
    await account.close()


async def test_bybit_executions_are_paged_with_their_cursor_and_funding_is_not_one(venue_clock: MachineClock) -> None:
    def row(number: int, kind: str = "Trade") -> dict[str, str]:
        return {
            "execId": f"e{number}",
            "orderId": "1",
            "symbol": "BTCUSDT",
            "side": "Buy",
            "execType": kind,
            "execQty": "0.001",
            "execPrice": "50000",
            "execFee": "0.0275",
            "feeCurrency": "",
            "execTime": str(NOW_MS - number),
        }

    def page(sent: Sent) -> object:
        if sent.parameters.get("cursor") == "next":
            return bybit_answer({"list": [row(3), row(2)], "nextPageCursor": ""})
        return bybit_answer({"list": [row(1), row(2), row(9, "Funding")], "nextPageCursor": "next"})

    session = _bybit(MarketKind.LINEAR, execution__list=page)
    account = await open_at("bybit", MarketKind.LINEAR, session, venue_clock)
    told = await account.trades(BTC, NOW - timedelta(hours=1))
    assert [trade.trade_id for trade in told] == ["e3", "e2", "e1"]
    assert {(trade.fee, trade.fee_currency) for trade in told} == {(Decimal("0.0275"), "USDT")}
    await account.close()


async def test_bybit_holdings_and_rights_are_read(venue_clock: MachineClock) -> None:
    wallet = {"coin": [{"coin": "USDT", "walletBalance": "1000.50", "totalPositionIM": "0"}]}
    position = {"symbol": "BTCUSDT", "positionIdx": 0, "size": "0.02", "side": "Sell", "leverage": "10"}
    rights = {"readOnly": 0, "permissions": {"ContractTrade": ["Order"], "Wallet": ["AccountTransfer"], "Spot": []}}
    session = _bybit(
        MarketKind.LINEAR,
        account__wallet_balance=bybit_answer({"list": [wallet]}),
        user__query_api=bybit_answer(rights),
    )
    account = await open_at("bybit", MarketKind.LINEAR, session, venue_clock)
    assert account.markets[BTC].max_leverage == 10
    session.answers["/v5/position/list"] = bybit_answer({"list": [position], "nextPageCursor": ""})
    held = await account.holdings()
    assert (held.totals, held.positions) == ({"USDT": Decimal("1000.5")}, {BTC: Decimal("-0.02")})
    told = await account.rights()
    assert (told.trade, told.withdraw, told.transfer) == (True, False, True)

    session.answers["/v5/user/query-api"] = {
        "retCode": 10032,
        "retMsg": "Demo trading are not supported.",
        "time": NOW_MS,
    }
    unsaid = await account.rights()
    assert (unsaid.trade, unsaid.withdraw, unsaid.transfer) == (None, None, None)
    assert "GET /v5/user/query-api" in unsaid.said_by

    wallet["coin"][0]["totalPositionIM"] = "100"
    session.answers["/v5/position/list"] = bybit_answer({"list": [], "nextPageCursor": ""})
    with pytest.raises(VenueUnavailable, match="no position is told of"):
        await account.holdings()
    await account.close()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (110007, VenueRejected),
        (110072, VenueUnavailable),
        (10016, VenueUnavailable),
        (10006, VenueBusy),
        (10002, VenueBusy),
        (10003, VenueForbids),
        (10005, VenueForbids),
    ],
)
async def test_bybits_codes_end_in_our_errors(code: int, error: type[Exception], venue_clock: MachineClock) -> None:
    refusal = {"retCode": code, "retMsg": "no", "result": {}, "time": NOW_MS}
    session = _bybit(MarketKind.LINEAR, order__create=refusal)
    account = await open_at("bybit", MarketKind.LINEAR, session, venue_clock)
    with pytest.raises(error):
        await account.place(order(1))
    assert len([sent for sent in session.sent if sent.path == "/v5/order/create"]) == 1
    await account.close()


async def test_bybit_cancels_look_in_both_lists_of_spot(venue_clock: MachineClock) -> None:
    def answer(sent: Sent) -> object:
        if sent.parameters["orderFilter"] == "StopOrder":
            return {"retCode": 170213, "retMsg": "Order does not exist.", "result": {}, "time": NOW_MS}
        return bybit_answer({"orderId": "1", "orderLinkId": sent.parameters["orderLinkId"]})

    session = _bybit(MarketKind.SPOT, order__cancel=answer)
    account = await open_at("bybit", MarketKind.SPOT, session, venue_clock)
    assert await account.cancel(BTC, our_id(1)) is True
    session.answers["/v5/order/cancel"] = {"retCode": 170213, "retMsg": "no", "result": {}, "time": NOW_MS}
    assert await account.cancel(BTC, our_id(1)) is False
    await account.close()


async def test_a_bybit_account_that_holds_two_sides_is_refused_with_the_way_out(venue_clock: MachineClock) -> None:
    both = [{"symbol": "BTCUSDT", "positionIdx": index, "size": "0", "side": ""} for index in (1, 2)]
    session = _bybit(MarketKind.LINEAR, position__list=bybit_answer({"list": both, "nextPageCursor": ""}))
    with pytest.raises(ConfigurationRefused, match=r"hedge mode.*One-Way Mode"):
        await open_at("bybit", MarketKind.LINEAR, session, venue_clock)
