"""The exchange behind a session that ccxt takes for aiohttp's, without any socket.

Put it into `ccxt_exchange.session`. Waiting is `asyncio.sleep` on the running loop, so with a loop of virtual time
nothing really waits. ccxt neither opens nor closes a session that was given to it with its configuration.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http.client import responses
from types import TracebackType
from urllib.parse import unquote

import aiohttp
import yarl
from exchange.core import Exchange
from exchange.wire import Reply, Request
from multidict import CIMultiDict

Trace = Callable[[Request, Reply], None]


class InProcessResponse:
    """As much of aiohttp's response as ccxt reads."""

    def __init__(self, reply: Reply) -> None:
        self._body = reply.body
        self.status = reply.status
        self.headers: CIMultiDict[str] = CIMultiDict(reply.headers)
        self.reason = responses.get(reply.status, "")

    @property
    def content(self) -> bytes:
        return self._body.encode()

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        return self._body


class _InFlight:
    """One request, from entering the context to leaving it."""

    def __init__(self, session: InProcessSession, request: Request, timeout_s: float | None) -> None:
        self._session, self._request, self._timeout_s = session, request, timeout_s

    async def __aenter__(self) -> InProcessResponse:
        return InProcessResponse(await self._session.exchange_one(self._request, self._timeout_s))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class InProcessSession:
    """`latency_ms` is what a request takes to arrive and what its answer takes to come back. `trace` is called with
    every request and the reply that it had. While `unreachable` no request arrives."""

    def __init__(self, exchange: Exchange, *, latency_ms: tuple[int, int] = (0, 0), trace: Trace | None = None) -> None:
        self.exchange = exchange
        self.latency_ms = latency_ms
        self.trace = trace
        self.unreachable = False
        self.headers: dict[str, str] = {}
        self.closed = False

    def get(self, url: yarl.URL | str, **options: object) -> _InFlight:
        return self._request("GET", url, options)

    def post(self, url: yarl.URL | str, **options: object) -> _InFlight:
        return self._request("POST", url, options)

    def put(self, url: yarl.URL | str, **options: object) -> _InFlight:
        return self._request("PUT", url, options)

    def delete(self, url: yarl.URL | str, **options: object) -> _InFlight:
        return self._request("DELETE", url, options)

    async def close(self) -> None:
        self.closed = True

    def _request(self, method: str, url: yarl.URL | str, options: Mapping[str, object]) -> _InFlight:
        address = yarl.URL(url) if isinstance(url, str) else url
        data, headers, timeout = options.get("data"), options.get("headers"), options.get("timeout")
        request = Request(
            method,
            address.host or "",
            unquote(address.raw_path),
            address.raw_query_string,
            {str(name): str(value) for name, value in headers.items()} if isinstance(headers, Mapping) else {},
            data.decode() if isinstance(data, bytes) else "",
        )
        total = timeout.total if isinstance(timeout, aiohttp.ClientTimeout) else None
        return _InFlight(self, request, total)

    async def exchange_one(self, request: Request, timeout_s: float | None) -> Reply:
        """Carry one request there and its reply back, within the timeout."""
        if self.closed:
            raise RuntimeError("Session is closed")
        if self.unreachable:
            await asyncio.sleep(0)
            raise aiohttp.ClientConnectionError(f"cannot reach {request.host}")
        there, back = (each / 1000 for each in self.latency_ms)
        left = await _wait(there, timeout_s)
        reply = self.exchange.handle(request)
        if reply.ticket is not None:
            left = await _wait(reply.delay_ms / 1000, left)
            reply = self.exchange.finish(reply.ticket)
        if self.trace is not None:
            self.trace(request, reply)
        await _wait(reply.delay_ms / 1000 + back, left)
        if reply.dropped:
            raise aiohttp.ServerDisconnectedError
        return reply


async def _wait(seconds: float, left: float | None) -> float | None:
    """Wait so long, or raise `TimeoutError` where the time that is left is over first; returns what remains of it."""
    if left is None:
        await asyncio.sleep(seconds)
        return None
    await asyncio.sleep(min(seconds, left))
    if seconds >= left:
        raise TimeoutError
    return left - seconds
