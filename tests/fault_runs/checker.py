"""The one checker of every fault run: the journal and the broker's log against the exchange's own ledger.

It runs when the daemon has stopped, and gives back what is wrong, each fault under the name of its rule.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from fault_runs.ledger_view import CASH, OURS, ZERO, Held, LedgerView, Span, within, without

from journal.journal import Journal
from journal.verify import verify

STOP_WITHIN_MS = 5_000
ORPHAN_WITHIN_MS = 10_000
STOP_RULE = "a stop within 5 s"
ORPHAN_RULE = "no orphan stop"
ROUNDING = Decimal("0.00001")
"""What two ledgers may differ by that round each booking to eight digits."""
NOT_THERE = ("absent", "rejected")
STATES: Mapping[str, frozenset[str]] = {
    "NEW": frozenset({"accepted"}),
    "PARTIALLY_FILLED": frozenset({"partially_filled"}),
    "FILLED": frozenset({"filled"}),
    "CANCELED": frozenset({"cancelled"}),
    "EXPIRED": frozenset({"expired", "cancelled"}),
    "REJECTED": frozenset({"rejected", "cancelled"}),
}
"""What the journal may say of an order by what the exchange says."""

_ORDERS = """SELECT o.client_order_id, i.leg, i.cause_kind, i.cause_id, i.attempt, i.instrument, o.state, o.filled
FROM orders o JOIN intents i USING (client_order_id)
WHERE o.version = (SELECT max(version) FROM orders l WHERE l.client_order_id = o.client_order_id)"""
_FILLS = "SELECT trade_id, client_order_id, instrument, side, quantity, price, fee, base_fee, at FROM fills"
_POSITIONS = """SELECT instrument, side, quantity, dust FROM positions p WHERE row_id =
(SELECT max(row_id) FROM positions l WHERE l.position_id = p.position_id)"""
_TWICE = """SELECT cause_kind, cause_id, leg, attempt, count(*) FROM intents
GROUP BY account, cause_kind, cause_id, leg, attempt HAVING count(*) > 1"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """One process of the daemon, in milliseconds; one that was never ready has no `ready`."""

    began: int
    ready: int | None
    ended: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What is to be compared. In `excused` times the exchange was faulted, so that nobody could place a stop.

    While the daemon runs nobody else may read the broker's log: then `venue_log` is None.
    """

    ledger: Mapping[str, Any]
    market: str
    journal: Path
    venue_log: Path | None
    lives: Sequence[Life]
    excused: Sequence[Span] = ()


@dataclass(kw_only=True, slots=True)
class Found:
    """`faults` are (rule, detail); `figures` what was measured on the way."""

    faults: list[tuple[str, str]] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def rules(self) -> frozenset[str]:
        return frozenset(rule for rule, _ in self.faults)

    def told(self) -> str:
        return "\n".join(f"{rule}: {detail}" for rule, detail in self.faults)


def check(run: Run) -> Found:
    """Compare everything."""
    found, view, kept = Found(), LedgerView(run.ledger, run.market), _Kept(run)
    for faults in (
        _verified(run),
        _duplicates(view, kept),
        _orders(view, kept),
        _fills(view, kept),
        _positions(view, kept),
        _cash(view, kept),
        _broker_log(view, run),
    ):
        found.faults += faults
    _stops(view, run, found)
    found.figures |= {
        "orders": len(view.orders),
        "executions": len(view.trades),
        "positions": len(view.held),
        "decisions": kept.decisions,
    }
    return found


class _Kept:
    """What the journal holds."""

    def __init__(self, run: Run) -> None:
        with closing(sqlite3.connect(f"file:{run.journal}?mode=ro", uri=True)) as journal:
            journal.row_factory = sqlite3.Row
            self.orders = {row["client_order_id"]: row for row in journal.execute(_ORDERS)}
            self.fills = list(journal.execute(_FILLS))
            self.positions = list(journal.execute(_POSITIONS))
            self.twice = [tuple(row) for row in journal.execute(_TWICE)]
            self.cash = sum((Decimal(row[0]) for row in journal.execute("SELECT amount FROM cash_events")), ZERO)
            self.decisions = int(journal.execute("SELECT count(*) FROM decisions").fetchone()[0])


def _verified(run: Run) -> Iterator[tuple[str, str]]:
    with Journal.open(run.journal, read_only=True) as journal:
        for each in verify(journal).checks:
            if not each.ok:
                yield "the journal holds together", f"{each.name}: {each.detail}"


def _duplicates(view: LedgerView, kept: _Kept) -> Iterator[tuple[str, str]]:
    for name, times in _sent(view).items():
        if times > 1:
            yield "no order twice", f"{name} was sent {times} times and could have been executed each time"
    for name, times in Counter(order.client_id for order in view.orders).items():
        if times > 1:
            yield "no order twice", f"the exchange has {times} orders of the id {name}"
    for row in kept.twice:
        yield "no order twice", f"{row[4]} orders for {row[0]} {row[1]}, {row[2]}, attempt {row[3]}"
    entries = Counter(
        kept.orders[order.client_id]["cause_id"]
        for order in view.orders
        if order.client_id in kept.orders and kept.orders[order.client_id]["leg"] == "entry"
    )
    for cause, times in entries.items():
        if times > 1:
            yield "no order twice", f"decision {cause} was entered {times} times"


def _sent(view: LedgerView) -> Counter[str]:
    """How often each id was sent without an answer that proves that nothing was done."""
    vague = any(each["kind"] in ("status_before", "html") for each in view.ledger["faults"])
    sent: Counter[str] = Counter()
    for each in view.requests:
        if each["method"] != "POST" or not each["client_id"].startswith(OURS):
            continue
        told_no = each["outcome"] == "lost" and each["answered"] and not vague
        if not told_no and each["code"] not in (-1021, -1008, -1015):
            sent[each["client_id"]] += 1
    return sent


def _orders(view: LedgerView, kept: _Kept) -> Iterator[tuple[str, str]]:
    theirs = {order.client_id: order for order in view.orders}
    for name in sorted(theirs.keys() - kept.orders.keys()):
        yield "no order lost", f"{name} is at the exchange and not in the journal"
    for name, mine in sorted(kept.orders.items()):
        order = theirs.get(name)
        if order is None:
            if mine["state"] not in NOT_THERE:
                yield "no order lost", f"{name} is {mine['state']} in the journal and nowhere at the exchange"
            continue
        if mine["state"] not in STATES[order.status]:
            yield "orders end as they ended", f"{name} is {mine['state']}, and {order.status} at the exchange"
        if Decimal(mine["filled"]) != order.filled:
            yield "orders end as they ended", f"{name} is filled by {mine['filled']}, and by {order.filled} there"


def _fills(view: LedgerView, kept: _Kept) -> Iterator[tuple[str, str]]:
    mine: Counter[tuple[object, ...]] = Counter(_fill_of(row) for row in kept.fills)
    theirs: Counter[tuple[object, ...]] = Counter(
        (
            trade.client_id,
            trade.symbol,
            trade.trade_id,
            trade.side.lower(),
            trade.quantity,
            trade.price,
            trade.at,
            trade.fee if trade.fee_asset == CASH else None,
            ZERO if trade.fee_asset == CASH else trade.fee,
        )
        for trade in view.trades
    )
    for each in (theirs - mine).elements():
        yield "no execution lost", f"{each} is not in the journal as it happened"
    for each in (mine - theirs).elements():
        yield "no execution invented", f"{each} is in the journal and did not happen so"


def _fill_of(row: sqlite3.Row) -> tuple[object, ...]:
    number = int(row["trade_id"].rpartition("-")[2])
    base_fee = Decimal(row["base_fee"] or 0)
    fee = None if base_fee else Decimal(row["fee"])
    return (
        row["client_order_id"],
        row["instrument"],
        number,
        row["side"],
        Decimal(row["quantity"]),
        Decimal(row["price"]),
        row["at"] // 1000,
        fee,
        base_fee,
    )


def _positions(view: LedgerView, kept: _Kept) -> Iterator[tuple[str, str]]:
    books: dict[str, Decimal] = {}
    for row in kept.positions:
        books[row["instrument"]] = (
            books.get(row["instrument"], ZERO) + Decimal(row["quantity"]) + Decimal(row["dust"] or 0)
        )
    fills: dict[str, Decimal] = {}
    for row in kept.fills:
        sign = 1 if row["side"] == "buy" else -1
        change = sign * (Decimal(row["quantity"]) - Decimal(row["base_fee"] or 0))
        fills[row["instrument"]] = fills.get(row["instrument"], ZERO) + change
    for symbol in sorted({*books, *fills, *view.positions}):
        sums = (books.get(symbol, ZERO), fills.get(symbol, ZERO), view.held_by_exchange(symbol))
        if len(set(sums)) > 1:
            yield "position is sum of fills is exchange", f"{symbol}: positions {sums[0]}, fills {sums[1]}, {sums[2]}"


def _cash(view: LedgerView, kept: _Kept) -> Iterator[tuple[str, str]]:
    if view.market != "linear":
        return  # there cash is what the fills paid, which are compared one by one
    wallet = Decimal(view.account["wallet"])
    if abs(wallet - kept.cash) > ROUNDING:
        yield "cash is the wallet", f"the journal adds up to {kept.cash}, the wallet holds {wallet}"


def _broker_log(view: LedgerView, run: Run) -> Iterator[tuple[str, str]]:
    if run.venue_log is None:
        return
    with closing(sqlite3.connect(f"file:{run.venue_log}?mode=ro", uri=True)) as log:
        filled = {row[0]: Decimal(row[1]) for row in log.execute("SELECT client_order_id, filled FROM orders")}
        trades = Counter(log.execute("SELECT symbol, client_order_id FROM trades WHERE client_order_id IS NOT NULL"))
    for order in view.orders:
        if filled.get(order.client_id) != order.filled:
            told = filled.get(order.client_id)
            yield "the broker's log is the ledger", f"{order.client_id}: {told} in the log, {order.filled} there"
    theirs = Counter((trade.symbol, trade.client_id) for trade in view.trades)
    if trades != theirs:
        yield "the broker's log is the ledger", f"executions differ: {(trades - theirs) + (theirs - trades)}"


# -- stops -----------------------------------------------------------------------------------------------------------


def _stops(view: LedgerView, run: Run, found: Found) -> None:
    """Of each position, how long it lay bare while a daemon lived that could have put a stop behind it."""
    lived = [(life.ready, life.ended) for life in run.lives if life.ready is not None]
    starting = [(life.began, life.ready or life.ended) for life in run.lives]
    longest, in_all, while_starting = 0, 0, 0
    for held in view.held:
        bare = view.bare_spans(held)
        seen = without(bare, run.excused)
        bare_ms = within(seen, lived)
        longest, in_all = max(longest, bare_ms), in_all + bare_ms
        while_starting += within(seen, starting)
        if bare_ms > STOP_WITHIN_MS:
            found.faults.append((STOP_RULE, _bare_told(held, bare_ms, seen)))
        for stop, span in view.orphan_spans(held):
            orphan_ms = within(without([span], run.excused), lived)
            if orphan_ms > ORPHAN_WITHIN_MS:
                told = f"{stop.client_id} rested {orphan_ms / 1000:.1f} s after {held.symbol} was closed"
                found.faults.append((ORPHAN_RULE, told))
    found.figures |= {
        "longest_bare_s": longest / 1000,
        "bare_s": in_all / 1000,
        "bare_while_starting_s": while_starting / 1000,
    }


def _bare_told(held: Held, bare_ms: int, spans: Sequence[Span]) -> str:
    return f"{held.symbol}, entered at {held.began}, lay {bare_ms / 1000:.1f} s without a stop: {spans[:5]}"
