"""Serving an app inside the daemon's own event loop, next to everything else it does."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from daemon.api.guard import is_loopback
from domain.errors import ConfigurationRefused, NotAvailable

STOP_GRACE_S: Final = 2


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: stopping is the daemon's decision. Says when it listens."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening()


async def serve(app: ASGIApp, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve `app` until cancelled; `ready` is called once with the bound port (`port` 0 takes a free one).

    Cancelling closes the port, gives requests in flight two seconds, and returns by raising `CancelledError`.
    Raises `ConfigurationRefused` for a host that is not this machine, `NotAvailable` when the port is taken or the
    server ends by itself.
    """
    if not is_loopback(host):
        raise ConfigurationRefused(f"api.host is {host}; allowed are 127.0.0.1, ::1 and localhost")
    listener = _bound(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_GRACE_S,
        timeout_keep_alive=5,
        limit_concurrency=64,
        backlog=64,
    )
    bound_port = int(listener.getsockname()[1])
    server = _Server(config, lambda: ready(bound_port))
    running = asyncio.create_task(server.serve(sockets=[listener]), name="api-server")
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        await running
        raise
    finally:
        listener.close()
    raise NotAvailable("the API's server ended by itself")


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1" if host == "localhost" else host.strip("[]"), port))
    except OSError as fault:
        listener.close()
        reason = "another program has it" if fault.errno == errno.EADDRINUSE else fault.strerror
        raise NotAvailable(f"port {port} on {host} cannot be used for the API: {reason}") from fault
    listener.setblocking(False)
    return listener
