"""Executions and what follows from them: fees, positions, OCO siblings, reduce-only orders, overnight swaps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from brokers.paper.book import Book
from brokers.paper.matching import Match
from brokers.paper.records import VENUE, Holding, PaperOrder, day_of
from domain.instruments import AssetClass, FxRates, Instrument
from domain.numbers import ZERO, decimal_of, money
from domain.orders import Fill, OrderState, Side, TimeInForce
from domain.positions import opened_by, realized_by
from domain.records import CashEvent, CashKind


@dataclass(frozen=True, slots=True)
class Trading:
    """Where and when executions happen: at one time, in the bar that opened at `bar` (seconds since 1970 UTC).

    `most` is what one order may take of the bar, in base units; None where the volume is not known.
    """

    at: datetime
    bar: int
    most: Decimal | None
    rates: FxRates


_OVER_THE_COUNTER = frozenset({AssetClass.FOREX, AssetClass.METAL})


def most_of(volume: float, participation: float, instrument: Instrument) -> Decimal | None:
    """The share of a bar's volume that one order may take, in whole lots; None for an unknown volume.

    Currencies and metals trade over the counter: their volume counts price changes, not what was traded.
    """
    if math.isnan(volume) or instrument.asset_class in _OVER_THE_COUNTER:
        return None
    return instrument.quantity(decimal_of(volume * participation))


def execute(book: Book, order: PaperOrder, match: Match, trading: Trading) -> None:
    """Carry out what the market did to `order`, with everything the venue then does by itself."""
    if match.price is None:
        book.put(replace(order, armed=True))
        return
    room = order.available
    if book.is_reducing(order):
        room = min(room, book.reducible(order))
    if room > 0:
        quantity = room if match.whole or trading.most is None else min(room, trading.most)
        if quantity > 0:
            order = _fill(book, order, match.price, quantity, trading)
    else:
        book.end(order, OrderState.CANCELLED, trading.at, "there is no position to reduce")
    _release(book, order.instrument, trading.at)


def give_up_rest(book: Book, client_order_id: str, at: datetime) -> None:
    """Cancel what an immediate-or-cancel order did not get at its first chance."""
    order = book.open.get(client_order_id)
    if order is not None and order.time_in_force is TimeInForce.IOC:
        book.end(order, OrderState.CANCELLED, at, "immediate or cancel: not filled at once")


def expire(book: Book, at: datetime, before: datetime) -> None:
    """End every order whose time ran out before `before`; that moment itself still belongs to the order."""
    for client_order_id in [name for name, end in book.timed.items() if end < before]:
        book.end(book.open[client_order_id], OrderState.EXPIRED, at, "its time ran out")


def pay_swap(book: Book, symbol: str, at: datetime, open_: float, rates: FxRates) -> None:
    """Book what holding `symbol` over the midnights (UTC) since the last booking earned or cost.

    amount = swap rate per day x |quantity| x opening price x nights x rate to account currency; a positive
    rate earns. Booked at the instrument's first open of a new day, before anything trades there.
    """
    holding = book.holdings.get(symbol)
    today = day_of(at)
    if holding is None or today <= holding.swap_day:
        return
    instrument, position = book.instruments[symbol], holding.position
    rate = instrument.swap_long_per_day if position.side is Side.BUY else instrument.swap_short_per_day
    if rate == 0:
        return
    nights = today - holding.swap_day
    notional = abs(position.quantity) * decimal_of(open_) * rates.rate(instrument.quote, book.currency)
    book.hold(symbol, replace(holding, swap_day=today))
    amount = money(rate * notional * nights)
    if amount == 0:
        return
    book.tell_cash(
        CashEvent(
            event_id=f"swap-{book.account}-{symbol}-{at.date().isoformat()}",
            kind=CashKind.SWAP,
            at=at,
            amount=amount,
            instrument=symbol,
        )
    )


def _fill(book: Book, order: PaperOrder, price: Decimal, quantity: Decimal, trading: Trading) -> PaperOrder:
    """Execute `quantity`; an execution that takes the position through zero is told as two fills."""
    closing = min(quantity, book.reducible(order))
    for part in (closing, quantity - closing):
        if part > 0:
            order = _fill_part(book, order, price, part, trading)
    book.put(order)
    for sibling in book.siblings(order):
        reduced = replace(sibling, taken=sibling.taken + quantity)
        if order.state is OrderState.FILLED or reduced.available == 0:
            book.end(reduced, OrderState.CANCELLED, trading.at, "the other order of its group was filled")
        else:
            book.put(reduced)
    if order.state is not OrderState.FILLED and order.available == 0:
        book.end(order, OrderState.CANCELLED, trading.at, "the other order of its group took the rest")
    return order


def _fill_part(book: Book, order: PaperOrder, price: Decimal, quantity: Decimal, trading: Trading) -> PaperOrder:
    instrument = book.instruments[order.instrument]
    rate = trading.rates.rate(instrument.quote, book.currency)
    executions = order.executions + 1
    fill = Fill(
        venue=VENUE,
        trade_id=f"{order.client_order_id}-{executions}",
        client_order_id=order.client_order_id,
        instrument=order.instrument,
        side=order.side,
        quantity=quantity,
        price=price,
        fee=money(instrument.fee_rate * price * quantity * rate),
        fx_rate=rate,
        at=trading.at,
    )
    _settle(book, order, fill)
    book.tell_fill(order, fill)
    filled = order.filled + quantity
    state = OrderState.FILLED if filled == order.quantity else OrderState.PARTIALLY_FILLED
    return replace(order, filled=filled, executions=executions, state=state, last_bar=trading.bar)


def _settle(book: Book, order: PaperOrder, fill: Fill) -> None:
    """Move the position and the cash by one fill that does not cross zero."""
    holding = book.holdings.get(fill.instrument)
    realized = ZERO
    if holding is None:
        position = opened_by(fill, position_id=order.position_id, account=book.account)
        book.hold(fill.instrument, Holding(position=position, swap_day=day_of(fill.at)))
    else:
        if fill.side is not holding.position.side:
            realized = realized_by(holding.position, fill)
        position = holding.position.after(fill)
        book.hold(fill.instrument, replace(holding, position=position) if position.is_open else None)
    book.pay(realized - fill.fee)


def _release(book: Book, symbol: str, at: datetime) -> None:
    """Cancel the reduce-only orders that have nothing left to reduce."""
    for order in list(book.resting.get(symbol, {}).values()):
        if order.reduce_only and book.reducible(order) == 0:
            book.end(order, OrderState.CANCELLED, at, "there is no position left to reduce")
