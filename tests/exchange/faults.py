"""What can go wrong on the way to the exchange, in it, and in what it says; every fault is switched on by name.

A fault applies to requests whose method and path match, after letting `skip` of them pass, `times` times (None: until
it is cleared), each time with `probability`. The draws are made from the seed alone, so the same requests meet the
same faults. `Faults` counts what it did; the exchange's ledger says it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """What goes wrong; in brackets the parameters that say how."""

    DROP_BEFORE = "drop_before"
    """The connection breaks before anything was executed."""
    DROP_AFTER = "drop_after"
    """Executed, and the connection breaks before the answer."""
    DELAY = "delay"
    """Executed `ms` later; the answer comes then. Its timestamp is checked again."""
    DELAY_AFTER = "delay_after"
    """Executed at once, answered `ms` later."""
    STATUS_BEFORE = "status_before"
    """Not executed; HTTP `status` (503) with `code` (-1000) and `message`."""
    STATUS_AFTER = "status_after"
    """Executed; HTTP `status` (503) with `code` (-1007) and `message`."""
    LIMITED = "limited"
    """Not executed: 429 for `seconds` (10), told in Retry-After; every call meanwhile is refused and counted."""
    BANNED = "banned"
    """Not executed: 418 for `seconds` (120), told in Retry-After; every call meanwhile is refused and counted."""
    TRUNCATED = "truncated"
    """Executed; 200 with the first `bytes` (half) of the JSON."""
    EMPTY_OBJECT = "empty_object"
    """Executed; 200 with {}."""
    HTML = "html"
    """Executed unless `before`; 200, or `status`, with a page in HTML."""
    MAINTENANCE = "maintenance"
    """Not executed: 503 as while the system is under maintenance."""
    REJECT = "reject"
    """Not executed: refused with `code` (-1000), `message`, `status` (400)."""
    PARTIAL = "partial"
    """The order gets at most `share` (0.5) of its quantity at once."""
    TRADES_REPEATED = "trades_repeated"
    """Every execution in the list is told twice."""
    TRADES_REORDERED = "trades_reordered"
    """The list of executions is told newest first."""
    TRADES_HIDDEN = "trades_hidden"
    """The list of executions is empty."""
    OPEN_ORDERS_STALE = "open_orders_stale"
    """The list of open orders is the one that was told last."""
    OPEN_ORDERS_HIDDEN = "open_orders_hidden"
    """The list of open orders lacks those whose client id holds `client_id` (every one)."""
    ORDER_HIDDEN = "order_hidden"
    """The look-up of one order finds none: -2013."""
    POSITIONS_EMPTY = "positions_empty"
    """The report of positions is empty."""
    BALANCES_EMPTY = "balances_empty"
    """The report of balances is empty."""
    CANDLES_REPEATED = "candles_repeated"
    """The last two candles are told twice."""
    CANDLES_MISSING = "candles_missing"
    """A candle in the middle is left out."""
    CANDLES_BROKEN = "candles_broken"
    """The last but one candle has no number as its close, and a high below its low."""
    CANDLES_FUTURE = "candles_future"
    """A candle of tomorrow is told too."""
    CANDLES_WICK = "candles_wick"
    """The last but one candle's high is a hundred times its own."""
    ECHOED = "echoed"
    """Not executed: 400 whose message repeats the request's headers and query, key and signature included."""


BEFORE = frozenset(
    {
        FaultKind.DROP_BEFORE,
        FaultKind.STATUS_BEFORE,
        FaultKind.LIMITED,
        FaultKind.BANNED,
        FaultKind.MAINTENANCE,
        FaultKind.REJECT,
        FaultKind.ECHOED,
    }
)
"""Faults after which nothing has been executed."""

ABOUT: Mapping[FaultKind, frozenset[str]] = {
    FaultKind.PARTIAL: frozenset({"placement"}),
    FaultKind.TRADES_REPEATED: frozenset({"trades"}),
    FaultKind.TRADES_REORDERED: frozenset({"trades"}),
    FaultKind.TRADES_HIDDEN: frozenset({"trades"}),
    FaultKind.OPEN_ORDERS_STALE: frozenset({"open_orders"}),
    FaultKind.OPEN_ORDERS_HIDDEN: frozenset({"open_orders"}),
    FaultKind.ORDER_HIDDEN: frozenset({"order"}),
    FaultKind.POSITIONS_EMPTY: frozenset({"positions", "account"}),
    FaultKind.BALANCES_EMPTY: frozenset({"balances", "account"}),
    FaultKind.CANDLES_REPEATED: frozenset({"candles"}),
    FaultKind.CANDLES_MISSING: frozenset({"candles"}),
    FaultKind.CANDLES_BROKEN: frozenset({"candles"}),
    FaultKind.CANDLES_FUTURE: frozenset({"candles"}),
    FaultKind.CANDLES_WICK: frozenset({"candles"}),
}
"""Faults that only requests for these kinds of answer meet, and are used up by."""


@dataclass(slots=True)
class Fault:
    number: int
    kind: FaultKind
    method: str
    path: str
    times: int | None
    skip: int
    probability: float
    parameters: Mapping[str, Any]
    met: int = 0
    hit: int = 0

    def integer(self, name: str, default: int) -> int:
        return int(self.parameters.get(name, default))

    def text(self, name: str, default: str) -> str:
        return str(self.parameters.get(name, default))

    def told(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "kind": str(self.kind),
            "method": self.method,
            "path": self.path,
            "times": self.times,
            "skip": self.skip,
            "probability": self.probability,
            "parameters": dict(self.parameters),
            "met": self.met,
            "hit": self.hit,
        }


@dataclass(slots=True)
class Faults:
    """The switches. `skew_ms` is how far the exchange's clock is ahead, `maintenance` stops everything, and while
    `streams_silent` the websockets stay open and say nothing."""

    seed: int = 0
    skew_ms: int = 0
    maintenance: bool = False
    streams_silent: bool = False
    active: list[Fault] = field(default_factory=list)
    past: list[Fault] = field(default_factory=list)
    added: int = 0
    draws: int = 0

    def add(
        self,
        kind: FaultKind | str,
        *,
        method: str = ".*",
        path: str = ".*",
        times: int | None = 1,
        skip: int = 0,
        probability: float = 1.0,
        **parameters: Any,
    ) -> Fault:
        """Switch a fault on; `method` and `path` are regular expressions, matched in full and anywhere."""
        self.added += 1
        fault = Fault(self.added, FaultKind(kind), method, path, times, skip, probability, parameters)
        self.active.append(fault)
        return fault

    def clear(self, fault: Fault | int | None = None) -> None:
        """Switch one fault off, or all, and every global switch with them."""
        if fault is None:
            self.past += self.active
            self.active.clear()
            self.skew_ms, self.maintenance, self.streams_silent = 0, False, False
            return
        wanted = fault.number if isinstance(fault, Fault) else fault
        self.past += [each for each in self.active if each.number == wanted]
        self.active = [each for each in self.active if each.number != wanted]

    def meeting(self, method: str, path: str, tells: str = "") -> list[Fault]:
        """The faults that this request meets; each is used up by one. `tells` is the kind of answer it asks for."""
        if not self.active:
            return []
        met = []
        for fault in list(self.active):
            if not re.fullmatch(fault.method, method) or not re.search(fault.path, path):
                continue
            if fault.kind in ABOUT and tells not in ABOUT[fault.kind]:
                continue
            fault.met += 1
            if fault.met <= fault.skip or not self._drawn(fault.probability):
                continue
            fault.hit += 1
            met.append(fault)
            if fault.times is not None and fault.hit >= fault.times:
                self.clear(fault)
        return met

    def _drawn(self, probability: float) -> bool:
        if probability >= 1:
            return True
        self.draws += 1
        digest = hashlib.sha256(f"{self.seed} {self.draws}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64 < probability

    def told(self) -> list[dict[str, Any]]:
        return [fault.told() for fault in sorted(self.past + self.active, key=lambda each: each.number)]
