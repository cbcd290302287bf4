"""What the account is exposed to: open positions, and entries that may still fill, the unknown ones included."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from domain.decisions import Decision
from domain.errors import NoRate
from domain.instruments import Instrument
from domain.numbers import ZERO, decimal_of
from domain.orders import Leg, OrderState, Side
from domain.positions import Position
from risk.snapshot import Exposure
from trading.books import Books
from trading.trades import Trade
from trading.view import MarketView

_RESTING = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


class Exposures:
    """Values the books for the gate. Prices are the last closed ones; risk is what the stop would lose of the entry."""

    def __init__(self, view: MarketView) -> None:
        self._view = view

    def of(self, books: Books, now: datetime) -> list[Exposure]:
        """Everything at risk or about to be; raises `NoRate` when a part of it cannot be valued."""
        found: list[Exposure] = []
        for symbol, trade in books.trades.items():
            fx_rate = self._view.fx_or_none(symbol, now) or trade.entry_fx
            if fx_rate is None:
                raise NoRate(f"the entry under way in {symbol} cannot be valued in {self._view.currency}")
            price = decimal_of(self._view.last_close(symbol) or trade.decision.signal.entry_price)
            if trade.position is not None and trade.position.is_open:
                found.append(self._held(trade, trade.position, books, price, fx_rate))
            found.extend(
                self._waiting(
                    self._view.instruments[symbol], trade.decision, each.remaining, price, fx_rate, each.state
                )
                for each in books.open_orders(trade.trade_id, Leg.ENTRY)
            )
        found.extend(self._foreign(symbol, quantity, now) for symbol, quantity in self._others(books).items())
        return found

    def held(self, books: Books, now: datetime) -> list[Exposure]:
        """Positions that bind margin now, ours and others'. What cannot be valued is left out: `of` keeps entries from
        being judged without it, but what is known to be too much must still be closed."""
        found: list[Exposure] = []
        for trade in books.open_trades():
            symbol = trade.decision.instrument
            fx_rate = self._view.fx_or_none(symbol, now) or trade.entry_fx
            if trade.position is not None and fx_rate is not None:
                price = decimal_of(self._view.last_close(symbol) or trade.decision.signal.entry_price)
                found.append(self._held(trade, trade.position, books, price, fx_rate))
        for symbol, quantity in self._others(books).items():
            if self._view.last_close(symbol) is not None and self._view.fx_or_none(symbol, now) is not None:
                found.append(self._foreign(symbol, quantity, now))
        return found

    def _others(self, books: Books) -> dict[str, Decimal]:
        return {symbol: held for symbol, held in books.foreign.items() if symbol in self._view.tradable}

    def _foreign(self, symbol: str, quantity: Decimal, now: datetime) -> Exposure:
        """What somebody else holds on this account: it uses up exposure and margin like our own; where its stop lies,
        if it has one, is not known."""
        price = self._view.last_close(symbol)
        if price is None:
            raise NoRate(f"what the venue holds of {symbol} beyond our own cannot be valued")
        return Exposure(
            instrument=self._view.instruments[symbol],
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=abs(quantity),
            price=decimal_of(price),
            fx_rate=self._view.fx(symbol, now),
            risk=ZERO,
            unknown=True,
            in_flight=False,
        )

    def in_flight(self, decision: Decision, now: datetime) -> Exposure:
        """The exposure of an entry that was approved a moment ago."""
        symbol = decision.instrument
        price, fx_rate = decimal_of(decision.signal.entry_price), self._view.fx(symbol, now)
        instrument = self._view.instruments[symbol]
        return self._waiting(instrument, decision, decision.quantity, price, fx_rate, OrderState.PENDING)

    def _held(self, trade: Trade, position: Position, books: Books, price: Decimal, fx_rate: Decimal) -> Exposure:
        stops = _stops_of(trade, books)
        per_unit = max(ZERO, *((position.entry_price - stop) * position.side.sign for stop in stops))
        quantity = abs(position.quantity)
        return Exposure(
            instrument=self._view.instruments[position.instrument],
            side=position.side,
            quantity=quantity,
            price=price,
            fx_rate=fx_rate,
            risk=per_unit * quantity * fx_rate,
            unknown=False,
            in_flight=False,
        )

    def _waiting(
        self,
        instrument: Instrument,
        decision: Decision,
        remaining: Decimal,
        price: Decimal,
        fx_rate: Decimal,
        state: OrderState,
    ) -> Exposure:
        return Exposure(
            instrument=instrument,
            side=decision.signal.side,
            quantity=remaining,
            price=price,
            fx_rate=fx_rate,
            risk=decision.risk_amount * remaining / decision.quantity,
            unknown=state is OrderState.UNKNOWN,
            in_flight=True,
        )


def _stops_of(trade: Trade, books: Books) -> list[Decimal]:
    """Where the position's stops rest. While none does, where it was to be stopped at first and where it is to be now:
    a tighter one that the venue has not taken, or has refused, limits nothing yet."""
    orders = (order for order in books.open_orders(trade.trade_id, Leg.STOP) if order.state in _RESTING)
    resting = [order.intent.stop_price for order in orders if order.intent.stop_price is not None]
    if resting:
        return resting
    planned = decimal_of(trade.decision.signal.stop_price)
    return [planned] if trade.stop_price is None else [planned, trade.stop_price]
