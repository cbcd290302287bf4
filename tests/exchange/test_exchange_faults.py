"""Every fault, as the real ccxt meets it, and what really happened behind it."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import pytest
from exchange.ccxt_clients import BTC, PERPETUAL
from exchange.core import Exchange
from exchange.faults import FaultKind, Faults

ORDER = {"method": "POST", "path": "/order$"}


def happened(exchange: Exchange) -> tuple[list[str], int]:
    """What became of the requests, and how many orders there are."""
    ledger = exchange.ledger()
    return [asked["outcome"] for asked in ledger["requests"]], len(ledger["accounts"]["main"]["orders"])


async def bought(spot: Any, **parameters: Any) -> Any:
    return await spot.create_order(BTC, "market", "buy", 0.01, params=parameters)


@pytest.mark.parametrize(
    ("kind", "options", "error", "outcome", "orders"),
    [
        ("drop_before", {}, ccxt.ExchangeNotAvailable, "lost", 0),
        ("drop_after", {}, ccxt.ExchangeNotAvailable, "accepted", 1),
        ("status_before", {"status": 500}, ccxt.OperationFailed, "lost", 0),
        ("status_after", {"status": 502}, ccxt.RequestTimeout, "accepted", 1),
        ("status_after", {"status": 503}, ccxt.RequestTimeout, "accepted", 1),
        ("limited", {}, ccxt.DDoSProtection, "lost", 0),
        ("banned", {}, ccxt.DDoSProtection, "lost", 0),
        ("maintenance", {}, ccxt.OnMaintenance, "lost", 0),
        ("html", {"status": 503}, ccxt.ExchangeNotAvailable, "accepted", 1),
        ("html", {"before": True, "status": 504}, ccxt.NetworkError, "lost", 0),
        ("reject", {"code": -2010, "message": "No."}, ccxt.InvalidOrder, "lost", 0),
    ],
)
async def test_what_the_client_sees_and_what_happened(
    exchange: Exchange,
    spot: Any,
    kind: str,
    options: dict[str, Any],
    error: type[Exception],
    outcome: str,
    orders: int,
) -> None:
    exchange.faults.add(kind, **ORDER, **options)
    with pytest.raises(error):
        await bought(spot, newClientOrderId="rt-1")
    assert happened(exchange) == ([outcome], orders)
    asked = exchange.ledger()["requests"][0]
    assert (asked["client_id"], asked["symbol"], asked["side"]) == ("rt-1", "BTCUSDT", "BUY")


@pytest.mark.parametrize("kind", ["truncated", "empty_object"])
async def test_an_answer_of_200_that_says_nothing(exchange: Exchange, spot: Any, kind: str) -> None:
    exchange.faults.add(kind, **ORDER)
    assert await said_of_the_order(spot) is None
    assert happened(exchange) == (["accepted"], 1)


async def test_an_answer_of_200_that_is_a_page(exchange: Exchange, spot: Any) -> None:
    exchange.faults.add("html", **ORDER)
    assert await said_of_the_order(spot) is None
    assert happened(exchange) == (["accepted"], 1)


async def said_of_the_order(spot: Any) -> Any:
    """The id that ccxt reads, None where it reads none or breaks over the answer."""
    try:
        return (await bought(spot))["id"]
    except (AttributeError, TypeError):
        return None


async def test_a_delayed_order_is_not_known_before_its_time_and_then_it_is(exchange: Exchange, spot: Any) -> None:
    exchange.faults.add("delay", **ORDER, ms=200)
    spot.timeout = 50
    with pytest.raises(ccxt.RequestTimeout):
        await bought(spot, newClientOrderId="rt-late")
    spot.timeout = 10_000
    assert happened(exchange) == (["pending"], 0)
    with pytest.raises(ccxt.OrderNotFound):
        await spot.fetch_order(None, BTC, {"origClientOrderId": "rt-late"})
    await asyncio.sleep(0.2)
    late = await spot.fetch_order(None, BTC, {"origClientOrderId": "rt-late"})
    assert (late["status"], happened(exchange)) == ("closed", (["accepted"], 1))


async def test_a_delayed_answer_comes_when_it_comes(exchange: Exchange, spot: Any) -> None:
    exchange.faults.add("delay", **ORDER, ms=30)
    assert (await bought(spot))["status"] == "closed"
    exchange.faults.add("delay_after", **ORDER, ms=30)
    assert (await bought(spot))["status"] == "closed"
    exchange.faults.add("delay_after", **ORDER, ms=500)
    spot.timeout = 30
    with pytest.raises(ccxt.RequestTimeout):
        await bought(spot)
    assert happened(exchange) == (["accepted"] * 3, 3)


async def test_a_request_that_grew_too_old_on_the_way_is_not_executed(exchange: Exchange, spot: Any) -> None:
    exchange.faults.add("delay", **ORDER, ms=120)
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        await bought(spot, recvWindow=60)
    assert happened(exchange) == (["refused"], 0)


async def test_a_delayed_order_that_is_refused_on_arrival_does_not_wait(exchange: Exchange, spot: Any) -> None:
    exchange.faults.add("delay", **ORDER, ms=60_000)
    exchange.faults.skew_ms = 60_000
    with pytest.raises(ccxt.InvalidNonce):
        await bought(spot)


@pytest.mark.parametrize(("kind", "status"), [("limited", "429"), ("banned", "418")])
async def test_whoever_is_told_to_stay_away_and_calls_is_counted(
    exchange: Exchange, spot: Any, clock: Any, kind: str, status: str
) -> None:
    exchange.faults.add(kind, path="/openOrders$", seconds=60)
    for _ in range(3):
        with pytest.raises(ccxt.DDoSProtection, match=status):
            await spot.fetch_open_orders(BTC)
    assert spot.last_response_headers["Retry-After"] == "60"
    assert exchange.ledger()["calls_while_shut"][status] == 2
    clock.shift_ms += 60_001
    await spot.load_time_difference()
    assert await spot.fetch_open_orders(BTC) == []


async def test_weights_are_counted_and_too_many_are_refused(exchange: Exchange, spot: Any, linear: Any) -> None:
    await spot.fetch_balance()
    assert int(spot.last_response_headers["X-MBX-USED-WEIGHT-1M"]) == 40
    for _ in range(298):
        await spot.fetch_balance()
    with pytest.raises(ccxt.DDoSProtection, match="429"):
        await spot.fetch_balance()
    assert (await linear.fetch_balance())["USDT"]["total"] == 10000.0
    assert exchange.ledger()["shut"][0]["market"] == "spot"


async def test_maintenance_stops_everything_and_is_said(exchange: Exchange, spot: Any) -> None:
    exchange.faults.maintenance = True
    with pytest.raises(ccxt.OnMaintenance):
        await bought(spot)
    assert (await spot.fetch_status())["status"] == "maintenance"
    exchange.faults.clear()
    assert (await bought(spot))["status"] == "closed"


async def test_executions_may_be_told_twice_backwards_or_not(exchange: Exchange, spot: Any) -> None:
    await bought(spot)
    await bought(spot)
    told = []
    for kind in ("trades_repeated", "trades_reordered", "trades_hidden"):
        exchange.faults.add(kind, path="/myTrades$")
        told.append([row["id"] for row in await spot.private_get_mytrades({"symbol": "BTCUSDT"})])
    assert told == [[1000, 1000, 1001, 1001], [1001, 1000], []]


async def test_the_list_of_open_orders_may_lie(exchange: Exchange, spot: Any) -> None:
    kept = await spot.create_order(BTC, "limit", "buy", 0.01, 49000, {"newClientOrderId": "rt-1"})
    assert len(await spot.fetch_open_orders(BTC)) == 1
    exchange.faults.add("open_orders_hidden", client_id="rt-")
    assert await spot.fetch_open_orders(BTC) == []
    exchange.trade_at("BTCUSDT", "49000")
    exchange.faults.add("open_orders_stale")
    assert [order["id"] for order in await spot.fetch_open_orders(BTC)] == [kept["id"]]
    assert await spot.fetch_open_orders(BTC) == []


async def test_an_order_may_be_denied_as_often_as_wanted(exchange: Exchange, spot: Any, linear: Any) -> None:
    order = await bought(spot)
    exchange.faults.add("order_hidden", times=2)
    for _ in range(2):
        with pytest.raises(ccxt.OrderNotFound):
            await spot.fetch_order(order["id"], BTC)
    assert (await spot.fetch_order(order["id"], BTC))["id"] == order["id"]
    await linear.create_order(PERPETUAL, "market", "sell", 0.1, params={"triggerPrice": 49000, "clientOrderId": "x"})
    exchange.faults.add("order_hidden", path="/algoOrder$")
    with pytest.raises(ccxt.OrderNotFound):
        await linear.fetch_order(None, PERPETUAL, {"clientOrderId": "x", "trigger": True})


async def test_reports_of_positions_and_balances_may_be_empty(exchange: Exchange, spot: Any, linear: Any) -> None:
    await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    exchange.faults.add("positions_empty")
    assert await linear.fetch_positions() == []
    assert len(await linear.fetch_positions()) == 1
    exchange.faults.add("balances_empty", times=2)
    assert (await linear.fetch_balance())["total"] == {}
    assert (await spot.fetch_balance())["total"] == {}


async def test_an_order_may_get_only_a_share(exchange: Exchange, spot: Any, linear: Any) -> None:
    exchange.faults.add("partial", **ORDER, share="0.3", times=2)
    assert (await bought(spot))["filled"] == 0.003
    part = await linear.create_order(PERPETUAL, "market", "buy", 0.1)
    assert (part["status"], part["filled"]) == ("expired", 0.03)
    assert (await bought(spot))["filled"] == 0.01


async def test_candles_may_be_broken(exchange: Exchange, spot: Any, clock: Any) -> None:
    minute = clock() - clock() % 60_000
    exchange.set_candles("BTCUSDT", "1m", [[minute - 60_000 * n, 5, 6, 4, 5, 1] for n in range(5)])
    told = {}
    for kind in FaultKind:
        if kind.startswith("candles_"):
            exchange.faults.add(kind)
            told[str(kind)] = await spot.fetch_ohlcv(BTC, "1m")
    assert len(told["candles_repeated"]) == 7
    assert len(told["candles_missing"]) == 4
    assert told["candles_future"][-1][0] > clock()
    assert told["candles_wick"][-2][2] == 600
    assert str(told["candles_broken"][-2][4]) == "nan"


async def test_an_error_may_repeat_everything_that_was_sent(exchange: Exchange, spot: Any) -> None:
    exchange.faults.add("echoed")
    with pytest.raises(ccxt.BadRequest, match="signature=") as error:
        await spot.fetch_balance()
    assert "trade-key" in str(error.value)


async def test_strangers_positions_orders_and_resets(exchange: Exchange, spot: Any, linear: Any) -> None:
    exchange.incidents.inject_position("BTCUSDT", "-0.2", price="51000")
    assert (await linear.fetch_positions())[0]["side"] == "short"
    exchange.incidents.vanish_position("BTCUSDT")
    assert await linear.fetch_positions() == []
    exchange.incidents.inject_order("spot", "BTCUSDT", "BUY", "0.01", "49000")
    assert (await spot.fetch_open_orders(BTC))[0]["clientOrderId"].startswith("web_")
    exchange.incidents.inject_order("linear", "BTCUSDT", "BUY", "0.01")
    exchange.reset_account()
    assert await spot.fetch_open_orders(BTC) == []
    assert await linear.fetch_my_trades(PERPETUAL) == []
    told = exchange.ledger()["accounts"]["main"]
    assert (told["wiped"], told["wallet"], len(told["past"][0]["orders"])) == (1, "10000", 2)
    exchange.trade_at("BTCUSDT", "49000")
    assert exchange.ledger()["accounts"]["main"]["balances"] == {"USDT": {"free": "10000", "locked": "0"}}


async def test_somebody_else_may_end_an_order(exchange: Exchange, spot: Any, linear: Any) -> None:
    await spot.create_order(BTC, "limit", "buy", 0.01, 49000, {"newClientOrderId": "rt-1"})
    exchange.incidents.end_order("spot", "BTCUSDT", "rt-1", "EXPIRED")
    assert (await spot.fetch_order(None, BTC, {"origClientOrderId": "rt-1"}))["status"] == "expired"
    stopping = {"triggerPrice": 49000, "clientOrderId": "rt-2"}
    await linear.create_order(PERPETUAL, "market", "sell", 0.1, params=stopping)
    exchange.incidents.end_order("linear", "BTCUSDT", "rt-2")
    assert await linear.fetch_open_orders(PERPETUAL, params={"trigger": True}) == []
    with pytest.raises(LookupError, match="rt-2"):
        exchange.incidents.end_order("linear", "BTCUSDT", "rt-2")


def test_a_fault_lets_pass_what_it_should_and_ends_when_it_should() -> None:
    faults = Faults()
    fault = faults.add("reject", method="POST", path="order", skip=1, times=2)
    assert faults.meeting("GET", "/order") == []
    assert [len(faults.meeting("POST", "/order")) for _ in range(5)] == [0, 1, 1, 0, 0]
    assert (fault.met, fault.hit) == (3, 2)
    with pytest.raises(ValueError, match="nonsense"):
        faults.add("nonsense")


def test_the_draws_come_from_the_seed_alone() -> None:
    def hits(seed: int) -> list[int]:
        faults = Faults(seed=seed)
        faults.add("reject", probability=0.25, times=None)
        return [len(faults.meeting("GET", "/")) for _ in range(400)]

    assert hits(1) == hits(1)
    assert hits(1) != hits(2)
    assert 60 < sum(hits(1)) < 140
