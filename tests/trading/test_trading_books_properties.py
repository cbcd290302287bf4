"""Whatever a venue tells, in whatever order and however often: the books hold, and the journal alone rebuilds them."""

from __future__ import annotations

import functools
import shutil
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trading_rig import COIN, instrument
from trading_words import WORDING, Teller

from brokers.protocol import BrokerEvent, Capabilities, EventKind
from domain.numbers import ZERO
from domain.orders import Action, Intent, Leg, Order, OrderKind, OrderState, Side
from domain.records import CashKind
from journal.batch import Batch
from journal.engine import Durability
from journal.journal import Journal
from trading.books import Books
from trading.protection import Protection
from trading.recovery import restore_books
from trading.trades import Changes

OTHER = "OTHERUSD"
INSTRUMENTS = {symbol: instrument(symbol) for symbol in (COIN, OTHER)}


def protection(*, replace: bool, stacks_exits: bool) -> Protection:
    """What derives protective orders for a venue that can do this much."""
    can = Capabilities(
        kinds=frozenset(OrderKind),
        oco=False,
        replace=replace,
        reduce_only=True,
        shorts=True,
        demo_proof="a test",
        stacks_exits=stacks_exits,
    )
    return Protection(WORDING, INSTRUMENTS, can)


STYLES = {
    "replaces": protection(replace=True, stacks_exits=True),
    "stacks": protection(replace=False, stacks_exits=True),
    "locks": protection(replace=False, stacks_exits=False),
}
LOT = Decimal("0.5")


@dataclass
class Resting:
    """An order at the venue."""

    order: Order
    quantity: Decimal
    filled: Decimal = ZERO


class Venue:
    """It obeys its own rules and nets positions; it tells late, twice, and acceptances sometimes last."""

    def __init__(self, chance: Random, style: str) -> None:
        self.protection = STYLES[style]
        self._locks = style == "locks"
        self.teller = Teller()
        self.resting: dict[str, Resting] = {}
        self.held = {COIN: ZERO, OTHER: ZERO}
        self.untold: list[BrokerEvent] = []
        self.told: list[BrokerEvent] = []
        self._arriving: list[Intent] = []
        self._chance = chance
        self._fills = 0
        self._willing = False

    @property
    def books(self) -> Books:
        return self.teller.books

    def _pick(self, *choices: Any) -> Any:
        return self._chance.choice(choices)

    def _agrees(self) -> bool:
        return self._willing or self._chance.random() < 0.75

    # -- what may happen ----------------------------------------------------------------------------------------

    def enter(self) -> None:
        symbol = self._pick(COIN, OTHER)
        # A fill that is told only after the next decision on its instrument stops trading, as it should.
        late = any(event.fill is not None and event.fill.instrument == symbol for event in self.untold)
        if symbol not in self.books.trades and not late:
            side = Side.BUY if self._locks else self._pick(*Side)
            entry = self.teller.enter(side, self._pick(*(LOT * n for n in range(1, 9))), symbol)
            self._arriving.append(entry.intent)

    def arrive(self) -> None:
        """The next intent reaches the venue, or is lost on the way and later known to be absent."""
        if not self._arriving:
            return
        intent = self._arriving.pop(0)
        if intent.action is not Action.PLACE:
            self._change(intent)
        elif self._agrees() and not self._is_locked(intent):
            order = self.books.orders[intent.client_order_id]
            self.resting[intent.client_order_id] = Resting(order, intent.quantity)
            self._say(EventKind.ACCEPTED, intent.client_order_id)
        elif self._pick(True, False):
            self._say(EventKind.REJECTED, intent.client_order_id)
        else:
            self._lose(intent)

    def _is_locked(self, intent: Intent) -> bool:
        """Whether another resting sale has locked what this one would sell."""
        return self._locks and any(
            intent.reduce_only and _reduces(each, intent.instrument) for each in self.resting.values()
        )

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
            one = self.resting.pop(name)
            self._say(self._pick(EventKind.CANCELLED, EventKind.EXPIRED), name)
            *_, before, ended = (None, None, *self.untold)
            only_fill = before is not None and before.fill is not None and before.fill.quantity == one.filled
            if only_fill and before.client_order_id == name and _enters(one.order) and self._pick(True, False):
                self.untold[-2:] = [ended, before]  # the end is told before the fill it followed

    def pay(self) -> None:
        self._fills += 1
        self.untold.append(self.teller.paid(self._pick("-1.5", "2"), CashKind.SWAP, number=self._fills))

    def tell(self) -> None:
        """Some of what is untold, an acceptance perhaps after what followed it, old news perhaps once more."""
        count = self._chance.randint(0, len(self.untold))
        events, self.untold = self.untold[:count], self.untold[count:]
        if len(events) > 1 and events[0].kind is EventKind.ACCEPTED and self._pick(True, False):
            events = [*events[1:], events[0]]
        repeated = [self._pick(*self.told)] if self.told and self._pick(True, False) else []
        self.told += [event for event in events if event.kind is not EventKind.REPLACED]
        self._react(self.teller.tell(*events, *repeated))

    def wait(self) -> None:
        self.teller.wait()

    def settle(self) -> None:
        """The venue takes whatever it is asked, answers, and tells all; questions are asked until none is open."""
        self._willing = True
        for _ in range(40):
            self.wait()
            while self._arriving:
                self.arrive()
            events, self.untold = self.untold, []
            self._react(self.teller.tell(*events))
            missing = self.protection.guard(self.books, self.teller.now)
            self.teller.mean(*missing)
            self._arriving += missing
            answers = Changes()
            for order in self.books.unknown():
                self.books.set_state(order, OrderState.ABSENT, self.teller.now, answers)
            self._react(answers)

    # -- what follows -------------------------------------------------------------------------------------------

    def _react(self, changes: Changes) -> None:
        intents = self.protection.after(changes, self.books, self.teller.now)
        self.teller.mean(*intents)
        assert self.protection.after(changes, self.books, self.teller.now) == [], "derived twice"
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
        one = self.resting.get(name) if self._agrees() else None
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
        "dust": (books.dust, books.dust_cost),
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


@functools.cache
def _template() -> Path:
    """An empty journal to copy: making its tables takes longer than a whole story."""
    path = Path(tempfile.mkdtemp()) / "empty.sqlite"
    Journal.open(path, durability=Durability.NORMAL).close()
    return path


def _empty(folder: Path) -> Journal:
    shutil.copy(_template(), folder / "journal.sqlite")
    return Journal.open(folder / "journal.sqlite", durability=Durability.NORMAL)


STEPS = ("enter", "arrive", "arrive", "fill", "fill", "tell", "tell", "tell", "end", "pay", "wait")


# What follows from what makes a story here, so shrinking would lose it: chance itself is what hypothesis draws.
CHANCE = st.randoms(use_true_random=True)
MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(chance=CHANCE, style=st.sampled_from(sorted(STYLES)))
def test_any_story_keeps_the_books_sound_and_the_journal_rebuilds_them_at_any_prefix(chance, style):
    venue = Venue(chance, style)
    length = chance.randint(20, 120)
    looks = {chance.randrange(length) for _ in range(3)} | {length - 1}
    with tempfile.TemporaryDirectory() as folder, _empty(Path(folder)) as journal:
        for number in range(length):
            getattr(venue, chance.choice(STEPS))()
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


@MANY
@given(chance=CHANCE, style=st.sampled_from(sorted(STYLES)))
def test_once_everything_is_told_and_answered_every_position_is_protected_to_its_size(chance, style):
    venue = Venue(chance, style)
    for _ in range(chance.randint(20, 120)):
        getattr(venue, chance.choice(STEPS))()
    venue.settle()
    for symbol, held in venue.held.items():
        position = venue.books.position(symbol)
        assert (ZERO if position is None else position.quantity) == held
        reducing = [each for each in venue.resting.values() if _reduces(each, symbol)]
        stops = [each.quantity - each.filled for each in reducing if each.order.intent.leg is Leg.STOP]
        if held == 0:
            assert reducing == []
        elif not any(each.order.intent.leg is Leg.CLOSE for each in reducing):
            assert stops == [abs(held)]
