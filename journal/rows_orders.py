"""Intents, orders, fills and positions as rows, and back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from domain.numbers import ZERO
from domain.orders import (
    Action,
    Approval,
    CauseKind,
    Fill,
    Intent,
    Leg,
    Order,
    OrderKind,
    OrderState,
    Side,
    TimeInForce,
)
from domain.positions import Position
from journal.codec import (
    AnyRow,
    RowValues,
    decimal_or_none,
    decimal_or_null,
    decimal_text,
    free_text,
    json_text,
    micros,
    micros_or_null,
    moment,
    moment_or_none,
    parsed,
)


def intent_row(intent: Intent) -> RowValues:
    approval = intent.approval
    return (
        intent.client_order_id,
        intent.account,
        intent.instrument,
        intent.action.value,
        intent.cause_kind.value,
        intent.cause_id,
        intent.leg.value,
        int(intent.attempt),
        intent.side.value,
        intent.kind.value,
        decimal_text(intent.quantity),
        micros(intent.created_at),
        intent.position_id,
        decimal_or_null(intent.limit_price),
        decimal_or_null(intent.stop_price),
        intent.time_in_force.value,
        micros_or_null(intent.expires_at),
        bool(intent.reduce_only),
        intent.oco_group,
        intent.target_id,
        free_text(intent.reason),
        approval.instrument,
        approval.side.value,
        decimal_text(approval.quantity),
        bool(approval.reduce_only),
        micros(approval.granted_at),
        micros(approval.expires_at),
        json_text(approval.rules),
        approval.limits_digest,
    )


def intent_of(row: AnyRow) -> Intent:
    return Intent(
        client_order_id=row.client_order_id,
        account=row.account,
        instrument=row.instrument,
        action=Action(row.action),
        cause_kind=CauseKind(row.cause_kind),
        cause_id=row.cause_id,
        leg=Leg(row.leg),
        attempt=row.attempt,
        side=Side(row.side),
        kind=OrderKind(row.kind),
        quantity=Decimal(row.quantity),
        created_at=moment(row.created_at),
        approval=_approval_of(row),
        position_id=row.position_id,
        limit_price=decimal_or_none(row.limit_price),
        stop_price=decimal_or_none(row.stop_price),
        time_in_force=TimeInForce(row.time_in_force),
        expires_at=moment_or_none(row.expires_at),
        reduce_only=row.reduce_only,
        oco_group=row.oco_group,
        target_id=row.target_id,
        reason=row.reason,
    )


def _approval_of(row: AnyRow) -> Approval:
    return Approval(
        instrument=row.approval_instrument,
        side=Side(row.approval_side),
        quantity=Decimal(row.approval_quantity),
        reduce_only=row.approval_reduce_only,
        granted_at=moment(row.approval_granted_at),
        expires_at=moment(row.approval_expires_at),
        rules=tuple(parsed(row.approval_rules)),
        limits_digest=row.approval_limits_digest,
    )


def order_row(order: Order) -> RowValues:
    """What may change of an order; the intent it came from is a row of its own."""
    return (
        order.client_order_id,
        int(order.version),
        order.state.value,
        micros(order.updated_at),
        decimal_text(order.filled),
        decimal_or_null(order.average_price),
        order.venue_order_id,
        free_text(order.reason),
        decimal_text(order.intent.quantity),
        decimal_or_null(order.intent.limit_price),
        decimal_or_null(order.intent.stop_price),
    )


def order_of(row: AnyRow) -> Order:
    """From an intent's row joined with the order's own columns under the prefix `order_`."""
    intent = replace(
        intent_of(row),
        quantity=Decimal(row.order_quantity),
        limit_price=decimal_or_none(row.order_limit_price),
        stop_price=decimal_or_none(row.order_stop_price),
    )
    return Order(
        intent=intent,
        state=OrderState(row.order_state),
        updated_at=moment(row.order_updated_at),
        filled=Decimal(row.order_filled),
        average_price=decimal_or_none(row.order_average_price),
        venue_order_id=row.order_venue_order_id,
        reason=row.order_reason,
        version=row.order_version,
    )


def fill_row(fill: Fill) -> RowValues:
    return (
        fill.venue,
        fill.trade_id,
        fill.client_order_id,
        fill.instrument,
        fill.side.value,
        decimal_text(fill.quantity),
        decimal_text(fill.price),
        decimal_text(fill.fee),
        decimal_text(fill.fx_rate),
        micros(fill.at),
        decimal_text(fill.base_fee) if fill.base_fee else None,
    )


def fill_of(row: AnyRow) -> Fill:
    return Fill(
        venue=row.venue,
        trade_id=row.trade_id,
        client_order_id=row.client_order_id,
        instrument=row.instrument,
        side=Side(row.side),
        quantity=Decimal(row.quantity),
        price=Decimal(row.price),
        fee=Decimal(row.fee),
        fx_rate=Decimal(row.fx_rate),
        at=moment(row.at),
        base_fee=decimal_or_none(row.base_fee) or ZERO,
    )


def position_row(position: Position) -> RowValues:
    return (
        position.position_id,
        position.account,
        position.instrument,
        position.side.value,
        micros(position.opened_at),
        micros(position.updated_at),
        decimal_text(position.quantity),
        decimal_text(position.entered),
        decimal_text(position.entry_price),
        decimal_text(position.exited),
        decimal_text(position.exit_price),
        decimal_text(position.realized),
        decimal_text(position.fees),
        decimal_text(position.dust) if position.dust else None,
    )


def position_of(row: AnyRow) -> Position:
    return Position(
        position_id=row.position_id,
        account=row.account,
        instrument=row.instrument,
        side=Side(row.side),
        opened_at=moment(row.opened_at),
        updated_at=moment(row.updated_at),
        quantity=Decimal(row.quantity),
        entered=Decimal(row.entered),
        entry_price=Decimal(row.entry_price),
        exited=Decimal(row.exited),
        exit_price=Decimal(row.exit_price),
        realized=Decimal(row.realized),
        fees=Decimal(row.fees),
        dust=decimal_or_none(row.dust) or ZERO,
    )
