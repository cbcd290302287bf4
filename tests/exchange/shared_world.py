"""What every part of the exchange shares: time, markets, accounts, counters, and the record of what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from exchange.ledger import LINEAR, SPOT, Account, AlgoOrder, Order
from exchange.markets import Market
from exchange.symbols import LINEAR_SYMBOLS, SPOT_SYMBOLS, Rules
from exchange.wire import Refusal

FIRST_ID = 1000
"""Ids count up from here in every symbol by itself: the same id is another order in another symbol, as at Binance."""


@dataclass(frozen=True, slots=True)
class Push:
    """Something that a user data stream of `account` in `market` tells at once."""

    account: str
    market: str
    event: Mapping[str, Any]


@dataclass(slots=True)
class World:
    """`now` is the exchange's own time in milliseconds, its skew included."""

    now: Callable[[], int]
    spot_rules: Mapping[str, Rules] = field(default_factory=lambda: SPOT_SYMBOLS)
    linear_rules: Mapping[str, Rules] = field(default_factory=lambda: LINEAR_SYMBOLS)
    markets: dict[str, Market] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Every request that places, replaces or cancels an order, in order of arrival, and what became of it."""
    listeners: list[Callable[[Push], None]] = field(default_factory=list)
    market_listeners: list[Callable[[str], None]] = field(default_factory=list)
    """Told the symbol whenever its market trades."""
    counters: dict[str, int] = field(default_factory=dict)
    resting: dict[tuple[str, str], dict[int, Order | AlgoOrder]] = field(default_factory=dict)
    """Open orders by market and symbol, in order of arrival."""
    funding: dict[str, Decimal] = field(default_factory=dict)
    """The funding rate that was charged last, by symbol."""
    listen_keys: dict[str, str] = field(default_factory=dict)
    """Which account a listen key is of."""
    shares: list[Decimal] = field(default_factory=list)
    """What share of its quantity the next order, and the one after it, can get at most."""

    def next_id(self, kind: str, market: str, symbol: str) -> int:
        key = f"{kind} {market} {symbol}"
        self.counters[key] = self.counters.get(key, FIRST_ID - 1) + 1
        return self.counters[key]

    def next_arrival(self) -> int:
        self.counters["arrival"] = self.counters.get("arrival", 0) + 1
        return self.counters["arrival"]

    def market(self, symbol: str) -> Market:
        market = self.markets.get(symbol)
        if market is None:
            if symbol not in self.spot_rules and symbol not in self.linear_rules:
                raise Refusal(-1121, "Invalid symbol.")
            market = self.markets[symbol] = Market(symbol)
        return market

    def rules(self, market: str, symbol: str) -> Rules:
        rules = (self.spot_rules if market == SPOT else self.linear_rules).get(symbol)
        if rules is None:
            raise Refusal(-1121, "Invalid symbol.")
        return rules

    def push(self, account: str, market: str, event: Mapping[str, Any]) -> None:
        for listener in self.listeners:
            listener(Push(account, market, event))

    def rest(self, order: Order | AlgoOrder) -> None:
        market = order.market if isinstance(order, Order) else LINEAR
        self.resting.setdefault((market, order.symbol), {})[order.arrival] = order

    def unrest(self, order: Order | AlgoOrder) -> None:
        market = order.market if isinstance(order, Order) else LINEAR
        self.resting.get((market, order.symbol), {}).pop(order.arrival, None)

    def waiting(self, market: str, symbol: str) -> list[Order | AlgoOrder]:
        return list(self.resting.get((market, symbol), {}).values())

    def open_orders(self, market: str, account: str, symbol: str | None) -> list[Order]:
        """The account's open orders in the book, in order of arrival."""
        found = [
            order
            for (where, each), resting in self.resting.items()
            if resting and where == market and symbol in (None, "", each)
            for order in resting.values()
            if isinstance(order, Order) and order.account == account
        ]
        return sorted(found, key=lambda order: order.arrival)

    def open_algos(self, account: str, symbol: str | None) -> list[AlgoOrder]:
        """The account's conditional orders that wait for their trigger, in order of arrival."""
        found = [
            algo
            for (where, each), resting in self.resting.items()
            if resting and where == LINEAR and symbol in (None, each)
            for algo in resting.values()
            if isinstance(algo, AlgoOrder) and algo.account == account
        ]
        return sorted(found, key=lambda algo: algo.arrival)

    def within_reach(self, symbol: str, wanted: Decimal, rules: Rules) -> Decimal:
        """How much of `wanted` a new order can get at once."""
        most = self.market(symbol).most
        reach = wanted if most is None else min(wanted, most)
        if self.shares:
            reach = min(reach, rules.floor(wanted * self.shares.pop(0)))
        return reach
