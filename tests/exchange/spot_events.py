"""What the spot user data stream says of an order and of balances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exchange.ledger import Account, Order, Trade
from exchange.wire import ZERO, eight


def execution_report(order: Order, what: str, trade: Trade | None, now: int) -> dict[str, Any]:
    return {
        "e": "executionReport",
        "E": now,
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": order.kind,
        "f": order.time_in_force,
        "q": eight(order.quantity),
        "p": eight(order.price),
        "P": eight(order.stop_price),
        "F": eight(ZERO),
        "g": -1,
        "C": "",
        "x": what,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": eight(trade.quantity if trade else ZERO),
        "z": eight(order.filled),
        "L": eight(trade.price if trade else ZERO),
        "n": eight(trade.fee if trade else ZERO),
        "N": trade.fee_asset if trade else None,
        "T": order.updated,
        "t": trade.trade_id if trade else -1,
        "I": order.arrival,
        "w": order.open and bool(order.worked),
        "m": trade.maker if trade else False,
        "M": False,
        "O": order.created,
        "Z": eight(order.paid),
        "Y": eight(trade.paid if trade else ZERO),
        "Q": eight(order.quote_quantity),
        "W": order.worked,
        "V": "NONE",
    }


def account_position(account: Account, assets: Sequence[str], now: int) -> dict[str, Any]:
    held = [(asset, account.balance(asset)) for asset in assets]
    return {
        "e": "outboundAccountPosition",
        "E": now,
        "u": now,
        "B": [{"a": asset, "f": eight(balance.free), "l": eight(balance.locked)} for asset, balance in held],
    }
