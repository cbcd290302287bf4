"""`ratchet data fetch`: candles of a venue into files, page by page, going on where an earlier fetch ended."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from daemon.clock import LiveClock
from domain.bars import Bar, BarSeries, Floats, Ints
from domain.clock import from_epoch, to_epoch
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.candle_writer import asked_since_of, candle_path, write_candles
from market.files import read_candles
from market.robust import AT_ONCE, RetryPlan, Robust
from venues.link import MarketLink
from venues.opening import open_market
from venues.records import MarketKind

COLUMNS = ("open", "high", "low", "close", "volume")
PAGE_BARS = 1_000
"""Bars between two lines of progress and two writings of the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which candles, from where to where. `until` None is now; a bar is fetched once it has closed."""

    venue: str
    market: MarketKind
    symbols: tuple[str, ...]
    timeframe: Timeframe
    since: datetime
    until: datetime | None
    folder: Path
    base_url: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What one file holds now, and how many of its bars are new."""

    symbol: str
    path: Path
    bars: int
    new: int
    first: datetime | None
    last: datetime | None


def fetch(wanted: Wanted, told: Callable[[str, int, int], None]) -> list[Fetched]:
    """Fetch all symbols, one after the other. `told` hears the symbol, and bars done and to do.

    Raises `InvalidInput` for an instrument or timeframe that the venue has not, `NotAvailable` when it stays silent;
    what was fetched by then is in the files.
    """
    wanted.folder.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_fetch(wanted, told))


async def _fetch(wanted: Wanted, told: Callable[[str, int, int], None]) -> list[Fetched]:
    clock = LiveClock()
    link = await open_market(venue=wanted.venue, market=wanted.market, clock=clock, base_url=wanted.base_url)
    try:
        await link.markets(wanted.symbols)
        robust = Robust(link.venue, RetryPlan(), asyncio.Semaphore(AT_ONCE))
        until = min(wanted.until or clock.now(), clock.now())
        return [await _one(wanted, symbol, until, link, robust, told) for symbol in wanted.symbols]
    finally:
        await link.close()


async def _one(
    wanted: Wanted,
    symbol: str,
    until: datetime,
    link: MarketLink,
    robust: Robust,
    told: Callable[[str, int, int], None],
) -> Fetched:
    path, span = candle_path(wanted.folder, symbol, wanted.timeframe), wanted.timeframe.span
    series, asked_since = _kept(path, symbol, wanted)
    known = len(series)
    start = wanted.since if not known else from_epoch(int(series.opened[-1])) + span
    total = max(0, int((until - start) / span))
    done = 0
    while start + span <= until:
        end = min(start + PAGE_BARS * span, until)
        page = await robust.call(f"{symbol} {start.isoformat()}", _asking(link, symbol, wanted.timeframe, start, end))
        if page:
            series = _joined(series, page, wanted)
            write_candles(path, series, asked_since=asked_since)
        done += int((end - start) / span)
        told(symbol, done, total)
        start = end
    ends = (None, None) if not len(series) else (series.bar(0).opened_at, series.bar(len(series) - 1).opened_at)
    return Fetched(symbol=symbol, path=path, bars=len(series), new=len(series) - known, first=ends[0], last=ends[1])


def _asking(
    link: MarketLink, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
) -> Callable[[], Awaitable[Sequence[Bar]]]:
    async def ask() -> Sequence[Bar]:
        return await link.bars(symbol, timeframe, start, until=end)

    return ask


def _kept(path: Path, symbol: str, wanted: Wanted) -> tuple[BarSeries, datetime]:
    """What an earlier fetch left in the file, and from when on it is complete as far as the venue has bars.

    Raises `InvalidInput` where more is asked for than that: this fetch goes on behind the last bar, never before the
    first. A file that does not say what was asked for may lack one bar, as a time between two bars leaves one out.
    """
    if not path.exists():
        empty = _series(symbol, wanted, np.array([], dtype=np.int64), {name: np.array([]) for name in COLUMNS})
        return empty, wanted.since
    raw = read_candles(path)
    asked_since, first = asked_since_of(path), from_epoch(int(raw.opened[0]))
    begins = first - wanted.timeframe.span if asked_since is None else asked_since
    if wanted.since < begins:
        told = f"begins at {first.isoformat()}" if asked_since is None else f"was fetched from {begins.isoformat()} on"
        raise InvalidInput(f"{path} {told}, later than what is asked for: give another folder, or remove it")
    kept = _series(symbol, wanted, raw.opened, {name: getattr(raw, name) for name in COLUMNS})
    return kept, min(first, wanted.since) if asked_since is None else asked_since


def _joined(series: BarSeries, page: Sequence[Bar], wanted: Wanted) -> BarSeries:
    fresh = {
        "open": [bar.open for bar in page],
        "high": [bar.high for bar in page],
        "low": [bar.low for bar in page],
        "close": [bar.close for bar in page],
        "volume": [math.nan if bar.volume is None else bar.volume for bar in page],
    }
    opened = np.concatenate([series.opened, np.array([to_epoch(bar.opened_at) for bar in page], dtype=np.int64)])
    columns = {name: np.concatenate([getattr(series, name), np.array(fresh[name])]) for name in COLUMNS}
    return _series(series.symbol, wanted, opened, columns)


def _series(symbol: str, wanted: Wanted, opened: Ints, columns: Mapping[str, Floats]) -> BarSeries:
    return BarSeries(
        symbol=symbol,
        timeframe=wanted.timeframe,
        source=f"{wanted.venue} {wanted.market}",
        opened=opened,
        half_spread=np.zeros(len(opened)),
        **columns,
    )
