"""Between the log's rows and our records. Decimals and times are kept as exact text."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.ccxt.records import AskedCancel, CancelStanding, KnownOrder, Standing
from domain.orders import OrderKind, OrderState, Side

Row = tuple[Any, ...]
"""One row as sqlite3 gives it: each column is text, a number or None, as the schema says."""

ORDER_COLUMNS = (
    "client_order_id",
    "symbol",
    "side",
    "kind",
    "at_once",
    "quantity",
    "sent_at",
    "standing",
    "expires_at",
    "left_at",
    "venue_order_id",
    "filled",
    "ended_as",
    "seen_state",
    "seen_filled",
    "seen_reason",
    "expiring",
)


def order_row(order: KnownOrder) -> Row:
    return (
        order.client_order_id,
        order.symbol,
        order.side.value,
        None if order.kind is None else order.kind.value,
        int(order.at_once),
        str(order.quantity),
        order.sent_at.isoformat(),
        order.standing.value,
        _text(order.expires_at),
        _text(order.left_at),
        order.venue_order_id,
        str(order.filled),
        None if order.end is None else order.end.value,
        None if order.seen_state is None else order.seen_state.value,
        str(order.seen_filled),
        order.seen_reason,
        int(order.expiring),
    )


def order_of(row: Row) -> KnownOrder:
    return KnownOrder(
        client_order_id=row[0],
        symbol=row[1],
        side=Side(row[2]),
        kind=None if row[3] is None else OrderKind(row[3]),
        at_once=bool(row[4]),
        quantity=Decimal(row[5]),
        sent_at=datetime.fromisoformat(row[6]),
        standing=Standing(row[7]),
        expires_at=_time(row[8]),
        left_at=_time(row[9]),
        venue_order_id=row[10],
        filled=Decimal(row[11]),
        end=None if row[12] is None else OrderState(row[12]),
        seen_state=None if row[13] is None else OrderState(row[13]),
        seen_filled=Decimal(row[14]),
        seen_reason=row[15],
        expiring=bool(row[16]),
    )


def cancel_row(cancel: AskedCancel) -> Row:
    return (cancel.intent_id, cancel.target_id, cancel.symbol, cancel.standing.value, cancel.reason)


def cancel_of(row: Row) -> AskedCancel:
    return AskedCancel(
        intent_id=row[0], target_id=row[1], symbol=row[2], standing=CancelStanding(row[3]), reason=row[4]
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
