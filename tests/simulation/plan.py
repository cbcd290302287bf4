"""What goes wrong in one seed, and when: drawn before the run begins, so that nothing the daemon does changes it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulation.candles import HOWS
from simulation.seeded_loop import stream
from simulation.setting import SYMBOLS

from venues.records import MarketKind

HOUR_S = 3600.0
LIVELY = 0.5
"""How many of the seeds in which everything goes wrong are lively."""
Draw = random.Random


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens `at` seconds after the first bar opened; `name` is one of `EVENTS`."""

    at: float
    name: str
    with_: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    kind: MarketKind
    lively: bool
    """Whether one strategy is enough for an entry, so that there are three times as many."""
    rings: bool
    """Whether the exchange's push stream reaches the daemon."""
    slow_s: float
    """The slowest way of a request through the network."""
    events: tuple[Event, ...]


def _target(draw: Draw, *names: str) -> str:
    return draw.choice(names)


def _times(draw: Draw, most: int) -> int:
    return 1 + min(most - 1, int(draw.expovariate(0.8)))


REFUSALS: Mapping[MarketKind, Mapping[str, tuple[tuple[int, str], ...]]] = {
    MarketKind.SPOT: {
        "refused_entry": (
            (-2010, "Account has insufficient balance for requested action."),
            (-1013, "Filter failure: NOTIONAL"),
        ),
        "refused_stop": ((-2010, "Stop price would trigger immediately."), (-1013, "Filter failure: PRICE_FILTER")),
        "refused_close": (
            (-2010, "Account has insufficient balance for requested action."),
            (-1013, "Filter failure: LOT_SIZE"),
        ),
    },
    MarketKind.LINEAR: {
        "refused_entry": (
            (-2019, "Margin is insufficient."),
            (-4131, "The counterparty's best price does not meet the filter."),
        ),
        "refused_stop": ((-2021, "Order would immediately trigger."), (-4045, "Reach max stop order limit.")),
        "refused_close": (
            (-4131, "The counterparty's best price does not meet the filter."),
            (-2022, "ReduceOnly Order is rejected."),
        ),
    },
}
"""What the exchange says no with, code and words."""

SENT = ("entry", "stop", "target", "close", "cancel", "place")
ASKED = ("order", "open_orders", "trades", "account", "time")
EVENTS: Mapping[str, tuple[float, Callable[[Draw], Mapping[str, Any]]]] = {
    "lost_request": (7, lambda d: {"target": _target(d, *SENT, *ASKED, "any"), "times": _times(d, 3)}),
    "lost_answer": (8, lambda d: {"target": _target(d, *SENT, "place", "any"), "times": _times(d, 3)}),
    "late_arrival": (6, lambda d: {"target": _target(d, *SENT), "ms": d.choice((800, 3000, 4900, 6500, 12000, 20000))}),
    "torn": (6, lambda d: {"target": _target(d, *SENT), "ms": d.choice((300, 1500, 3000, 4500, 4900, 7000))}),
    "late_answer": (6, lambda d: {"target": _target(d, *SENT, *ASKED), "ms": d.choice((900, 4000, 9500, 14000))}),
    "error_after": (6, lambda d: {"target": _target(d, *SENT), "times": _times(d, 2)}),
    "error_before": (5, lambda d: {"target": _target(d, *SENT, *ASKED), "times": _times(d, 3)}),
    "bad_json": (
        5,
        lambda d: {"target": _target(d, *SENT, *ASKED), "how": d.choice(("truncated", "empty_object", "html"))},
    ),
    "refused_entry": (2, lambda d: {"times": _times(d, 2), "which": d.randint(0, 1)}),
    "refused_stop": (3, lambda d: {"times": d.choice((1, 2, 3, 5)), "which": d.randint(0, 1)}),
    "refused_close": (2, lambda d: {"times": d.choice((1, 2, 4, 6)), "which": d.randint(0, 1)}),
    "limited": (2, lambda d: {"target": _target(d, "any", *SENT), "seconds": d.choice((3, 10, 40))}),
    "banned": (0.7, lambda d: {"target": _target(d, "any", *SENT), "seconds": d.choice((30, 120))}),
    "maintenance": (1, lambda d: {"seconds": d.choice((20, 300, 2500))}),
    "cut": (2, lambda d: {"seconds": d.choice((3, 30, 400))}),
    "slow": (1, lambda d: {"seconds": d.choice((60, 1800)), "way_s": d.choice((1.0, 2.0, 6.0))}),
    "partial": (8, lambda d: {"target": _target(d, "entry", "entry", "close"), "share": d.choice((0.1, 0.5, 0.9))}),
    "thin": (
        5,
        lambda d: {"symbol": d.choice(SYMBOLS), "seconds": d.choice((3600, 10800)), "usd": d.choice((100, 400))},
    ),
    "trades_repeated": (3, lambda d: {"times": _times(d, 6)}),
    "trades_reordered": (3, lambda d: {"times": _times(d, 6)}),
    "trades_hidden": (4, lambda d: {"times": _times(d, 8)}),
    "open_orders_stale": (3, lambda d: {"times": _times(d, 4)}),
    "open_orders_hidden": (3, lambda d: {"times": _times(d, 4)}),
    "order_hidden": (3, lambda d: {"times": _times(d, 4)}),
    "positions_empty": (2, lambda d: {"times": _times(d, 3)}),
    "balances_empty": (2, lambda d: {"times": _times(d, 3)}),
    "foreign_order": (1.5, lambda d: {"symbol": d.choice(SYMBOLS), "side": d.choice(("BUY", "SELL"))}),
    "foreign_trade": (0.4, lambda d: {"symbol": d.choice(SYMBOLS), "side": "BUY"}),
    "unknown_position": (0.3, lambda d: {"symbol": d.choice(SYMBOLS)}),
    "vanished_position": (0.3, lambda d: {"symbol": d.choice(SYMBOLS)}),
    "stop_taken_back": (2, lambda d: {"status": d.choice(("CANCELED", "EXPIRED"))}),
    "skewed": (0.8, lambda d: {"ms": d.choice((-4000, -700, 300, 700, 2500)), "seconds": d.choice((600, 7200))}),
    "revoked": (0.15, lambda d: {"seconds": d.choice((60, 4000))}),
    "wiped": (0.05, lambda d: {}),
    "funded": (6, lambda d: {"rate": d.choice(("0.0001", "-0.0003"))}),
    "suspended": (0.8, lambda d: {"seconds": d.choice((30, 600, 9000))}),
    "paused": (0.5, lambda d: {"seconds": d.choice((600, 14400))}),
    "halted": (0.4, lambda d: {"seconds": d.choice((600, 14400))}),
    "flattened": (0.7, lambda d: {}),
    "stopped": (1.5, lambda d: {}),
    "crash_at_point": (7, lambda d: {"after": d.randint(1, 60)}),
    "crash_at_request": (5, lambda d: {"after": d.randint(1, 25), "when": d.choice(("leaves", "arrived", "answered"))}),
    "crash_while_waiting": (4, lambda d: {"after": d.randint(1, 10), "later_s": round(d.uniform(0.0, 0.4), 3)}),
    "crash": (1.5, lambda d: {}),
    "no_candle": (
        3,
        lambda d: {"symbol": d.choice(SYMBOLS), "bars": d.choice((1, 1, 2, 6)), "how": d.choice(sorted(HOWS))},
    ),
}
"""How often in ten days each happens on average, and what is drawn for it."""

PROFILES: Mapping[str, Mapping[str, float]] = {
    "all": dict.fromkeys(EVENTS, 1.0),
    "none": {},
    "answers": dict.fromkeys(
        (
            "lost_request",
            "lost_answer",
            "torn",
            "late_arrival",
            "late_answer",
            "error_after",
            "error_before",
            "bad_json",
        ),
        4.0,
    ),
    "crashes": {
        "crash_at_point": 6.0,
        "crash_at_request": 6.0,
        "crash_while_waiting": 6.0,
        "stopped": 4.0,
        "partial": 2.0,
    },
    "lies": dict.fromkeys(
        (
            "trades_repeated",
            "trades_reordered",
            "trades_hidden",
            "open_orders_stale",
            "open_orders_hidden",
            "order_hidden",
            "positions_empty",
            "balances_empty",
            "partial",
        ),
        5.0,
    ),
    "refusals": {"refused_stop": 12.0, "refused_close": 20.0, "refused_entry": 4.0, "stop_taken_back": 8.0},
    "torn": {"torn": 20.0},
    "ends": {"thin": 20.0, "partial": 10.0, "trades_hidden": 30.0},
    "thin": {"thin": 20.0, "partial": 3.0},
    "bans": {"limited": 10.0, "banned": 30.0},
    "people": {
        "paused": 10.0,
        "halted": 10.0,
        "flattened": 10.0,
        "foreign_order": 10.0,
        "stopped": 6.0,
        "crash": 8.0,
        "crash_at_point": 1.0,
    },
}
"""Which events, and how many times as often as usual."""


def make_plan(seed: int, *, bars: int, profile: str = "all", kind: MarketKind | None = None) -> Plan:
    """The plan of `seed`; odd seeds trade futures and even ones spot, unless `kind` is given."""
    draw = stream(seed, f"plan {profile}")
    chosen = kind or (MarketKind.LINEAR if seed % 2 else MarketKind.SPOT)
    events: list[Event] = []
    for name, factor in PROFILES[profile].items():
        often, drawn = EVENTS[name]
        count = _poisson(draw, often * factor * bars / 240)
        events += [Event(_when(draw, bars), name, drawn(draw)) for _ in range(count)]
    events.sort(key=lambda event: (event.at, event.name))
    return Plan(
        kind=chosen,
        lively=profile != "all" or draw.random() < LIVELY,
        rings=draw.random() < 0.5,
        slow_s=draw.choice((0.05, 0.15, 0.4)),
        events=tuple(events),
    )


def _poisson(draw: Draw, mean: float) -> int:
    count, left = 0, draw.expovariate(1.0)
    while left < mean:
        count += 1
        left += draw.expovariate(1.0)
    return count


def _when(draw: Draw, bars: int) -> float:
    """Half of it near the close of a bar, where most is sent."""
    if draw.random() < 0.5:
        return round(draw.uniform(0.0, bars * HOUR_S), 3)
    return round(draw.randint(1, bars - 1) * HOUR_S + draw.uniform(-5.0, 30.0), 3)
