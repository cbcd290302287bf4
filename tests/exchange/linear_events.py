"""What the futures user data stream says of an order, of a conditional order, and of the account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchange.ledger import Account, AlgoOrder, Order, Trade, cut
from exchange.wire import ZERO, plain


def order_trade_update(order: Order, what: str, trade: Trade | None, now: int) -> dict[str, Any]:
    told = {
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": order.kind,
        "f": order.time_in_force,
        "q": plain(order.quantity),
        "p": plain(order.price),
        "ap": plain(cut(order.average)),
        "sp": plain(order.stop_price),
        "x": what,
        "X": order.status,
        "i": order.order_id,
        "l": plain(trade.quantity if trade else ZERO),
        "z": plain(order.filled),
        "L": plain(trade.price if trade else ZERO),
        "T": order.updated,
        "t": trade.trade_id if trade else 0,
        "b": "0",
        "a": "0",
        "m": trade.maker if trade else False,
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": order.kind,
        "ps": "BOTH",
        "cp": False,
        "rp": plain(trade.realized if trade else ZERO),
    }
    if trade is not None:
        told |= {"N": trade.fee_asset, "n": plain(trade.fee)}
    return {"e": "ORDER_TRADE_UPDATE", "E": now, "T": order.updated, "o": told}


def algo_update(algo: AlgoOrder, now: int) -> dict[str, Any]:
    told = {
        "caid": algo.client_id,
        "aid": algo.algo_id,
        "at": "CONDITIONAL",
        "o": algo.kind,
        "s": algo.symbol,
        "S": algo.side,
        "ps": "BOTH",
        "f": algo.time_in_force,
        "q": plain(algo.quantity),
        "X": algo.status,
        "ai": "" if algo.actual_order_id is None else str(algo.actual_order_id),
        "ap": "0",
        "aq": "0",
        "act": "0",
        "tp": plain(algo.trigger_price),
        "p": plain(algo.price),
        "V": "NONE",
        "wt": algo.working_type,
        "pm": "NONE",
        "cp": algo.close_position,
        "pP": False,
        "R": algo.reduce_only,
        "tt": algo.triggered,
        "gtd": 0,
        "rm": algo.reason,
    }
    return {"e": "ALGO_UPDATE", "E": now, "T": algo.updated, "o": told}


def account_update(account: Account, symbol: str, price: Decimal, now: int, reason: str = "ORDER") -> dict[str, Any]:
    wallet = plain(account.wallet)
    position = account.position(symbol)
    told = {
        "m": reason,
        "B": [{"a": "USDT", "wb": wallet, "cw": wallet, "bc": "0"}],
        "P": [
            {
                "s": symbol,
                "pa": plain(position.amount),
                "ep": plain(position.entry),
                "cr": "0",
                "up": plain(position.unrealized(price)),
                "mt": "cross",
                "iw": "0",
                "ps": "BOTH",
                "ma": "USDT",
            }
        ],
    }
    return {"e": "ACCOUNT_UPDATE", "E": now, "T": now, "a": told}
