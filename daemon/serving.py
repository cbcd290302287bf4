"""What a run serves while it goes on: its API and its metrics, both on loopback only."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from typing import Any, Final

from daemon.api.app import create_app
from daemon.api.desk import Desk
from daemon.api.serve import serve
from daemon.paths import AccountPaths, DaemonAddress, secrets_folder
from daemon.secrets import api_token
from domain.errors import NotAvailable

LISTEN_WITHIN_S: Final = 10.0


@asynccontextmanager
async def api_served(
    desk: Desk, *, host: str, port: int, paths: AccountPaths, started_at: datetime, ended: Callable[[str], None]
) -> AsyncIterator[int]:
    """Serve the API while inside; gives the bound port, and leaves `daemon.json` for the commands to find it.

    `ended` is told when the server ends by itself. Raises `NotAvailable` when it does not listen in time.
    """
    token = api_token(secrets_folder(paths.folder.parent), environ=os.environ)
    # The server's own lines say nothing that ours do not.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(create_app(desk, token), host, port, listening.set_result), name="api")
    either: set[asyncio.Future[Any]] = {serving, listening}
    await asyncio.wait(either, timeout=LISTEN_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
    if not listening.done():
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        if not serving.cancelled() and (error := serving.exception()) is not None:
            raise error
        raise NotAvailable(f"the API did not listen on {host}:{port} within {LISTEN_WITHIN_S:.0f} s")
    serving.add_done_callback(lambda task: ended("the API ended") if not task.cancelled() else None)
    shown = f"[{host}]" if ":" in host else host
    try:
        with announced(paths, f"http://{shown}:{listening.result()}", started_at):
            yield listening.result()
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@contextmanager
def announced(paths: AccountPaths, api: str | None, started_at: datetime) -> Iterator[None]:
    """While inside, `daemon.json` says who runs on this account, and where its API listens (None: it serves none)."""
    address = DaemonAddress(
        pid=os.getpid(),
        api=api,
        started_at=started_at.isoformat(),
        secrets=str(secrets_folder(paths.folder.parent)),
    )
    address.write(paths.daemon)
    try:
        yield
    finally:
        paths.daemon.unlink(missing_ok=True)
