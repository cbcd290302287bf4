"""One hash each for decisions, orders, fills, outcomes, samples, predictions and model events: what two runs of the
same story must share.

Hashed are business columns only, in an order that the rows' own keys give: no row numbers, sequence numbers,
versions or times of the machine. SHA-256, hexadecimal.

Of what is learned, predictions and model events are hashed: what each model said, and who spoke when. They hold the
models too, for a model's name is a hash of all it consists of. Not hashed are `models` and `evaluations`, whose
documents tell of the machine (library versions, when it was trained, how long that took), and `drift_events`, which
only repeat in other words what samples and predictions say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, select

from journal import schema
from journal.codec import json_text, parsed
from journal.engine import HeldConnection

_FINAL = ("state", "filled", "average_price", "quantity", "limit_price", "stop_price")


def digests(held: HeldConnection) -> dict[str, str]:
    """The hash of each kind of fact, by name."""
    return {
        "decisions": _hashed(held, _business(schema.decisions), keys=1, sorted_json=("features",)),
        "orders": _hashed(held, _final_orders(), keys=1),
        "fills": _hashed(held, _business(schema.fills), keys=2),
        "outcomes": _hashed(held, _business(schema.outcomes), keys=3),
        "samples": _hashed(held, _business(schema.samples), keys=1),
        "predictions": _hashed(held, _business(schema.predictions), keys=2),
        "model_events": _hashed(held, _business(schema.model_events), keys=1),
    }


def _business(table: Table) -> Select[Any]:
    return select(*(table.c[name] for name in schema.written_columns(table)))


def _final_orders() -> Select[Any]:
    """Every intent, with what finally became of its order: nothing for a replacement or a cancel."""
    intents, orders = schema.intents, schema.orders
    newest = (
        select(orders.c.client_order_id, func.max(orders.c.version).label("version"))
        .group_by(orders.c.client_order_id)
        .subquery()
    )
    is_newest = and_(newest.c.client_order_id == orders.c.client_order_id, newest.c.version == orders.c.version)
    latest = select(orders).join(newest, is_newest).subquery()
    meant: Iterable[ColumnElement[Any]] = (intents.c[name] for name in schema.written_columns(intents))
    became = (latest.c[name].label(f"final_{name}") for name in _FINAL)
    return select(*meant, *became).outerjoin(latest, latest.c.client_order_id == intents.c.client_order_id)


def _hashed(held: HeldConnection, statement: Select[Any], *, keys: int, sorted_json: Sequence[str] = ()) -> str:
    """The hash of all rows, sorted by their first `keys` columns; the columns `sorted_json` lose their key order."""
    names = [column.name for column in statement.selected_columns]
    resorted = [names.index(name) for name in sorted_json]
    lines = []
    for row in held.rows(statement):
        values = list(row)
        for index in resorted:
            values[index] = json_text(parsed(values[index]))
        line = json.dumps([_canonical(value) for value in values], separators=(",", ":"))
        lines.append((tuple(values[:keys]), hashlib.sha256(line.encode()).digest()))
    lines.sort()
    whole = hashlib.sha256()
    for _, line_hash in lines:
        whole.update(line_hash)
    return whole.hexdigest()


def _canonical(value: object) -> object:
    """Minus zero is zero: not every database keeps the sign."""
    return value + 0.0 if isinstance(value, float) else value
