"""The exchange as a server on 127.0.0.1: every host's paths on one port, websockets, and control routes.

    /_exchange/do/NAME   POST, JSON arguments: a control of `control.py`; answers {"result": ...}
    /_exchange/ledger    GET: the whole truth
    /_exchange/streams   GET: how many websockets are open, were accepted, subscribed; POST: close them all
    /_exchange/stop      POST: end the process

With a diary everything that reaches the exchange is written down with its time before it is done, and done again when
the next process begins with the same file: the exchange survives its own end, faults included.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web
from exchange.control import Controls
from exchange.core import Exchange
from exchange.streams import Streams
from exchange.wire import Refusal, Reply, Request, as_json

CONTROL = "/_exchange/"
BIGGEST_BODY = 64 * 1024 * 1024


class Clock:
    """Milliseconds of the machine's clock, or of the moment that a diary tells of."""

    def __init__(self, machine_ms: Callable[[], int]) -> None:
        self._machine_ms = machine_ms
        self.told: int | None = None

    def __call__(self) -> int:
        return self._machine_ms() if self.told is None else self.told


class Server:
    """`stopping` is set when somebody asked the process to end."""

    def __init__(self, machine_ms: Callable[[], int], *, seed: int = 0, diary: Path | None = None) -> None:
        self.clock = Clock(machine_ms)
        self.exchange = Exchange(clock_ms=self.clock, seed=seed)
        self.controls = Controls(self.exchange)
        self.stopping = asyncio.Event()
        self._diary: TextIO | None = None
        if diary is not None:
            self._read(diary)
            self._diary = diary.open("a", encoding="utf-8")
        self.streams = Streams(self.exchange)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=BIGGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._any)
        return application

    def close(self) -> None:
        if self._diary is not None:
            self._diary.close()

    async def _any(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return _response(await self._control(request))
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.streams.serve(request)
        path, _, query = request.raw_path.partition("?")
        asked = Request(
            request.method, request.headers.get("Host", ""), path, query, dict(request.headers), await request.text()
        )
        reply = await self._answer(asked)
        if reply.dropped:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        return _response(reply)

    async def _answer(self, asked: Request) -> Reply:
        reply = self._handle(asked)
        if reply.ticket is not None:
            await asyncio.sleep(reply.delay_ms / 1000)
            with self._noted({"finish": reply.ticket}):
                reply = self.exchange.finish(reply.ticket)
        await asyncio.sleep(reply.delay_ms / 1000)
        return reply

    def _handle(self, asked: Request) -> Reply:
        parts = [asked.method, asked.host, asked.path, asked.query, dict(asked.headers), asked.body]
        with self._noted({"request": parts}):
            return self.exchange.handle(asked)

    async def _control(self, request: web.Request) -> Reply:
        name = request.path.removeprefix(CONTROL)
        if name == "ledger":
            return as_json(self.exchange.ledger())
        if name == "streams":
            dropped = await self.streams.drop() if request.method == "POST" else 0
            streams = self.streams
            told = {"open": len(streams.open), "accepted": streams.accepted, "subscribed": streams.subscribed}
            return as_json({**told, "dropped": dropped})
        if name == "stop":
            self.stopping.set()
            return as_json({})
        arguments = await request.json() if request.can_read_body else {}
        return self._do(name.removeprefix("do/"), arguments)

    def _do(self, name: str, arguments: dict[str, Any]) -> Reply:
        with self._noted({"do": [name, arguments]}):
            return self._done(name, arguments)

    def _done(self, name: str, arguments: dict[str, Any]) -> Reply:
        try:
            result = self.controls.do(name, arguments)
        except Refusal as refusal:
            return refusal.reply()
        except (LookupError, TypeError, ValueError) as error:
            return as_json({"error": str(error)}, status=400)
        return as_json({"result": result})

    @contextmanager
    def _noted(self, what: dict[str, Any]) -> Iterator[None]:
        """Write down what is about to be done, and hold the clock meanwhile; a killed process has kept the line."""
        if self._diary is None:
            yield
            return
        self.clock.told = self.clock()
        self._diary.write(json.dumps({"at": self.clock.told, **what}, separators=(",", ":")) + "\n")
        self._diary.flush()
        try:
            yield
        finally:
            self.clock.told = None

    def _read(self, diary: Path) -> None:
        """Do again what the diary tells, each at its own time; a last line cut short was never done."""
        lines = diary.read_text(encoding="utf-8").splitlines(keepends=True) if diary.exists() else []
        if lines and not lines[-1].endswith("\n"):
            diary.write_text("".join(lines[:-1]), encoding="utf-8")
            lines.pop()
        for line in lines:
            told = json.loads(line)
            self.clock.told = told["at"]
            if "request" in told:
                self.exchange.handle(Request(*told["request"]))
            elif "finish" in told:
                self.exchange.finish(told["finish"])
            else:
                self._done(*told["do"])
        self.clock.told = None


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body.encode())
