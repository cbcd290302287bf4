"""Every open position rests behind a stop and a target at the venue, sized to what is held. Pure derivation.

Given the books after some events, say which orders must be placed, changed or taken back so that this holds.
Deriving twice from the same books gives nothing the second time: what is under way counts as done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from domain.decisions import ExitCause
from domain.instruments import Instrument
from domain.orders import Action, Intent, Leg, Order, OrderState
from domain.positions import Position
from trading.books import Books, Changes, Trade
from trading.intents import Wording

STOP_ATTEMPTS = 3
"""How many stops may be refused before the position is closed at the market instead."""


class Protection:
    """Derives protective orders from the books."""

    def __init__(self, wording: Wording, instruments: dict[str, Instrument]) -> None:
        self._wording = wording
        self._instruments = instruments

    def after(self, changes: Changes, books: Books, now: datetime) -> list[Intent]:
        """The intents that make the touched instruments protected again, and orphans disappear."""
        intents: list[Intent] = []
        for symbol in sorted(changes.touched):
            trade = books.trades.get(symbol)
            if trade is None or trade.position is None:
                continue
            if trade.position.is_open:
                intents.extend(self._protect(trade, trade.position, books, now))
            else:
                intents.extend(self._withdraw(books.open_orders(trade.trade_id), books, now, "position closed"))
        for trade in changes.closed:
            intents.extend(self._withdraw(books.open_orders(trade.trade_id), books, now, "position closed"))
        return intents

    def close(self, trade: Trade, books: Books, now: datetime, cause: ExitCause) -> list[Intent]:
        """A market order for the whole position, unless one is under way already."""
        position = trade.position
        if position is None or not position.is_open or books.open_orders(trade.trade_id, Leg.CLOSE):
            return []
        return [
            self._wording.close(
                trade.trade_id,
                position.instrument,
                side=position.side.opposite,
                quantity=abs(position.quantity),
                attempt=books.next_attempt(trade.trade_id, Leg.CLOSE),
                now=now,
                reason=cause,
            )
        ]

    def move_stop(self, trade: Trade, books: Books, now: datetime, price: Decimal) -> list[Intent]:
        """Tighten the resting stop to `price`; nothing while an earlier change of it is under way."""
        stop = next(iter(books.open_orders(trade.trade_id, Leg.STOP)), None)
        if stop is None or stop.state is OrderState.PENDING or _change_under_way(stop, books):
            return []
        if stop.intent.stop_price == price:
            return []
        attempt = books.next_attempt(trade.trade_id, Leg.STOP)
        quantity = stop.intent.quantity
        return [
            self._wording.replace(stop, quantity=quantity, price=price, attempt=attempt, now=now, reason="trailing")
        ]

    def cancel(self, orders: Iterable[Order], books: Books, now: datetime, reason: str) -> list[Intent]:
        """Take resting orders back."""
        return self._withdraw(orders, books, now, reason)

    def _protect(self, trade: Trade, position: Position, books: Books, now: datetime) -> list[Intent]:
        if books.open_orders(trade.trade_id, Leg.CLOSE):
            return []
        if books.next_attempt(trade.trade_id, Leg.STOP) > 1 and self._stops_refused(trade, books) >= STOP_ATTEMPTS:
            return self.close(trade, books, now, ExitCause.UNPROTECTED)
        instrument = self._instruments[position.instrument]
        signal = trade.decision.signal
        stop_price = trade.stop_price or instrument.price(signal.stop_price)
        prices = {Leg.STOP: stop_price, Leg.TARGET: instrument.price(signal.target_price)}
        intents: list[Intent] = []
        for leg, price in prices.items():
            intents.extend(self._sized(trade, position, leg, price, books, now))
        return intents

    def _sized(
        self, trade: Trade, position: Position, leg: Leg, price: Decimal, books: Books, now: datetime
    ) -> list[Intent]:
        """One protective leg: placed if missing, resized if the position changed."""
        quantity = abs(position.quantity)
        resting = next(iter(books.open_orders(trade.trade_id, leg)), None)
        attempt = books.next_attempt(trade.trade_id, leg)
        if resting is None:
            return [
                self._wording.protective(
                    trade.trade_id,
                    position.instrument,
                    leg,
                    side=position.side.opposite,
                    quantity=quantity,
                    price=price,
                    attempt=attempt,
                    now=now,
                )
            ]
        if resting.remaining == quantity or resting.state is OrderState.PENDING or _change_under_way(resting, books):
            return []
        current = resting.intent.stop_price if leg is Leg.STOP else resting.intent.limit_price
        return [
            self._wording.replace(
                resting,
                quantity=resting.filled + quantity,
                price=current or price,
                attempt=attempt,
                now=now,
                reason="resize",
            )
        ]

    def _withdraw(self, orders: Iterable[Order], books: Books, now: datetime, reason: str) -> list[Intent]:
        intents: list[Intent] = []
        for order in orders:
            if _cancel_under_way(order, books):
                continue
            # Several orders may be withdrawn at once: each takes a number of its own.
            attempt = books.next_attempt(order.intent.position_id, order.intent.leg) + len(intents)
            intents.append(self._wording.cancel(order, attempt=attempt, now=now, reason=reason))
        return intents

    def _stops_refused(self, trade: Trade, books: Books) -> int:
        return sum(
            1
            for order in books.orders_of(trade.trade_id)
            if order.intent.leg is Leg.STOP and order.state in (OrderState.REJECTED, OrderState.ABSENT)
        )


def _change_under_way(order: Order, books: Books) -> bool:
    return any(
        intent.target_id == order.client_order_id and intent.action is not Action.PLACE for intent in books.pending()
    )


def _cancel_under_way(order: Order, books: Books) -> bool:
    return any(
        intent.target_id == order.client_order_id and intent.action is Action.CANCEL for intent in books.pending()
    )
