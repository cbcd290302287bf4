"""The real ccxt trades USD-M futures at the test exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import pytest
from exchange.ccxt_clients import BTC, PERPETUAL
from exchange.core import Exchange


def account(exchange: Exchange) -> dict[str, Any]:
    told: dict[str, Any] = exchange.ledger()["accounts"]["main"]
    return told


async def test_a_position_opens_grows_shrinks_and_turns(exchange: Exchange, linear: Any) -> None:
    await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    exchange.trade_at("BTCUSDT", "53000")
    await linear.create_order(PERPETUAL, "market", "buy", 0.05)
    assert account(exchange)["positions"] == {"BTCUSDT": {"amount": "0.15", "entry": "51000"}}
    await linear.create_order(PERPETUAL, "market", "sell", 0.05)
    assert account(exchange)["positions"]["BTCUSDT"]["amount"] == "0.1"
    exchange.trade_at("BTCUSDT", "52000")
    await linear.create_order(PERPETUAL, "market", "sell", 0.3)
    assert account(exchange)["positions"] == {"BTCUSDT": {"amount": "-0.2", "entry": "52000"}}
    trades = await linear.fetch_my_trades(PERPETUAL)
    assert [trade["info"]["realizedPnl"] for trade in trades] == ["0", "0", "100", "100"]
    fees = Decimal("0.0004") * (5000 + 2650 + 2650 + 15600)
    assert Decimal(account(exchange)["wallet"]) == 10000 + 200 - fees


async def test_positions_and_balance_are_told_as_ccxt_reads_them(exchange: Exchange, linear: Any) -> None:
    await linear.create_order(PERPETUAL, "market", "sell", 0.1)
    exchange.trade_at("BTCUSDT", "49000")
    for positions in (await linear.fetch_positions(), await linear.fetch_positions(params={"useV2": True})):
        held = {each["symbol"]: each for each in positions}[PERPETUAL]
        assert (held["side"], held["contracts"], held["entryPrice"]) == ("short", 0.1, 50000.0)
        assert held["unrealizedPnl"] == 100.0
    balance = await linear.fetch_balance()
    assert balance["USDT"]["total"] == 10098.0
    assert balance["USDT"]["free"] == 10098.0 - 245.0


async def test_reducing_only_never_opens_and_never_turns(exchange: Exchange, linear: Any) -> None:
    reducing = {"reduceOnly": True}
    with pytest.raises(ccxt.InvalidOrder, match="-2022"):
        await linear.create_order(PERPETUAL, "market", "sell", 0.1, params=reducing)
    await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    with pytest.raises(ccxt.InvalidOrder, match="-2022"):
        await linear.create_order(PERPETUAL, "market", "buy", 0.1, params=reducing)
    order = await linear.create_order(PERPETUAL, "market", "sell", 0.3, params=reducing)
    assert (order["status"], order["filled"]) == ("expired", 0.1)
    assert account(exchange)["positions"] == {}


async def test_a_resting_order_that_can_no_longer_reduce_expires(exchange: Exchange, linear: Any) -> None:
    await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    target = await linear.create_order(PERPETUAL, "limit", "sell", 0.1, 51000, {"reduceOnly": True})
    await linear.create_order(PERPETUAL, "market", "sell", 0.1)
    exchange.trade_at("BTCUSDT", "51000")
    assert (await linear.fetch_order(target["id"], PERPETUAL))["status"] == "expired"
    assert account(exchange)["positions"] == {}


async def test_a_stop_goes_to_the_algo_service_and_becomes_an_order_with_the_same_client_id(
    exchange: Exchange, linear: Any
) -> None:
    await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    stopping = {"stopLossPrice": 49000, "reduceOnly": True, "clientOrderId": "rt-stop"}
    stop = await linear.create_order(PERPETUAL, "market", "sell", 0.1, params=stopping)
    assert (stop["status"], stop["clientOrderId"], stop["reduceOnly"]) == ("open", "rt-stop", True)
    assert await linear.fetch_open_orders(PERPETUAL) == []
    open_stops = await linear.fetch_open_orders(PERPETUAL, params={"trigger": True})
    assert [each["clientOrderId"] for each in open_stops] == ["rt-stop"]
    with pytest.raises(ccxt.OrderNotFound):
        await linear.fetch_order(None, PERPETUAL, {"clientOrderId": "rt-stop"})
    exchange.trade_at("BTCUSDT", "48900")
    algo = await linear.fetch_order(None, PERPETUAL, {"clientOrderId": "rt-stop", "trigger": True})
    actual = await linear.fetch_order(None, PERPETUAL, {"clientOrderId": "rt-stop"})
    assert (algo["status"], algo["info"]["actualOrderId"]) == ("closed", actual["id"])
    assert (actual["status"], actual["average"]) == ("closed", 48900.0)
    assert account(exchange)["positions"] == {}


async def test_everything_that_happens_to_a_stop_is_pushed(exchange: Exchange, linear: Any) -> None:
    await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    pushed: list[Any] = []
    exchange.listen(lambda push: pushed.append(push.event))
    stopping = {"stopLossPrice": 49000, "reduceOnly": True, "clientOrderId": "rt-stop"}
    await linear.create_order(PERPETUAL, "market", "sell", 0.1, params=stopping)
    exchange.trade_at("BTCUSDT", "49000")
    order_id = exchange.ledger()["accounts"]["main"]["orders"][-1]["order_id"]
    algos = [event["o"] for event in pushed if event["e"] == "ALGO_UPDATE"]
    assert [(told["X"], told["ai"]) for told in algos] == [
        ("NEW", ""),
        ("TRIGGERED", str(order_id)),
        ("FINISHED", str(order_id)),
    ]
    orders = [event["o"] for event in pushed if event["e"] == "ORDER_TRADE_UPDATE"]
    assert [(told["x"], told["X"], told["c"]) for told in orders] == [
        ("NEW", "NEW", "rt-stop"),
        ("TRADE", "FILLED", "rt-stop"),
    ]


async def test_a_stop_outlives_its_position_and_is_rejected_when_it_is_triggered(
    exchange: Exchange, linear: Any
) -> None:
    await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    stopping = {"stopLossPrice": 49000, "reduceOnly": True, "clientOrderId": "rt-orphan"}
    await linear.create_order(PERPETUAL, "market", "sell", 0.1, params=stopping)
    await linear.create_order(PERPETUAL, "market", "sell", 0.1, params={"reduceOnly": True})
    assert len(await linear.fetch_open_orders(PERPETUAL, params={"trigger": True})) == 1
    exchange.trade_at("BTCUSDT", "48000")
    orphan = await linear.fetch_order(None, PERPETUAL, {"clientOrderId": "rt-orphan", "trigger": True})
    assert orphan["status"] == "rejected"
    assert account(exchange)["positions"] == {}


async def test_a_target_with_a_limit_rests_after_its_trigger(exchange: Exchange, linear: Any) -> None:
    await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    taking = {"takeProfitPrice": 51000, "reduceOnly": True, "clientOrderId": "rt-target"}
    await linear.create_order(PERPETUAL, "limit", "sell", 0.1, 51500, taking)
    exchange.trade_at("BTCUSDT", "51000")
    resting = await linear.fetch_order(None, PERPETUAL, {"clientOrderId": "rt-target"})
    assert (resting["status"], resting["type"], resting["price"]) == ("open", "limit", 51500.0)
    exchange.trade_at("BTCUSDT", "51500")
    done = await linear.fetch_order(None, PERPETUAL, {"clientOrderId": "rt-target", "trigger": True})
    assert done["info"]["algoStatus"] == "FINISHED"


async def test_a_conditional_order_is_cancelled_once(linear: Any) -> None:
    stop = await linear.create_order(PERPETUAL, "market", "sell", 0.1, params={"triggerPrice": 49000})
    await linear.cancel_order(stop["id"], PERPETUAL, {"trigger": True})
    with pytest.raises(ccxt.OrderNotFound):
        await linear.cancel_order(stop["id"], PERPETUAL, {"trigger": True})
    assert (await linear.fetch_order(stop["id"], PERPETUAL, {"trigger": True}))["status"] == "canceled"


async def test_a_conditional_order_past_its_trigger_is_refused(linear: Any) -> None:
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await linear.create_order(PERPETUAL, "market", "sell", 0.1, params={"stopLossPrice": 50000})


async def test_conditional_types_are_not_taken_by_the_route_for_orders(linear: Any) -> None:
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.1", "stopPrice": "49000"}
    with pytest.raises(ccxt.InvalidOrder, match="-4120"):
        await linear.fapiPrivatePostOrder(order)


async def test_an_id_is_taken_while_its_order_is_open(exchange: Exchange, linear: Any) -> None:
    same = {"clientOrderId": "rt-same"}
    await linear.create_order(PERPETUAL, "limit", "buy", 0.01, 49000, same)
    with pytest.raises(ccxt.InvalidOrder, match="-4116"):
        await linear.create_order(PERPETUAL, "limit", "buy", 0.01, 49000, same)
    stopping = {**same, "stopLossPrice": 48000}
    await linear.create_order(PERPETUAL, "market", "sell", 0.01, params=stopping)
    with pytest.raises(ccxt.InvalidOrder, match="-4116"):
        await linear.create_order(PERPETUAL, "market", "sell", 0.01, params=stopping)
    exchange.trade_at("BTCUSDT", "49000")
    assert (await linear.create_order(PERPETUAL, "market", "buy", 0.01, params=same))["status"] == "closed"


async def test_margin_and_leverage_bound_what_can_be_opened(linear: Any) -> None:
    with pytest.raises(ccxt.InsufficientFunds, match="-2019"):
        await linear.create_order(PERPETUAL, "market", "buy", 4.001)
    await linear.set_leverage(2, PERPETUAL)
    with pytest.raises(ccxt.InsufficientFunds):
        await linear.create_order(PERPETUAL, "market", "buy", 0.401)
    assert (await linear.create_order(PERPETUAL, "market", "buy", 0.39))["status"] == "closed"
    with pytest.raises(ccxt.BadRequest):
        await linear.set_leverage(125, PERPETUAL, {"leverage": 126})


async def test_settings_that_are_as_wanted_are_said_to_be_so(linear: Any) -> None:
    with pytest.raises(ccxt.ExchangeError, match="-4059"):
        await linear.set_position_mode(False, PERPETUAL)
    with pytest.raises(ccxt.MarginModeAlreadySet):
        await linear.fapiPrivatePostMarginType({"symbol": "BTCUSDT", "marginType": "CROSSED"})
    assert (await linear.fetch_position_mode(PERPETUAL))["hedged"] is False


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"quantity": "0.0001", "price": "49000"}, "-1111"),
        ({"quantity": "0.01", "price": "49000.05"}, "-4014"),
        ({"quantity": "0.001", "price": "49000"}, "-4164"),
        ({"quantity": "0", "price": "49000"}, "-4003"),
        ({"quantity": "0.01", "price": "300000"}, "-4016"),
        ({"quantity": "0.01", "price": "49000", "positionSide": "LONG"}, "-4061"),
        ({"quantity": "0.01", "price": "50000", "timeInForce": "GTX"}, "-5022"),
    ],
)
async def test_the_rules_of_a_contract_are_enforced(linear: Any, order: dict[str, str], code: str) -> None:
    whole = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", **order}
    with pytest.raises(ccxt.ExchangeError, match=code):
        await linear.fapiPrivatePostOrder(whole)


async def test_funding_is_charged_and_told_as_income(exchange: Exchange, linear: Any) -> None:
    await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    exchange.incidents.fund("BTCUSDT", "0.0001")
    exchange.incidents.transfer("250")
    funding = await linear.fetch_funding_history(PERPETUAL)
    assert [entry["amount"] for entry in funding] == [-0.5]
    kinds = [entry["info"]["incomeType"] for entry in await linear.fetch_ledger("USDT")]
    assert kinds == ["COMMISSION", "FUNDING_FEE", "TRANSFER"]
    assert account(exchange)["wallet"] == "10247.5"


async def test_executions_older_than_a_week_are_told_only_to_who_asks_for_their_time(linear: Any, clock: Any) -> None:
    await linear.create_order(PERPETUAL, "market", "buy", 0.01)
    then = (await linear.fetch_my_trades(PERPETUAL))[0]["timestamp"]
    clock.shift_ms += 8 * 86_400_000
    await linear.load_time_difference()
    assert await linear.fetch_my_trades(PERPETUAL) == []
    assert len(await linear.fetch_my_trades(PERPETUAL, since=then)) == 1
    assert len(await linear.fetch_my_trades(PERPETUAL, params={"fromId": "1"})) == 1


async def test_a_limit_order_is_amended_in_place(linear: Any) -> None:
    order = await linear.create_order(PERPETUAL, "limit", "buy", 0.01, 49000)
    amended = await linear.edit_order(order["id"], PERPETUAL, "limit", "buy", 0.02, 48000)
    assert (amended["id"], amended["amount"], amended["price"]) == (order["id"], 0.02, 48000.0)
    with pytest.raises(ccxt.ExchangeError, match="-5027"):
        await linear.edit_order(order["id"], PERPETUAL, "limit", "buy", 0.02, 48000)


async def test_one_price_moves_spot_and_futures(exchange: Exchange, spot: Any, linear: Any) -> None:
    exchange.trade_at("BTCUSDT", "47000")
    assert (await spot.create_order(BTC, "market", "buy", 0.01))["average"] == 47000.0
    assert (await linear.create_order(PERPETUAL, "market", "buy", 0.01))["average"] == 47000.0
