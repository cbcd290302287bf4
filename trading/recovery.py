"""After a start: the books and everything that follows from them, rebuilt from the journal alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.decisions import Decision, DecisionStatus, ExitCause, OutcomeKind
from domain.errors import Impossible
from domain.orders import TERMINAL, Action, Fill, Intent, Leg, Order, OrderState
from domain.records import CashKind, EquityPoint, Scan
from journal.reader import Reader
from trading.aftermath import Aftermath
from trading.books import CHANGES_KEY, CURSOR_KEY, GIVEN_UP_KEY, Books
from trading.data_watch import DataWatch
from trading.holds import HoldBook
from trading.incidents import CHANGE_REFUSED, refusal_id
from trading.intents import leaving_cause
from trading.news import News
from trading.orders import CLOCK_KEY
from trading.risk_keeper import RISK_KEY, RiskKeeper
from trading.shadows import ShadowBook
from trading.trades import Trade
from trading.view import MarketView

_TRAVELLING = frozenset({CashKind.REALIZED, CashKind.FEE})
"""What travels with its fill, and is never told as cash."""

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
    orders = {order.client_order_id: order for order in read.orders()}
    fills = read.fills()
    _restore_trades(books, orders.values(), fills, read)
    for order in orders.values():
        books.restore(order)
    for cash in read.cash():
        books.balance += cash.amount
        if cash.kind in _TRAVELLING:
            continue
        books.seen_cash.add(cash.event_id)
        trade = books.trades.get(cash.instrument or "")
        if trade is not None and trade.position is not None and cash.kind in _HELD_CASH:
            trade.swap += cash.amount if cash.at > trade.position.opened_at else 0
    books.seen_fills.update((fill.venue, fill.trade_id) for fill in fills)
    cursor = read.state(CURSOR_KEY)
    books.cursor = json.loads(cursor) if cursor is not None else ""
    _restore_intents(books, orders, read)


def _restore_trades(books: Books, orders: Collection[Order], fills: Sequence[Fill], read: Reader) -> None:
    """Trades whose entry may still fill or whose position is open, in the order they were decided; and of each
    instrument the last one, if it never had a fill or is over."""
    positions = {position.position_id: position for position in read.positions()}
    given_up = read.state(GIVEN_UP_KEY)
    since = None if given_up is None else datetime.fromisoformat(json.loads(given_up))
    for held in positions.values():
        if held.dust and (since is None or held.updated_at > since):
            books.keep_dust(held)
    ended: dict[str, Order] = {}
    for order in orders:
        if order.intent.leg is not Leg.ENTRY:
            continue
        symbol = order.intent.instrument
        position = positions.get(order.intent.position_id)
        ended.pop(symbol, None)
        if order.state in TERMINAL and (position is None or not position.is_open):
            ended[symbol] = order
        else:
            books.trades[symbol] = Trade(decision=_decision_of(order, read), position=position)
    for symbol, order in ended.items():
        last = Trade(decision=_decision_of(order, read), position=positions.get(order.intent.position_id))
        (books.never_filled if last.position is None else books.closed)[symbol] = last
    if books.trades:
        told = {outcome.decision_id for outcome in read.outcomes(kind=OutcomeKind.REAL)}
        for trade in books.trades.values():
            trade.spent = trade.trade_id in told
    _recall_fills(books, orders, fills)


def _recall_fills(books: Books, orders: Collection[Order], fills: Sequence[Fill]) -> None:
    """The rate each open trade was entered at, and which order reduced it last."""
    by_id = {order.client_order_id: order.intent for order in orders}
    active = {trade.trade_id: trade for trade in books.trades.values()}
    for fill in fills:
        intent = by_id[fill.client_order_id]
        found = active.get(intent.position_id)
        if found is None or found.position is None:
            continue
        if found.entry_fx is None:
            found.entry_fx = fill.fx_rate
        if fill.side is not found.position.side:
            found.closing_leg, found.closing_reason = intent.leg, intent.reason


def _decision_of(order: Order, read: Reader) -> Decision:
    decision = read.decision(order.intent.cause_id)
    if decision is None:
        raise Impossible(f"the journal has no decision {order.intent.cause_id} of order {order.client_order_id}")
    return decision


def _restore_intents(books: Books, orders: Mapping[str, Order], read: Reader) -> None:
    """The numbers taken, the changes refused, and the intents still to be answered, in the order they were meant.

    A placement is unanswered while its order is pending or unknown; of changes the journal keeps a list.
    """
    changes = read.state(CHANGES_KEY)
    waiting = set(json.loads(changes)) if changes is not None else set()
    refused = {incident.incident_id for incident in read.incidents() if incident.kind == CHANGE_REFUSED}
    for intent in read.intents():
        books.number(intent)
        _restore_leaving(books, intent)
        if intent.action is Action.PLACE:
            if orders[intent.client_order_id].state in (OrderState.PENDING, OrderState.UNKNOWN):
                books.intents[intent.client_order_id] = intent
            continue
        if intent.client_order_id in waiting:
            books.intents[intent.client_order_id] = intent
        if intent.target_id is not None and refusal_id(intent.client_order_id) in refused:
            books.refused_changes[intent.target_id] = books.refused_changes.get(intent.target_id, 0) + 1


def _restore_leaving(books: Books, intent: Intent) -> None:
    """A stop that was taken back so that its position can be sold says why, and the position is still to be sold."""
    trade = books.trades.get(intent.instrument)
    if trade is None or trade.trade_id != intent.position_id or intent.action is not Action.CANCEL:
        return
    trade.leaving = leaving_cause(intent) or trade.leaving


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
        news.recall(read.news(), read.scores())
    _restore_shadows(read, books, view, shadows, aftermath)
    points = read.equity(limit=1, newest_first=True)
    return Resumption(clock=stored_clock(read), last_scan=last_scan, last_point=points[0] if points else None)


def _restore_shadows(read: Reader, books: Books, view: MarketView, shadows: ShadowBook, aftermath: Aftermath) -> None:
    unresolved = read.unresolved_decisions()
    shadows.restore(unresolved, lambda symbol: view.closed.get(symbol, -1))
    active = {trade.trade_id for trade in books.trades.values()}
    really = {
        outcome.decision_id
        for outcome in read.outcomes(kind=OutcomeKind.REAL)
        if outcome.exit_cause is not ExitCause.DUST
    }
    never_filled = [
        decision.decision_id
        for decision in unresolved
        if decision.status is DecisionStatus.ORDERED
        and decision.decision_id not in active
        and decision.decision_id not in really
    ]
    early = {
        outcome.decision_id: outcome
        for outcome in read.outcomes(kind=OutcomeKind.SHADOW)
        if outcome.decision_id in active
    }
    labelled = [sample.decision_id for sample in read.samples() if sample.decision_id in early] if early else []
    for decision_id in labelled:
        del early[decision_id]
    aftermath.restore(never_filled, early.values(), labelled)
