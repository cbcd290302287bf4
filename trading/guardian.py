"""Between bars: nobody leaves a position without a stop, and a target that cannot rest is watched.

A stop must rest at the venue within seconds of the first fill; else the position is closed at the market. A close
that the venue refuses is tried again for as long as the position is open, and halts everything else until a person
has looked. None of this waits for a halt to be lifted: a halt never leaves a position bare.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.bars import Quote
from domain.clock import EPOCH
from domain.decisions import ExitCause
from domain.holds import Effect, Hold, HoldCause, new_hold
from domain.identity import digest
from domain.orders import Intent, Leg, OrderState
from domain.records import Incident
from journal.batch import Batch
from trading.books import Books
from trading.holds import HoldBook
from trading.observer import Observer
from trading.protection import ATTEMPTS, Protection
from trading.targets import reached_by_quotes
from trading.trades import Trade

BARE_FOR = timedelta(seconds=4)
"""How long an open position may lie without a resting stop before it is closed: the next look and the request take
another second, and five are the limit."""

MOST_DOUBLINGS = 3
"""Each refused close doubles the pause before the next try, up to about half a minute."""

REFIT_AFTER = timedelta(seconds=30)
"""After so many refusals in a row that nobody asks any more, a stop that rests and does not fit its position is to be
replaced again after this pause, and each further refusal doubles it, up to about a quarter of an hour."""

MOST_REFIT_DOUBLINGS = 5

UNPROTECTED = "unprotected_position"
_RESTED = (OrderState.CANCELLED, OrderState.EXPIRED, OrderState.FILLED)
_RESTING = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


class Guardian:
    """Looks at every open position, every second or so."""

    def __init__(
        self, *, began: datetime, books: Books, protection: Protection, holds: HoldBook, observer: Observer
    ) -> None:
        """`began` is when this process took the account over."""
        self._books = books
        self._protection = protection
        self._holds = holds
        self._observer = observer
        self._tried: dict[str, datetime] = {}
        self._noted: dict[str, datetime] = {}
        self._began = began

    def look(self, now: datetime, quotes: Mapping[str, Quote], batch: Batch) -> list[Intent]:
        """The intents that close what is bare for too long or has reached a watched target."""
        intents: list[Intent] = []
        open_now = self._books.open_trades()
        self._forget_closed({trade.trade_id for trade in open_now})
        for trade in open_now:
            if not self._is_bare(trade):
                self._tried.pop(trade.trade_id, None)
                if self._may_refit(trade, now):
                    intents.extend(self._protection.refit(trade, self._books, now))
            elif now - self._bare_since(trade) >= BARE_FOR or self._asked_before(trade, self._began):
                self._note(trade, now, batch)
                if self._may_try_again(trade, now):
                    self._tried[trade.trade_id] = now
                    intents.extend(self._protection.close(trade, self._books, now, ExitCause.UNPROTECTED))
        if self._protection.watches_targets and not self._halted(now):
            busy = {intent.position_id for intent in intents}
            for trade, cause in reached_by_quotes(self._books, quotes):
                if trade.trade_id not in busy:
                    intents.extend(self._protection.close(trade, self._books, now, cause))
        return intents

    def _forget_closed(self, open_now: set[str]) -> None:
        for known in (self._tried, self._noted):
            for gone in known.keys() - open_now:
                del known[gone]

    def bare(self) -> list[Trade]:
        """Open trades behind which no stop is known to rest, and which are not being closed."""
        return [trade for trade in self._books.open_trades() if self._is_bare(trade)]

    def unfit(self) -> list[Trade]:
        """Open trades whose resting stop the venue would not replace: it is asked again after a pause."""
        return [
            trade
            for trade in self._books.open_trades()
            if not self._is_bare(trade) and self._protection.may_refit(trade, self._books)
        ]

    def _is_bare(self, trade: Trade) -> bool:
        stops = self._books.open_orders(trade.trade_id, Leg.STOP)
        resting = any(order.state in _RESTING for order in stops)
        if trade.decision.instrument in self._books.short_of:
            return False  # the venue says that less is there: what to sell is for a person to say
        # Of a close without an answer nobody knows whether it closes anything.
        closes = self._books.open_orders(trade.trade_id, Leg.CLOSE)
        return not resting and all(order.state is OrderState.UNKNOWN for order in closes)

    def _asked_before(self, trade: Trade, began: datetime) -> bool:
        """Whether its stop or its close was sent before this process began and has no answer: it was just asked for by
        id, and nobody knows how long the position has lain bare."""
        orders = self._books.open_orders(trade.trade_id)
        unknown = [order.intent for order in orders if order.state is OrderState.UNKNOWN]
        return any(each.created_at < began and each.leg in (Leg.STOP, Leg.CLOSE) for each in unknown)

    def _may_try_again(self, trade: Trade, now: datetime) -> bool:
        """Whether the pause after the last try is over; each refused close doubles it."""
        refused = min(self._books.refused(trade.trade_id, Leg.CLOSE), MOST_DOUBLINGS)
        tried = self._tried.get(trade.trade_id)
        return tried is None or now - tried >= BARE_FOR * (1 << refused)

    def _may_refit(self, trade: Trade, now: datetime) -> bool:
        """Whether successors of its resting stop were refused, or lost, until nobody asked any more, and long enough
        ago: the bar's close, when all is looked over anyway, may be an hour away."""
        if not self._protection.may_refit(trade, self._books):
            return False
        refused = self._books.refused(trade.trade_id, Leg.STOP)
        last = next(each for each in reversed(self._books.orders_of(trade.trade_id)) if each.intent.leg is Leg.STOP)
        return now - last.updated_at >= REFIT_AFTER * (1 << min(refused - ATTEMPTS, MOST_REFIT_DOUBLINGS))

    def _bare_since(self, trade: Trade) -> datetime:
        """Since when nothing protects it: its first fill, or the end of its last stop. Not since somebody looks: the
        process may have begun a moment ago."""
        orders = self._books.orders_of(trade.trade_id)
        ends = [order.updated_at for order in orders if order.intent.leg is Leg.STOP and order.state in _RESTED]
        opened = [] if trade.position is None else [trade.position.opened_at]
        return max(*opened, *ends, EPOCH)

    def _note(self, trade: Trade, now: datetime, batch: Batch) -> None:
        """One incident for each time that it lies bare, and the halt once it cannot be closed either."""
        symbol, since = trade.decision.instrument, self._bare_since(trade)
        refused = self._books.refused(trade.trade_id, Leg.CLOSE)
        if refused >= ATTEMPTS and not self._is_latched():
            self._holds.set(_no_way_out(symbol, refused, now), batch)
        if self._noted.get(trade.trade_id) == since:
            return
        self._noted[trade.trade_id] = since
        incident = Incident(
            incident_id=digest("bare", trade.trade_id, since.isoformat()),
            at=now,
            kind=UNPROTECTED,
            instrument=symbol,
            detail=f"no stop rested behind {symbol} since {since.isoformat()}: it is closed at the market",
        )
        batch.add(incident)
        self._observer.incident(incident)

    def _is_latched(self) -> bool:
        return any(hold.cause is HoldCause.UNPROTECTED and hold.latched for hold in self._holds.all())

    def _halted(self, now: datetime) -> bool:
        return any(hold.effect is Effect.HALT and hold.scope is None for hold in self._holds.in_force(now))


def _no_way_out(symbol: str, refused: int, now: datetime) -> Hold:
    return new_hold(
        HoldCause.UNPROTECTED,
        Effect.HALT,
        since=now,
        latched=True,
        detail=f"the venue refused to close {symbol} {refused} times and no stop rests: it is asked again and again",
    )
