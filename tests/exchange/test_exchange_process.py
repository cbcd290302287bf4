"""The exchange as a process of its own, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
import pytest_asyncio
from exchange.ccxt_clients import BTC, PERPETUAL, wired_linear, wired_spot
from exchange.keys import ApiKey
from exchange.process import ControlRefused, RunningExchange, local_urls


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningExchange]:
    with RunningExchange() as started:
        yield started


@pytest.fixture
def running(shared: RunningExchange) -> RunningExchange:
    shared.calm()
    shared.do("reset_account")
    shared.trade_at("BTCUSDT", "50000")
    return shared


@pytest_asyncio.fixture
async def spot(running: RunningExchange) -> AsyncIterator[Any]:
    client = wired_spot(running.port)
    await client.load_markets()
    yield client
    await client.close()


@pytest_asyncio.fixture
async def linear(running: RunningExchange) -> AsyncIterator[Any]:
    client = wired_linear(running.port)
    await client.load_markets()
    yield client
    await client.close()


def orders(running: RunningExchange) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = running.ledger()["accounts"]["main"]["orders"]
    return told


async def test_ccxt_trades_spot_and_futures_over_the_wire(running: RunningExchange, spot: Any, linear: Any) -> None:
    await spot.create_order(BTC, "market", "buy", 0.01, params={"newClientOrderId": "rt-1"})
    await linear.create_order(PERPETUAL, "market", "sell", 0.1, params={"clientOrderId": "rt-2"})
    stop = {"stopLossPrice": 51000, "reduceOnly": True, "clientOrderId": "rt-3"}
    await linear.create_order(PERPETUAL, "market", "buy", 0.1, params=stop)
    running.trade_at("BTCUSDT", "51000")
    running.fund("BTCUSDT", "0.0001")
    assert [(order["client_id"], order["status"]) for order in orders(running)] == [
        ("rt-1", "FILLED"),
        ("rt-2", "FILLED"),
        ("rt-3", "FILLED"),
    ]
    assert (await linear.fetch_balance())["USDT"]["total"] == 10000 - 100 - 2 - 2.04


@pytest.mark.parametrize(("kind", "there"), [("drop_before", 0), ("drop_after", 1)])
async def test_a_broken_connection_over_the_wire(running: RunningExchange, spot: Any, kind: str, there: int) -> None:
    running.add_fault(kind, method="POST", path="/order$")
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await spot.create_order(BTC, "market", "buy", 0.01)
    assert len(orders(running)) == there


async def test_a_client_that_went_away_leaves_what_it_sent(running: RunningExchange, spot: Any) -> None:
    running.add_fault("delay", method="POST", ms=150)
    spot.timeout = 50
    with pytest.raises(ccxt.RequestTimeout):
        await spot.create_order(BTC, "market", "buy", 0.01)
    spot.timeout = 10_000
    assert orders(running) == []
    running.add_fault("delay_after", path="/time$", ms=200)
    await spot.fetch_time()
    assert [order["status"] for order in orders(running)] == ["FILLED"]


async def test_a_page_of_html_and_a_ban_over_the_wire(running: RunningExchange, spot: Any) -> None:
    running.add_fault("html", path="/account$", status=502)
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await spot.fetch_balance()
    running.add_fault("banned", path="/account$", seconds=60)
    for _ in range(2):
        with pytest.raises(ccxt.DDoSProtection):
            await spot.fetch_balance()
    assert running.ledger()["calls_while_shut"]["418"] == 1
    running.calm()
    assert (await spot.fetch_balance())["USDT"]["total"] == 10000.0


async def test_another_account_with_its_own_key(running: RunningExchange) -> None:
    key = ApiKey("other-key", "other-secret", "other")
    running.do("open_account", name="other", funds={"USDT": "7"}, wallet="8")
    running.do("add_key", key=key.key, secret=key.secret, account=key.account)
    async with wired_spot(running.port, key) as client:
        assert (await client.fetch_balance())["USDT"]["total"] == 7.0


def test_a_control_that_does_not_exist_or_does_not_fit_is_refused(running: RunningExchange) -> None:
    with pytest.raises(ControlRefused, match="there is no control"):
        running.do("nothing")
    with pytest.raises(ControlRefused, match="unexpected keyword"):
        running.do("trade_at", symbol="BTCUSDT", price="1", nonsense=1)
    with pytest.raises(ControlRefused, match="Invalid symbol"):
        running.trade_at("NOSUCH", "1")
    with pytest.raises(ControlRefused, match="not a valid FaultKind"):
        running.add_fault("nonsense")


async def test_what_happened_survives_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "exchange.jsonl"
    first = RunningExchange(state=state, seed=3)
    with first:
        first.trade_at("BTCUSDT", "50000")
        first.do("inject_order", market="spot", symbol="BTCUSDT", side="BUY", quantity="0.01", price="49000")
        async with wired_spot(first.port) as client:
            await client.create_order(BTC, "market", "buy", 0.01, params={"newClientOrderId": "rt-1"})
        first.add_fault("reject", path="/account$", times=None)
        before = first.ledger()
        first.kill()
    with state.open("a", encoding="utf-8") as diary:
        diary.write('{"at": 1, "do": ["trade')
    with RunningExchange(state=state, seed=3) as second:
        after = second.ledger()
        assert {key: value for key, value in after.items() if key != "now"} == {
            key: value for key, value in before.items() if key != "now"
        }
        second.trade_at("BTCUSDT", "49000")
        assert {order["status"] for order in orders(second)} == {"FILLED"}


def test_every_address_of_a_vendor_is_moved_to_this_machine() -> None:
    moved = local_urls({"a": "https://api.binance.com/api/v3", "ws": {"b": "wss://stream.binance.com:9443/ws"}}, 99)
    assert moved == {"a": "http://127.0.0.1:99/api/v3", "ws": {"b": "ws://127.0.0.1:99/ws"}}
