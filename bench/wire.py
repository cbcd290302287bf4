"""From a bar's close to the order on the wire, and what the journal's commit is of it, under FULL and NORMAL.

Two daemons trade two accounts of one exchange on the same candles at the same time: whatever the machine and its disk
do meets both, and the ratio of the two is the figure to keep.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from bench.figures import Figure
from bench.request import Request
from bench.venue import DOWN, UP, Exchange, Run, config_for
from bench.venue_exchange import NAMES

SYMBOLS = NAMES[:4]
KEYS = {"full": "trade", "normal": "second"}
"""Whose key each durability trades with."""
ORDERS_A_REPEAT = 10
MS = 1000.0
Times = Mapping[str, float]
PARTS: Mapping[str, tuple[str, Callable[[Times], float]]] = {
    "total": ("from the bar's close until the exchange has the request", lambda t: t["received"] - t["closed"]),
    "candles": ("… of it, waiting for the bar's candles", lambda t: t["scan"] - t["closed"]),
    "decide": ("… of it, bar to intent", lambda t: t["commit"] - t["scan"]),
    "commit": ("… of it, the journal's commit: scan, decision, intent, order", lambda t: t["committed"] - t["commit"]),
    "sent_row": ("… of it, the venue log's own row, always FULL", lambda t: t["rowed"] - t["row"]),
    "request": ("… of it, wording, signing, sending, received", lambda t: t["received"] - t["place"]),
}
SHARES: Mapping[str, tuple[str, Callable[[Times], float]]] = {
    "commit_share": (
        "the journal's commit of bar close to wire",
        lambda t: (t["committed"] - t["commit"]) / (t["received"] - t["closed"]),
    ),
    "commit_share_of_work": (
        "the journal's commit of what follows once the candles are there",
        lambda t: (t["committed"] - t["commit"]) / (t["received"] - t["scan"]),
    ),
}


def run(request: Request) -> Iterator[Figure]:
    """Entries in one instrument after the other, each at a bar of a second, closed by its stop at once."""
    with Exchange() as exchange:
        exchange.do("open_account", name="second")
        exchange.do("add_key", key="second-key", secret="second-secret", account="second")  # noqa: S106 - a made up one
        exchange.open(SYMBOLS, "1s")
        runs = {
            durability: Run(
                "bench.marked_orders",
                request.work / durability,
                config_for(exchange, SYMBOLS, market="spot", timeframe="1s", name=durability, durability=durability),
                key=key,
            )
            for durability, key in KEYS.items()
        }
        try:
            found = _orders(exchange, runs, ORDERS_A_REPEAT * request.repeat + 1)
        finally:
            for each in runs.values():
                each.kill()
    yield from _figures({durability: orders[1:] for durability, orders in found.items()})


def _orders(exchange: Exchange, runs: Mapping[str, Run], wanted: int) -> dict[str, list[Times]]:
    """The times of each entry, the same bars in both; the first one warms up."""
    for each in runs.values():
        each.until_mark("ready")
    for number in range(wanted):
        symbol = SYMBOLS[number % len(SYMBOLS)]
        exchange.move(symbol, UP)
        for account, each in zip(("main", "second"), runs.values(), strict=True):
            each.until(partial(_waits, exchange, account, symbol), f"entry {number} in {symbol}")
        exchange.move(symbol, DOWN)
    received = {asked["client_id"]: asked["at"] / MS for asked in exchange.requests() if asked["method"] == "POST"}
    return {
        durability: [
            {**{name: value for name, value in each.items() if isinstance(value, float)}, "received": at}
            for each in told.told()
            if each["mark"] == "order" and (at := received.get(each["client_order_id"])) is not None
        ]
        for durability, told in runs.items()
    }


def _waits(exchange: Exchange, account: str, symbol: str) -> bool:
    """Whether a stop rests behind a position in the instrument."""
    orders = exchange.account(account)["orders"]
    return any(order["symbol"] == symbol and order["status"] == "NEW" for order in orders)


def _figures(found: Mapping[str, Sequence[Times]]) -> Iterator[Figure]:
    for durability, orders in found.items():
        for part, (told, of) in PARTS.items():
            values = tuple(of(each) * MS for each in orders)
            name, what = f"wire.{durability}.{part}", f"synchronous={durability.upper()}: {told}"
            yield Figure(name=name, what=what, unit="ms", values=values)
            if part in ("total", "commit"):
                yield Figure(name=f"{name}.p99", what=f"{what}, p99", unit="ms", values=(_p99(values),))
        for part, (told, of) in SHARES.items():
            values = tuple(of(each) for each in orders)
            yield Figure(name=f"wire.{durability}.{part}", what=told, unit="x", values=values)
    for part in ("commit", "total"):
        of = PARTS[part][1]
        pairs = zip(found["full"], found["normal"], strict=True)
        ratios = tuple(of(full) / of(normal) for full, normal in pairs)
        yield Figure(
            name=f"wire.ratio.{part}", what=f"FULL over NORMAL, {part}, order by order", unit="x", values=ratios
        )


def _p99(values: Sequence[float]) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[98]
