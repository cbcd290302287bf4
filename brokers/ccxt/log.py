"""The durable log of one demo account: what was sent, what the venue was heard to say, and every fact told from it.

One SQLite file with one owner, locked while it is open. It is evidence, not truth: the venue can be asked again, so a
lost log costs questions and no orders. A cursor names a fact by its number and by a digest of all facts up to it, so
one that another log gave is recognised.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.ccxt import rows
from brokers.ccxt.records import AskedCancel, KnownOrder, Reach
from brokers.ccxt.translate import event_of, text_of
from brokers.protocol import BrokerEvent
from brokers.record_file import RecordKind, open_record
from domain.errors import VenueUnavailable
from domain.identity import digest
from domain.numbers import ZERO
from venues.records import VenueTrade

MARK_LENGTH = 16

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE orders (
    client_order_id TEXT PRIMARY KEY, symbol TEXT NOT NULL, side TEXT NOT NULL, kind TEXT, at_once INTEGER NOT NULL,
    quantity TEXT NOT NULL, sent_at TEXT NOT NULL, standing TEXT NOT NULL, expires_at TEXT, left_at TEXT,
    venue_order_id TEXT, filled TEXT NOT NULL, ended_as TEXT, seen_state TEXT, seen_filled TEXT NOT NULL,
    seen_reason TEXT NOT NULL, expiring INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_open ON orders (standing) WHERE standing IN ('asked', 'open');
CREATE INDEX orders_by_venue ON orders (symbol, venue_order_id);
CREATE INDEX orders_by_time ON orders (sent_at);
CREATE TABLE cancels (
    intent_id TEXT PRIMARY KEY, target_id TEXT NOT NULL, symbol TEXT NOT NULL, standing TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX cancels_untold ON cancels (target_id) WHERE standing <> 'told';
CREATE TABLE trades (
    symbol TEXT NOT NULL, trade_id TEXT NOT NULL, venue_order_id TEXT NOT NULL, client_order_id TEXT,
    PRIMARY KEY (symbol, trade_id, venue_order_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE foreign_orders (
    symbol TEXT NOT NULL, venue_order_id TEXT NOT NULL, PRIMARY KEY (symbol, venue_order_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE payments (payment_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE read_marks (symbol TEXT PRIMARY KEY, read_to TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE nets (symbol TEXT PRIMARY KEY, quantity TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE assets (asset TEXT PRIMARY KEY, baseline TEXT NOT NULL, taken TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE events (sequence INTEGER PRIMARY KEY, body TEXT NOT NULL, mark TEXT NOT NULL) STRICT;
"""
_KIND = RecordKind(name="the venue log", schema=1, tables=_TABLES)

_PUT_ORDER = f"""
INSERT INTO orders ({", ".join(rows.ORDER_COLUMNS)}) VALUES ({", ".join("?" * len(rows.ORDER_COLUMNS))})
ON CONFLICT (client_order_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in rows.ORDER_COLUMNS)}
"""
_SELECT_ORDER = f"SELECT {', '.join(rows.ORDER_COLUMNS)} FROM orders"


@dataclass(frozen=True, slots=True)
class Asset:
    """What of one asset is no position: `baseline` lay there before us, `taken` went as fees of other trades."""

    baseline: Decimal = ZERO
    taken: Decimal = ZERO


class Log:
    """Reading raises `VenueUnavailable` when the file cannot be read; writing happens inside `writing` only."""

    def __init__(self, path: Path, *, durable: bool, reach: Reach) -> None:
        """Open or create; `durable` waits for the disk at each commit. Raises `ConfigurationRefused`."""
        self.path = str(path)
        self._reach = reach
        self._answers: dict[tuple[str, tuple[object, ...]], Any] = {}
        """What was read since the last write: the file has one owner, so the same question has the same answer."""
        self._connection = open_record(self.path, _KIND, durable=durable)

    def close(self) -> None:
        """Let go of the file; closing twice is harmless."""
        self._answers.clear()
        self._connection.close()

    # -- reading ----------------------------------------------------------------------------------------------

    def meta(self, name: str) -> str | None:
        row = self._one("SELECT value FROM meta WHERE name = ?", name)
        return None if row is None else str(row[0])

    def order(self, client_order_id: str) -> KnownOrder | None:
        found = self._orders("WHERE client_order_id = ?", client_order_id)
        return found[0] if found else None

    def order_of_venue(self, symbol: str, venue_order_id: str) -> KnownOrder | None:
        found = self._orders("WHERE symbol = ? AND venue_order_id = ?", symbol, venue_order_id)
        return found[0] if found else None

    def open_orders(self) -> tuple[KnownOrder, ...]:
        """Orders whose end is not told, in the order they became known."""
        return self._orders("WHERE standing IN ('asked', 'open') ORDER BY rowid")

    def _orders(self, which: str, *values: object) -> tuple[KnownOrder, ...]:
        found: tuple[KnownOrder, ...] | None = self._answers.get((which, values))
        if found is None:
            read = self._execute(f"{_SELECT_ORDER} {which}", *values)
            found = self._answers[which, values] = tuple(rows.order_of(row) for row in read)
        return found

    def symbols_since(self, moment: datetime) -> tuple[str, ...]:
        """Instruments in which an order was sent at `moment` or later."""
        found = self._all("SELECT DISTINCT symbol FROM orders WHERE sent_at >= ? ORDER BY symbol", moment.isoformat())
        return tuple(row[0] for row in found)

    def cancel(self, intent_id: str) -> AskedCancel | None:
        row = self._one("SELECT * FROM cancels WHERE intent_id = ?", intent_id)
        return None if row is None else rows.cancel_of(row)

    def untold_cancels(self) -> tuple[AskedCancel, ...]:
        """Cancels whose outcome is not told, oldest first."""
        found = self._all("SELECT * FROM cancels WHERE standing <> 'told' ORDER BY rowid")
        return tuple(rows.cancel_of(row) for row in found)

    def has_trade(self, trade: VenueTrade, *, as_ours: bool = False) -> bool:
        """Whether an execution was heard; with `as_ours`, whether it was told as one of an order of ours."""
        where = "symbol = ? AND trade_id = ? AND venue_order_id = ?" + " AND client_order_id IS NOT NULL" * as_ours
        found = self._one(f"SELECT 1 FROM trades WHERE {where}", trade.symbol, trade.trade_id, trade.venue_order_id)
        return found is not None

    def is_foreign(self, symbol: str, venue_order_id: str) -> bool:
        query = "SELECT 1 FROM foreign_orders WHERE symbol = ? AND venue_order_id = ?"
        return self._one(query, symbol, venue_order_id) is not None

    def has_payment(self, payment_id: str) -> bool:
        return self._one("SELECT 1 FROM payments WHERE payment_id = ?", payment_id) is not None

    def read_marks(self) -> dict[str, datetime]:
        """Until when, in venue time, the executions of each instrument were read."""
        return {row[0]: datetime.fromisoformat(row[1]) for row in self._all("SELECT * FROM read_marks")}

    def nets(self) -> dict[str, Decimal]:
        """What the executions told add up to by instrument, signed base units."""
        return {row[0]: Decimal(row[1]) for row in self._all("SELECT * FROM nets ORDER BY symbol")}

    def assets(self) -> dict[str, Asset]:
        found = self._all("SELECT asset, baseline, taken FROM assets ORDER BY asset")
        return {row[0]: Asset(Decimal(row[1]), Decimal(row[2])) for row in found}

    def events_after(self, sequence: int) -> list[BrokerEvent]:
        """Every fact told after number `sequence`, in order."""
        if sequence >= self.last()[0]:
            return []
        found = self._execute("SELECT body FROM events WHERE sequence > ? ORDER BY sequence", sequence)
        return [event_of(row[0]) for row in found]

    def last(self) -> tuple[int, str]:
        """Number and digest of the last fact; 0 and the digest of the log's name where there is none."""
        row = self._one("SELECT sequence, mark FROM events ORDER BY sequence DESC LIMIT 1")
        return (0, digest(self.meta("account"), length=MARK_LENGTH)) if row is None else (row[0], row[1])

    def mark(self, sequence: int) -> str | None:
        row = self._one("SELECT mark FROM events WHERE sequence = ?", sequence)
        return None if row is None else str(row[0])

    # -- writing ----------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """One commit for all that is put inside; whatever fails inside leaves the last commit standing."""
        self._run("BEGIN")
        done = False
        try:
            yield
            self._reach(f"ccxt.before_{name}")
            self._run("COMMIT")
            done = True
        finally:
            self._answers.clear()
            # A full disk ends the transaction by itself; then there is nothing left to roll back.
            if not done and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._reach(f"ccxt.after_{name}")

    def tell(self, event: BrokerEvent) -> None:
        """Add one fact at the end of the story."""
        sequence, mark = self.last()
        body = text_of(event)
        self._run("INSERT INTO events VALUES (?, ?, ?)", sequence + 1, body, digest(mark, body, length=MARK_LENGTH))

    def put_meta(self, values: Iterable[tuple[str, str]]) -> None:
        for name, value in values:
            self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", name, value)

    def put_order(self, order: KnownOrder) -> None:
        self._run(_PUT_ORDER, *rows.order_row(order))

    def put_cancel(self, cancel: AskedCancel) -> None:
        self._run(
            "INSERT INTO cancels VALUES (?, ?, ?, ?, ?) ON CONFLICT (intent_id) DO UPDATE SET"
            " standing = excluded.standing, reason = excluded.reason",
            *rows.cancel_row(cancel),
        )

    def put_trade(self, trade: VenueTrade, client_order_id: str | None) -> None:
        """An execution that was heard; of a foreign order without an id of ours."""
        key = (trade.symbol, trade.trade_id, trade.venue_order_id)
        self._run("INSERT OR REPLACE INTO trades VALUES (?, ?, ?, ?)", *key, client_order_id)

    def put_foreign(self, symbol: str, venue_order_id: str) -> None:
        self._run("INSERT OR IGNORE INTO foreign_orders VALUES (?, ?)", symbol, venue_order_id)

    def put_payment(self, payment_id: str) -> None:
        self._run("INSERT INTO payments VALUES (?)", payment_id)

    def put_read_mark(self, symbol: str, read_to: datetime) -> None:
        self._run("INSERT OR REPLACE INTO read_marks VALUES (?, ?)", symbol, read_to.isoformat())

    def put_net(self, symbol: str, quantity: Decimal) -> None:
        self._run("INSERT OR REPLACE INTO nets VALUES (?, ?)", symbol, str(quantity))

    def put_asset(self, name: str, asset: Asset) -> None:
        self._run("INSERT OR REPLACE INTO assets VALUES (?, ?, ?)", name, str(asset.baseline), str(asset.taken))

    def clear_account(self) -> None:
        """Forget what lay in the account, what was traded in it, how far executions were read, and the venue's ids of
        what has ended: a wiped venue may give them again."""
        for table in ("assets", "nets", "read_marks", "foreign_orders"):
            self._run(f"DELETE FROM {table}")
        self._run("UPDATE orders SET venue_order_id = NULL WHERE standing = 'ended'")

    def _one(self, query: str, *values: object) -> rows.Row | None:
        found = self._all(query, *values)
        return found[0] if found else None

    def _all(self, query: str, *values: object) -> list[rows.Row]:
        """The rows of a question; not to be changed."""
        found: list[rows.Row] | None = self._answers.get((query, values))
        if found is None:
            found = self._answers[query, values] = self._execute(query, *values).fetchall()
        return found

    def _run(self, query: str, *values: object) -> None:
        """Write."""
        self._answers.clear()
        self._execute(query, *values)

    def _execute(self, query: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise VenueUnavailable(f"the venue log {self.path} cannot be used: {error}") from error
