"""What can be traded and by which rules; `exchangeInfo` says them and the desks enforce them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

from exchange.wire import plain

SPOT_KINDS = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
LINEAR_KINDS = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET")
MAX_ORDERS = 200
MAX_STOPS = 5
"""Stops that may wait in one spot symbol (MAX_NUM_ALGO_ORDERS)."""
PERPETUAL_ENDS = 4133404800000
"""The delivery date that Binance writes for contracts without one, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Rules:
    """One symbol in one market: steps and bounds of price and quantity."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    band: Decimal = Decimal(5)
    """A price may be at most this multiple, and at least this fraction, of the last price."""

    def floor(self, quantity: Decimal) -> Decimal:
        return (quantity / self.step).to_integral_value(rounding=ROUND_DOWN) * self.step


def spot_rules(symbol: str, base: str, quote: str, tick: str, step: str, least: str) -> Rules:
    return Rules(symbol, base, quote, Decimal(tick), Decimal(step), Decimal(step), Decimal(9000000), Decimal(least))


def linear_rules(symbol: str, base: str, tick: str, step: str, least: str) -> Rules:
    return Rules(symbol, base, "USDT", Decimal(tick), Decimal(step), Decimal(step), Decimal(1000000), Decimal(least))


SPOT_SYMBOLS: Mapping[str, Rules] = {
    rules.symbol: rules
    for rules in (
        spot_rules("BTCUSDT", "BTC", "USDT", "0.01", "0.00001", "5"),
        spot_rules("ETHUSDT", "ETH", "USDT", "0.01", "0.0001", "5"),
        spot_rules("BNBUSDT", "BNB", "USDT", "0.01", "0.001", "5"),
        spot_rules("SOLUSDT", "SOL", "USDT", "0.01", "0.001", "5"),
        spot_rules("LTCUSDT", "LTC", "USDT", "0.01", "0.001", "5"),
        spot_rules("XRPUSDT", "XRP", "USDT", "0.0001", "0.1", "5"),
        spot_rules("ADAUSDT", "ADA", "USDT", "0.0001", "0.1", "5"),
        spot_rules("DOGEUSDT", "DOGE", "USDT", "0.00001", "1", "1"),
        spot_rules("ETHBTC", "ETH", "BTC", "0.00001", "0.0001", "0.0001"),
    )
}
LINEAR_SYMBOLS: Mapping[str, Rules] = {
    rules.symbol: rules
    for rules in (
        linear_rules("BTCUSDT", "BTC", "0.10", "0.001", "100"),
        linear_rules("ETHUSDT", "ETH", "0.01", "0.001", "20"),
        linear_rules("BNBUSDT", "BNB", "0.010", "0.01", "5"),
        linear_rules("SOLUSDT", "SOL", "0.0100", "0.01", "5"),
        linear_rules("LTCUSDT", "LTC", "0.01", "0.001", "20"),
        linear_rules("XRPUSDT", "XRP", "0.0001", "0.1", "5"),
        linear_rules("ADAUSDT", "ADA", "0.00010", "1", "5"),
        linear_rules("DOGEUSDT", "DOGE", "0.000010", "1", "5"),
    )
}


def spot_info(rules: Rules) -> dict[str, Any]:
    """One entry of the spot `exchangeInfo`."""
    return {
        "symbol": rules.symbol,
        "status": "TRADING",
        "baseAsset": rules.base,
        "baseAssetPrecision": 8,
        "quoteAsset": rules.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(SPOT_KINDS),
        "icebergAllowed": True,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": plain(rules.tick),
                "maxPrice": "1000000",
                "tickSize": plain(rules.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": plain(rules.min_quantity),
                "maxQty": plain(rules.max_quantity),
                "stepSize": plain(rules.step),
            },
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": plain(rules.max_quantity), "stepSize": "0"},
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": plain(rules.band),
                "bidMultiplierDown": plain(1 / rules.band),
                "askMultiplierUp": plain(rules.band),
                "askMultiplierDown": plain(1 / rules.band),
                "avgPriceMins": 0,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": plain(rules.min_notional),
                "applyMinToMarket": True,
                "maxNotional": "9000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_ORDERS},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MAX_STOPS},
        ],
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def linear_info(rules: Rules) -> dict[str, Any]:
    """One entry of the futures `exchangeInfo`."""
    tick, step = f"{rules.tick:f}", f"{rules.step:f}"
    return {
        "symbol": rules.symbol,
        "pair": rules.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": PERPETUAL_ENDS,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base,
        "quoteAsset": rules.quote,
        "marginAsset": rules.quote,
        "pricePrecision": len(tick.partition(".")[2]),
        "quantityPrecision": len(step.partition(".")[2]),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": plain(rules.max_quantity), "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": plain(rules.max_quantity), "stepSize": step},
            {"filterType": "MAX_NUM_ORDERS", "limit": MAX_ORDERS},
            {"filterType": "MIN_NOTIONAL", "notional": plain(rules.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": plain(rules.band),
                "multiplierDown": plain(1 / rules.band),
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": list(LINEAR_KINDS),
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }
