"""What the tests of venues share: a clock, a key, orders, and a session that records what would be sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import yarl
from exchange.keys import TRADE_KEY, ApiKey
from multidict import CIMultiDict

from domain.identity import client_order_id
from domain.orders import OrderKind, Side
from venues.account import CcxtAccount
from venues.credentials import Credentials
from venues.hosts import demand_demo
from venues.opening import open_account
from venues.records import MarketKind, OrderRequest

HERE = "http://127.0.0.1:9"
SYMBOLS = ("BTCUSDT", "ETHUSDT")
KEYS = Credentials(key="the-key", secret="the-secret", passphrase="the-passphrase")


class MachineClock:
    """This machine's time, moved by `shift`."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time_ns() / 1e9, UTC) + self.shift


def credentials(key: ApiKey = TRADE_KEY) -> Credentials:
    return Credentials(key=key.key, secret=key.secret)


def our_id(number: int) -> str:
    return client_order_id("account", "decision", str(number), "entry", 1)


def order(
    number: int,
    side: Side = Side.BUY,
    quantity: str = "0.01",
    *,
    limit: str | None = None,
    stop: str | None = None,
    reduce_only: bool = False,
    at_once: bool = False,
    symbol: str = "BTCUSDT",
) -> OrderRequest:
    kinds = {
        (False, False): OrderKind.MARKET,
        (True, False): OrderKind.LIMIT,
        (False, True): OrderKind.STOP,
        (True, True): OrderKind.STOP_LIMIT,
    }
    return OrderRequest(
        client_order_id=our_id(number),
        symbol=symbol,
        side=side,
        kind=kinds[(limit is not None, stop is not None)],
        quantity=Decimal(quantity),
        limit_price=None if limit is None else Decimal(limit),
        stop_price=None if stop is None else Decimal(stop),
        reduce_only=reduce_only,
        at_once=at_once,
    )


class Sent:
    """One request as it would have left."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: str) -> None:
        self.method, self.url, self.headers, self.body = method, url, headers, body
        self.path = yarl.URL(url, encoded=True).path

    @property
    def parameters(self) -> Any:
        return json.loads(self.body) if self.body else dict(yarl.URL(self.url, encoded=True).query)


class RecordingSession:
    """Answers every request from `answers`, by path, and keeps what was asked. An answer may be made from it."""

    def __init__(self, answers: Mapping[str, object | Callable[[Sent], object]]) -> None:
        self.answers = dict(answers)
        self.sent: list[Sent] = []
        self.headers: dict[str, str] = {}

    def last(self, path: str) -> Sent:
        return [sent for sent in self.sent if sent.path == path][-1]

    def get(self, url: yarl.URL, **options: Any) -> RecordedAnswer:
        return self._ask("GET", url, options)

    def post(self, url: yarl.URL, **options: Any) -> RecordedAnswer:
        return self._ask("POST", url, options)

    def delete(self, url: yarl.URL, **options: Any) -> RecordedAnswer:
        return self._ask("DELETE", url, options)

    def _ask(self, method: str, url: yarl.URL, options: Mapping[str, Any]) -> RecordedAnswer:
        sent = Sent(method, str(url), dict(options["headers"]), (options.get("data") or b"").decode())
        self.sent.append(sent)
        answer = self.answers[sent.path]
        return RecordedAnswer(answer(sent) if callable(answer) else answer)


class RecordedAnswer:
    def __init__(self, payload: object) -> None:
        self.status, self.reason = 200, "OK"
        self.headers: CIMultiDict[str] = CIMultiDict({"Content-Type": "application/json"})
        self._body = payload if isinstance(payload, str) else json.dumps(payload)
        self.content = self._body.encode()

    async def text(self, **_: object) -> str:
        return self._body

    async def __aenter__(self) -> RecordedAnswer:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


async def open_at(venue: str, kind: MarketKind, session: RecordingSession, clock: MachineClock) -> CcxtAccount:
    """An account of BTCUSDT whose every question goes to `session`."""
    return await open_account(
        venue=venue, market=kind, symbols=["BTCUSDT"], credentials=KEYS, clock=clock, session=session
    )


def all_are_demo(session: RecordingSession) -> None:
    """Every request is one that the guard lets through, and none shows the secret."""
    for sent in session.sent:
        assert demand_demo(sent.url, sent.headers)
        assert "the-secret" not in sent.url + sent.body + json.dumps(sent.headers)
