"""After kill -9 with fifty open positions: from the start of the process until the books agree with the venue again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.request import Request
from bench.venue import UP, Exchange, Run, config_for
from bench.venue_exchange import NAMES

STEPS = {
    "imports": "the interpreter and every module of a live run, the vendor's library included",
    "account": "the demo account reached: clock, instruments, what the key may do",
    "history": "candles: those of the journal, and what was missed asked of the venue, for every instrument",
    "broker": "the record of what the venue said opened",
    "restored": "books, holds, model and market restored from the journal",
    "reconciled": "open questions asked, our books compared with the account's report",
}
"""What is over at each mark, in this order."""


def run(request: Request) -> Iterator[Figure]:
    """One daemon enters fifty perpetuals and is killed; then it is started and killed again and again."""
    folder = request.work / "recovery"
    with Exchange() as exchange:
        exchange.do("transfer", amount="1000000")
        exchange.open(NAMES, "1m")
        config = config_for(exchange, NAMES, market="linear", timeframe="1m")
        first = Run("bench.marked_start", folder, config)
        try:
            first.until_mark("ready")
            for name in NAMES:
                exchange.move(name, UP)
            first.until(lambda: _protected(exchange) == len(NAMES), f"{len(NAMES)} positions behind stops and targets")
        finally:
            first.kill()
        found = [_recovered(folder, config) for _ in range(request.repeat + 1)][1:]
    yield from _figures(found)


def _protected(exchange: Exchange) -> int:
    """How many positions have a stop and a target resting behind them."""
    account = exchange.account("main")
    resting = [order["symbol"] for order in (*account["orders"], *account["algo_orders"]) if order["status"] == "NEW"]
    return sum(resting.count(symbol) >= 2 for symbol in account["positions"])


def _recovered(folder: Path, config: dict[str, dict[str, Any]]) -> dict[str, float]:
    again = Run("bench.marked_start", folder, config)
    try:
        again.until_mark("ready")
    finally:
        again.kill()
    return {each["mark"]: float(each["age_s"]) for each in again.told()}


def _figures(found: list[dict[str, float]]) -> Iterator[Figure]:
    whole = tuple(each["reconciled"] for each in found)
    yield Figure(
        name="recovery.until_reconciled",
        what=f"start of the process until reconciled, {len(NAMES)} open positions, {2 * len(NAMES)} resting orders",
        unit="s",
        values=whole,
    )
    yield Figure(
        name="recovery.until_ready",
        what="start of the process until READY: data looked over, API and metrics served",
        unit="s",
        values=tuple(each["ready"] for each in found),
    )
    before = "start"
    for name, told in STEPS.items():
        values = tuple(each[name] - each.get(before, 0.0) for each in found)
        yield Figure(name=f"recovery.{name}", what=f"… of it, {told}", unit="s", values=values)
        before = name
