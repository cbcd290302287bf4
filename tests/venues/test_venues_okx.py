"""What would go to OKX's demo: address, headers, client id, reduce-only; and how its answers are read.

No venue can be reached from a test: the answers are the documented fields, put in by hand.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from venue_accounts import MachineClock, RecordingSession, Sent, all_are_demo, open_at, order, our_id
from venue_payloads import NOW_MS, okx_answer, okx_answers

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


def _okx(kind: MarketKind, **more: Any) -> RecordingSession:
    paths = {f"/api/v5/{name.replace('__', '/').replace('_', '-')}": answer for name, answer in more.items()}
    return RecordingSession({**okx_answers(kind is MarketKind.LINEAR), **paths})


def _taken_by_okx(sent: Sent) -> object:
    return okx_answer({"ordId": "312269865356374016", "clOrdId": sent.parameters["clOrdId"], "sCode": "0", "sMsg": ""})


def _stop_taken_by_okx(sent: Sent) -> object:
    return okx_answer({"algoId": "12345689", "algoClOrdId": sent.parameters["algoClOrdId"], "sCode": "0", "sMsg": ""})


async def test_okx_orders_go_to_the_demo_by_header_with_our_id_and_in_contracts(venue_clock: MachineClock) -> None:
    session = _okx(MarketKind.LINEAR, trade__order=_taken_by_okx)
    account = await open_at("okx", MarketKind.LINEAR, session, venue_clock)
    assert account.proof.startswith("www.okx.com with the header x-simulated-trading: 1 is OKX's demo trading")
    market = account.markets[BTC]
    assert (market.contract_size, market.lot, market.min_quantity) == (
        Decimal("0.01"),
        Decimal("0.001"),
        Decimal("0.001"),
    )
    await account.place(order(1, Side.SELL, "0.012", limit="60000.1", reduce_only=True, at_once=True))
    sent = session.last("/api/v5/trade/order")
    assert sent.url == "https://www.okx.com/api/v5/trade/order"
    assert sent.headers["x-simulated-trading"] == "1"
    assert sent.parameters == {
        "instId": "BTC-USDT-SWAP",
        "tdMode": "cross",
        "side": "sell",
        "sz": "1.2",
        "clOrdId": our_id(1),
        "reduceOnly": True,
        "ordType": "ioc",
        "px": "60000.1",
    }
    all_are_demo(session)
    await account.close()


@pytest.mark.parametrize("kind", list(MarketKind), ids=str)
async def test_an_okx_stop_is_a_trigger_order_under_our_id_without_a_tag_of_others(
    kind: MarketKind, venue_clock: MachineClock
) -> None:
    session = _okx(kind, trade__order_algo=_stop_taken_by_okx)
    account = await open_at("okx", kind, session, venue_clock)
    made = await account.place(order(2, Side.SELL, "0.01", stop="50000", reduce_only=True))
    told = session.last("/api/v5/trade/order-algo").parameters
    assert (told["ordType"], told["triggerPx"], told["orderPx"]) == ("trigger", "50000", "-1")
    assert told["algoClOrdId"] == our_id(2)
    assert "tag" not in told
    spot = kind is MarketKind.SPOT
    assert told["tdMode"] == ("cash" if spot else "cross")
    assert told.get("reduceOnly") is (None if spot else True)
    assert made.venue_order_id == "algo-12345689"
    all_are_demo(session)
    await account.close()


async def test_an_okx_order_is_absent_only_by_its_own_code(venue_clock: MachineClock) -> None:
    unknown = {"code": "51603", "msg": "Order does not exist", "data": []}
    session = _okx(MarketKind.LINEAR, trade__order=unknown, trade__order_algo=unknown)
    account = await open_at("okx", MarketKind.LINEAR, session, venue_clock)
    assert await account.order(BTC, our_id(1)) is None
    for odd in (okx_answer(), {"code": "0", "msg": ""}, "<html>", '{"code":"0","data":[{"ordId":'):
        session.answers["/api/v5/trade/order"] = odd
        with pytest.raises(VenueUnavailable):
            await account.order(BTC, our_id(1))
    await account.close()


async def test_an_okx_stop_that_became_an_order_is_followed(venue_clock: MachineClock) -> None:
    child = {
        "ordId": "77",
        "clOrdId": "",
        "algoClOrdId": our_id(2),
        "instId": "BTC-USDT-SWAP",
        "side": "sell",
        "state": "filled",
        "sz": "1",
        "accFillSz": "1",
        "reduceOnly": "true",
        "cTime": str(NOW_MS),
        "uTime": str(NOW_MS + 5),
    }
    stop = {**child, "algoId": "9", "state": "effective", "ordId": "77", "accFillSz": ""}

    def by_id(sent: Sent) -> object:
        if "clOrdId" in sent.parameters:
            return {"code": "51603", "msg": "Order does not exist", "data": []}
        return okx_answer(child)

    session = _okx(MarketKind.LINEAR, trade__order=by_id, trade__order_algo=okx_answer(stop))
    account = await open_at("okx", MarketKind.LINEAR, session, venue_clock)
    found = await account.order(BTC, our_id(2))
    assert found is not None
    assert (found.venue_order_id, found.state, found.filled) == ("77", OrderState.FILLED, Decimal("0.01"))
    assert await account.order_by_venue_id(BTC, "77") == found
    await account.close()


async def test_okx_lists_stops_of_every_kind_and_orders_of_the_book(venue_clock: MachineClock) -> None:
    def stops(sent: Sent) -> object:
        if sent.parameters["ordType"] != "trigger":
            return okx_answer()
        row = {"algoId": "9", "algoClOrdId": our_id(2), "instId": "BTC-USDT-SWAP", "side": "sell", "state": "live"}
        return okx_answer({**row, "sz": "2", "reduceOnly": "true", "cTime": str(NOW_MS), "uTime": ""})

    book = {"ordId": "5", "clOrdId": "web1", "instId": "BTC-USDT-SWAP", "side": "buy", "state": "partially_filled"}
    rows = okx_answer({**book, "sz": "3", "accFillSz": "1", "reduceOnly": "false", "uTime": str(NOW_MS)})
    session = _okx(MarketKind.LINEAR, trade__orders_algo_pending=stops, trade__orders_pending=rows)
    account = await open_at("okx", MarketKind.LINEAR, session, venue_clock)
    waiting, resting = await account.open_orders()
    assert (waiting.client_order_id, waiting.quantity, waiting.reduce_only) == (our_id(2), Decimal("0.02"), True)
    assert (resting.client_order_id, resting.filled, resting.state) == (
        "web1",
        Decimal("0.01"),
        OrderState.PARTIALLY_FILLED,
    )
    await account.close()


async def test_okx_executions_holdings_payments_and_rights_are_read(venue_clock: MachineClock) -> None:
    fill = {
        "instId": "BTC-USDT-SWAP",
        "tradeId": "42",
        "ordId": "77",
        "billId": "8",
        "side": "buy",
        "fillSz": "1.5",
        "fillPx": "50000",
        "fee": "-0.375",
        "feeCcy": "USDT",
        "fillTime": str(NOW_MS),
        "ts": str(NOW_MS),
    }
    bills = [
        {"billId": "1", "type": "8", "instId": "BTC-USDT-SWAP", "ccy": "USDT", "balChg": "-0.1", "ts": str(NOW_MS)},
        {"billId": "2", "type": "2", "instId": "BTC-USDT-SWAP", "ccy": "USDT", "balChg": "-9", "ts": str(NOW_MS)},
    ]
    session = _okx(
        MarketKind.LINEAR,
        trade__fills=okx_answer(fill),
        trade__fills_history=okx_answer(fill),
        account__bills=okx_answer(*bills),
        account__bills_archive=okx_answer(*bills),
        account__balance=okx_answer({"details": [{"ccy": "USDT", "cashBal": "500"}]}),
        account__positions=okx_answer({"instId": "BTC-USDT-SWAP", "pos": "-3", "posSide": "net"}),
    )
    account = await open_at("okx", MarketKind.LINEAR, session, venue_clock)
    (trade,) = await account.trades(BTC, NOW - timedelta(hours=1))
    assert (trade.trade_id, trade.quantity, trade.fee) == ("BTCUSDT-42", Decimal("0.015"), Decimal("0.375"))
    (paid,) = await account.payments(NOW - timedelta(hours=1))
    assert (paid.kind, paid.amount) == ("funding", Decimal("-0.1"))
    held = await account.holdings()
    assert (held.totals, held.positions) == ({"USDT": Decimal(500)}, {BTC: Decimal("-0.03")})
    rights = await account.rights()
    assert (rights.trade, rights.withdraw, rights.transfer) == (True, False, False)
    await account.close()


@pytest.mark.parametrize(
    ("code", "inner", "error"),
    [
        ("1", "51008", VenueRejected),
        ("1", "51016", VenueUnavailable),
        ("50011", "", VenueBusy),
        ("50001", "", VenueBusy),
        ("50004", "", VenueUnavailable),
        ("50111", "", VenueForbids),
        ("0", "51008", VenueRejected),
        ("0", "", VenueUnavailable),
    ],
)
async def test_okxs_codes_end_in_our_errors(
    code: str, inner: str, error: type[Exception], venue_clock: MachineClock
) -> None:
    rows = [{"sCode": inner, "sMsg": "no", "ordId": "", "clOrdId": ""}] if inner or code == "0" else []
    session = _okx(MarketKind.LINEAR, trade__order={"code": code, "msg": "no", "data": rows})
    account = await open_at("okx", MarketKind.LINEAR, session, venue_clock)
    with pytest.raises(error):
        await account.place(order(1))
    await account.close()


async def test_an_okx_account_in_long_short_mode_is_refused_with_the_way_out(venue_clock: MachineClock) -> None:
    session = _okx(MarketKind.LINEAR, account__config=okx_answer({"posMode": "long_short_mode", "perm": "trade"}))
    with pytest.raises(ConfigurationRefused, match=r"hedge mode.*position mode Net"):
        await open_at("okx", MarketKind.LINEAR, session, venue_clock)
