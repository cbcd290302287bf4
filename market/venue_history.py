"""The bars that a venue's feed starts with: those that were kept, what is missing of them, or a first helping.

After a restart the kept bars stay exactly what they were, because decisions were taken on them; only bars that are
missing between or behind them are asked for. The oldest bars beyond `keep` are dropped here, and nowhere else: while
a feed runs its first bar stays the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from domain.bars import Bar, BarSeries, Floats
from domain.clock import to_epoch
from domain.errors import InvalidInput, NotAvailable, RatchetError
from domain.instruments import Instrument, Timeframe
from market.bar_follower import AGREEMENT, NO_ANSWER, PIECE_BARS, BarFollower, Provider
from market.candle_source import CandleSource, LinkCandles
from market.columns import RawCandles
from market.costs import modelled_half_spread, with_spread
from market.growing_bars import GrowingBars
from market.quality import clean
from market.robust import AT_ONCE, RetryPlan, Robust
from venues.link import MarketLink

HISTORY_BARS = 400
"""Bars asked for at the first start: enough for every indicator to be warm."""

KEEP_BARS = 5_000
MOST_HOLES = 20
"""Holes between kept bars that are asked for at one start, the newest first."""


async def load_history(
    link: MarketLink,
    instruments: Mapping[str, Instrument],
    timeframe: Timeframe,
    *,
    until: datetime,
    bars: int = HISTORY_BARS,
    stored: Mapping[str, BarSeries] | None = None,
    fallback: CandleSource | None = None,
    keep: int = KEEP_BARS,
    since: datetime | None = None,
    plan: RetryPlan | None = None,
) -> Mapping[str, BarSeries]:
    """Bars of every instrument that closed by `until` (the venue's time where it is known), oldest first.

    `stored` holds the kept bars by symbol; an instrument with none gets the last `bars`. At most the newest `keep`
    bars of an instrument are given, but all that opened at `since` or later: the oldest decision still open must find
    its bar. Half spreads that no bar brings are modelled. Raises `NotAvailable` naming the instruments of which there
    is no bar because nobody answered, `InvalidInput` those of which the venue has none.
    """
    if bars < 1 or keep < bars:
        raise InvalidInput(f"history of {bars} bars of which {keep} are kept; 1 or more are needed, and no fewer kept")
    plan = plan or RetryPlan()
    at_once = asyncio.Semaphore(AT_ONCE)
    sources = [LinkCandles(link), *([] if fallback is None else [fallback])]
    providers = [Provider(source=one, robust=Robust(one.venue, plan, at_once)) for one in sources]
    loader = _Loader(providers, timeframe, until, bars, keep, since)
    kept = stored or {}
    found = await asyncio.gather(*(loader.load(one, kept.get(symbol)) for symbol, one in instruments.items()))
    _demand_all(dict(zip(instruments, found, strict=True)), link.venue)
    return {symbol: one for symbol, one in zip(instruments, found, strict=True) if isinstance(one, BarSeries)}


def _demand_all(found: Mapping[str, BarSeries | RatchetError], venue: str) -> None:
    failed = {symbol: one for symbol, one in found.items() if isinstance(one, RatchetError)}
    if not failed:
        return
    why = "; ".join(f"{symbol}: {error}" for symbol, error in sorted(failed.items()))
    later = any(isinstance(error, NotAvailable) for error in failed.values())
    raise (NotAvailable if later else InvalidInput)(f"{venue} gave no history of {why}")


@dataclass(frozen=True, slots=True)
class _Loader:
    providers: list[Provider]
    timeframe: Timeframe
    until: datetime
    bars: int
    keep: int
    since: datetime | None

    async def load(self, instrument: Instrument, stored: BarSeries | None) -> BarSeries | RatchetError:
        """The instrument's bars, or why there are none."""
        if stored is None or not len(stored):
            try:
                return await self._first(instrument)
            except NO_ANSWER as error:
                return error
        if (stored.symbol, stored.timeframe) != (instrument.symbol, self.timeframe):
            raise InvalidInput(f"the kept bars of {instrument.symbol} are {stored.symbol} {stored.timeframe.value}")
        kept = self._trimmed(stored)
        return self._trimmed(await self._continued(await self._mended(kept, instrument), instrument))

    async def _first(self, instrument: Instrument) -> BarSeries:
        end = to_epoch(self.until) // self.timeframe.seconds * self.timeframe.seconds
        start = end - self.bars * self.timeframe.seconds
        errors: list[RatchetError] = []
        for provider in self.providers:
            try:
                rows = await self._rows(provider, instrument.symbol, start, end)
                return self._cleaned(rows, instrument, provider.source.venue)
            except NO_ANSWER as error:
                errors.append(error)
        raise next((error for error in errors if isinstance(error, NotAvailable)), errors[0])

    async def _rows(self, provider: Provider, symbol: str, start: int, end: int) -> list[Bar]:
        """Bars that open from `start` on and close by `end`, piece by piece."""
        rows: list[Bar] = []
        step = PIECE_BARS * self.timeframe.seconds
        for first in range(start, end, step):
            rows.extend(await provider.bars(symbol, self.timeframe, first, min(first + step, end)))
        return rows

    def _cleaned(self, rows: list[Bar], instrument: Instrument, source: str) -> BarSeries:
        if not rows:
            raise InvalidInput(f"{source} has no closed bar of {instrument.symbol} before {self.until.isoformat()}")
        cleaned = clean(
            _raw(rows),
            symbol=instrument.symbol,
            timeframe=self.timeframe,
            source=source,
            now=to_epoch(self.until),
        )
        return with_spread(cleaned.series, instrument)

    # -- going on from kept bars ------------------------------------------------------------------------------

    async def _continued(self, kept: BarSeries, instrument: Instrument) -> BarSeries:
        """The kept bars and what closed since, by the same rules as while running; the kept ones if nobody answers."""
        growing = GrowingBars(kept, kept.source)
        follower = BarFollower(
            growing,
            primary=self.providers[0],
            # A series names one source: what only the fallback has is taken in by the feed, which keeps each bar's.
            fallback=None,
            patience_s=min(10.0, self.timeframe.seconds / 4),
            half_spread=lambda bar: float(modelled_half_spread(instrument, np.array([bar.open]))[0]),
            appended=lambda _closed, _source: None,
        )
        await follower.follow(self.until, self.until)
        return growing.series()

    async def _mended(self, kept: BarSeries, instrument: Instrument) -> BarSeries:
        """The kept bars with those put in that are missing between them and can still be had."""
        span = self.timeframe.seconds
        holes = np.flatnonzero(np.diff(kept.opened) > span)[-MOST_HOLES:]
        found: list[Bar] = []
        for place in holes.tolist():
            first, end = int(kept.opened[place]) + span, int(kept.opened[place + 1])
            try:
                rows = await self._rows(self.providers[0], instrument.symbol, first, end)
            except NO_ANSWER:
                break
            close = float(kept.close[place])
            found.extend(bar for bar in rows if self._fits(bar, first, end) and _near(bar, close))
        return _merged(kept, found, instrument)

    def _fits(self, bar: Bar, first: int, end: int) -> bool:
        opened = to_epoch(bar.opened_at)
        return first <= opened < end and (opened - first) % self.timeframe.seconds == 0

    def _trimmed(self, series: BarSeries) -> BarSeries:
        """The newest `keep` bars, or more where `since` demands them; the bars it drops are dropped from the front."""
        wanted = self.keep
        if self.since is not None:
            wanted = max(wanted, len(series) - int(np.searchsorted(series.opened, to_epoch(self.since), side="left")))
        return series.tail(wanted)


def _near(bar: Bar, close: float) -> bool:
    """Whether a bar put between kept ones lies at their level; one that does not is left out for good."""
    return abs(bar.close - close) <= AGREEMENT * max(bar.close, close)


def _merged(kept: BarSeries, found: list[Bar], instrument: Instrument) -> BarSeries:
    if not found:
        return kept
    raw = _raw(found)
    _, unique = np.unique(raw.opened, return_index=True)
    opened = np.concatenate([kept.opened, raw.opened[unique]])
    order = np.argsort(opened, kind="stable")

    def column(old: Floats, new: Floats) -> Floats:
        return np.concatenate([old, new[unique]])[order]

    return BarSeries(
        symbol=kept.symbol,
        timeframe=kept.timeframe,
        source=kept.source,
        opened=opened[order],
        open=column(kept.open, raw.open),
        high=column(kept.high, raw.high),
        low=column(kept.low, raw.low),
        close=column(kept.close, raw.close),
        volume=column(kept.volume, raw.volume),
        half_spread=column(kept.half_spread, modelled_half_spread(instrument, raw.open)),
    )


def _raw(rows: list[Bar]) -> RawCandles:
    """Bars as columns; what they say of spreads is not known."""
    return RawCandles(
        opened=np.array([to_epoch(bar.opened_at) for bar in rows], dtype=np.int64),
        open=np.array([bar.open for bar in rows], dtype=np.float64),
        high=np.array([bar.high for bar in rows], dtype=np.float64),
        low=np.array([bar.low for bar in rows], dtype=np.float64),
        close=np.array([bar.close for bar in rows], dtype=np.float64),
        volume=np.array([np.nan if bar.volume is None else bar.volume for bar in rows], dtype=np.float64),
        half_spread=np.full(len(rows), np.nan),
    )
