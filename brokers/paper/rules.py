"""Why the paper venue refuses an order: each rule gives its reason, or None."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from brokers.paper.book import Book
from brokers.paper.records import PaperOrder
from domain.instruments import FxRates, Instrument
from domain.numbers import ZERO, decimal_of
from domain.orders import OrderKind, TimeInForce


@dataclass(frozen=True, slots=True)
class Asked:
    """An order at the venue's door: the order, its instrument, the account, and the latest rates."""

    order: PaperOrder
    instrument: Instrument
    book: Book
    rates: FxRates


def refusal(asked: Asked) -> str | None:
    """The first reason to refuse a new or changed order; None when it may rest."""
    for rule in (_steps, _time_in_force, _reduces, _minimums, _shorts, _margin):
        reason = rule(asked)
        if reason is not None:
            return reason
    return None


def _steps(asked: Asked) -> str | None:
    order, instrument = asked.order, asked.instrument
    if order.quantity % instrument.lot != 0:
        return f"quantity {order.quantity} is not a multiple of the lot {instrument.lot}"
    for price in (order.limit_price, order.stop_price):
        if price is not None and price % instrument.tick != 0:
            return f"price {price} is not a multiple of the tick {instrument.tick}"
    return None


def _time_in_force(asked: Asked) -> str | None:
    order = asked.order
    if order.time_in_force is TimeInForce.IOC and order.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT):
        return f"a {order.kind} order waits; it cannot be immediate or cancel"
    return None


def _reduces(asked: Asked) -> str | None:
    if asked.order.reduce_only and asked.book.reducible(asked.order) == 0:
        return "reduce-only, and there is no position to reduce"
    return None


def _minimums(asked: Asked) -> str | None:
    # What is left of a position after a partial fill must stay closable, however small.
    order, instrument = asked.order, asked.instrument
    if order.reduce_only:
        return None
    if order.quantity < instrument.min_quantity:
        return f"quantity {order.quantity} is below the minimum {instrument.min_quantity}"
    price = _price_of(order, asked.book)
    if price is None:
        return f"no price of {order.instrument} is known yet"
    if price * order.quantity < instrument.min_notional:
        return f"notional {price * order.quantity} is below the minimum {instrument.min_notional} {instrument.quote}"
    return None


def _shorts(asked: Asked) -> str | None:
    order = asked.order
    if order.reduce_only or order.side.sign > 0 or asked.instrument.shortable:
        return None
    if order.quantity > max(ZERO, asked.book.held(order.instrument)):
        return f"{order.instrument} cannot be sold short"
    return None


def _margin(asked: Asked) -> str | None:
    order, book = asked.order, asked.book
    against = book.reducible(order)
    if order.reduce_only or order.available <= against:
        return None
    price = _price_of(order, book)
    if price is None:
        return f"no price of {order.instrument} is known yet"
    equity, bound = _equity_and_margin(book, asked.rates, besides=order)
    opening = order.available - 2 * against  # the part against the position gives that margin back first
    bound += opening * price * asked.rates.rate(asked.instrument.quote, book.currency) / asked.instrument.max_leverage
    if bound > equity:
        return f"insufficient margin: {bound:.2f} {book.currency} would be bound, equity is {equity:.2f}"
    return None


def _equity_and_margin(book: Book, rates: FxRates, *, besides: PaperOrder) -> tuple[Decimal, Decimal]:
    """Balance plus floating profit, and what positions and resting entries bind, in account currency.

    An instrument binds its notional divided by its own leverage, whatever else is held.
    """
    equity, bound = book.balance, ZERO
    for symbol, holding in book.holdings.items():
        instrument = book.instruments[symbol]
        rate = rates.rate(instrument.quote, book.currency)
        price = _mark(book, symbol) or holding.position.entry_price
        equity += holding.position.floating(price, rate)
        bound += abs(holding.position.quantity) * price * rate / instrument.max_leverage
    for other in book.open.values():
        price_of_other = _price_of(other, book)
        if other.reduce_only or price_of_other is None or other.client_order_id == besides.client_order_id:
            continue
        instrument = book.instruments[other.instrument]
        rate = rates.rate(instrument.quote, book.currency)
        opening = max(ZERO, other.available - book.reducible(other))
        bound += opening * price_of_other * rate / instrument.max_leverage
    return equity, bound


def _price_of(order: PaperOrder, book: Book) -> Decimal | None:
    """The price an order is judged by: its limit, else its stop, else the last mid price."""
    return order.limit_price or order.stop_price or _mark(book, order.instrument)


def _mark(book: Book, symbol: str) -> Decimal | None:
    mark = book.market(symbol).mark
    return None if math.isnan(mark) else decimal_of(mark)
