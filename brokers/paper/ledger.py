"""The paper venue's durable record: one SQLite file with one owner, one transaction for everything a call changed.

The file is locked for as long as it is open, so two processes can never trade on one paper account.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from brokers.paper import translate
from brokers.paper.records import Holding, Market, PaperOrder
from brokers.protocol import BrokerEvent
from brokers.record_file import RecordKind, open_record
from domain.numbers import ZERO

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE orders (
    client_order_id TEXT PRIMARY KEY, number INTEGER NOT NULL, instrument TEXT NOT NULL, side TEXT NOT NULL,
    kind TEXT NOT NULL, quantity TEXT NOT NULL, time_in_force TEXT NOT NULL, live_from REAL NOT NULL,
    position_id TEXT NOT NULL, slippage REAL NOT NULL, limit_price TEXT, stop_price TEXT, expires_at TEXT,
    reduce_only INTEGER NOT NULL, oco_group TEXT, state TEXT NOT NULL, filled TEXT NOT NULL, taken TEXT NOT NULL,
    executions INTEGER NOT NULL, armed INTEGER NOT NULL, last_bar INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_open ON orders (number) WHERE state IN ('accepted', 'partially_filled');
CREATE TABLE requests (client_order_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, at TEXT NOT NULL, client_order_id TEXT, intent_id TEXT,
    venue_order_id TEXT, reason TEXT NOT NULL
) STRICT;
CREATE TABLE fills (
    trade_id TEXT NOT NULL UNIQUE, sequence INTEGER PRIMARY KEY, venue TEXT NOT NULL, client_order_id TEXT NOT NULL,
    instrument TEXT NOT NULL, side TEXT NOT NULL, quantity TEXT NOT NULL, price TEXT NOT NULL, fee TEXT NOT NULL,
    fx_rate TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE cash (
    event_id TEXT NOT NULL UNIQUE, sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, at TEXT NOT NULL,
    amount TEXT NOT NULL, instrument TEXT
) STRICT;
CREATE TABLE positions (
    instrument TEXT PRIMARY KEY, swap_day INTEGER NOT NULL, position_id TEXT NOT NULL, account TEXT NOT NULL,
    side TEXT NOT NULL, opened_at TEXT NOT NULL, updated_at TEXT NOT NULL, quantity TEXT NOT NULL,
    entered TEXT NOT NULL, entry_price TEXT NOT NULL, exited TEXT NOT NULL, exit_price TEXT NOT NULL,
    realized TEXT NOT NULL, fees TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE markets (
    instrument TEXT PRIMARY KEY, opens_told INTEGER NOT NULL, ranges_told INTEGER NOT NULL, volume REAL, mark REAL
) STRICT, WITHOUT ROWID;
"""
_KIND = RecordKind(name="the paper ledger", schema=1, tables=_TABLES)

_PUT_ORDER = f"INSERT OR REPLACE INTO orders VALUES ({', '.join('?' * 21)})"
_PUT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"
_PUT_FILL = f"INSERT INTO fills VALUES ({', '.join('?' * 11)})"
_PUT_CASH = "INSERT INTO cash VALUES (?, ?, ?, ?, ?, ?)"
_PUT_POSITION = f"INSERT OR REPLACE INTO positions VALUES ({', '.join('?' * 14)})"
_PUT_MARKET = "INSERT OR REPLACE INTO markets VALUES (?, ?, ?, ?, ?)"
_EVENTS_AFTER = """
SELECT e.sequence, e.kind, e.at, e.client_order_id, e.intent_id, e.venue_order_id, e.reason,
       f.trade_id, f.venue, f.client_order_id, f.instrument, f.side, f.quantity, f.price, f.fee, f.fx_rate, f.at,
       c.event_id, c.kind, c.at, c.amount, c.instrument
FROM events e LEFT JOIN fills f ON f.sequence = e.sequence LEFT JOIN cash c ON c.sequence = e.sequence
WHERE e.sequence > ? ORDER BY e.sequence
"""

_SEEN = """
SELECT 1 FROM orders WHERE client_order_id = ? UNION ALL SELECT 1 FROM requests WHERE client_order_id = ?
"""


@dataclass(slots=True)
class Changes:
    """Everything one call changed, to be written together. A position that is None is gone."""

    events: list[tuple[int, BrokerEvent]] = field(default_factory=list)
    orders: dict[str, PaperOrder] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    holdings: dict[str, Holding | None] = field(default_factory=dict)
    balance: Decimal | None = None

    @property
    def some(self) -> bool:
        return bool(self.events or self.orders or self.requests or self.holdings) or self.balance is not None


@dataclass(frozen=True, slots=True)
class Contents:
    """What a ledger holds of the present: open orders by arrival, holdings, markets, and the last numbers used."""

    balance: Decimal
    sequence: int
    orders_numbered: int
    open_orders: tuple[PaperOrder, ...]
    holdings: dict[str, Holding]
    markets: dict[str, Market]


class Ledger:
    """One paper account's file. Errors of SQLite pass through: the broker says what they mean."""

    __slots__ = ("_connection", "path")

    def __init__(self, path: Path | str, *, durable: bool) -> None:
        """Open or create; `durable` waits for the disk at each commit. `:memory:` keeps nothing."""
        self.path = str(path)
        self._connection = open_record(self.path, _KIND, durable=durable)

    def owner(self) -> tuple[str, str] | None:
        """Account and currency this ledger was born for; None when it was not born yet."""
        found = dict(self._connection.execute("SELECT name, value FROM meta").fetchall())
        return (found["account"], found["currency"]) if "account" in found else None

    def load(self) -> Contents:
        """The present, as last committed."""
        run = self._connection.execute
        balance = run("SELECT value FROM meta WHERE name = 'balance'").fetchone()
        open_rows = run("SELECT * FROM orders WHERE state IN ('accepted', 'partially_filled') ORDER BY number")
        holdings = [translate.holding_of(row) for row in run("SELECT * FROM positions ORDER BY instrument")]
        return Contents(
            balance=ZERO if balance is None else Decimal(balance[0]),
            sequence=run("SELECT coalesce(max(sequence), 0) FROM events").fetchone()[0],
            orders_numbered=run("SELECT count(*) FROM orders").fetchone()[0],
            open_orders=tuple(translate.order_of(row) for row in open_rows),
            holdings={holding.position.instrument: holding for holding in holdings},
            markets={row[0]: _market_of(row) for row in run("SELECT * FROM markets ORDER BY instrument")},
        )

    def commit(self, changes: Changes, markets: Iterable[tuple[str, Market]]) -> None:
        """Write all of it or nothing; on an error nothing of it stays."""
        run = self._connection.execute
        run("BEGIN")
        try:
            self._write(changes, markets)
            run("COMMIT")
        except sqlite3.Error:
            # A full disk ends the transaction by itself; then there is nothing left to roll back.
            if self._connection.in_transaction:
                run("ROLLBACK")
            raise

    def found(self, account: str, currency: str) -> None:
        """Name the account and currency of a new ledger; durable with the first commit, the deposit."""
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO meta VALUES (?, ?)", [("account", account), ("balance", "0"), ("currency", currency)]
        )
        self._connection.execute("COMMIT")

    def _write(self, changes: Changes, markets: Iterable[tuple[str, Market]]) -> None:
        run, many = self._connection.execute, self._connection.executemany
        for sequence, event in changes.events:
            run(_PUT_EVENT, translate.event_row(sequence, event))
            if event.fill is not None:
                run(_PUT_FILL, translate.fill_row(sequence, event.fill))
            if event.cash is not None:
                run(_PUT_CASH, translate.cash_row(sequence, event.cash))
        for order in changes.orders.values():
            run(_PUT_ORDER, translate.order_row(order))
        for client_order_id in changes.requests:
            run("INSERT INTO requests VALUES (?)", (client_order_id,))
        for symbol, holding in changes.holdings.items():
            if holding is None:
                run("DELETE FROM positions WHERE instrument = ?", (symbol,))
            else:
                run(_PUT_POSITION, translate.holding_row(symbol, holding))
        if changes.balance is not None:
            run("UPDATE meta SET value = ? WHERE name = 'balance'", (str(changes.balance),))
        many(_PUT_MARKET, [(name, each.opens_told, each.ranges_told, each.volume, each.mark) for name, each in markets])

    def events_after(self, sequence: int) -> list[BrokerEvent]:
        """Every event told after number `sequence`, in order."""
        return [translate.event_of(row) for row in self._connection.execute(_EVENTS_AFTER, (sequence,))]

    def order(self, client_order_id: str) -> PaperOrder | None:
        """One order, open or ended."""
        found = self._connection.execute("SELECT * FROM orders WHERE client_order_id = ?", (client_order_id,))
        row = found.fetchone()
        return None if row is None else translate.order_of(row)

    def has_seen(self, client_order_id: str) -> bool:
        """Whether an order, a replacement or a cancel came under this id."""
        found = self._connection.execute(_SEEN, (client_order_id, client_order_id))
        return found.fetchone() is not None

    def close(self) -> None:
        """Let go of the file; closing twice is harmless."""
        self._connection.close()


def _market_of(row: translate.Row) -> Market:
    unknown = float("nan")
    volume, mark = (unknown if value is None else value for value in row[3:5])
    return Market(row[1], row[2], volume, mark)
