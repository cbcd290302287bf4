"""What a route is: who may ask, what it weighs, what its answer tells, and how often it may be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from exchange.keys import ApiKey
from exchange.ledger import Account
from exchange.markets import MINUTE
from exchange.wire import Refusal, Reply, as_json

WEIGHT_LIMIT = {"spot": 6000, "linear": 2400}
ORDER_LIMIT = {"spot": 100, "linear": 300}
TEN_SECONDS = 10000


class Access(IntEnum):
    PUBLIC = 0
    KEY = 1
    """A key, no signature."""
    SIGNED = 2
    TRADE = 3
    """Signed, by a key that may trade."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in; `account` and `key` are there wherever the route is not public."""

    parameters: Mapping[str, str]
    now: int
    key: ApiKey | None
    owner: Account | None

    @property
    def account(self) -> Account:
        if self.owner is None:
            raise Refusal(-2014, "API-key format invalid.", status=401)
        return self.owner


@dataclass(frozen=True, slots=True)
class Route:
    """`tells` names the kind of answer for the faults that bend it; `orders` says that it changes orders."""

    handler: Callable[[Call], Any]
    access: Access = Access.PUBLIC
    weight: int = 1
    tells: str = ""
    orders: bool = False
    allowed: frozenset[str] | None = None
    """Every parameter that the route reads; where given, another one is refused with -1104 as Binance does."""


Table = dict[tuple[str, str], Route]
ALWAYS_ALLOWED = frozenset({"timestamp", "recvWindow", "signature"})


def check_parameters(route: Route, parameters: Mapping[str, str]) -> None:
    if route.allowed is None:
        return
    read = [name for name in parameters if name in route.allowed or name in ALWAYS_ALLOWED]
    if len(read) < len(parameters):
        raise Refusal(
            -1104,
            f"Not all sent parameters were read; read '{len(read)}' parameter(s) but was sent '{len(parameters)}'.",
        )


@dataclass(slots=True)
class Limits:
    """Request weights and order counts, and the time until which nothing is answered after too many of them."""

    minute: int = -1
    used: dict[str, int] = field(default_factory=dict)
    ten_seconds: int = -1
    orders: dict[str, int] = field(default_factory=dict)
    shut_until: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By market: with which status, and until when."""
    refused: dict[int, int] = field(default_factory=lambda: {418: 0, 429: 0})
    """How many calls came while they were told to stay away."""
    started: list[dict[str, Any]] = field(default_factory=list)

    def shut(self, market: str, status: int, now: int, seconds: int) -> Reply:
        """Stay away for so long; returns the reply that says so."""
        until = max(self.shut_until.get(market, (0, 0))[1], now + seconds * 1000)
        self.shut_until[market] = (status, until)
        self.started.append({"market": market, "status": status, "at": now, "until": until})
        return _stay_away(status, until, now)

    def refusing(self, market: str, now: int) -> Reply | None:
        """The reply to a call that comes too soon, which is counted; None where calls are welcome."""
        status, until = self.shut_until.get(market, (0, 0))
        if now >= until:
            return None
        self.refused[status] += 1
        return _stay_away(status, until, now)

    def count(self, market: str, weight: int, now: int, *, order: bool) -> Reply | None:
        """Count a call; returns a refusal where it is one too many."""
        if now // MINUTE != self.minute:
            self.minute, self.used = now // MINUTE, {}
        if now // TEN_SECONDS != self.ten_seconds:
            self.ten_seconds, self.orders = now // TEN_SECONDS, {}
        self.used[market] = self.used.get(market, 0) + weight
        if self.used[market] > WEIGHT_LIMIT[market]:
            return self.shut(market, 429, now, (MINUTE - now % MINUTE) // 1000 + 1)
        if order:
            self.orders[market] = self.orders.get(market, 0) + 1
            if self.orders[market] > ORDER_LIMIT[market]:
                limit = ORDER_LIMIT[market]
                text = f"Too many new orders; current limit is {limit} orders per TEN_SECONDS."
                return Refusal(-1015, text, status=429).reply()
        return None

    def headers(self, market: str) -> dict[str, str]:
        return {
            "X-MBX-USED-WEIGHT-1M": str(self.used.get(market, 0)),
            "X-MBX-ORDER-COUNT-10S": str(self.orders.get(market, 0)),
        }


def _stay_away(status: int, until: int, now: int) -> Reply:
    seconds = max(-(-(until - now) // 1000), 1)
    text = f"Way too many requests; IP banned until {until}. Please use the websocket for live updates."
    return as_json({"code": -1003, "msg": text}, status=status, headers={"Retry-After": str(seconds)})
