"""How the exchange's answers are bent by the faults that make it say what is not so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from exchange.faults import Fault, FaultKind
from exchange.markets import DAY
from exchange.wire import Refusal

WICK = 100


def _repeated(told: list[Any], fault: Fault) -> list[Any]:
    return [each for each in told for _ in (0, 1)]


def _reordered(told: list[Any], fault: Fault) -> list[Any]:
    return told[::-1]


def _nothing(told: list[Any], fault: Fault) -> list[Any]:
    return []


def _without_named(told: list[Any], fault: Fault) -> list[Any]:
    name = fault.text("client_id", "")
    return [each for each in told if name not in (each.get("clientOrderId") or each.get("clientAlgoId") or "")]


def _unknown(told: Any, fault: Fault) -> Any:
    raise Refusal(-2013, "Order does not exist.")


def _no_positions(told: Any, fault: Fault) -> Any:
    return {**told, "positions": []} if isinstance(told, dict) else []


def _no_balances(told: Any, fault: Fault) -> Any:
    if isinstance(told, list):
        return []
    return {key: [] if key in ("balances", "assets") else value for key, value in told.items()}


def _candles_repeated(told: list[Any], fault: Fault) -> list[Any]:
    return told + told[-2:]


def _candles_missing(told: list[Any], fault: Fault) -> list[Any]:
    middle = len(told) // 2
    return told[:middle] + told[middle + 1 :]


def _last_closed(told: list[Any], change: Callable[[list[Any]], list[Any]]) -> list[Any]:
    at = max(len(told) - 2, 0)
    return [change(row) if index == at else row for index, row in enumerate(told)]


def _candles_broken(told: list[Any], fault: Fault) -> list[Any]:
    return _last_closed(told, lambda row: [*row[:2], row[3], str(float(row[2]) + 1), "NaN", *row[5:]])


def _candles_wick(told: list[Any], fault: Fault) -> list[Any]:
    return _last_closed(told, lambda row: [*row[:2], str(float(row[2]) * WICK), *row[3:]])


def _candles_future(told: list[Any], fault: Fault) -> list[Any]:
    return told + [[row[0] + DAY, *row[1:6], row[6] + DAY, *row[7:]] for row in told[-1:]]


BENT: Mapping[FaultKind, Callable[[Any, Fault], Any]] = {
    FaultKind.TRADES_REPEATED: _repeated,
    FaultKind.TRADES_REORDERED: _reordered,
    FaultKind.TRADES_HIDDEN: _nothing,
    FaultKind.OPEN_ORDERS_HIDDEN: _without_named,
    FaultKind.ORDER_HIDDEN: _unknown,
    FaultKind.POSITIONS_EMPTY: _no_positions,
    FaultKind.BALANCES_EMPTY: _no_balances,
    FaultKind.CANDLES_REPEATED: _candles_repeated,
    FaultKind.CANDLES_MISSING: _candles_missing,
    FaultKind.CANDLES_BROKEN: _candles_broken,
    FaultKind.CANDLES_WICK: _candles_wick,
    FaultKind.CANDLES_FUTURE: _candles_future,
}
"""How each lie bends the answer that it is about."""


def bend(payload: Any, faults: list[Fault]) -> Any:
    """The answer as it is told."""
    for fault in faults:
        if fault.kind in BENT:
            payload = BENT[fault.kind](payload, fault)
    return payload
