"""An account at the test exchange with the daemon that trades it: what the tests do to both, and what both say."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from exchange.keys import TRADE_KEY, ApiKey
from exchange.process import RunningExchange
from ratchet_command import count, until
from venue_daemon import UP, Market, VenueDaemon, venue_config
from venue_ledger import (
    demand_same_fills,
    demand_same_linear_money,
    demand_same_orders,
    demand_same_spot_money,
    is_ours,
    our_trades,
    told_orders,
)

TIMEFRAMES = {"spot": "1s", "linear": "1m"}
"""The shortest bars that the product knows of each market."""


@dataclass(slots=True)
class Place:
    """The account and everything around it; `daemon` changes when it is started again.

    `foreign` is what lies in the account that is not ours: amounts by asset on spot, positions by symbol on linear.
    """

    folder: Path
    exchange: RunningExchange
    market: Market
    kind: str
    symbols: tuple[str, ...]
    key: ApiKey = field(default_factory=lambda: TRADE_KEY)
    foreign: dict[str, Decimal] = field(default_factory=dict)
    lives: list[VenueDaemon] = field(default_factory=list)

    @property
    def daemon(self) -> VenueDaemon:
        """The one that was started last."""
        return self.lives[-1]

    def started(self) -> VenueDaemon:
        """A daemon on the account's state, as the one before left it."""
        timeframe = TIMEFRAMES[self.kind]
        config = venue_config(self.exchange.port, self.symbols, market=self.kind, timeframe=timeframe)
        self.lives.append(VenueDaemon(self.folder, config, key=self.key))
        return self.daemon

    def close(self) -> None:
        """End whatever still runs."""
        for life in self.lives:
            life.__exit__(None, None, None)

    @property
    def ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = self.exchange.ledger()["accounts"]["main"]
        return found

    def trade(self, symbol: str, side: str) -> dict[str, Any]:
        """Our newest execution."""
        return [each for each in our_trades(self.ledger) if (each["symbol"], each["side"]) == (symbol, side)][-1]

    def enter(self, *symbols: str) -> None:
        """Let prices jump, and wait until what is bought rests behind a stop."""
        self.daemon.until_scans(1)
        for symbol in symbols:
            self.market.move(symbol, UP)
        for symbol in symbols:
            self.daemon.until_protected(symbol)

    def resting(self, symbol: str | None = None) -> list[str]:
        """Ids of our open orders by the exchange, of one instrument or of all."""
        return [
            order["client_id"]
            for order in (*self.ledger["orders"], *self.ledger["algo_orders"])
            if is_ours(order) and order["status"] == "NEW" and symbol in (None, order["symbol"])
        ]

    def agrees(self) -> bool:
        """Whether the journal knows the same open orders as the exchange."""
        told = told_orders(self.daemon.journal)
        return set(self.resting()) == {name for name, order in told.items() if order["state"] == "accepted"}

    def requests(self) -> list[dict[str, Any]]:
        """Every order that was ever asked for or taken back, by whoever holds a key."""
        found: list[dict[str, Any]] = self.exchange.ledger()["requests"]
        return found

    def demand_same(self) -> None:
        """The journal says what the ledger says, once nothing is under way any more."""
        journal = self.daemon.journal
        until(
            lambda: len(our_trades(self.ledger)) == count(journal, "SELECT count(*) FROM fills"), "every fill is told"
        )
        until(lambda: not self.daemon.waiting() and self.agrees(), "the same orders rest, and none waits for an answer")
        ledger = self.ledger
        demand_same_fills(journal, ledger)
        demand_same_orders(journal, ledger)
        demand_same_money = demand_same_spot_money if self.kind == "spot" else demand_same_linear_money
        demand_same_money(journal, ledger, self.foreign)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
