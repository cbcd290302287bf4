"""What would go to Binance's demo hosts where no other address is given."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from venue_accounts import MachineClock, RecordingSession, all_are_demo, open_at, order, our_id
from venue_payloads import NOW_MS

from domain.errors import (
    VenueUnavailable,
)
from domain.orders import Side
from venues.records import MarketKind

NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
BTC = "BTCUSDT"


async def test_binance_demo_orders_go_to_its_demo_hosts(venue_clock: MachineClock) -> None:
    symbol = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "isSpotTradingAllowed": True,
        "permissions": ["SPOT"],
        "orderTypes": ["MARKET", "STOP_LOSS"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        ],
    }
    session = RecordingSession(
        {
            "/api/v3/time": {"serverTime": NOW_MS},
            "/api/v3/exchangeInfo": {"symbols": [symbol]},
            "/api/v3/order": {"code": -1007, "msg": "Timeout waiting for response from backend server."},
        }
    )
    account = await open_at("binance", MarketKind.SPOT, session, venue_clock)
    with pytest.raises(VenueUnavailable, match="Timeout waiting"):
        await account.place(order(1, Side.SELL, stop="40000"))
    sent = session.last("/api/v3/order")
    assert sent.url == "https://demo-api.binance.com/api/v3/order"
    assert f"newClientOrderId={our_id(1)}" in sent.body
    assert "recvWindow=5000" in sent.body
    assert "the demo has no GET /sapi" in (await account.rights()).said_by
    all_are_demo(session)
    await account.close()
