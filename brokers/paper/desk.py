"""The paper venue's order desk: takes, changes and takes back orders, and says what it did."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from brokers.paper.book import Book
from brokers.paper.records import PaperOrder, seconds_of
from brokers.paper.rules import Asked, refusal
from brokers.paper.settings import PaperSettings
from brokers.protocol import BrokerEvent, EventKind
from domain.instruments import FxRates
from domain.numbers import ZERO
from domain.orders import Intent, OrderState


def place(book: Book, intent: Intent, now: datetime, settings: PaperSettings, rates: FxRates) -> None:
    """Take a new order in, or refuse it with the reason."""
    book.number += 1
    order = PaperOrder(
        client_order_id=intent.client_order_id,
        number=book.number,
        instrument=intent.instrument,
        side=intent.side,
        kind=intent.kind,
        quantity=intent.quantity,
        time_in_force=intent.time_in_force,
        live_from=_live_from(book, now, settings),
        position_id=intent.position_id,
        slippage=settings.slippage_of(intent.client_order_id),
        limit_price=intent.limit_price,
        stop_price=intent.stop_price,
        expires_at=intent.expires_at,
        reduce_only=intent.reduce_only,
        oco_group=intent.oco_group,
    )
    reason = _why_not(book, order, settings, rates)
    if reason is None:
        book.put(order)
        book.told(EventKind.ACCEPTED, now, order)
    else:
        book.end(order, OrderState.REJECTED, now, reason)


def cancel(book: Book, intent: Intent, target: PaperOrder | None, now: datetime) -> None:
    """Take an order back, unless it has ended."""
    book.changes.requests.append(intent.client_order_id)
    gone = _why_gone(target)
    if target is None or gone is not None:
        _refuse(book, EventKind.CANCEL_REJECTED, intent, target, now, gone or "")
        return
    book.end(target, OrderState.CANCELLED, now, intent.reason, intent_id=intent.client_order_id)


def change(book: Book, intent: Intent, target: PaperOrder | None, now: datetime, rates: FxRates) -> None:
    """Give a resting order a new quantity (what is filled included) and new prices, all or nothing.

    The order keeps its place and the moment it became live: a stop that is moved at every bar must still be
    hit within each of them. What OCO siblings took before is settled by the new quantity.
    """
    book.changes.requests.append(intent.client_order_id)
    reason = _why_gone(target)
    if target is None or reason is not None:
        _refuse(book, EventKind.REPLACE_REJECTED, intent, target, now, reason or "")
        return
    changed = replace(
        target,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        stop_price=intent.stop_price,
        taken=ZERO,
    )
    if (intent.instrument, intent.side, intent.kind) != (target.instrument, target.side, target.kind):
        reason = "instrument, side and kind of an order cannot be replaced"
    elif intent.quantity <= target.filled:
        reason = f"{target.filled} are filled already; {intent.quantity} cannot be the whole quantity"
    else:
        reason = refusal(Asked(changed, book.instruments[target.instrument], book, rates))
    if reason is not None:
        _refuse(book, EventKind.REPLACE_REJECTED, intent, target, now, reason)
        return
    book.put(changed)
    book.told(EventKind.REPLACED, now, changed, intent_id=intent.client_order_id, reason=intent.reason)


def _live_from(book: Book, now: datetime, settings: PaperSettings) -> float:
    """When the market may first answer; an order sent within the grace after a moment counts as sent at it."""
    sent = seconds_of(now)
    if 0 <= sent - book.told_until <= settings.grace_s:
        sent = book.told_until
    return sent + settings.latency_s


def _why_not(book: Book, order: PaperOrder, settings: PaperSettings, rates: FxRates) -> str | None:
    instrument = book.instruments.get(order.instrument)
    if instrument is None:
        return f"there is no instrument {order.instrument}"
    if settings.refuses(order.client_order_id):
        return "refused by chance, as the paper settings ask"
    return refusal(Asked(order, instrument, book, rates))


def _why_gone(target: PaperOrder | None) -> str | None:
    if target is None:
        return "there is no such order"
    return f"the order is {target.state}" if target.state.terminal else None


def _refuse(book: Book, kind: EventKind, intent: Intent, target: PaperOrder | None, now: datetime, reason: str) -> None:
    book.tell(
        BrokerEvent(
            kind=kind,
            at=now,
            client_order_id=intent.target_id,
            intent_id=intent.client_order_id,
            venue_order_id=None if target is None else target.venue_order_id,
            reason=reason,
        )
    )
