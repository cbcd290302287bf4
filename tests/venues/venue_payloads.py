"""What Bybit and OKX answer to the few questions that opening an account asks, in the venues' documented fields."""

from __future__ import annotations

from typing import Any

NOW_MS = 1_767_225_600_000


def bybit_answer(result: dict[str, Any]) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOW_MS}


def bybit_instruments(linear: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "status": "Trading",
        "priceFilter": {"tickSize": "0.10" if linear else "0.01", "minPrice": "0.10", "maxPrice": "199999.80"},
    }
    if linear:
        row |= {
            "contractType": "LinearPerpetual",
            "settleCoin": "USDT",
            "launchTime": "1584230400000",
            "deliveryTime": "0",
            "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
            "lotSizeFilter": {
                "maxOrderQty": "1190.000",
                "minOrderQty": "0.001",
                "qtyStep": "0.001",
                "minNotionalValue": "5",
            },
        }
    else:
        row |= {
            "marginTrading": "none",
            "lotSizeFilter": {
                "basePrecision": "0.000001",
                "quotePrecision": "0.0000001",
                "minOrderQty": "0.000048",
                "maxOrderQty": "71.73956243",
                "minOrderAmt": "1",
                "maxOrderAmt": "4000000",
            },
        }
    return bybit_answer({"category": "linear" if linear else "spot", "list": [row], "nextPageCursor": ""})


def bybit_answers(linear: bool) -> dict[str, Any]:
    position = {"symbol": "BTCUSDT", "positionIdx": 0, "size": "0", "side": "", "leverage": "10"}
    return {
        "/v5/market/time": bybit_answer({"timeSecond": str(NOW_MS // 1000), "timeNano": str(NOW_MS * 10**6)}),
        "/v5/market/instruments-info": bybit_instruments(linear),
        "/v5/position/list": bybit_answer({"list": [position], "nextPageCursor": "", "category": "linear"}),
    }


def okx_answer(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": list(rows)}


def okx_instruments(linear: bool) -> dict[str, Any]:
    spot = {
        "instType": "SPOT",
        "instId": "BTC-USDT",
        "baseCcy": "BTC",
        "quoteCcy": "USDT",
        "settleCcy": "",
        "ctVal": "",
        "lotSz": "0.00000001",
        "minSz": "0.00001",
        "tickSz": "0.1",
        "lever": "10",
        "state": "live",
    }
    swap = {
        "instType": "SWAP",
        "instId": "BTC-USDT-SWAP",
        "uly": "BTC-USDT",
        "baseCcy": "",
        "quoteCcy": "",
        "settleCcy": "USDT",
        "ctVal": "0.01",
        "ctValCcy": "BTC",
        "lotSz": "0.1",
        "minSz": "0.1",
        "tickSz": "0.1",
        "lever": "100",
        "state": "live",
        "expTime": "",
    }
    return okx_answer(swap if linear else spot)


def okx_answers(linear: bool) -> dict[str, Any]:
    return {
        "/api/v5/public/time": okx_answer({"ts": str(NOW_MS)}),
        "/api/v5/public/instruments": okx_instruments(linear),
        "/api/v5/account/config": okx_answer({"posMode": "net_mode", "perm": "read_only,trade", "acctLv": "2"}),
    }
