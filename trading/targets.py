"""Targets that no order waits at: where a resting sale locks what it sells, only the stop rests."""

from __future__ import annotations

from collections.abc import Mapping

from domain.bars import Quote
from domain.decisions import ExitCause
from market.feed import Moment
from trading.books import Books
from trading.trades import Trade
from trading.view import MarketView


def reached_by_quotes(books: Books, quotes: Mapping[str, Quote]) -> list[tuple[Trade, ExitCause]]:
    """Open trades whose target could be had now: a long one sells at the bid, a short one buys at the ask."""
    return [
        (trade, ExitCause.TARGET)
        for trade in books.open_trades()
        if (quote := quotes.get(trade.decision.instrument)) is not None and _reached(trade, quote.bid, quote.ask)
    ]


def reached_by_bars(books: Books, moment: Moment, view: MarketView) -> list[tuple[Trade, ExitCause]]:
    """Open trades whose target lay inside the bar that just closed, and was missed between quotes.

    Only bars that opened after the position did are looked at: what the entry's own bar did before it is not known.
    """
    found = []
    for ref in moment.closed:
        trade = books.trades.get(ref.symbol)
        if trade is None or trade.position is None or not trade.position.is_open:
            continue
        bars = view.bars(ref.symbol)
        opened = bars.series.bar(ref.index).opened_at
        spread = bars.half_spread[ref.index]
        if opened >= trade.position.opened_at and _reached(
            trade, bars.high[ref.index] - spread, bars.low[ref.index] + spread
        ):
            found.append((trade, ExitCause.TARGET))
    return found


def _reached(trade: Trade, best_bid: float, best_ask: float) -> bool:
    """Whether a sale at `best_bid` (a purchase at `best_ask`) would be at the target or better."""
    if trade.leaving is not None:
        return False
    target = trade.decision.signal.target_price
    return best_bid >= target if trade.decision.signal.side.sign > 0 else best_ask <= target
