"""Signatures, timestamps and the rights of keys."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from exchange.ccxt_clients import BTC, spot_client
from exchange.core import Exchange
from exchange.in_process import InProcessSession
from exchange.keys import READ_KEY, REVOCABLE_KEY, WITHDRAW_KEY, ApiKey
from exchange.wire import Reply, Request


async def asked_with(session: InProcessSession, key: ApiKey, question: str, *arguments: Any, **more: Any) -> Any:
    async with spot_client(session, key) as client:
        return await getattr(client, question)(*arguments, **more)


async def test_a_wrong_secret_is_refused(session: InProcessSession) -> None:
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        await asked_with(session, ApiKey("trade-key", "another", "main"), "fetch_balance")


async def test_an_unknown_key_is_refused(session: InProcessSession) -> None:
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        await asked_with(session, ApiKey("nobody", "secret", "main"), "fetch_balance")


def test_a_private_route_without_a_key_or_signature_is_refused(exchange: Exchange) -> None:
    bare = exchange.handle(Request("GET", "api.binance.com", "/api/v3/account"))
    unsigned = exchange.handle(
        Request("GET", "api.binance.com", "/api/v3/account", "timestamp=1", {"X-MBX-APIKEY": "trade-key"})
    )
    assert (bare.status, '"code":-2014' in bare.body) == (401, True)
    assert (unsigned.status, '"code":-1102' in unsigned.body) == (400, True)


async def test_a_key_that_is_revoked_while_it_is_used_is_refused_from_then_on(
    exchange: Exchange, session: InProcessSession
) -> None:
    assert (await asked_with(session, REVOCABLE_KEY, "fetch_balance"))["USDT"]["total"] == 10000.0
    exchange.revoke(REVOCABLE_KEY.key)
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        await asked_with(session, REVOCABLE_KEY, "fetch_balance")
    assert not REVOCABLE_KEY.revoked


async def test_a_key_that_only_reads_cannot_trade(session: InProcessSession) -> None:
    assert (await asked_with(session, READ_KEY, "fetch_balance"))["USDT"]["total"] == 10000.0
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        await asked_with(session, READ_KEY, "create_order", BTC, "market", "buy", 0.01)


async def test_the_rights_of_a_key_are_told(spot: Any, session: InProcessSession) -> None:
    rights = await spot.sapi_get_account_apirestrictions()
    risky = await asked_with(session, WITHDRAW_KEY, "sapi_get_account_apirestrictions")
    assert (rights["enableSpotAndMarginTrading"], rights["enableWithdrawals"]) == (True, False)
    assert (risky["enableWithdrawals"], risky["permitsUniversalTransfer"]) == (True, True)


@pytest.mark.parametrize("skew_ms", [3_600_000, -5_000])
async def test_a_clock_that_is_off_is_refused_until_it_is_measured(exchange: Exchange, spot: Any, skew_ms: int) -> None:
    exchange.faults.skew_ms = skew_ms
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        await spot.create_order(BTC, "market", "buy", 0.01)
    assert exchange.ledger()["requests"][0]["outcome"] == "refused"
    await spot.load_time_difference()
    assert (await spot.create_order(BTC, "market", "buy", 0.01))["status"] == "closed"


async def test_a_window_longer_than_a_minute_is_refused(spot: Any) -> None:
    with pytest.raises(ccxt.ExchangeError, match="-1131"):
        await spot.fetch_balance({"recvWindow": 60_001})


def test_what_is_not_there_is_not_found(exchange: Exchange) -> None:
    reply: Reply = exchange.handle(Request("GET", "api.binance.com", "/api/v3/nothing"))
    assert reply.status == 404


async def test_accounts_are_apart(exchange: Exchange, session: InProcessSession, spot: Any) -> None:
    exchange.open_account("other", funds={"USDT": "5"})
    exchange.add_key(ApiKey("other-key", "other-secret", "other"))
    await spot.create_order(BTC, "limit", "buy", 0.01, 49000)
    other = ApiKey("other-key", "other-secret", "other")
    assert (await asked_with(session, other, "fetch_balance"))["USDT"]["total"] == 5.0
    assert await asked_with(session, other, "fetch_open_orders", BTC) == []
