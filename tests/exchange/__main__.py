"""`python -m exchange --port 0 [--seed N] [--state FILE]`: the test exchange as a process of its own.

Prints one line of JSON, {"port": N}, when it listens on 127.0.0.1; ends on SIGTERM, SIGINT or `/_exchange/stop`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from pathlib import Path

from aiohttp import web
from exchange.server import Server

HOST = "127.0.0.1"
NANOSECONDS = 1_000_000


async def serve(port: int, seed: int, state: Path | None) -> None:
    server = Server(lambda: time.time_ns() // NANOSECONDS, seed=seed, diary=state)
    runner = web.AppRunner(server.application(), shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, port)
    await site.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stopping.set)
    sys.stdout.write(json.dumps({"port": runner.addresses[0][1]}) + "\n")
    sys.stdout.flush()
    await server.stopping.wait()
    await server.streams.drop()
    await runner.cleanup()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="exchange", description="A test exchange that speaks Binance.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=0, help="what the draws of the faults are made from")
    parser.add_argument("--state", type=Path, default=None, help="a file that keeps what happened over restarts")
    asked = parser.parse_args()
    asyncio.run(serve(asked.port, asked.seed, asked.state))


if __name__ == "__main__":
    main()
