"""What the market streams say of a symbol."""

from __future__ import annotations

from typing import Any

from exchange.markets import DAY, INTERVALS, Market
from exchange.public_routes import DEPTH
from exchange.wire import plain


def kline(market: Market, interval: str, now: int) -> list[dict[str, Any]]:
    """The candle that is open, and the one before it, closed, as long as the open one has just begun."""
    length = INTERVALS[interval]
    rows = market.klines(interval, now, since=None, until=None, limit=2)
    if rows and rows[-1][8] > 1:
        rows = rows[-1:]
    return [_candle(market.symbol, interval, row, closed=row[0] + length <= now, now=now) for row in rows]


def _candle(symbol: str, interval: str, row: list[Any], *, closed: bool, now: int) -> dict[str, Any]:
    told = {
        "t": row[0],
        "T": row[6],
        "s": symbol,
        "i": interval,
        "f": 0,
        "L": 0,
        "o": row[1],
        "c": row[4],
        "h": row[2],
        "l": row[3],
        "v": row[5],
        "n": row[8],
        "x": closed,
        "q": row[7],
        "V": row[9],
        "Q": row[10],
        "B": "0",
    }
    return {"e": "kline", "E": now, "s": symbol, "k": told}


def day_ticker(market: Market, channel: str, now: int) -> dict[str, Any]:
    opened, high, low, volume = market.day(now)
    last = plain(market.last)
    told = {
        "e": "24hrTicker" if channel == "ticker" else "24hrMiniTicker",
        "E": now,
        "s": market.symbol,
        "c": last,
        "o": plain(opened),
        "h": plain(high),
        "l": plain(low),
        "v": plain(volume),
        "q": plain(volume * market.last),
    }
    if channel == "miniTicker":
        return told
    return told | {
        "p": plain(market.last - opened),
        "P": "0",
        "w": last,
        "x": plain(opened),
        "Q": "1",
        "b": plain(market.bid),
        "B": DEPTH,
        "a": plain(market.ask),
        "A": DEPTH,
        "O": now - DAY,
        "C": now,
        "F": 0,
        "L": 0,
        "n": int(volume),
    }


def book_ticker(market: Market, now: int) -> dict[str, Any]:
    told = {"u": now, "s": market.symbol, "b": plain(market.bid), "B": DEPTH, "a": plain(market.ask), "A": DEPTH}
    return {"e": "bookTicker", "E": now, "T": now, **told}
