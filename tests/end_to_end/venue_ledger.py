"""The journal beside the exchange's ledger: the same orders, the same executions, the same money to the last digit.

The arithmetic here is the exchange's (see `exchange/ledger.py`), applied to what the journal says. Nothing is rounded
but the balance by cash events, in which a fee that was kept in the base is valued at eight digits for every purchase.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from ratchet_command import rows

OURS = "rt"
"""How the client ids of our orders begin."""
STARTED_WITH = Decimal(10_000)
EIGHTH = Decimal("0.00000001")
STATES = {"FILLED": "filled", "CANCELED": "cancelled", "EXPIRED": "expired", "REJECTED": "rejected"}
"""How an order ended in the exchange's words and in the journal's."""
NOT_SENT = ("absent", "rejected", "pending")
NEWEST = "row_id IN (SELECT max(row_id) FROM {table} GROUP BY {key})"

Ledger = dict[str, Any]


def is_ours(each: Ledger) -> bool:
    return str(each["client_id"]).startswith(OURS)


def our_trades(ledger: Ledger) -> list[Ledger]:
    return [trade for trade in ledger["trades"] if is_ours(trade)]


def told_orders(journal: Path) -> dict[str, dict[str, Any]]:
    """Every order that was meant, as it stands, by our id."""
    statement = (
        "SELECT orders.*, intents.instrument, intents.side FROM orders JOIN intents USING (client_order_id)"
        f" WHERE orders.{NEWEST.format(table='orders', key='client_order_id')}"
    )
    return {row["client_order_id"]: dict(row) for row in rows(journal, statement)}


def demand_same_orders(journal: Path, ledger: Ledger) -> None:
    """Each order was placed once; both sides say the same of what it was and of how it stands."""
    placed = [order for order in (*ledger["orders"], *ledger["algo_orders"]) if is_ours(order)]
    by_id: dict[str, list[Ledger]] = defaultdict(list)
    for order in placed:
        by_id[order["client_id"]].append(order)
    told = told_orders(journal)
    assert set(by_id) <= set(told)
    missing = {name for name, order in told.items() if name not in by_id and order["state"] not in NOT_SENT}
    assert missing == set()
    for name, orders in by_id.items():
        assert len(orders) == 1 + ("algo_id" in orders[-1] and len(orders) == 2), f"{name} was placed twice: {orders}"
        _demand_same(told[name], orders)


def _demand_same(told: dict[str, Any], orders: list[Ledger]) -> None:
    quantity, filled = Decimal(orders[0]["quantity"]), sum(Decimal(order.get("filled", 0)) for order in orders)
    assert Decimal(told["quantity"]) == quantity, (told, orders)
    assert Decimal(told["filled"]) == filled, (told, orders)
    ends = {STATES[order["status"]] for order in orders if order["status"] in STATES}
    if filled == quantity:
        assert told["state"] == "filled", (told, orders)
    elif ends:
        assert told["state"] in ends, (told, orders)
    else:
        assert told["state"] in ("accepted", "partially_filled"), (told, orders)


def demand_same_fills(journal: Path, ledger: Ledger) -> None:
    """Each execution of ours is one fill: its order, side, quantity, price and fee."""
    fills = {row["trade_id"]: dict(row) for row in rows(journal, "SELECT * FROM fills")}
    trades = our_trades(ledger)
    assert len(fills) == len(trades)
    for trade in trades:
        named = f"{trade['symbol']}-{trade['trade_id']}"
        (fill,) = [each for name, each in fills.items() if name.endswith(f":{named}")]
        assert (fill["client_order_id"], fill["side"].upper()) == (trade["client_id"], trade["side"])
        assert [Decimal(fill[name]) for name in ("quantity", "price")] == [
            Decimal(trade[name]) for name in ("quantity", "price")
        ]
        kept = Decimal(fill["base_fee"] or 0)
        assert kept == (0 if trade["fee_asset"] == "USDT" else Decimal(trade["fee"]))
        if trade["fee_asset"] == "USDT":
            assert Decimal(fill["fee"]) == Decimal(trade["fee"])


def booked(journal: Path) -> Decimal:
    """The balance: every cash event added up."""
    return sum((Decimal(row["amount"]) for row in rows(journal, "SELECT amount FROM cash_events")), Decimal(0))


def newest_positions(journal: Path) -> list[dict[str, Any]]:
    where = NEWEST.format(table="positions", key="position_id")
    return [dict(row) for row in rows(journal, f"SELECT * FROM positions WHERE {where}")]


def held(journal: Path) -> dict[str, Decimal]:
    """What the journal says is held by instrument, the dust of closed positions included."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for position in newest_positions(journal):
        found[position["instrument"]] += Decimal(position["quantity"]) + Decimal(position["dust"] or 0)
    return {symbol: quantity for symbol, quantity in found.items() if quantity}


def demand_same_spot_money(journal: Path, ledger: Ledger, foreign: dict[str, Decimal] | None = None) -> None:
    """The quote currency and every base, by the journal's fills; `foreign` is what lay there besides, by asset."""
    besides = foreign or {}
    money: dict[str, Decimal] = defaultdict(Decimal, {"USDT": STARTED_WITH})
    for fill in rows(journal, "SELECT * FROM fills"):
        base, quantity = fill["instrument"].removesuffix("USDT"), Decimal(fill["quantity"])
        paid = quantity * Decimal(fill["price"])
        if fill["side"] == "buy":
            money[base] += quantity - Decimal(fill["base_fee"])
            money["USDT"] -= paid
        else:
            money[base] -= quantity
            money["USDT"] += paid - Decimal(fill["fee"])
    for asset, amount in besides.items():
        money[asset] += amount
    totals = {
        asset: Decimal(balance["free"]) + Decimal(balance["locked"]) for asset, balance in ledger["balances"].items()
    }
    assert {asset: total for asset, total in totals.items() if total} == {
        asset: total for asset, total in money.items() if total
    }
    assert held(journal) == {
        f"{asset}USDT": total - besides.get(asset, Decimal(0))
        for asset, total in totals.items()
        if asset != "USDT" and total != besides.get(asset, Decimal(0))
    }
    cost = sum(
        (Decimal(p["entry_price"]) * (Decimal(p["quantity"]) + Decimal(p["dust"] or 0)))
        for p in newest_positions(journal)
    )
    purchases = sum(fill["side"] == "buy" for fill in rows(journal, "SELECT side FROM fills"))
    assert abs(booked(journal) - cost - (totals["USDT"] - besides.get("USDT", Decimal(0)))) <= purchases * EIGHTH


def demand_same_linear_money(journal: Path, ledger: Ledger, foreign: dict[str, Decimal] | None = None) -> None:
    """The wallet is what the cash events add up to, and positions are the same; `foreign` are somebody else's."""
    assert booked(journal) == Decimal(ledger["wallet"])
    positions = {symbol: Decimal(position["amount"]) for symbol, position in ledger["positions"].items()}
    assert {**held(journal), **(foreign or {})} == positions
