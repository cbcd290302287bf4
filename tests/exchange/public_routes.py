"""Market data that spot and futures serve alike, under their own paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from exchange.ledger import LINEAR, SPOT
from exchange.markets import DAY, INTERVALS, Market
from exchange.routing import Call, Route, Table
from exchange.shared_world import World
from exchange.symbols import Rules
from exchange.wire import Refusal, needed, plain, whole

DEPTH = "1000"
"""What the book shows at the touch; the market outside is deep unless `trade_at` said otherwise."""
DEFAULT_CANDLES = 500
MOST_CANDLES = {"spot": 1000, "linear": 1500}


class PublicRoutes:
    """`prefix` is /api/v3 or /fapi/v1, `entry` writes one symbol of `exchangeInfo`."""

    def __init__(self, world: World, market: str, prefix: str, entry: Callable[[Rules], dict[str, Any]]) -> None:
        self.world, self.market, self.prefix, self.entry = world, market, prefix, entry

    def table(self) -> Table:
        routes = {
            "ping": Route(lambda call: {}),
            "time": Route(lambda call: {"serverTime": call.now}),
            "exchangeInfo": Route(self._info, weight=20 if self.market == SPOT else 1),
            "klines": Route(self._klines, weight=2 if self.market == SPOT else 5, tells="candles"),
            "ticker/24hr": Route(self._listed(self._day), weight=2),
            "ticker/price": Route(self._listed(self._price), weight=2),
            "ticker/bookTicker": Route(self._listed(self._book), weight=2),
            "depth": Route(self._depth, weight=5),
        }
        table = {("GET", f"{self.prefix}/{name}"): route for name, route in routes.items()}
        if self.market == LINEAR:
            table["GET", "/fapi/v2/ticker/price"] = routes["ticker/price"]
        return table

    @property
    def _rules(self) -> Mapping[str, Rules]:
        return self.world.spot_rules if self.market == SPOT else self.world.linear_rules

    def _named(self, call: Call) -> Market:
        symbol = needed(call.parameters, "symbol")
        self.world.rules(self.market, symbol)
        return self.world.market(symbol)

    def _info(self, call: Call) -> dict[str, Any]:
        return {
            "timezone": "UTC",
            "serverTime": call.now,
            "rateLimits": [],
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}],
            "symbols": [self.entry(rules) for rules in self._rules.values()],
        }

    def _klines(self, call: Call) -> list[list[Any]]:
        market = self._named(call)
        interval = needed(call.parameters, "interval")
        if interval not in INTERVALS:
            raise Refusal(-1120, "Invalid interval.")
        limit = min(whole(call.parameters, "limit") or DEFAULT_CANDLES, MOST_CANDLES[self.market])
        since, until = whole(call.parameters, "startTime"), whole(call.parameters, "endTime")
        return market.klines(interval, call.now, since=since, until=until, limit=limit)

    def _listed(self, one: Callable[[Market, int], dict[str, Any]]) -> Callable[[Call], Any]:
        """One symbol's answer, or those of all that are traded where none is named."""

        def answer(call: Call) -> Any:
            if call.parameters.get("symbol"):
                return one(self._named(call), call.now)
            return [one(self.world.market(symbol), call.now) for symbol in self._rules]

        return answer

    def _price(self, market: Market, now: int) -> dict[str, Any]:
        told: dict[str, Any] = {"symbol": market.symbol, "price": plain(market.last)}
        return told if self.market == SPOT else {**told, "time": market.traded_at}

    def _book(self, market: Market, now: int) -> dict[str, Any]:
        told: dict[str, Any] = {
            "symbol": market.symbol,
            "bidPrice": plain(market.bid),
            "bidQty": DEPTH,
            "askPrice": plain(market.ask),
            "askQty": DEPTH,
        }
        return told if self.market == SPOT else {**told, "time": market.traded_at}

    def _day(self, market: Market, now: int) -> dict[str, Any]:
        opened, high, low, volume = market.day(now)
        told: dict[str, Any] = {
            "symbol": market.symbol,
            "priceChange": plain(market.last - opened),
            "priceChangePercent": plain(
                ((market.last / opened - 1) * 100).quantize(Decimal("0.001")) if opened else opened
            ),
            "weightedAvgPrice": plain(market.last),
            "lastPrice": plain(market.last),
            "lastQty": "1",
            "openPrice": plain(opened),
            "highPrice": plain(high),
            "lowPrice": plain(low),
            "volume": plain(volume),
            "quoteVolume": plain(volume * market.last),
            "openTime": now - DAY,
            "closeTime": market.traded_at,
            "firstId": 0,
            "lastId": 0,
            "count": int(volume),
        }
        if self.market == SPOT:
            told |= self._book(market, now) | {"prevClosePrice": plain(opened)}
        return told

    def _depth(self, call: Call) -> dict[str, Any]:
        market = self._named(call)
        book = {"lastUpdateId": call.now, "bids": [[plain(market.bid), DEPTH]], "asks": [[plain(market.ask), DEPTH]]}
        return book if self.market == SPOT else {**book, "E": call.now, "T": market.traded_at}
