"""Between the paper ledger's rows and our records. Decimals and times are kept as exact text."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.paper.records import Holding, PaperOrder
from brokers.protocol import BrokerEvent, EventKind
from domain.orders import Fill, OrderKind, OrderState, Side, TimeInForce
from domain.positions import Position
from domain.records import CashEvent, CashKind

Row = tuple[Any, ...]
"""One row as sqlite3 gives it: each column is text, a number or None, as the schema says."""


def order_row(order: PaperOrder) -> Row:
    return (
        order.client_order_id,
        order.number,
        order.instrument,
        order.side.value,
        order.kind.value,
        str(order.quantity),
        order.time_in_force.value,
        order.live_from,
        order.position_id,
        order.slippage,
        _text(order.limit_price),
        _text(order.stop_price),
        None if order.expires_at is None else order.expires_at.isoformat(),
        int(order.reduce_only),
        order.oco_group,
        order.state.value,
        str(order.filled),
        str(order.taken),
        order.executions,
        int(order.armed),
        order.last_bar,
    )


def order_of(row: Row) -> PaperOrder:
    return PaperOrder(
        client_order_id=row[0],
        number=row[1],
        instrument=row[2],
        side=Side(row[3]),
        kind=OrderKind(row[4]),
        quantity=Decimal(row[5]),
        time_in_force=TimeInForce(row[6]),
        live_from=row[7],
        position_id=row[8],
        slippage=row[9],
        limit_price=_decimal(row[10]),
        stop_price=_decimal(row[11]),
        expires_at=None if row[12] is None else datetime.fromisoformat(row[12]),
        reduce_only=bool(row[13]),
        oco_group=row[14],
        state=OrderState(row[15]),
        filled=Decimal(row[16]),
        taken=Decimal(row[17]),
        executions=row[18],
        armed=bool(row[19]),
        last_bar=row[20],
    )


def fill_row(sequence: int, fill: Fill) -> Row:
    return (
        fill.trade_id,
        sequence,
        fill.venue,
        fill.client_order_id,
        fill.instrument,
        fill.side.value,
        str(fill.quantity),
        str(fill.price),
        str(fill.fee),
        str(fill.fx_rate),
        fill.at.isoformat(),
    )


def cash_row(sequence: int, cash: CashEvent) -> Row:
    return (cash.event_id, sequence, cash.kind.value, cash.at.isoformat(), str(cash.amount), cash.instrument)


def event_row(sequence: int, event: BrokerEvent) -> Row:
    return (
        sequence,
        event.kind.value,
        event.at.isoformat(),
        event.client_order_id,
        event.intent_id,
        event.venue_order_id,
        event.reason,
    )


def event_of(row: Row) -> BrokerEvent:
    """The event of one row: its 7 own columns, then the 10 of its fill without the sequence, then 5 of its cash."""
    return BrokerEvent(
        kind=EventKind(row[1]),
        at=datetime.fromisoformat(row[2]),
        client_order_id=row[3],
        intent_id=row[4],
        venue_order_id=row[5],
        reason=row[6],
        fill=None if row[7] is None else _fill_of(row[7:17]),
        cash=None if row[17] is None else _cash_of(row[17:22]),
    )


def _fill_of(row: Row) -> Fill:
    return Fill(
        trade_id=row[0],
        venue=row[1],
        client_order_id=row[2],
        instrument=row[3],
        side=Side(row[4]),
        quantity=Decimal(row[5]),
        price=Decimal(row[6]),
        fee=Decimal(row[7]),
        fx_rate=Decimal(row[8]),
        at=datetime.fromisoformat(row[9]),
    )


def _cash_of(row: Row) -> CashEvent:
    return CashEvent(
        event_id=row[0],
        kind=CashKind(row[1]),
        at=datetime.fromisoformat(row[2]),
        amount=Decimal(row[3]),
        instrument=row[4],
    )


def holding_row(symbol: str, holding: Holding) -> Row:
    position = holding.position
    return (
        symbol,
        holding.swap_day,
        position.position_id,
        position.account,
        position.side.value,
        position.opened_at.isoformat(),
        position.updated_at.isoformat(),
        str(position.quantity),
        str(position.entered),
        str(position.entry_price),
        str(position.exited),
        str(position.exit_price),
        str(position.realized),
        str(position.fees),
    )


def holding_of(row: Row) -> Holding:
    position = Position(
        instrument=row[0],
        position_id=row[2],
        account=row[3],
        side=Side(row[4]),
        opened_at=datetime.fromisoformat(row[5]),
        updated_at=datetime.fromisoformat(row[6]),
        quantity=Decimal(row[7]),
        entered=Decimal(row[8]),
        entry_price=Decimal(row[9]),
        exited=Decimal(row[10]),
        exit_price=Decimal(row[11]),
        realized=Decimal(row[12]),
        fees=Decimal(row[13]),
    )
    return Holding(position=position, swap_day=row[1])


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
