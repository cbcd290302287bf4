"""Every open position rests behind a stop and a target at the venue, sized to what is held. Pure derivation.

Given the books after some events, say which orders must be placed, changed or taken back so that this holds.
Deriving twice from the same books gives nothing the second time: what is under way counts as done. What the venue
refuses is tried another way, and never without end: after so many refusals the next try waits for the next bar.

How a leg is changed depends on the venue. Where a resting order can be replaced, it is. Where it cannot, but several
exits of one position may rest, the new order is placed first and the old one taken back once the new one rests. Where
a resting sale locks what it sells (spot), only the stop rests: it is taken back before its successor is placed and
before the position is sold for another reason, and the target is watched instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import takewhile

from brokers.protocol import Capabilities
from domain.decisions import ExitCause
from domain.instruments import Instrument
from domain.orders import Action, Intent, Leg, Order, OrderState
from domain.positions import Position
from trading.books import REFUSED, Books
from trading.intents import Wording, leaving_reason
from trading.trades import Changes, Trade

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

    def __init__(self, wording: Wording, instruments: dict[str, Instrument], capabilities: Capabilities) -> None:
        self._wording = wording
        self._instruments = instruments
        self._can_replace = capabilities.replace
        self._stacks = capabilities.stacks_exits

    @property
    def watches_targets(self) -> bool:
        """Whether targets cannot rest at the venue, so that somebody has to watch for them."""
        return not self._stacks

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

    def may_refit(self, trade: Trade, books: Books) -> bool:
        """Whether its stops were refused until nobody asked any more, and it is to stay open: a trade that is being
        closed, or ought to be, has its own pace."""
        if books.refused(trade.trade_id, Leg.STOP) < ATTEMPTS or trade.position is None or not trade.position.is_open:
            return False
        closing = books.open_orders(trade.trade_id, Leg.CLOSE) or trade.leaving or _unfinished_close(trade, books)
        return not closing

    def refit(self, trade: Trade, books: Books, now: datetime) -> list[Intent]:
        """The stop of such a trade, asked for again although the venue refused it before."""
        draft = _Draft(books, now, patient=True)
        if trade.position is not None:
            self._size(trade, trade.position, Leg.STOP, self._stop_price(trade), draft)
        return draft.intents

    def close(self, trade: Trade, books: Books, now: datetime, cause: ExitCause) -> list[Intent]:
        """A market order for the whole position, unless one is under way already."""
        draft = _Draft(books, now)
        if trade.position is not None and trade.position.is_open:
            self._close(trade, trade.position, cause, draft)
        return draft.intents

    def move_stop(self, trade: Trade, books: Books, now: datetime, price: Decimal) -> list[Intent]:
        """Tighten the resting stop to `price`; nothing while an earlier change of it is under way, and never looser."""
        stops = books.open_orders(trade.trade_id, Leg.STOP)
        if len(stops) != 1 or stops[0].state in _UNANSWERED or _change_under_way(stops[0], books):
            return []
        (stop,) = stops
        current = stop.intent.stop_price
        if current is None or (price - current) * trade.decision.signal.side.sign <= 0:
            return []
        if not self._can_replace:
            trade.wanted_stop = price
            draft = _Draft(books, now)
            self._look_after(trade, draft)
            return draft.intents
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
        closes = books.open_orders(trade.trade_id, Leg.CLOSE)
        if any(order.state is not OrderState.UNKNOWN for order in closes):
            return
        # While nobody knows whether a close arrived, the position is protected as if it had not.
        cause = None if closes else trade.leaving or _unfinished_close(trade, books)
        tried = not draft.patient and _closed_in_vain(trade, books) >= ATTEMPTS
        if cause is not None and (not tried or _made_room(trade, books)):
            self._close(trade, position, cause, draft)
            return
        self._size(trade, position, Leg.STOP, self._stop_price(trade), draft)
        if self._stacks:
            target = self._instruments[position.instrument].price(trade.decision.signal.target_price)
            self._size(trade, position, Leg.TARGET, target, draft)

    def _stop_price(self, trade: Trade) -> Decimal:
        """Where its stop should lie now."""
        planned = self._instruments[trade.decision.instrument].price(trade.decision.signal.stop_price)
        return trade.wanted_stop or trade.stop_price or planned

    def _close(self, trade: Trade, position: Position, cause: ExitCause, draft: _Draft) -> None:
        if draft.books.open_orders(trade.trade_id, Leg.CLOSE):
            return
        if not self._stacks and self._waits_for_room(trade, cause, draft):
            return
        quantity = self._sellable(position)
        if not quantity:
            return
        draft.intents.append(
            self._wording.close(
                trade.trade_id,
                position.instrument,
                side=position.side.opposite,
                quantity=quantity,
                attempt=draft.number(trade.trade_id, Leg.CLOSE),
                now=draft.now,
                reason=cause,
            )
        )

    def _waits_for_room(self, trade: Trade, cause: ExitCause, draft: _Draft) -> bool:
        """Take back the stop that locks what is to be sold; whether it must be gone before the sale.

        Of a stop without an answer nobody knows whether it locks anything. What lies bare does not wait for that: if
        the stop rests after all, the sale is refused and the stop protects.
        """
        stops = draft.books.open_orders(trade.trade_id, Leg.STOP)
        resting = [order for order in stops if order.state not in _UNANSWERED]
        if not resting and (not stops or cause is ExitCause.UNPROTECTED):
            return False
        trade.leaving = cause
        self._withdraw(resting, draft, leaving_reason(cause))
        return True

    def _size(self, trade: Trade, position: Position, leg: Leg, price: Decimal, draft: _Draft) -> None:
        """One protective leg: placed if missing, resized if the position changed."""
        books, quantity = draft.books, self._sellable(position)
        open_now = books.open_orders(trade.trade_id, leg)
        if not quantity:
            return
        if not open_now:
            if books.refused(trade.trade_id, leg) < ATTEMPTS:
                self._place(trade, position, leg, price, draft)
            return
        if not self._can_replace:
            self._succeed(trade, position, leg, price, open_now, draft)
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

    def _succeed(
        self, trade: Trade, position: Position, leg: Leg, price: Decimal, open_now: Sequence[Order], draft: _Draft
    ) -> None:
        """One leg where nothing can be replaced: keep the order that fits, else bring its successor about."""
        books, quantity = draft.books, self._sellable(position)
        fitting = [order for order in open_now if order.remaining == quantity and _price_of(order) == price]
        if any(order.state not in _UNANSWERED for order in fitting):
            kept = next(order for order in fitting if order.state not in _UNANSWERED)
            self._withdraw([order for order in open_now if order is not kept], draft, "one is enough")
        elif fitting or any(order.state in _UNANSWERED for order in open_now):
            return  # the answer decides
        elif not self._stacks:
            self._withdraw(open_now, draft, "makes room for its successor")
        elif draft.patient or books.refused(trade.trade_id, leg) < ATTEMPTS:
            self._place(trade, position, leg, price, draft)

    def _sellable(self, position: Position) -> Decimal:
        """How much of a position an order can close: whole lots, for a fee kept in the base leaves less than one."""
        return self._instruments[position.instrument].quantity(abs(position.quantity))

    def _place(self, trade: Trade, position: Position, leg: Leg, price: Decimal, draft: _Draft) -> None:
        draft.intents.append(
            self._wording.protective(
                trade.trade_id,
                position.instrument,
                leg,
                side=position.side.opposite,
                quantity=self._sellable(position),
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
    if trade.spent:
        return ExitCause.LATE_FILL
    orders = books.orders_of(trade.trade_id)
    closes = [order for order in orders if order.intent.leg is Leg.CLOSE]
    stops = books.open_orders(trade.trade_id, Leg.STOP)
    if closes and closes[-1].state in REFUSED:
        cause = ExitCause(closes[-1].intent.reason)
        # A close for want of a stop is not wanted any more once a stop rests.
        return None if stops and cause is ExitCause.UNPROTECTED else cause
    if not stops and books.refused(trade.trade_id, Leg.STOP) >= ATTEMPTS:
        return ExitCause.UNPROTECTED
    return None


def _closed_in_vain(trade: Trade, books: Books) -> int:
    """How many closes in a row, up to the newest, ended without selling anything: refused, or expired in an empty
    book. Counted like refusals, or else an empty book would be asked without end."""
    closes = [order for order in reversed(books.orders_of(trade.trade_id)) if order.intent.leg is Leg.CLOSE]
    return sum(1 for _ in takewhile(lambda order: order.state.terminal and not order.filled, closes))


def _made_room(trade: Trade, books: Books) -> bool:
    """Whether the newest order is a stop that was taken back so that the position can be sold: then it is sold."""
    newest = books.orders_of(trade.trade_id)[-1]
    return trade.leaving is not None and newest.intent.leg is Leg.STOP and newest.state is OrderState.CANCELLED


def _price_of(order: Order) -> Decimal | None:
    return order.intent.stop_price if order.intent.leg is Leg.STOP else order.intent.limit_price


def _change_under_way(order: Order, books: Books) -> bool:
    return any(
        intent.target_id == order.client_order_id and intent.action is not Action.PLACE for intent in books.pending()
    )


def _cancel_under_way(order: Order, books: Books) -> bool:
    return any(
        intent.target_id == order.client_order_id and intent.action is Action.CANCEL for intent in books.pending()
    )
