"""The real ccxt trades spot at the test exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import pytest
from exchange.ccxt_clients import BTC
from exchange.core import Exchange
from exchange.in_process import InProcessSession


def held(exchange: Exchange, asset: str) -> tuple[str, str]:
    balance = exchange.ledger()["accounts"]["main"]["balances"][asset]
    return balance["free"], balance["locked"]


async def test_a_market_purchase_pays_its_fee_in_what_was_bought(exchange: Exchange, spot: Any) -> None:
    order = await spot.create_order(BTC, "market", "buy", 0.01, params={"newClientOrderId": "rt-entry"})
    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.01, 50000.0)
    assert order["clientOrderId"] == "rt-entry"
    assert order["fee"] == {"currency": "BTC", "cost": 0.00001}
    assert held(exchange, "BTC") == ("0.00999", "0")
    assert held(exchange, "USDT") == ("9500", "0")


async def test_all_that_was_bought_cannot_be_sold_because_of_the_fee(spot: Any) -> None:
    await spot.create_order(BTC, "market", "buy", 0.01)
    with pytest.raises(ccxt.InsufficientFunds):
        await spot.create_order(BTC, "market", "sell", 0.01)
    sold = await spot.create_order(BTC, "market", "sell", 0.00999)
    assert sold["fee"] == {"currency": "USDT", "cost": 0.4995}


async def test_a_stop_waits_locks_what_it_sells_and_fills_at_the_price_that_triggered_it(
    exchange: Exchange, spot: Any
) -> None:
    await spot.create_order(BTC, "market", "buy", 0.01)
    stop = await spot.create_order(BTC, "market", "sell", 0.00999, params={"stopLossPrice": 49000})
    assert (stop["status"], stop["stopPrice"]) == ("open", 49000.0)
    assert held(exchange, "BTC") == ("0", "0.00999")
    exchange.trade_at("BTCUSDT", "49000.01")
    assert (await spot.fetch_order(stop["id"], BTC))["status"] == "open"
    exchange.trade_at("BTCUSDT", "48900")
    filled = await spot.fetch_order(stop["id"], BTC)
    assert (filled["status"], filled["average"]) == ("closed", 48900.0)
    assert await spot.fetch_open_orders(BTC) == []


async def test_a_target_is_triggered_by_a_rise(exchange: Exchange, spot: Any) -> None:
    await spot.create_order(BTC, "market", "buy", 0.01)
    target = await spot.create_order(BTC, "market", "sell", 0.00999, params={"takeProfitPrice": 51000})
    exchange.trade_at("BTCUSDT", "51000")
    assert (await spot.fetch_order(target["id"], BTC))["average"] == 51000.0


async def test_a_stop_that_is_past_its_price_is_refused(spot: Any) -> None:
    await spot.create_order(BTC, "market", "buy", 0.01)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await spot.create_order(BTC, "market", "sell", 0.00999, params={"stopLossPrice": 50000})


async def test_a_stop_limit_that_is_jumped_over_stays_in_the_book(exchange: Exchange, spot: Any) -> None:
    await spot.create_order(BTC, "market", "buy", 0.01)
    stop = await spot.create_order(BTC, "limit", "sell", 0.00999, 48950, {"stopLossPrice": 49000})
    exchange.trade_at("BTCUSDT", "48000")
    waiting = await spot.fetch_order(stop["id"], BTC)
    assert (waiting["status"], waiting["filled"]) == ("open", 0.0)
    exchange.trade_at("BTCUSDT", "48950")
    assert (await spot.fetch_order(stop["id"], BTC))["status"] == "closed"


@pytest.mark.parametrize(("traded", "average"), [("49000", 49000.0), ("48500", 48500.0)])
async def test_a_resting_purchase_fills_at_its_limit_or_better(
    exchange: Exchange, spot: Any, traded: str, average: float
) -> None:
    order = await spot.create_order(BTC, "limit", "buy", 0.01, 49000)
    assert held(exchange, "USDT") == ("9510", "490")
    exchange.trade_at("BTCUSDT", traded)
    filled = await spot.fetch_order(order["id"], BTC)
    assert (filled["status"], filled["average"]) == ("closed", average)
    assert held(exchange, "USDT")[1] == "0"


async def test_a_limit_that_crosses_takes_at_once(spot: Any) -> None:
    order = await spot.create_order(BTC, "limit", "buy", 0.01, 50500)
    assert (order["status"], order["average"]) == ("closed", 50000.0)


async def test_the_spread_is_paid_by_takers(exchange: Exchange, spot: Any) -> None:
    exchange.set_spread("BTCUSDT", "10")
    assert exchange.quote("BTCUSDT") == (Decimal(49995), Decimal(50005))
    assert (await spot.create_order(BTC, "market", "buy", 0.01))["average"] == 50005.0
    assert (await spot.create_order(BTC, "market", "sell", 0.009))["average"] == 49995.0


async def test_what_the_market_cannot_give_expires(exchange: Exchange, spot: Any) -> None:
    exchange.trade_at("BTCUSDT", "50000", most=Decimal("0.004"))
    order = await spot.create_order(BTC, "market", "buy", 0.01)
    assert (order["status"], order["filled"]) == ("expired", 0.004)
    assert held(exchange, "USDT") == ("9800", "0")


async def test_a_resting_order_is_filled_in_parts(exchange: Exchange, spot: Any) -> None:
    order = await spot.create_order(BTC, "limit", "buy", 0.01, 49000)
    exchange.trade_at("BTCUSDT", "49000", most=Decimal("0.004"))
    part = await spot.fetch_order(order["id"], BTC)
    assert (part["status"], part["filled"]) == ("open", 0.004)
    await spot.cancel_order(order["id"], BTC)
    trades = await spot.fetch_my_trades(BTC)
    assert [trade["amount"] for trade in trades] == [0.004]
    assert held(exchange, "USDT") == ("9804", "0")


async def test_time_in_force_ends_what_cannot_be_had_at_once(exchange: Exchange, spot: Any) -> None:
    exchange.trade_at("BTCUSDT", "50000", most=Decimal("0.004"))
    part = await spot.create_order(BTC, "limit", "buy", 0.01, 50000, {"timeInForce": "IOC"})
    none = await spot.create_order(BTC, "limit", "buy", 0.01, 50000, {"timeInForce": "FOK"})
    assert (part["status"], part["filled"]) == ("expired", 0.004)
    assert (none["status"], none["filled"]) == ("expired", 0.0)


async def test_a_maker_order_that_would_take_is_refused(spot: Any) -> None:
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await spot.create_order(BTC, "limit", "buy", 0.01, 50000, {"postOnly": True})


async def test_an_id_is_taken_while_its_order_is_open_and_free_afterwards(exchange: Exchange, spot: Any) -> None:
    same = {"newClientOrderId": "rt-same"}
    await spot.create_order(BTC, "limit", "buy", 0.001, 49000, same)
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await spot.create_order(BTC, "limit", "buy", 0.001, 49000, same)
    exchange.trade_at("BTCUSDT", "49000")
    await spot.create_order(BTC, "limit", "buy", 0.001, 48000, same)
    ledger = exchange.ledger()
    assert [asked["outcome"] for asked in ledger["requests"]] == ["accepted", "refused", "accepted"]
    assert [order["client_id"] for order in ledger["accounts"]["main"]["orders"]] == ["rt-same", "rt-same"]
    newest = await spot.fetch_order(None, BTC, {"origClientOrderId": "rt-same"})
    assert newest["price"] == 48000.0


async def test_a_filled_market_order_that_is_sent_again_buys_twice(exchange: Exchange, spot: Any) -> None:
    for _ in range(2):
        await spot.create_order(BTC, "market", "buy", 0.001, params={"newClientOrderId": "rt-twice"})
    assert held(exchange, "BTC") == ("0.001998", "0")


async def test_a_cancel_that_comes_after_the_fill_finds_no_order(exchange: Exchange, spot: Any) -> None:
    order = await spot.create_order(BTC, "limit", "buy", 0.01, 49000)
    exchange.trade_at("BTCUSDT", "49000")
    with pytest.raises(ccxt.OrderNotFound):
        await spot.cancel_order(order["id"], BTC)


async def test_cancelling_by_client_id_frees_what_was_locked(exchange: Exchange, spot: Any) -> None:
    await spot.create_order(BTC, "limit", "buy", 0.01, 49000, {"newClientOrderId": "rt-1"})
    await spot.cancel_order(None, BTC, {"origClientOrderId": "rt-1"})
    assert held(exchange, "USDT") == ("10000", "0")
    assert (await spot.fetch_order(None, BTC, {"origClientOrderId": "rt-1"}))["status"] == "canceled"


async def test_an_order_is_replaced_in_one_request(exchange: Exchange, spot: Any) -> None:
    order = await spot.create_order(BTC, "limit", "buy", 0.01, 49000)
    new = await spot.edit_order(order["id"], BTC, "limit", "buy", 0.01, 48000)
    assert (await spot.fetch_order(order["id"], BTC))["status"] == "canceled"
    assert (await spot.fetch_open_orders(BTC))[0]["id"] == new["id"]
    exchange.trade_at("BTCUSDT", "48000")
    with pytest.raises(ccxt.BadResponse, match="-2022"):
        await spot.edit_order(new["id"], BTC, "limit", "buy", 0.01, 47000)


@pytest.mark.parametrize(
    ("amount", "price", "words"),
    [
        ("0.000011", "49000", "LOT_SIZE"),
        ("0.01", "49000.001", "PRICE_FILTER"),
        ("0.0001", "49000", "NOTIONAL"),
        ("0.01", "260000", "PERCENT_PRICE_BY_SIDE"),
    ],
)
async def test_the_rules_of_a_symbol_are_enforced(spot: Any, amount: str, price: str, words: str) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    with pytest.raises(ccxt.ExchangeError, match=words):
        await spot.private_post_order({**order, "quantity": amount, "price": price})


async def test_only_so_many_stops_may_wait(spot: Any) -> None:
    await spot.create_order(BTC, "market", "buy", 0.01)
    for step in range(5):
        await spot.create_order(BTC, "market", "sell", 0.001, params={"stopLossPrice": 49000 - step})
    with pytest.raises(ccxt.ExchangeError, match="MAX_NUM_ALGO_ORDERS"):
        await spot.create_order(BTC, "market", "sell", 0.001, params={"stopLossPrice": 48000})


async def test_a_parameter_that_spot_does_not_know_is_refused(spot: Any) -> None:
    with pytest.raises(ccxt.BadRequest, match="-1104"):
        await spot.create_order(BTC, "market", "buy", 0.01, params={"reduceOnly": True})


async def test_an_unknown_symbol_and_an_unknown_order_are_refused(spot: Any) -> None:
    with pytest.raises(ccxt.BadSymbol):
        await spot.private_get_openorders({"symbol": "NOSUCH"})
    with pytest.raises(ccxt.OrderNotFound):
        await spot.fetch_order("4711", BTC)


async def test_executions_are_listed_by_order_by_id_and_by_time(exchange: Exchange, spot: Any, clock: Any) -> None:
    first = await spot.create_order(BTC, "market", "buy", 0.001)
    clock.shift_ms += 60_000
    await spot.load_time_difference()
    await spot.create_order(BTC, "market", "buy", 0.002)
    every = await spot.fetch_my_trades(BTC)
    assert [trade["amount"] for trade in every] == [0.001, 0.002]
    assert [trade["id"] for trade in await spot.fetch_my_trades(BTC, params={"orderId": first["id"]})] == ["1000"]
    assert [trade["id"] for trade in await spot.fetch_my_trades(BTC, params={"fromId": "1001"})] == ["1001"]
    assert [trade["id"] for trade in await spot.fetch_my_trades(BTC, since=every[1]["timestamp"])] == ["1001"]
    assert [trade["id"] for trade in await spot.fetch_my_trades(BTC, limit=1)] == ["1001"]
    with pytest.raises(ccxt.BadRequest, match="24 hours"):
        await spot.fetch_my_trades(BTC, since=every[0]["timestamp"] - 10**9, params={"until": every[1]["timestamp"]})


async def test_ids_are_counted_in_each_symbol_by_itself(exchange: Exchange, spot: Any) -> None:
    exchange.trade_at("ETHUSDT", "3000")
    one = await spot.create_order(BTC, "market", "buy", 0.001)
    other = await spot.create_order("ETH/USDT", "market", "buy", 0.1)
    assert one["id"] == other["id"]


async def test_a_purchase_may_name_what_it_costs(spot: Any) -> None:
    order = await spot.create_market_buy_order_with_cost(BTC, 100)
    assert (order["filled"], order["cost"]) == (0.002, 100.0)


async def test_a_market_without_a_price_gives_nothing(spot: Any) -> None:
    order = await spot.create_order("ETH/USDT", "market", "buy", 0.1)
    assert (order["status"], order["filled"]) == ("expired", 0.0)


async def test_ccxt_loads_everything_that_it_wants_with_its_own_defaults(session: InProcessSession) -> None:
    config = {"apiKey": "trade-key", "secret": "trade-secret", "session": session, "enableRateLimit": False}
    async with ccxt.async_support.binance({**config, "timeout_on_exit": 0}) as client:
        await client.load_markets()
        assert {BTC, "BTC/USDT:USDT"} <= set(client.markets)
        assert (await client.fetch_status())["status"] == "ok"
