"""The way between the daemon and the exchange: requests and answers take their time, whoever still waits for them.

A request that left arrives, though its sender gave up or died meanwhile; an answer that comes too late is lost.
"""

from __future__ import annotations

import asyncio
import math
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


@dataclass(slots=True)
class _Sent:
    """A request on its way; its sender waits for the `answer` until `until`."""

    request: Request
    left_at: float
    until: float
    answer: asyncio.Future[Reply]
    given_up: bool = False


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
        sent = _Sent(request, loop.time(), math.inf if timeout_s is None else loop.time() + timeout_s, answer)
        if late_s is not None:
            loop.call_later(late_s, self._arrive, sent)
            await asyncio.sleep(network.way_s())
            raise aiohttp.ServerDisconnectedError
        self._later(sent, network.way_s(), self._arrive, sent)
        reply = await answer
        if reply.dropped:
            raise aiohttp.ServerDisconnectedError
        return reply

    @staticmethod
    def _later(sent: _Sent, after_s: float, step: Callable[..., None], *arguments: object) -> None:
        """Take the next step on the way of a request; where the sender's patience ends before, end it then."""
        loop = sent.answer.get_loop()
        if loop.time() + after_s >= sent.until and not sent.given_up:
            sent.given_up = True
            loop.call_at(sent.until, _give_up, sent.answer)
        loop.call_later(after_s, step, *arguments)

    def _arrive(self, sent: _Sent) -> None:
        network = self._network
        for told in network.before_arrival:
            told(sent.request, sent.left_at)
        reply = network.exchange.handle(sent.request)
        if reply.ticket is None:
            self._answer(sent, reply)
        else:
            self._later(sent, reply.delay_ms / 1000, self._finish, sent, reply.ticket)

    def _finish(self, sent: _Sent, ticket: int) -> None:
        self._answer(sent, self._network.exchange.finish(ticket))

    def _answer(self, sent: _Sent, reply: Reply) -> None:
        network, request = self._network, sent.request
        network.trace.add("asked", request.method, request.path, reply.status, "dropped" if reply.dropped else "")
        for told in network.after_reply:
            told(request, reply)
        self._later(sent, reply.delay_ms / 1000 + network.way_s(), self._deliver, reply, sent.answer)

    def _deliver(self, reply: Reply, answer: asyncio.Future[Reply]) -> None:
        self._network.under_way -= 1
        if not answer.done():
            answer.set_result(reply)


def _give_up(answer: asyncio.Future[Reply]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
