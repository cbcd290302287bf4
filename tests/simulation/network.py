"""The way between the daemon and the exchange: requests and answers take their time, whoever still waits for them.

A request that left arrives, though its sender gave up or died meanwhile; an answer that comes too late is lost.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from exchange.core import Exchange
from exchange.in_process import InProcessSession
from exchange.wire import Reply, Request
from simulation.run_trace import Trace

FASTEST_S = 0.02
"""What one way takes at least."""


@dataclass(slots=True)
class Weather:
    """How the network is: seconds that one way takes, and whether anything gets through at all."""

    fastest_s: float = FASTEST_S
    slowest_s: float = 0.15
    cut: bool = False


class Network:
    """What outlives every daemon: requests under way, and who hears of them."""

    def __init__(self, exchange: Exchange, random_: random.Random, trace: Trace) -> None:
        self.exchange = exchange
        self.weather = Weather()
        self.trace = trace
        self.before_arrival: list[Callable[[Request, float], None]] = []
        """Told of a request, and when it left, just before the exchange has it."""
        self.after_reply: list[Callable[[Request, Reply], None]] = []
        """Told of the answer just after the exchange made it."""
        self.torn_for_s: Callable[[Request], float | None] = _never
        """Asked as a request leaves: how much later it arrives though its line breaks now; None where that holds."""
        self.requests = 0
        self.under_way = 0
        self._random = random_

    def way_s(self) -> float:
        return self._random.uniform(self.weather.fastest_s, self.weather.slowest_s)


def _never(_request: Request) -> float | None:
    return None


class Line(InProcessSession):
    """One daemon's session; when the daemon dies it is `dead`, and what it sent goes on without it."""

    def __init__(self, network: Network) -> None:
        super().__init__(network.exchange)
        self._network = network
        self.dead = False

    async def exchange_one(self, request: Request, timeout_s: float | None) -> Reply:
        if self.closed or self.dead:
            raise RuntimeError("Session is closed")
        network, loop = self._network, asyncio.get_running_loop()
        if network.weather.cut:
            await asyncio.sleep(network.way_s())
            raise aiohttp.ClientConnectionError(f"cannot reach {request.host}")
        answer: asyncio.Future[Reply] = loop.create_future()
        network.requests += 1
        network.under_way += 1
        late_s = network.torn_for_s(request)
        if late_s is not None:
            loop.call_later(late_s, self._arrive, request, loop.time(), answer)
            await asyncio.sleep(network.way_s())
            raise aiohttp.ServerDisconnectedError
        loop.call_later(network.way_s(), self._arrive, request, loop.time(), answer)
        async with asyncio.timeout(timeout_s):
            reply = await answer
        if reply.dropped:
            raise aiohttp.ServerDisconnectedError
        return reply

    def _arrive(self, request: Request, left_at: float, answer: asyncio.Future[Reply]) -> None:
        network = self._network
        for told in network.before_arrival:
            told(request, left_at)
        reply = network.exchange.handle(request)
        if reply.ticket is None:
            self._answer(request, reply, answer)
        else:
            later = asyncio.get_running_loop().call_later
            later(reply.delay_ms / 1000, self._finish, request, reply.ticket, answer)

    def _finish(self, request: Request, ticket: int, answer: asyncio.Future[Reply]) -> None:
        self._answer(request, self._network.exchange.finish(ticket), answer)

    def _answer(self, request: Request, reply: Reply, answer: asyncio.Future[Reply]) -> None:
        network = self._network
        network.trace.add("asked", request.method, request.path, reply.status, "dropped" if reply.dropped else "")
        for told in network.after_reply:
            told(request, reply)
        asyncio.get_running_loop().call_later(reply.delay_ms / 1000 + network.way_s(), self._deliver, reply, answer)

    def _deliver(self, reply: Reply, answer: asyncio.Future[Reply]) -> None:
        self._network.under_way -= 1
        if not answer.done():
            answer.set_result(reply)
