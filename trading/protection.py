"""Every open position rests behind a stop and a target at the venue, sized to what is held. Pure derivation.

Given the books after some events, say which orders must be placed, changed or taken back so that this holds.
Deriving twice from the same books gives nothing the second time: what is under way counts as done. What the venue
refuses is tried another way, and never without end: after so many refusals the next try waits for the next bar.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from domain.decisions import ExitCause
from domain.instruments import Instrument
from domain.orders import Action, Intent, Leg, Order, OrderState
from domain.positions import Position
from trading.books import REFUSED, Books, Changes, Trade
from trading.intents import Wording

ATTEMPTS = 3
"""How often the venue may refuse one thing before another is tried: a stop so often refused closes the position, a
change so often refused becomes a cancel and a new order. A target so often refused is left out."""

_UNANSWERED = (OrderState.PENDING, OrderState.UNKNOWN)


@dataclass(slots=True)
class _Draft:
    """Intents while they are derived; each takes the next number of its leg. `patient` is a try at a bar's close,
    made whatever was refused before."""

    books: Books
    now: datetime
    patient: bool = False
    intents: list[Intent] = field(default_factory=list)

    def number(self, trade_id: str, leg: Leg) -> int:
        taken = sum((each.position_id, each.leg) == (trade_id, leg) for each in self.intents)
        return self.books.next_attempt(trade_id, leg) + taken

    def tires_of(self, order: Order) -> bool:
        return not self.patient and self.books.refused_changes.get(order.client_order_id, 0) >= 2 * ATTEMPTS


class Protection:
    """Derives protective orders from the books."""

    def __init__(self, wording: Wording, instruments: dict[str, Instrument]) -> None:
        self._wording = wording
        self._instruments = instruments

    def after(self, changes: Changes, books: Books, now: datetime) -> list[Intent]:
        """The intents that make the touched instruments protected again, and orphans disappear."""
        draft = _Draft(books, now)
        for symbol in sorted(changes.touched):
            trade = books.trades.get(symbol)
            if trade is not None:
                self._look_after(trade, draft)
        self._withdraw_orphans(draft)
        return draft.intents

    def guard(self, books: Books, now: datetime, *, besides: Collection[str] = ()) -> list[Intent]:
        """What is still missing at a bar's close, of the instruments not named in `besides`: nothing, unless the
        venue refused it before or an order was lost."""
        draft = _Draft(books, now, patient=True)
        for symbol, trade in books.trades.items():
            if symbol not in besides:
                self._look_after(trade, draft)
        self._withdraw_orphans(draft)
        return draft.intents

    def close(self, trade: Trade, books: Books, now: datetime, cause: ExitCause) -> list[Intent]:
        """A market order for the whole position, unless one is under way already."""
        draft = _Draft(books, now)
        if trade.position is not None and trade.position.is_open:
            self._close(trade, trade.position, cause, draft)
        return draft.intents

    def move_stop(self, trade: Trade, books: Books, now: datetime, price: Decimal) -> list[Intent]:
        """Tighten the resting stop to `price`; nothing while an earlier change of it is under way, and never looser."""
        stop = next(iter(books.open_orders(trade.trade_id, Leg.STOP)), None)
        if stop is None or stop.state in _UNANSWERED or _change_under_way(stop, books):
            return []
        current = stop.intent.stop_price
        if current is None or (price - current) * trade.decision.signal.side.sign <= 0:
            return []
        attempt = books.next_attempt(trade.trade_id, Leg.STOP)
        quantity = stop.intent.quantity
        return [
            self._wording.replace(stop, quantity=quantity, price=price, attempt=attempt, now=now, reason="trailing")
        ]

    def cancel(self, orders: Iterable[Order], books: Books, now: datetime, reason: str) -> list[Intent]:
        """Take resting orders back."""
        draft = _Draft(books, now, patient=True)
        self._withdraw(orders, draft, reason)
        return draft.intents

    def _look_after(self, trade: Trade, draft: _Draft) -> None:
        if trade.position is None:
            return
        if trade.position.is_open:
            self._protect(trade, trade.position, draft)
        else:
            self._withdraw(draft.books.open_orders(trade.trade_id), draft, "position closed")

    def _protect(self, trade: Trade, position: Position, draft: _Draft) -> None:
        books = draft.books
        if books.open_orders(trade.trade_id, Leg.CLOSE):
            return
        cause = _unfinished_close(trade, books)
        if cause is not None and (draft.patient or books.refused(trade.trade_id, Leg.CLOSE) < ATTEMPTS):
            self._close(trade, position, cause, draft)
            return
        instrument = self._instruments[position.instrument]
        signal = trade.decision.signal
        stop_price = trade.stop_price or instrument.price(signal.stop_price)
        self._size(trade, position, Leg.STOP, stop_price, draft)
        self._size(trade, position, Leg.TARGET, instrument.price(signal.target_price), draft)

    def _close(self, trade: Trade, position: Position, cause: ExitCause, draft: _Draft) -> None:
        if draft.books.open_orders(trade.trade_id, Leg.CLOSE):
            return
        draft.intents.append(
            self._wording.close(
                trade.trade_id,
                position.instrument,
                side=position.side.opposite,
                quantity=abs(position.quantity),
                attempt=draft.number(trade.trade_id, Leg.CLOSE),
                now=draft.now,
                reason=cause,
            )
        )

    def _size(self, trade: Trade, position: Position, leg: Leg, price: Decimal, draft: _Draft) -> None:
        """One protective leg: placed if missing, resized if the position changed."""
        books, quantity = draft.books, abs(position.quantity)
        open_now = books.open_orders(trade.trade_id, leg)
        if not open_now:
            if books.refused(trade.trade_id, leg) < ATTEMPTS:
                self._place(trade, position, leg, price, draft)
            return
        resting, *surplus = open_now
        self._withdraw(surplus, draft, "one is enough")
        if resting.remaining == quantity or resting.state in _UNANSWERED or _change_under_way(resting, books):
            return
        if books.refused_changes.get(resting.client_order_id, 0) >= ATTEMPTS:
            self._withdraw([resting], draft, "cannot be resized")
            return
        current = resting.intent.stop_price if leg is Leg.STOP else resting.intent.limit_price
        draft.intents.append(
            self._wording.replace(
                resting,
                quantity=resting.filled + quantity,
                price=current or price,
                attempt=draft.number(trade.trade_id, leg),
                now=draft.now,
                reason="resize",
            )
        )

    def _place(self, trade: Trade, position: Position, leg: Leg, price: Decimal, draft: _Draft) -> None:
        draft.intents.append(
            self._wording.protective(
                trade.trade_id,
                position.instrument,
                leg,
                side=position.side.opposite,
                quantity=abs(position.quantity),
                price=price,
                attempt=draft.number(trade.trade_id, leg),
                now=draft.now,
            )
        )

    def _withdraw_orphans(self, draft: _Draft) -> None:
        # Of an order that may not exist nothing can be taken back; it is asked for by id first.
        known = [order for order in draft.books.orphans() if order.state is not OrderState.UNKNOWN]
        self._withdraw(known, draft, "position closed")

    def _withdraw(self, orders: Iterable[Order], draft: _Draft, reason: str) -> None:
        for order in orders:
            if _cancel_under_way(order, draft.books) or draft.tires_of(order):
                continue
            attempt = draft.number(order.intent.position_id, order.intent.leg)
            draft.intents.append(self._wording.cancel(order, attempt=attempt, now=draft.now, reason=reason))


def _unfinished_close(trade: Trade, books: Books) -> ExitCause | None:
    """Why a position that is still open must be closed: its stops are refused, or its last close was."""
    orders = books.orders_of(trade.trade_id)
    closes = [order for order in orders if order.intent.leg is Leg.CLOSE]
    if closes and closes[-1].state in REFUSED:
        return ExitCause(closes[-1].intent.reason)
    stops = books.open_orders(trade.trade_id, Leg.STOP)
    if not stops and books.refused(trade.trade_id, Leg.STOP) >= ATTEMPTS:
        return ExitCause.UNPROTECTED
    return None


def _change_under_way(order: Order, books: Books) -> bool:
    return any(
        intent.target_id == order.client_order_id and intent.action is not Action.PLACE for intent in books.pending()
    )


def _cancel_under_way(order: Order, books: Books) -> bool:
    return any(
        intent.target_id == order.client_order_id and intent.action is Action.CANCEL for intent in books.pending()
    )
