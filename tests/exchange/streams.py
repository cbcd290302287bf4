"""Websockets: market streams, and the user data that ccxt.pro listens to.

Binance's spot user data comes over the WebSocket API after a signed subscription; the futures' over a stream whose
address carries a listen key. Market streams are subscribed by name. While the fault `streams_silent` is on, open
websockets hear nothing at all: no event, no answer, no pong.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aiohttp import WSMsgType, web
from exchange.core import Exchange
from exchange.keys import FORBIDDEN, check_hmac, check_time
from exchange.ledger import LINEAR, SPOT
from exchange.markets import INTERVALS
from exchange.shared_world import Push
from exchange.stream_events import book_ticker, day_ticker, kline
from exchange.wire import Refusal

SUBSCRIBE = "userDataStream.subscribe.signature"


@dataclass(eq=False, slots=True)
class Listener:
    """One open websocket. `users` are the accounts whose user data it hears, `wrapped` that events come in an
    envelope with the number of their subscription."""

    socket: web.WebSocketResponse
    market: str
    wrapped: bool
    names: set[str] = field(default_factory=set)
    users: set[tuple[str, str]] = field(default_factory=set)
    outbox: asyncio.Queue[str] = field(default_factory=asyncio.Queue)


class Streams:
    """Every open websocket of the process, how many were `accepted`, and how often one `subscribed` to something."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.open: list[Listener] = []
        self.accepted = 0
        self.subscribed = 0
        exchange.listen(self._on_push)
        exchange.listen_to_markets(self._on_trade)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One websocket from its opening to its end."""
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        linear = any(part in request.path for part in ("/public/ws", "/market/ws", "/private/ws"))
        listener = Listener(socket, LINEAR if linear else SPOT, wrapped="ws-api" in request.path)
        self._by_listen_key(listener, request)
        self.open.append(listener)
        self.accepted += 1
        writer = asyncio.create_task(self._write(listener))
        try:
            async for message in socket:
                if message.type == WSMsgType.PING and not self.exchange.faults.streams_silent:
                    await socket.pong(message.data)
                elif message.type == WSMsgType.TEXT:
                    self._heard(listener, json.loads(message.data))
        finally:
            self.open.remove(listener)
            writer.cancel()
        return socket

    async def drop(self) -> int:
        """Close every websocket; returns how many there were."""
        listeners = list(self.open)
        for listener in listeners:
            await listener.socket.close()
        return len(listeners)

    async def _write(self, listener: Listener) -> None:
        while True:
            text = await listener.outbox.get()
            if listener.socket.closed:
                return
            await listener.socket.send_str(text)

    def _tell(self, listener: Listener, message: Mapping[str, Any]) -> None:
        if not self.exchange.faults.streams_silent:
            listener.outbox.put_nowait(json.dumps(message, separators=(",", ":")))

    def _by_listen_key(self, listener: Listener, request: web.Request) -> None:
        keys = self.exchange.world.listen_keys
        key = request.query.get("listenKey") or request.path.rsplit("/", 1)[-1]
        if key in keys:
            listener.users.add((keys[key], LINEAR))
            self.subscribed += 1

    def _heard(self, listener: Listener, message: Mapping[str, Any]) -> None:
        method, number = message.get("method"), message.get("id")
        if method == SUBSCRIBE:
            self._tell(listener, self._subscribe_user(listener, number, message.get("params") or {}))
            return
        names = [str(name) for name in message.get("params") or []]
        if method == "SUBSCRIBE":
            listener.names.update(names)
            self.subscribed += 1
        elif method == "UNSUBSCRIBE":
            listener.names.difference_update(names)
        self._tell(listener, {"result": None, "id": number})
        if method == "SUBSCRIBE":
            for name in names:
                self._tell_state(listener, name)

    def _subscribe_user(self, listener: Listener, number: object, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check a signed subscription as the WebSocket API does: over its parameters in alphabetical order."""
        given = {name: str(value) for name, value in parameters.items()}
        signed = "&".join(f"{name}={quote(given[name])}" for name in sorted(given) if name != "signature")
        try:
            key = self.exchange.keys.get(given.get("apiKey", ""))
            if key is None or key.revoked:
                raise FORBIDDEN
            check_hmac(key, signed, given.get("signature", ""))
            check_time(given, self.exchange.now())
        except Refusal as refusal:
            said = {"code": refusal.code, "msg": refusal.message}
            return {"id": number, "status": refusal.status, "error": said}
        listener.users.add((key.account, SPOT))
        self.subscribed += 1
        return {"id": number, "status": 200, "result": {"subscriptionId": 0}}

    def _on_push(self, push: Push) -> None:
        for listener in self.open:
            if (push.account, push.market) in listener.users:
                event = {"subscriptionId": 0, "event": push.event} if listener.wrapped else push.event
                self._tell(listener, event)

    def _on_trade(self, symbol: str) -> None:
        for listener in self.open:
            for name in sorted(listener.names):
                if name.startswith(f"{symbol.lower()}@"):
                    self._tell_state(listener, name)

    def _tell_state(self, listener: Listener, name: str) -> None:
        """What a market stream says now; nothing before the market has traded."""
        symbol, _, channel = name.partition("@")
        market = self.exchange.world.markets.get(symbol.upper())
        if market is None or not market.last:
            return
        now = self.exchange.now()
        kind, _, interval = channel.partition("_")
        if kind == "kline" and interval in INTERVALS:
            for told in kline(market, interval, now):
                self._tell(listener, told)
        elif channel in ("ticker", "miniTicker"):
            self._tell(listener, day_ticker(market, channel, now))
        elif channel == "bookTicker":
            self._tell(listener, book_ticker(market, now))
