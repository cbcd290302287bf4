"""After a start: the books and everything that follows from them, rebuilt from the journal alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.decisions import DecisionStatus, OutcomeKind
from domain.orders import TERMINAL, Action, Intent, Leg, Order, OrderKind, OrderState
from domain.positions import Position
from domain.records import CashKind, EquityPoint, Scan
from journal.reader import Reader
from trading.aftermath import Aftermath
from trading.books import CURSOR_KEY, Books, Trade
from trading.data_watch import DataWatch
from trading.holds import HoldBook
from trading.news import News
from trading.orders import CLOCK_KEY
from trading.risk_keeper import RISK_KEY, RiskKeeper
from trading.shadows import ShadowBook
from trading.view import MarketView

NEWS_MEMORY = timedelta(hours=48)
"""Older texts weigh nothing any more."""

_HELD_CASH = frozenset({CashKind.SWAP, CashKind.FUNDING, CashKind.DIVIDEND})


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumption:
    """Where the journal says that trading stood. All None for a new account."""

    clock: datetime | None
    last_scan: Scan | None
    last_point: EquityPoint | None


def stored_clock(read: Reader) -> datetime | None:
    """The time of the last transaction, by the clock trading used; None for a new account."""
    text = read.state(CLOCK_KEY)
    return None if text is None else datetime.fromisoformat(json.loads(text))


def restore_books(books: Books, read: Reader) -> None:
    """Orders, open trades, cash, the broker cursor, and intents whose fate is not known."""
    orders = read.orders()
    positions = {position.position_id: position for position in read.positions()}
    for trade in _active_trades(orders, positions, read):
        books.trades[trade.decision.instrument] = trade
    for order in orders:
        books.restore(order)
    for cash in read.cash():
        books.seen_cash.add(cash.event_id)
        books.balance += cash.amount
        trade_here = books.trades.get(cash.instrument or "")
        position = trade_here.position if trade_here is not None else None
        if trade_here is not None and position is not None and cash.kind in _HELD_CASH:
            trade_here.swap += cash.amount if cash.at >= position.opened_at else 0
    for fill in read.fills():
        books.seen_fills.add((fill.venue, fill.trade_id))
    cursor = read.state(CURSOR_KEY)
    books.cursor = json.loads(cursor) if cursor is not None else ""
    for intent in _open_questions(orders, read):
        books.intents[intent.client_order_id] = intent


def _active_trades(orders: Iterable[Order], positions: dict[str, Position], read: Reader) -> list[Trade]:
    """Trades whose entry may still fill or whose position is open, in the order they were decided."""
    trades = []
    for order in orders:
        if order.intent.leg is not Leg.ENTRY or order.intent.action is not Action.PLACE:
            continue
        position = positions.get(order.intent.position_id)
        if order.state in TERMINAL and (position is None or not position.is_open):
            continue
        decision = read.decision(order.intent.cause_id)
        if decision is None:
            continue
        fills = read.fills(instrument=decision.instrument)
        first = next((fill for fill in fills if fill.client_order_id == order.client_order_id), None)
        entry_fx = None if first is None else first.fx_rate
        trades.append(Trade(decision=decision, position=position, entry_fx=entry_fx))
    return trades


def _open_questions(orders: Iterable[Order], read: Reader) -> list[Intent]:
    """Intents of which the journal does not say what became of them, oldest first.

    A placement is open while its order is pending or unknown; a replacement or cancel while the order it is for
    is open and does not show it yet. Asking again is harmless: both name the state wanted, not a change to it.
    """
    by_id = {order.client_order_id: order for order in orders}
    waiting = (OrderState.PENDING, OrderState.UNKNOWN)
    found = [order.intent for order in by_id.values() if order.state in waiting]
    last_change: dict[str, Intent] = {}
    for action in (Action.REPLACE, Action.CANCEL):
        for intent in read.intents(action=action):
            target = by_id.get(intent.target_id or "")
            if target is None or target.state in TERMINAL:
                continue
            known = last_change.get(target.client_order_id)
            if known is None or intent.attempt > known.attempt:
                last_change[target.client_order_id] = intent
    found.extend(intent for intent in last_change.values() if not _shows(by_id[intent.target_id or ""], intent))
    return sorted(found, key=lambda intent: (intent.created_at, intent.leg, intent.attempt, intent.client_order_id))


def _shows(order: Order, change: Intent) -> bool:
    """Whether an open order already has the quantity and prices a replacement asked for."""
    if change.action is Action.CANCEL:
        return False
    now = order.intent
    price = now.stop_price if now.kind is OrderKind.STOP else now.limit_price
    wanted = change.stop_price if change.kind is OrderKind.STOP else change.limit_price
    return now.quantity == change.quantity and price == wanted


def restore_rest(
    read: Reader,
    *,
    books: Books,
    view: MarketView,
    holds: HoldBook,
    risk: RiskKeeper,
    shadows: ShadowBook,
    aftermath: Aftermath,
    news: News,
    watch: DataWatch,
) -> Resumption:
    """Everything beside the books: holds, risk state, shadows, who labels what, recent news, the market seen."""
    holds.restore(read.holds())
    watch.restore()
    state = read.state(RISK_KEY)
    if state is not None:
        risk.restore(state)
    last_scan = read.last_scan()
    if last_scan is not None:
        view.observe_until(last_scan.at)
        news.recall(read.news(since=last_scan.at - NEWS_MEMORY))
    _restore_shadows(read, books, view, shadows, aftermath)
    points = read.equity(limit=1, newest_first=True)
    return Resumption(clock=stored_clock(read), last_scan=last_scan, last_point=points[0] if points else None)


def _restore_shadows(read: Reader, books: Books, view: MarketView, shadows: ShadowBook, aftermath: Aftermath) -> None:
    unresolved = read.unresolved_decisions()
    shadows.restore(unresolved, lambda symbol: view.closed.get(symbol, -1))
    active = {trade.trade_id for trade in books.trades.values()}
    really = {outcome.decision_id for outcome in read.outcomes(kind=OutcomeKind.REAL)}
    never_filled = [
        decision.decision_id
        for decision in unresolved
        if decision.status is DecisionStatus.ORDERED
        and decision.decision_id not in active
        and decision.decision_id not in really
    ]
    early = [outcome for outcome in read.outcomes(kind=OutcomeKind.SHADOW) if outcome.decision_id in active]
    aftermath.restore(never_filled, early)
