"""What is durable: the journal, read through a connection of its own while the daemon writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class DurableIntent:
    """One row of the intents; times in seconds since 1970."""

    client_order_id: str
    instrument: str
    action: str
    cause_id: str
    leg: str
    attempt: int
    quantity: Decimal
    created_at: float
    expires_at: float
    reduce_only: bool
    target_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class DurableFill:
    trade_id: str
    client_order_id: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    base_fee: Decimal


@dataclass(frozen=True, slots=True)
class DurableHold:
    hold_id: str
    cause: str
    effect: str
    scope: str | None
    since: float
    latched: bool
    cleared_by: str | None


@dataclass(frozen=True, slots=True)
class DurableOrder:
    client_order_id: str
    state: str
    filled: Decimal


_INTENT = """SELECT client_order_id, instrument, action, cause_id, leg, attempt, quantity, created_at,
approval_expires_at, reduce_only, target_id, reason FROM intents WHERE client_order_id = ?"""
_FILLS = """SELECT row_id, trade_id, client_order_id, side, quantity, price, fee, base_fee FROM fills
WHERE row_id > ? ORDER BY row_id"""
_HOLDS = """SELECT row_id, hold_id, cause, effect, scope, since, latched, cleared_by FROM holds
WHERE row_id > ? ORDER BY row_id"""


_ORDERS = """SELECT row_id, client_order_id, state, filled FROM orders WHERE row_id > ? ORDER BY row_id"""


class Witness:
    """Reads what was committed, and only what it has not read yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._intents: dict[str, DurableIntent] = {}
        self._fills_to = 0
        self._holds_to = 0
        self._orders_to = 0
        self._version = 0

    @property
    def is_there(self) -> bool:
        """Whether there is a journal yet."""
        return self._connection is not None or self._path.exists()

    def _read(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        if not self.is_there:
            return []
        if self._connection is None:
            self._connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
        return self._connection.execute(statement, parameters).fetchall()

    def has_news(self) -> bool:
        """Whether anything was committed since this was asked last."""
        before = self._version
        for row in self._read("PRAGMA data_version"):
            self._version = _whole(row[0])
        return self._version != before

    def intent(self, client_order_id: str) -> DurableIntent | None:
        """The intent of this id, if it is durable now."""
        known = self._intents.get(client_order_id)
        if known is None:
            for row in self._read(_INTENT, client_order_id):
                known = self._intents[client_order_id] = DurableIntent(
                    client_order_id=str(row[0]),
                    instrument=str(row[1]),
                    action=str(row[2]),
                    cause_id=str(row[3]),
                    leg=str(row[4]),
                    attempt=_whole(row[5]),
                    quantity=Decimal(str(row[6])),
                    created_at=_whole(row[7]) / MICROSECONDS,
                    expires_at=_whole(row[8]) / MICROSECONDS,
                    reduce_only=bool(row[9]),
                    target_id=None if row[10] is None else str(row[10]),
                    reason=str(row[11]),
                )
        return known

    def new_fills(self) -> list[DurableFill]:
        found = self._read(_FILLS, self._fills_to)
        if found:
            self._fills_to = _whole(found[-1][0])
        return [
            DurableFill(
                trade_id=str(row[1]),
                client_order_id=str(row[2]),
                side=str(row[3]),
                quantity=Decimal(str(row[4])),
                price=Decimal(str(row[5])),
                fee=Decimal(str(row[6])),
                base_fee=Decimal(str(row[7] or 0)),
            )
            for row in found
        ]

    def new_orders(self) -> list[DurableOrder]:
        found = self._read(_ORDERS, self._orders_to)
        if found:
            self._orders_to = _whole(found[-1][0])
        return [DurableOrder(str(row[1]), str(row[2]), Decimal(str(row[3]))) for row in found]

    def new_holds(self) -> list[DurableHold]:
        found = self._read(_HOLDS, self._holds_to)
        if found:
            self._holds_to = _whole(found[-1][0])
        return [
            DurableHold(
                hold_id=str(row[1]),
                cause=str(row[2]),
                effect=str(row[3]),
                scope=None if row[4] is None else str(row[4]),
                since=_whole(row[5]) / MICROSECONDS,
                latched=bool(row[6]),
                cleared_by=None if row[7] is None else str(row[7]),
            )
            for row in found
        ]

    def rows(self, statement: str, *parameters: object) -> Mapping[str, str]:
        """The answer of a statement with two columns."""
        return {str(row[0]): str(row[1]) for row in self._read(statement, *parameters)}

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _whole(value: object) -> int:
    return int(str(value))
