"""Ours against the venue's, as a pure comparison. Doing it twice finds what doing it once found.

It reads the venue's own report, never our cache of it. A report that is not complete says nothing about what it
leaves out; only a complete one that lacks a position says that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from brokers.protocol import VenueReport
from domain.identity import ORDER_PREFIX
from domain.numbers import ZERO, money
from domain.orders import Order, OrderState
from trading.books import Books

ROUNDING = Decimal("0.00001")
"""Two ledgers that round each booking to eight digits agree within this after a thousand bookings."""


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

    `positions` are our signed quantities by instrument, `orders` ours that are not terminal, `balance` the cash that
    the venue should name. Orders still pending or unknown are not compared: they are asked for by id instead.
    """
    findings = [*_positions(positions, report), *_orders(orders, report)]
    if abs(balance - report.balance) > ROUNDING:
        findings.append(Finding(kind=Mismatch.BALANCE, instrument=None, ours=str(balance), theirs=str(report.balance)))
    return tuple(findings)


def held_at_venue(books: Books) -> dict[str, Decimal]:
    """What the venue should hold by instrument: our open positions, and the dust that closed ones left there."""
    held = dict(books.dust)
    for trade in books.open_trades():
        if trade.position is not None:
            symbol = trade.decision.instrument
            held[symbol] = held.get(symbol, ZERO) + trade.position.quantity
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


def held_by_others(books: Books, report: VenueReport) -> dict[str, Decimal]:
    """What the venue holds beyond our own, by instrument, signed: nobody here opened it, and nobody here trades it."""
    ours = held_at_venue(books)
    beyond = {symbol: theirs - ours.get(symbol, ZERO) for symbol, theirs in sorted(report.positions.items())}
    return {symbol: quantity for symbol, quantity in beyond.items() if quantity}


def short_at_venue(books: Books, report: VenueReport) -> frozenset[str]:
    """Instruments of which a complete report shows less than our fills add up to, or the other side of it."""
    ours = held_at_venue(books).items()
    return frozenset(symbol for symbol, own in ours if report.positions.get(symbol, ZERO) * own < own * own)


def cash_at_venue(books: Books, *, spot: bool) -> Decimal:
    """The cash the venue should name: where holdings are paid for in full, what they cost has left it.

    On such an account every instrument is quoted in the account's currency, so that no rate is needed.
    """
    if not spot:
        return books.balance
    positions = (trade.position for trade in books.open_trades())
    paid = sum((abs(each.quantity) * each.entry_price for each in positions if each is not None), books.dust_cost)
    return money(books.balance - paid)


def is_wiped(books: Books, report: VenueReport, findings: Sequence[Finding]) -> bool:
    """Whether the account at the venue is no longer the one we knew: everything we had there is gone at once.

    Testnets are reset now and then. Everything is: the balance is another, and none of the positions and resting
    orders that we had, at least one of either, is left.
    """
    resting = [order for order in books.all_open_orders() if order.state is OrderState.ACCEPTED]
    had = {
        trade.decision.instrument: trade.position.quantity
        for trade in books.open_trades()
        if trade.position is not None
    }  # dust beside somebody else's coins is no evidence
    if not report.complete or not (resting or had):
        return False
    kinds = {finding.kind for finding in findings}
    listed = {order.client_order_id for order in report.open_orders}
    # A reset account may hold other amounts of the same coins: what is left of ours would be exactly ours.
    left = any(report.positions.get(symbol, ZERO) == own for symbol, own in had.items())
    nothing_left = not left and listed.isdisjoint(order.client_order_id for order in resting)
    return nothing_left and Mismatch.BALANCE in kinds


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
