"""When so much is lost that nothing may stay open: what a hold that flattens asks for."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

from domain.decisions import ExitCause
from domain.holds import Effect
from domain.orders import Intent, Leg, Order, OrderState
from trading.books import Books
from trading.holds import HoldBook
from trading.protection import ATTEMPTS, Protection
from trading.trades import Trade

PAUSE = timedelta(seconds=4)
MOST_DOUBLINGS = 7
"""Each close that came to nothing doubles the pause before the next try between bars, up to eight and a half minutes:
its stop rests meanwhile, or else the guardian asks more often."""

_RESTING = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


def flattening(
    holds: HoldBook, books: Books, protection: Protection, now: datetime, *, between_bars: bool = False
) -> list[Intent]:
    """The market orders that close what a hold in force wants closed; what is being closed already is left alone.
    Between bars also the cancels that take its entries back: at a bar's close that is part of every strict hold.

    Nothing while the whole account or the instrument is halted: a halt sends nothing, and its stops rest. A close
    that the venue keeps refusing, or lets expire, is tried ever more seldom between bars, and at every bar's close.
    """
    in_force = holds.in_force(now)
    flattens = [hold for hold in in_force if hold.flattens]
    halts = [hold for hold in in_force if hold.effect is Effect.HALT]
    intents: list[Intent] = []
    for symbol, trade in books.trades.items() if flattens else ():
        if not any(hold.covers(symbol) for hold in flattens) or any(hold.covers(symbol) for hold in halts):
            continue
        if between_bars:
            intents.extend(protection.cancel(_resting_entries(trade, books), books, now, "emergency"))
            if not _may_try_again(trade, books, now):
                continue
        intents.extend(protection.close(trade, books, now, ExitCause.EMERGENCY))
    return intents


def _resting_entries(trade: Trade, books: Books) -> list[Order]:
    """Entries that the venue has and that may still fill; one that it will not give back waits for the next bar."""
    return [
        order
        for order in books.open_orders(trade.trade_id, Leg.ENTRY)
        if order.state in _RESTING and books.refused_changes.get(order.client_order_id, 0) < ATTEMPTS
    ]


def _may_try_again(trade: Trade, books: Books, now: datetime) -> bool:
    """Whether the pause after the last close is over: each close in a row that sold nothing doubles it."""
    closes = [order for order in books.orders_of(trade.trade_id) if order.intent.leg is Leg.CLOSE]
    if not closes:
        return True
    in_vain = sum(1 for _ in takewhile(lambda order: not order.filled, reversed(closes)))
    return now - closes[-1].updated_at >= PAUSE * (1 << min(in_vain, MOST_DOUBLINGS))
