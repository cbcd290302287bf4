"""When so much is lost that nothing may stay open: what a hold that flattens asks for."""

from __future__ import annotations

from datetime import datetime

from domain.decisions import ExitCause
from domain.holds import Effect
from domain.orders import Intent, Leg
from trading.books import Books
from trading.holds import HoldBook
from trading.protection import ATTEMPTS, Protection


def flattening(
    holds: HoldBook, books: Books, protection: Protection, now: datetime, *, between_bars: bool = False
) -> list[Intent]:
    """The market orders that close what a hold in force wants closed; what is being closed already is left alone.

    Nothing while the whole account or the instrument is halted: a halt sends nothing, and its stops rest. A close
    that the venue keeps refusing waits for the next bar.
    """
    in_force = holds.in_force(now)
    flattens = [hold for hold in in_force if hold.flattens]
    halts = [hold for hold in in_force if hold.effect is Effect.HALT]
    intents: list[Intent] = []
    for trade in books.open_trades() if flattens else ():
        symbol = trade.decision.instrument
        if between_bars and books.refused(trade.trade_id, Leg.CLOSE) >= ATTEMPTS:
            continue
        if any(hold.covers(symbol) for hold in flattens) and not any(hold.covers(symbol) for hold in halts):
            intents.extend(protection.close(trade, books, now, ExitCause.EMERGENCY))
    return intents
