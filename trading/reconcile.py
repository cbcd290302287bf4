"""Ours against the venue's, as a pure comparison. Doing it twice finds what doing it once found.

It reads the venue's own report, never our cache of it. A report that is not complete says nothing about what it
leaves out; only a complete one that lacks a position says that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from brokers.protocol import VenueReport
from domain.identity import ORDER_PREFIX
from domain.orders import Order, OrderState


class Mismatch(StrEnum):
    POSITION = "position"
    """The venue holds another quantity than our fills add up to."""
    BALANCE = "balance"
    MISSING_ORDER = "missing_order"
    """We believe an order rests; the venue does not list it."""
    UNEXPECTED_ORDER = "unexpected_order"
    """The venue lists an order with our prefix that we believe ended or never knew."""
    FOREIGN_ORDER = "foreign_order"
    """Somebody else's order: counted, never touched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One disagreement, with both sides as text."""

    kind: Mismatch
    instrument: str | None
    ours: str
    theirs: str


def compare(
    *, positions: Mapping[str, Decimal], orders: tuple[Order, ...], balance: Decimal, report: VenueReport
) -> tuple[Finding, ...]:
    """Every disagreement between our books and the venue's report, in a fixed order.

    `positions` are our signed quantities by instrument, `orders` ours that are not terminal. Orders still pending
    or unknown are not compared: they are asked for by id instead.
    """
    findings = [*_positions(positions, report), *_orders(orders, report)]
    if balance != report.balance:
        findings.append(Finding(kind=Mismatch.BALANCE, instrument=None, ours=str(balance), theirs=str(report.balance)))
    return tuple(findings)


def _positions(ours: Mapping[str, Decimal], report: VenueReport) -> list[Finding]:
    findings = []
    for symbol in sorted(set(ours) | set(report.positions)):
        if symbol not in report.positions and not report.complete:
            continue
        mine, theirs = ours.get(symbol, Decimal(0)), report.positions.get(symbol, Decimal(0))
        if mine != theirs:
            findings.append(Finding(kind=Mismatch.POSITION, instrument=symbol, ours=str(mine), theirs=str(theirs)))
    return findings


def _orders(ours: tuple[Order, ...], report: VenueReport) -> list[Finding]:
    listed = {order.client_order_id: order for order in report.open_orders}
    known = {order.client_order_id: order for order in ours}
    findings = []
    for order_id, order in sorted(known.items()):
        resting = order.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
        if resting and order_id not in listed and report.complete:
            findings.append(
                Finding(
                    kind=Mismatch.MISSING_ORDER, instrument=order.intent.instrument, ours=order_id, theirs="not listed"
                )
            )
    for order_id, reported in sorted(listed.items()):
        if order_id in known:
            continue
        mine = order_id.startswith(ORDER_PREFIX)
        kind = Mismatch.UNEXPECTED_ORDER if mine else Mismatch.FOREIGN_ORDER
        findings.append(Finding(kind=kind, instrument=reported.instrument, ours="not open", theirs=order_id))
    return findings
