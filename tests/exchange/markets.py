"""One symbol's market as the world outside makes it: the last price, a spread, and candles."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import takewhile
from typing import Any

from exchange.wire import ZERO, plain

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
INTERVALS = {
    "1s": SECOND,
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
}
PER_TRADE = Decimal(1)
"""What one trade of the outside world counts for in a candle's volume."""


@dataclass(slots=True)
class Candle:
    start: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int = 1

    def take(self, price: Decimal) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += PER_TRADE
        self.trades += 1

    def row(self, length: int) -> list[Any]:
        """As `klines` writes it."""
        turnover = plain(self.close * self.volume)
        half = plain(self.volume / 2)
        return [
            self.start,
            plain(self.open),
            plain(self.high),
            plain(self.low),
            plain(self.close),
            plain(self.volume),
            self.start + length - 1,
            turnover,
            self.trades,
            half,
            plain(self.close * self.volume / 2),
            "0",
        ]


@dataclass(slots=True)
class Market:
    """`most` is what one order can get at the price that stands."""

    symbol: str
    last: Decimal = ZERO
    spread: Decimal = ZERO
    most: Decimal | None = None
    traded_at: int = 0
    candles: dict[str, dict[int, Candle]] = field(default_factory=dict)
    """By interval and start; what was traded since they were last asked for is still in `untold`."""
    untold: list[tuple[int, Decimal]] = field(default_factory=list)
    given: dict[str, list[Candle]] = field(default_factory=dict)

    @property
    def bid(self) -> Decimal:
        return self.last - self.spread / 2

    @property
    def ask(self) -> Decimal:
        return self.last + self.spread / 2

    def trade(self, price: Decimal, most: Decimal | None, at: int) -> None:
        self.last, self.most, self.traded_at = price, most, at
        self.untold.append((at, price))

    def _kept(self, interval: str) -> dict[int, Candle]:
        """The candles of what was traded."""
        for at, price in self.untold:
            for each, length in INTERVALS.items():
                kept = self.candles.setdefault(each, {})
                start = at - at % length
                candle = kept.get(start)
                if candle is None:
                    kept[start] = Candle(start, price, price, price, price, PER_TRADE)
                else:
                    candle.take(price)
        self.untold.clear()
        return self.candles.get(interval, {})

    def set_candles(self, interval: str, rows: Sequence[Sequence[Any]]) -> None:
        """Rows of open time in milliseconds, open, high, low, close, volume; what is traded later follows them."""
        candles = {}
        for row in rows:
            start, first, high, low, close, volume = int(row[0]), *(Decimal(str(value)) for value in row[1:6])
            candles[start] = Candle(start, first, high, low, close, volume)
        self.given[interval] = [candles[start] for start in sorted(candles)]

    def klines(self, interval: str, now: int, *, since: int | None, until: int | None, limit: int) -> list[list[Any]]:
        """Candles that have begun, oldest first; from `since` on, or the last ones. The last may still be open."""
        length = INTERVALS[interval]
        latest = min(now, now if until is None else until)
        given = self.given.get(interval, [])
        first = bisect_left(given, since or 0, key=_start)
        last = bisect_right(given, latest, key=_start)
        found = [each if each.start + length <= now else _just_opened(each) for each in given[first:last]]
        after = given[-1].start + length if given else 0
        found += self._built(interval, length, after, since, latest, limit)
        chosen = found[:limit] if since is not None else found[-limit:]
        return [candle.row(length) for candle in chosen]

    def _built(
        self, interval: str, length: int, after: int, since: int | None, latest: int, limit: int
    ) -> list[Candle]:
        """From what was traded; an interval without trades repeats the close before it, as Binance fills gaps."""
        kept = self._kept(interval)
        if not kept:
            return []
        first = max(next(iter(kept)), after)
        last = latest - latest % length
        begin = last - (limit - 1) * length if since is None else since + (-since) % length
        begin = max(begin, first)
        last = min(last, begin + (limit - 1) * length)
        before = begin - length
        while before >= first and before not in kept:
            before -= length
        close = kept[before].close if before in kept else ZERO
        found = []
        for start in range(begin, last + 1, length):
            candle = kept.get(start)
            if candle is None:
                candle = Candle(start, close, close, close, close, ZERO, 0)
            close = candle.close
            found.append(candle)
        return found

    def day(self, now: int) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """Open, high, low and volume of the last 24 hours, to the minute."""
        kept = self._kept("1m")
        recent = list(takewhile(lambda candle: candle.start > now - DAY, reversed(kept.values())))
        if not recent:
            return self.last, self.last, self.last, ZERO
        volume = sum((candle.volume for candle in recent), ZERO)
        return recent[-1].open, max(c.high for c in recent), min(c.low for c in recent), volume


def _start(candle: Candle) -> int:
    return candle.start


def _just_opened(candle: Candle) -> Candle:
    """A given candle that has not closed yet: what it will become is not told."""
    return Candle(candle.start, candle.open, candle.open, candle.open, candle.open, ZERO, 0)
