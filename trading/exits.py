"""What the exit policy says about open positions at the close of a bar."""

from __future__ import annotations

from datetime import datetime

from domain.clock import from_epoch
from domain.orders import Intent
from market.feed import Moment
from signals.exits import Close, ExitPolicy, ExitView, MoveStop, exit_step
from trading.books import Books
from trading.protection import Protection
from trading.trades import Trade
from trading.view import MarketView


class Exits:
    """Tightens stops and closes positions by rule; never loosens anything."""

    def __init__(self, *, view: MarketView, policy: ExitPolicy, protection: Protection) -> None:
        self._view = view
        self._policy = policy
        self._protection = protection

    def at_close(self, moment: Moment, books: Books, now: datetime) -> list[Intent]:
        """The intents for positions whose instrument's bar has just closed."""
        intents: list[Intent] = []
        for ref in moment.closed:
            trade = books.trades.get(ref.symbol)
            if trade is None or trade.position is None or not trade.position.is_open:
                continue
            intents.extend(self._manage(trade, ref.index, books, now))
        return intents

    def _manage(self, trade: Trade, index: int, books: Books, now: datetime) -> list[Intent]:
        position = trade.position
        if position is None:
            return []
        bars = self._view.bars(position.instrument)
        signal = trade.decision.signal
        entry = float(position.entry_price)
        held = bars.count_between(position.opened_at, from_epoch(bars.opened[index] + bars.seconds))
        first = max(0, index + 1 - max(held, 1))
        best = (
            max(entry, *bars.high[first : index + 1])
            if position.side.sign > 0
            else min(entry, *bars.low[first : index + 1])
        )
        stop = trade.stop_price
        view = ExitView(
            side=position.side,
            entry_price=entry,
            initial_stop=signal.stop_price,
            stop=float(stop) if stop is not None else signal.stop_price,
            target=signal.target_price,
            bars_held=held,
            best_price=best,
        )
        action = exit_step(view, bars.table, index, self._policy, weekend_ahead=bars.weekend_ahead(index))
        if isinstance(action, MoveStop):
            price = self._view.instruments[position.instrument].price(action.price)
            return self._protection.move_stop(trade, books, now, price)
        if isinstance(action, Close):
            return self._protection.close(trade, books, now, action.cause)
        return []
