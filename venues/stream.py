"""The venue's push stream: a bell that says "ask now", kept alive in the background, and never believed.

A lost bell costs time, not truth. So whatever goes wrong here ends in a new connection and a count, not in an error.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from domain.errors import RatchetError
from venues.vendor import UNREADABLE, Vendor

SILENCE_S = 30.0
"""Without a frame or a pong for so long, a connection counts as dead."""
LOOK_S = 1.0
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
WATCHED = ("watch_orders", "watch_my_trades")
_LOST = (RatchetError, aiohttp.ClientError, OSError, TimeoutError, *UNREADABLE)


@dataclass(slots=True)
class StreamCounts:
    """What metrics show of the stream; all of them only grow."""

    rings: int = 0
    connections: int = 0
    failures: int = 0
    silences: int = 0


class Listening:
    """Rings whoever asked to be rung on every push, and on every new connection: something may have been missed."""

    def __init__(self, vendor: Vendor, *, possible: bool, silence_s: float = SILENCE_S, look_s: float = LOOK_S) -> None:
        self.counts = StreamCounts()
        self.last_failure = ""
        """Why the last connection was given up, for people."""
        self._vendor = vendor
        self._possible = possible
        self._silence_s = silence_s
        self._look_s = look_s
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, ring: Callable[[], None]) -> None:
        """Begin to listen; does nothing where there is no stream or it is listened to already."""
        if self._possible and not self.running:
            # The vendor pings three times in a silence; whether it was one is judged here, not by the clock of the day.
            exchange = self._vendor.exchange
            pings = {"keepAlive": self._silence_s * 1000 / 3, "maxPingPongMisses": math.inf}
            exchange.streaming = {**exchange.streaming, **pings}
            self._task = asyncio.get_running_loop().create_task(self._run(ring), name="venue stream")

    async def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.wait({task})

    async def _run(self, ring: Callable[[], None]) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            heard = self.counts.rings
            await self._one_connection(ring)
            wait_s = FIRST_WAIT_S if self.counts.rings > heard + 1 else min(2 * wait_s, LONGEST_WAIT_S)
            await asyncio.sleep(wait_s)

    async def _one_connection(self, ring: Callable[[], None]) -> None:
        """Listen until the connection fails or falls silent."""
        self.counts.connections += 1
        watchers = {name: self._watch(name) for name in WATCHED}
        try:
            self._ring(ring)
            pulse, quiet_since = self._pulse(), asyncio.get_running_loop().time()
            while True:
                await asyncio.wait(watchers.values(), timeout=self._look_s, return_when=asyncio.FIRST_COMPLETED)
                for name in [name for name, watcher in watchers.items() if watcher.done()]:
                    self._look_at(watchers[name])
                    self._ring(ring)
                    watchers[name] = self._watch(name)
                now = asyncio.get_running_loop().time()
                if self._pulse() != pulse:
                    pulse, quiet_since = self._pulse(), now
                if now - quiet_since >= self._silence_s:
                    self.counts.silences += 1
                    self.last_failure = f"not a frame and not a pong for {self._silence_s:g} s"
                    return
        except _LOST as error:
            self.counts.failures += 1
            self.last_failure = str(error) or type(error).__name__
        finally:
            await self._hang_up(list(watchers.values()))

    def _ring(self, ring: Callable[[], None]) -> None:
        self.counts.rings += 1
        ring()

    def _watch(self, name: str) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(self._watched(name), name=f"venue {name}")

    async def _watched(self, name: str) -> Any:
        return await self._vendor.call(getattr(self._vendor.exchange, name))

    @staticmethod
    def _look_at(watcher: asyncio.Task[Any]) -> None:
        if watcher.cancelled():  # the vendor cancels what waits on a connection that it closes
            raise TimeoutError("the connection was closed")
        watcher.result()

    def _pulse(self) -> tuple[tuple[str, object, object, bool], ...]:
        """When each connection last brought a frame or a pong; it only matters whether that changes."""
        clients = self._vendor.exchange.clients or {}
        return tuple(
            (url, client.last_message_at, client.lastPong, bool(client.isConnected)) for url, client in clients.items()
        )

    async def _hang_up(self, watchers: list[asyncio.Task[Any]]) -> None:
        await asyncio.sleep(0)  # one that has failed in this very moment is to end by its own error
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        await self._vendor.exchange.close_ws_clients()
