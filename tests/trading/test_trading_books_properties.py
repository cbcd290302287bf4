"""Whatever a venue tells, in whatever order and however often: the books hold, and the journal alone rebuilds them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trading_rig import COIN, instrument
from trading_words import WORDING, Teller

from brokers.protocol import BrokerEvent, EventKind
from domain.numbers import ZERO
from domain.orders import Action, Intent, Leg, Order, OrderState, Side
from domain.records import CashKind
from journal.batch import Batch
from journal.engine import Durability
from journal.journal import Journal
from trading.books import Books, Changes
from trading.protection import Protection
from trading.recovery import restore_books

OTHER = "OTHERUSD"
PROTECTION = Protection(WORDING, {symbol: instrument(symbol) for symbol in (COIN, OTHER)})
LOT = Decimal("0.5")


@dataclass
class Resting:
    """An order at the venue."""

    order: Order
    quantity: Decimal
    filled: Decimal = ZERO


class Venue:
    """It obeys its own rules and nets positions; it tells late, twice, and acceptances sometimes last."""

    def __init__(self, data: st.DataObject) -> None:
        self.teller = Teller()
        self.resting: dict[str, Resting] = {}
        self.held = {COIN: ZERO, OTHER: ZERO}
        self.untold: list[BrokerEvent] = []
        self.told: list[BrokerEvent] = []
        self._arriving: list[Intent] = []
        self._data = data
        self._fills = 0

    @property
    def books(self) -> Books:
        return self.teller.books

    def _pick(self, *choices: Any) -> Any:
        return self._data.draw(st.sampled_from(choices))

    # -- what may happen ----------------------------------------------------------------------------------------

    def enter(self) -> None:
        symbol = self._pick(COIN, OTHER)
        if symbol not in self.books.trades:
            entry = self.teller.enter(self._pick(*Side), self._pick(*(LOT * n for n in range(1, 9))), symbol)
            self._arriving.append(entry.intent)

    def arrive(self) -> None:
        """The next intent reaches the venue, or is lost on the way and later known to be absent."""
        if not self._arriving:
            return
        intent = self._arriving.pop(0)
        if intent.action is not Action.PLACE:
            self._change(intent)
        elif self._pick(True, True, True, False):
            order = self.books.orders[intent.client_order_id]
            self.resting[intent.client_order_id] = Resting(order, intent.quantity)
            self._say(EventKind.ACCEPTED, intent.client_order_id)
        elif self._pick(True, False):
            self._say(EventKind.REJECTED, intent.client_order_id)
        else:
            self._lose(intent)

    def fill(self) -> None:
        """Some resting order is executed, in whole or in part; what only reduces never passes zero."""
        if not self.resting:
            return
        one = self.resting[self._pick(*self.resting)]
        intent = one.order.intent
        most = one.quantity - one.filled
        if intent.reduce_only:
            most = min(most, max(ZERO, -intent.side.sign * self.held[intent.instrument]))
        elif -intent.side.sign * self.held[intent.instrument] > 0:
            return
        if most <= 0:
            return
        quantity = most if self._pick(True, False) else max(LOT, most // LOT // 2 * LOT)
        self._fills += 1
        one.filled += quantity
        self.held[intent.instrument] += intent.side.sign * quantity
        price = self._pick("95", "99.5", "100", "103.25")
        self.untold.append(
            self.teller.filled(one.order, quantity, price, number=self._fills, fee=self._pick("0", "0.07"))
        )
        if one.filled == one.quantity:
            del self.resting[intent.client_order_id]
        if self.held[intent.instrument] == 0:
            for name in [n for n, each in self.resting.items() if _reduces(each, intent.instrument)]:
                del self.resting[name]
                self._say(EventKind.CANCELLED, name)

    def end(self) -> None:
        """The venue ends an order by itself."""
        if self.resting:
            name = self._pick(*self.resting)
            del self.resting[name]
            self._say(self._pick(EventKind.CANCELLED, EventKind.EXPIRED), name)

    def pay(self) -> None:
        self._fills += 1
        self.untold.append(self.teller.paid(self._pick("-1.5", "2"), CashKind.SWAP, number=self._fills))

    def tell(self) -> None:
        """Some of what is untold, an acceptance perhaps after what followed it, old news perhaps once more."""
        count = self._data.draw(st.integers(0, len(self.untold)))
        events, self.untold = self.untold[:count], self.untold[count:]
        if len(events) > 1 and events[0].kind is EventKind.ACCEPTED and self._pick(True, False):
            events = [*events[1:], events[0]]
        repeated = [self._pick(*self.told)] if self.told and self._pick(True, False) else []
        self.told += [event for event in events if event.kind is not EventKind.REPLACED]
        self._react(self.teller.tell(*events, *repeated))

    def wait(self) -> None:
        self.teller.wait()

    # -- what follows -------------------------------------------------------------------------------------------

    def _react(self, changes: Changes) -> None:
        intents = PROTECTION.after(changes, self.books, self.teller.now)
        self.teller.mean(*intents)
        assert PROTECTION.after(changes, self.books, self.teller.now) == [], "derived twice"
        self._arriving += intents

    def _lose(self, intent: Intent) -> None:
        changes = Changes()
        order = self.books.orders[intent.client_order_id]
        if order.state is OrderState.PENDING:
            unknown = self.books.set_state(order, OrderState.UNKNOWN, self.teller.now, changes)
            if self._pick(True, False):
                self.books.set_state(unknown, OrderState.ABSENT, self.teller.now, changes)
        self.teller.batches.append(changes.batch)
        self._react(changes)

    def _change(self, intent: Intent) -> None:
        name = intent.target_id or ""
        one = self.resting.get(name) if self._pick(True, True, False) else None
        if intent.action is Action.CANCEL:
            if one is not None:
                del self.resting[name]
            self._say(EventKind.CANCEL_REJECTED if one is None else EventKind.CANCELLED, name, intent=intent)
            return
        taken = one is not None and intent.quantity > one.filled
        if one is not None and taken:
            one.quantity = intent.quantity
        self._say(EventKind.REPLACED if taken else EventKind.REPLACE_REJECTED, name, intent=intent)

    def _say(self, kind: EventKind, name: str, intent: Intent | None = None) -> None:
        self.untold.append(self.teller.said(kind, self.books.orders[name], intent=intent))


def _reduces(each: Resting, symbol: str) -> bool:
    return each.order.intent.reduce_only and each.order.intent.instrument == symbol


def told_of(books: Books) -> dict[str, Any]:
    """Everything the books hold that a decision or a send may depend on."""
    return {
        "orders": books.orders,
        "trades": books.trades,
        "never_filled": books.never_filled,
        "pending": books.pending(),
        "numbers": books.attempts,
        "refused": books.refused_changes,
        "open": {name: list(ids) for name, ids in books._open_ids.items()},
        "balance": books.balance,
        "cursor": books.cursor,
        "fills": books.seen_fills,
        "cash": books.seen_cash,
    }


def demand_sound(venue: Venue) -> None:
    """What holds at every moment, whatever was told so far."""
    books = venue.books
    for order in books.orders.values():
        assert order.filled <= order.intent.quantity
    entered = {order.intent.position_id: order.intent.quantity for order in books.orders.values() if _enters(order)}
    for trade in books.trades.values():
        if trade.position is not None:
            assert trade.position.quantity * trade.position.side.sign >= 0
            assert trade.position.entered <= entered[trade.trade_id]


def _enters(order: Order) -> bool:
    return order.intent.leg is Leg.ENTRY


STEPS = ("enter", "arrive", "arrive", "fill", "fill", "tell", "tell", "tell", "end", "pay", "wait")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_story_keeps_the_books_sound_and_the_journal_rebuilds_them_at_any_prefix(data):
    venue = Venue(data)
    steps = data.draw(st.lists(st.sampled_from(STEPS), min_size=10, max_size=60))
    looks = data.draw(st.sets(st.integers(0, len(steps) - 1), min_size=1, max_size=3)) | {len(steps) - 1}
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.open(Path(folder) / "journal.sqlite", durability=Durability.NORMAL) as journal,
    ):
        for number, step in enumerate(steps):
            getattr(venue, step)()
            demand_sound(venue)
            if number in looks:
                whole = Batch()
                for batch in venue.teller.batches:
                    whole.extend(batch)
                venue.teller.batches.clear()
                journal.commit(whole)
                rebuilt = Books("main", "USD")
                restore_books(rebuilt, journal.read)
                assert told_of(rebuilt) == told_of(venue.books)
        assert venue.books.balance == sum((cash.amount for cash in journal.read.cash()), ZERO)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_once_everything_is_told_and_answered_every_position_is_protected_to_its_size(data):
    venue = Venue(data)
    for step in data.draw(st.lists(st.sampled_from(STEPS), min_size=10, max_size=60)):
        getattr(venue, step)()
    venue._pick = lambda *choices: choices[0]
    for _ in range(40):
        venue.teller.now += (venue.teller.wait() - venue.teller.now) * 0
        venue.arrive()
        events, venue.untold = venue.untold, []
        venue._react(venue.teller.tell(*events))
        again = PROTECTION.guard(venue.books, venue.teller.now)
        venue.teller.mean(*again)
        venue._arriving += again
        unknown = Changes()
        for order in venue.books.unknown():
            venue.books.set_state(order, OrderState.ABSENT, venue.teller.now, unknown)
        venue._react(unknown)
    for symbol, held in venue.held.items():
        position = venue.books.position(symbol)
        assert (ZERO if position is None else position.quantity) == held
        stops = [
            each for each in venue.resting.values() if _reduces(each, symbol) and each.order.intent.leg is Leg.STOP
        ]
        closing = [each for each in venue.resting.values() if each.order.intent.leg is Leg.CLOSE]
        if held != 0 and not any(each.order.intent.instrument == symbol for each in closing):
            assert [each.quantity - each.filled for each in stops] == [abs(held)]
        if held == 0:
            assert stops == []
