"""What the checks look at: the journal's rows of one moment, read once each and only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Executable, Table, select

from domain.errors import InvalidRecord
from domain.orders import Fill, Intent, Order
from domain.positions import Position, opened_by
from journal.codec import AnyRow
from journal.engine import HeldConnection
from journal.reader import Reader


class Evidence:
    """Rows and records of one journal; valid inside one snapshot."""

    def __init__(self, held: HeldConnection, read: Reader) -> None:
        self.held = held
        self.read = read

    def rows(self, statement: Executable) -> Sequence[AnyRow]:
        return self.held.rows(statement)

    def columns(self, table: Table, *names: str) -> Sequence[AnyRow]:
        """Some columns of all rows, in the order in which they were written."""
        wanted: list[Any] = [table.c[name] for name in names]
        return self.held.rows(select(*wanted).order_by(table.c.row_id))

    @cached_property
    def fills(self) -> list[Fill]:
        return self.read.fills()

    @cached_property
    def orders(self) -> dict[str, Order]:
        """The latest version of each order, by client order id."""
        return {order.client_order_id: order for order in self.read.orders()}

    @cached_property
    def intents(self) -> dict[str, Intent]:
        """Intents by client order id."""
        return {intent.client_order_id: intent for intent in self.read.intents()}

    @cached_property
    def folded(self) -> Folded:
        """What the fills alone say."""
        return Folded.of(self.fills, self.intents)


class Folded:
    """Positions and realized profits recomputed from fills; `faults` are fills that fit no position."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.realized: dict[str, tuple[Fill, Position]] = {}
        self.faults: list[str] = []

    @classmethod
    def of(cls, fills: Sequence[Fill], intents: dict[str, Intent]) -> Folded:
        folded = cls()
        for fill in fills:
            intent = intents.get(fill.client_order_id)
            if intent is None:
                folded.faults.append(f"fill {fill.trade_id} belongs to no intent, so to no position")
                continue
            folded._add(fill, intent)
        return folded

    def _add(self, fill: Fill, intent: Intent) -> None:
        before = self.positions.get(intent.position_id)
        if before is None:
            opened = opened_by(fill, position_id=intent.position_id, account=intent.account)
            self.positions[intent.position_id] = opened
            return
        if fill.side is not before.side:
            self.realized[fill.trade_id] = (fill, before)
        try:
            self.positions[intent.position_id] = before.after(fill)
        except InvalidRecord as error:
            self.faults.append(f"position {intent.position_id}: {error}")
