"""Our view of the account: orders, positions, cash and the plan behind each trade, folded from broker events.

Every change goes into the batch that will make it durable; nothing here talks to a broker or a file. The books
are rebuilt from the journal at start (`trading/recovery.py`), so they hold nothing the journal does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from brokers.protocol import BrokerEvent, EventKind
from domain.decisions import Decision
from domain.errors import Impossible
from domain.numbers import ZERO
from domain.orders import TERMINAL, TRANSITIONS, Action, Fill, Intent, Leg, Order, OrderState
from domain.positions import Position, opened_by, realized_by
from domain.records import CashEvent, CashKind
from journal.batch import Batch
from trading.incidents import change_refused, foreign_order, late_order
from trading.trades import Changes, Trade

CURSOR_KEY = "broker_cursor"
CHANGES_KEY = "unanswered_changes"
"""Ids of the replacements and cancels that the venue has not answered: no row of theirs says so."""

GIVEN_UP_KEY = "given_up_at"
"""When a person last began the account anew: what was there before is not there any more."""

GIVEN_UP = "given up: the account was begun anew"

_STATE_OF_EVENT = {
    EventKind.ACCEPTED: OrderState.ACCEPTED,
    EventKind.REJECTED: OrderState.REJECTED,
    EventKind.CANCELLED: OrderState.CANCELLED,
    EventKind.EXPIRED: OrderState.EXPIRED,
}
REFUSED = (OrderState.REJECTED, OrderState.ABSENT)
_REFUSALS = (EventKind.REPLACE_REJECTED, EventKind.CANCEL_REJECTED)

Dust = Callable[[str, Decimal, Decimal], bool]
"""Whether so much of an instrument, at that price, is too little to be sold."""


class Books:
    """Orders by client id, open trades by instrument, the cash balance, and the broker cursor."""

    def __init__(self, account: str, currency: str, *, is_dust: Dust | None = None) -> None:
        """`is_dust` says whether so much of an instrument, at that price, is too little to be sold."""
        self.account = account
        self.currency = currency
        self._is_dust = is_dust
        self.foreign: dict[str, Decimal] = {}
        self.short_of: frozenset[str] = frozenset()
        self.dust: dict[str, Decimal] = {}
        self.dust_cost = ZERO
        self._left_dust: set[str] = set()
        self.orders: dict[str, Order] = {}
        self._open_ids: dict[str, dict[str, None]] = {}
        self._all_ids: dict[str, dict[str, None]] = {}
        self.trades: dict[str, Trade] = {}
        self.intents: dict[str, Intent] = {}
        self.attempts: dict[tuple[str, Leg], int] = {}
        self.refused_changes: dict[str, int] = {}
        self._given_up: dict[str, Intent] = {}
        self.never_filled: dict[str, Trade] = {}
        self.closed: dict[str, Trade] = {}
        self.balance = ZERO
        self.cursor = ""
        self.seen_fills: set[tuple[str, str]] = set()
        self.seen_cash: set[str] = set()

    def open_orders(self, trade_id: str, leg: Leg | None = None) -> list[Order]:
        """Orders of a trade that are not terminal, oldest first."""
        ids = self._open_ids.get(trade_id, {})
        return [self.orders[each] for each in ids if leg is None or self.orders[each].intent.leg is leg]

    def orders_of(self, trade_id: str) -> list[Order]:
        """Every order of a trade that is not finished, terminal ones included, oldest first."""
        return [self.orders[each] for each in self._all_ids.get(trade_id, {})]

    def refused(self, trade_id: str, leg: Leg) -> int:
        """How many orders of one leg in a row, up to the newest, the venue refused or never had."""
        states = [order.state in REFUSED for order in reversed(self.orders_of(trade_id)) if order.intent.leg is leg]
        return next((count for count, refused in enumerate(states) if not refused), len(states))

    def entry_of(self, instrument: str) -> Order | None:
        """The entry order of an instrument that may still fill; None when there is none."""
        trade = self.trades.get(instrument)
        if trade is None:
            return None
        return next(iter(self.open_orders(trade.trade_id, Leg.ENTRY)), None)

    def position(self, instrument: str) -> Position | None:
        """The open position in an instrument; None when flat."""
        trade = self.trades.get(instrument)
        if trade is None or trade.position is None or not trade.position.is_open:
            return None
        return trade.position

    def open_trades(self) -> list[Trade]:
        """Trades with an open position, in the order they were decided."""
        return [trade for trade in self.trades.values() if trade.position is not None and trade.position.is_open]

    def pending(self) -> list[Intent]:
        """Intents that are durable but of which the venue has not yet told anything, oldest first."""
        return list(self.intents.values())

    def orphans(self) -> list[Order]:
        """Open orders that belong to no trade in hand: their position closed, or they were thought absent."""
        active = {trade.trade_id for trade in self.trades.values()}
        return [self.orders[each] for trade_id, ids in self._open_ids.items() if trade_id not in active for each in ids]

    def all_open_orders(self) -> list[Order]:
        """Every order that is not terminal."""
        return [self.orders[each] for ids in self._open_ids.values() for each in ids]

    def unknown(self) -> list[Order]:
        """Orders of which it is not known whether the venue has them."""
        return [order for order in self.all_open_orders() if order.state is OrderState.UNKNOWN]

    def next_attempt(self, trade_id: str, leg: Leg) -> int:
        """The number of the next order for one leg of a trade; numbers are never used twice."""
        return self.attempts.get((trade_id, leg), 0) + 1

    def intend(self, intent: Intent, batch: Batch) -> None:
        """Enter an intent (and, for a new order, its pending state) into the books and the batch."""
        self.intents[intent.client_order_id] = intent
        self.number(intent)
        batch.add(intent)
        if intent.action is Action.PLACE:
            order = Order(intent=intent, state=OrderState.PENDING, updated_at=intent.created_at)
            self._store(order, batch)
        else:
            self._note_changes(batch)

    def number(self, intent: Intent) -> None:
        """Remember that the number of an intent within its leg is taken, by a change of an order as by an order."""
        key = (intent.position_id, intent.leg)
        self.attempts[key] = max(self.attempts.get(key, 0), intent.attempt)

    def drop_change(self, intent: Intent, at: datetime, reason: str, changes: Changes) -> None:
        """Give up a replacement or cancel that can no longer be sent; its instrument is looked at again."""
        if self.intents.pop(intent.client_order_id, None) is None:
            return
        self._given_up[intent.client_order_id] = intent
        self._note_changes(changes.batch)
        changes.touched.add(intent.instrument)
        self._count_refusal(intent, at, reason, changes)

    def open_trade(self, decision: Decision) -> None:
        """Remember the plan behind an entry about to be sent; one per instrument."""
        known = self.trades.get(decision.instrument)
        if known is not None:
            raise Impossible(f"{decision.instrument} already has the trade {known.trade_id}")
        self.never_filled.pop(decision.instrument, None)
        self.closed.pop(decision.instrument, None)
        self.trades[decision.instrument] = Trade(decision=decision)

    def give_up(self, at: datetime, changes: Changes) -> None:
        """Let go of everything that was believed to be at the venue: it is no longer there. Nothing is booked for it.

        Orders end, positions are closed as they stand, and their decisions are labelled by their shadows.
        """
        for order in self.all_open_orders():
            answered = order.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
            state = OrderState.CANCELLED if answered else OrderState.ABSENT
            self.set_state(order, state, at, changes, reason=GIVEN_UP)
        for trade in list(self.trades.values()):
            if trade.position is not None and trade.position.is_open:
                trade.position = trade.position.swept(at)
                changes.batch.add(trade.position)
            if not trade.spent:  # else its outcome is written already
                changes.unfilled.append(trade.decision)
            self.closed[trade.decision.instrument] = self.trades.pop(trade.decision.instrument)
            self._all_ids.pop(trade.trade_id, None)
        self.intents.clear()
        self._note_changes(changes.batch)
        changes.batch.put_state(GIVEN_UP_KEY, json.dumps(at.isoformat()))
        self.dust.clear()
        self._left_dust.clear()
        self.dust_cost = ZERO

    def restore(self, order: Order) -> None:
        """Take an order over from the journal."""
        self._remember(order)

    def _store(self, order: Order, batch: Batch) -> None:
        self._remember(order)
        batch.add(order)

    def _remember(self, order: Order) -> None:
        self.orders[order.client_order_id] = order
        self._all_ids.setdefault(order.intent.position_id, {})[order.client_order_id] = None
        trade = self.trades.get(order.intent.instrument)
        if order.intent.leg is Leg.STOP and trade is not None and trade.trade_id == order.intent.position_id:
            trade.note_stop(order.intent)
        ids = self._open_ids.setdefault(order.intent.position_id, {})
        if order.state in TERMINAL:
            ids.pop(order.client_order_id, None)
            if not ids:
                del self._open_ids[order.intent.position_id]
        else:
            ids[order.client_order_id] = None

    # -- what happened ----------------------------------------------------------------------------------------

    def apply(self, events: Iterable[BrokerEvent], cursor: str) -> Changes:
        """Fold events into the books; the changes carry everything that must be durable before it is acted on."""
        changes = Changes()
        for event in events:
            self._apply_one(event, changes)
        self.cursor = cursor
        changes.batch.put_state(CURSOR_KEY, json.dumps(cursor))
        self._forget_finished(changes)
        return changes

    def set_state(self, order: Order, state: OrderState, at: datetime, changes: Changes, *, reason: str = "") -> Order:
        """Move an order through its table outside of a venue event (unknown, absent)."""
        moved = order.moved(state, at, reason=reason)
        self._store(moved, changes.batch)
        changes.moved.append(moved)
        changes.touched.add(moved.intent.instrument)
        self._settle_entry(moved, changes)
        if state is not OrderState.UNKNOWN:
            self.intents.pop(order.client_order_id, None)
        self._forget_finished(changes)
        return moved

    def _apply_one(self, event: BrokerEvent, changes: Changes) -> None:
        if event.cash is not None:
            self._apply_cash(event.cash, changes)
            return
        intent = self.intents.pop(event.intent_id or "", None)
        if intent is not None and intent.action is not Action.PLACE:
            self._note_changes(changes.batch)
        order = self.orders.get(event.client_order_id or "")
        if order is None:
            changes.batch.add(foreign_order(event))
            return
        changes.touched.add(order.intent.instrument)
        if order.state is OrderState.ABSENT:
            changes.batch.add(late_order(event, order))
        if event.fill is not None:
            self._apply_fill(event.fill, order, changes)
        elif event.kind is EventKind.REPLACED:
            meant = intent or self._given_up.pop(event.intent_id or "", None)
            self._apply_replacement(meant, event.at, order, changes)
        elif event.kind in _REFUSALS:
            if intent is not None:
                self._count_refusal(intent, event.at, event.reason, changes)
        else:
            self._apply_state(event, order, changes)

    def _apply_state(self, event: BrokerEvent, order: Order, changes: Changes) -> None:
        state = _STATE_OF_EVENT[event.kind]
        if order.state is state or (order.state in TERMINAL and state not in TRANSITIONS[order.state]):
            return  # told twice, or told late: how an order ended is the last word, but for fills
        if state is OrderState.ACCEPTED and order.state is OrderState.PARTIALLY_FILLED:
            return
        moved = order.moved(state, event.at, reason=event.reason, venue_order_id=event.venue_order_id)
        self._store(moved, changes.batch)
        changes.moved.append(moved)
        if state is OrderState.REJECTED:
            changes.rejected.append(moved)
        self._settle_entry(moved, changes)

    def _apply_replacement(self, intent: Intent | None, at: datetime, order: Order, changes: Changes) -> None:
        if intent is None or order.state in TERMINAL:
            return  # told twice, or overtaken by a fill or a cancel
        self._store(order.amended(intent, at), changes.batch)

    def _count_refusal(self, intent: Intent, at: datetime, reason: str, changes: Changes) -> None:
        """Count a change that an open order did not get; the count says when to try it another way."""
        order = self.orders.get(intent.target_id or "")
        if order is None or order.state in TERMINAL:
            return  # overtaken by a fill or a cancel
        self.refused_changes[order.client_order_id] = self.refused_changes.get(order.client_order_id, 0) + 1
        changes.batch.add(change_refused(intent, order, at, reason))

    def _apply_fill(self, fill: Fill, order: Order, changes: Changes) -> None:
        key = (fill.venue, fill.trade_id)
        if key in self.seen_fills:
            return
        self.seen_fills.add(key)
        filled = order.with_fill(fill)
        changes.batch.add(fill)
        self._store(filled, changes.batch)
        changes.fills.append((fill, filled))
        changes.moved.append(filled)
        trade = self._trade_of(filled, changes)
        before = self._lifted(trade)
        if before is None:
            trade.position = opened_by(fill, position_id=trade.trade_id, account=self.account)
            trade.entry_fx = fill.fx_rate
        else:
            trade.position = before.after(fill)
            if fill.side is not before.side:
                self._book(CashKind.REALIZED, f"realized-{fill.trade_id}", fill, realized_by(before, fill), changes)
                trade.closing_leg, trade.closing_reason = filled.intent.leg, filled.intent.reason
        changes.batch.add(trade.position)
        if fill.fee:
            self._book(CashKind.FEE, f"fee-{fill.trade_id}", fill, -fill.fee, changes)
        self._close_out(trade, fill.at, changes)

    def _close_out(self, trade: Trade, at: datetime, changes: Changes) -> None:
        """End a trade whose entry can fill no more and of which nothing is left that could be sold."""
        position = trade.position
        if position is None or self.open_orders(trade.trade_id, Leg.ENTRY):
            return
        if position.is_open and self._is_dust is not None:
            price = position.exit_price or position.entry_price
            if not self._is_dust(position.instrument, abs(position.quantity), price):
                return
            position = trade.position = position.swept(at)
            self.keep_dust(position)
            changes.batch.add(position)
        if not position.is_open and not any(each is trade for each in changes.closed):
            changes.closed.append(trade)

    def keep_dust(self, position: Position) -> None:
        """Count what a closed position left behind: it stays in the account, at what it cost."""
        self._left_dust.add(position.position_id)
        self.dust[position.instrument] = self.dust.get(position.instrument, ZERO) + position.dust
        self.dust_cost += position.dust * position.entry_price

    def _lifted(self, trade: Trade) -> Position | None:
        """The position before a fill; one that was swept is held again, dust and all. What was given up left none."""
        position = trade.position
        if position is not None and position.position_id in self._left_dust:
            self._left_dust.remove(position.position_id)
            self.dust[position.instrument] -= position.dust
            self.dust_cost -= position.dust * position.entry_price
        return position

    def _trade_of(self, order: Order, changes: Changes) -> Trade:
        """The trade that a fill belongs to; an entry thought to have ended without a fill comes back with one."""
        symbol = order.intent.instrument
        trade = self.trades.get(symbol)
        if trade is None and symbol in self.never_filled:
            trade = self.never_filled[symbol]
            if trade.trade_id == order.intent.position_id:
                self.trades[symbol] = self.never_filled.pop(symbol)
                changes.revived.append(trade.decision)
        if trade is None and symbol in self.closed and self.closed[symbol].trade_id == order.intent.position_id:
            # Its outcome is written, so what comes now cannot belong to it: the position is closed again at once.
            trade = self.trades[symbol] = self.closed.pop(symbol)
            trade.spent = True
        if trade is None or trade.trade_id != order.intent.position_id:
            raise Impossible(f"a fill of {order.client_order_id} belongs to no trade in {symbol}")
        return trade

    def _settle_entry(self, order: Order, changes: Changes) -> None:
        """An entry that ended leaves either a position, or a decision that was never filled, or a closed trade."""
        if order.intent.leg is not Leg.ENTRY or order.state not in TERMINAL or order.state is OrderState.FILLED:
            return
        trade = self.trades.get(order.intent.instrument)
        if trade is None or trade.trade_id != order.intent.position_id:
            return
        if trade.position is None:
            changes.unfilled.append(trade.decision)
            self.never_filled[order.intent.instrument] = self.trades.pop(order.intent.instrument)
        else:
            self._close_out(trade, order.updated_at, changes)

    def _book(self, kind: CashKind, event_id: str, fill: Fill, amount: Decimal, changes: Changes) -> None:
        self.balance += amount
        changes.batch.add(
            CashEvent(event_id=event_id, kind=kind, at=fill.at, amount=amount, instrument=fill.instrument)
        )

    def _apply_cash(self, cash: CashEvent, changes: Changes) -> None:
        if cash.event_id in self.seen_cash:
            return
        self.seen_cash.add(cash.event_id)
        self.balance += cash.amount
        changes.batch.add(cash)
        if cash.kind in (CashKind.DEPOSIT, CashKind.RESET):
            changes.withdrawn.append(cash)
            return
        trade = self.trades.get(cash.instrument or "")
        if trade is not None and trade.position is not None and cash.at > trade.position.opened_at:
            trade.swap += cash.amount

    def _note_changes(self, batch: Batch) -> None:
        waiting = [intent.client_order_id for intent in self.intents.values() if intent.action is not Action.PLACE]
        batch.put_state(CHANGES_KEY, json.dumps(waiting))

    def _forget_finished(self, changes: Changes) -> None:
        """Drop what no later event can concern: orders of closed trades stay only in the journal."""
        for trade in changes.closed:
            instrument = trade.decision.instrument
            if self.trades.get(instrument) is trade:
                del self.trades[instrument]
                self.closed[instrument] = trade
            self._all_ids.pop(trade.trade_id, None)
