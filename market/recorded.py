"""Recorded candles as a feed: a folder of files, several instruments, told as if they were happening."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from domain.bars import BarSeries
from domain.clock import from_epoch, to_epoch
from domain.errors import InvalidInput
from domain.instruments import AssetClass, Instrument, Timeframe
from market.choice import choose
from market.costs import with_spread
from market.feed import FeedReport
from market.files import read_candles
from market.headlines import Headlines, read_headlines
from market.naming import CandleName
from market.quality import clean
from market.registry import Registry
from market.resample import resample
from market.series_feed import SeriesFeed
from market.sessions import ALWAYS, EXCHANGES, Sessions, find_gaps

HEADLINES_FILE = "headlines.jsonl"
_LONG_CLOSURE = timedelta(days=7)


class RecordedFeed(SeriesFeed):
    """A folder of candle files as a feed; made by `load_folder`."""


def load_folder(
    folder: Path,
    timeframe: Timeframe,
    *,
    registry: Registry,
    series: Mapping[str, str] | None = None,
    symbols: Iterable[str] | None = None,
    class_hint: str | None = None,
    limit_instruments: int | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    max_bars: int | None = None,
    headlines: Path | None = None,
    now: datetime | None = None,
) -> RecordedFeed:
    """The candles of `folder` at `timeframe` as a feed.

    `series` chooses between several series of an instrument, `class_hint` names the class of symbols that are in
    none or two (the folder's own name decides between two), `limit_instruments` keeps the alphabetically first
    tradable ones. Bars are kept that open at or after `start` and close at or before `end`, at most the first
    `max_bars` of each series. Bars that close after `now` are rejected as future ones. Texts come from
    `headlines`, or from headlines.jsonl in the folder. Raises `InvalidInput` in one sentence for an unknown
    symbol, an unusable file, or a choice that would have to be guessed.
    """
    choice = choose(folder, timeframe, series, symbols)
    window = _Window(start=start, end=end, max_bars=max_bars)
    loader = _Loader(registry, timeframe, class_hint, folder.name, None if now is None else to_epoch(now))
    found = loader.load_all(choice.files, limit_instruments, window)
    if all(instrument.asset_class is AssetClass.INDEX for instrument, _ in found.values()):
        raise InvalidInput(f"{folder} holds no tradable bars {window}")
    texts, bad_lines = _texts(folder, headlines)
    rejected = loader.rejected + Counter({"headline": bad_lines} if bad_lines else {})
    bars = {symbol: pair[1] for symbol, pair in found.items()}
    instruments = _with_benchmarks({symbol: pair[0] for symbol, pair in found.items()}, registry)
    notes = (*choice.notes, *loader.notes, *_gap_notes(instruments, bars))
    return RecordedFeed(
        name=f"recorded:{folder.name}",
        timeframe=timeframe,
        instruments=instruments,
        series=bars,
        report=FeedReport(notes=notes, rejected=dict(sorted(rejected.items()))),
        headlines=texts,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Window:
    """Which bars of a series are told."""

    start: datetime | None
    end: datetime | None
    max_bars: int | None

    def of(self, bars: BarSeries) -> BarSeries:
        first = 0 if self.start is None else int(np.searchsorted(bars.opened, to_epoch(self.start), side="left"))
        last = len(bars) if self.end is None else int(np.searchsorted(bars.closed, to_epoch(self.end), side="right"))
        if self.max_bars is not None:
            last = min(last, first + self.max_bars)
        return bars.head(max(last, first)).tail(max(last - first, 0))

    def __str__(self) -> str:
        edges = ("the edge of the data" if at is None else at.isoformat() for at in (self.start, self.end))
        return "between {} and {}".format(*edges)


class _Loader:
    """Reads, cleans, resamples and prices one file after the other, by the same rules; keeps what it left out."""

    def __init__(
        self, registry: Registry, timeframe: Timeframe, class_hint: str | None, folder_name: str, now: int | None
    ) -> None:
        self._registry = registry
        self._timeframe = timeframe
        self._class_hint = class_hint
        self._folder_name = folder_name
        self._now = now
        self.rejected: Counter[str] = Counter()
        self.notes: list[str] = []

    def load_all(
        self, files: Mapping[str, CandleName], limit: int | None, window: _Window
    ) -> dict[str, tuple[Instrument, BarSeries]]:
        """Instruments and their bars in the window, tradable ones first, each group in the order of `files`."""
        tradable: dict[str, tuple[Instrument, BarSeries]] = {}
        benchmarks: dict[str, tuple[Instrument, BarSeries]] = {}
        for symbol, name in files.items():
            if not name.benchmark and limit is not None and len(tradable) >= limit:
                self.notes.append(f"{symbol} was left out: only {limit} instruments were asked for")
                continue
            instrument, bars = self._load(name)
            bars = window.of(bars)
            if not len(bars):
                self.notes.append(f"{symbol} has no bars {window} and was left out")
                continue
            group = benchmarks if instrument.asset_class is AssetClass.INDEX else tradable
            group[symbol] = (instrument, bars)
        return tradable | benchmarks

    def _load(self, name: CandleName) -> tuple[Instrument, BarSeries]:
        hint = AssetClass.INDEX.value if name.benchmark else self._class_hint
        instrument = self._registry.resolve(name.symbol, class_hint=hint, folder_class=self._folder_name)
        if name.benchmark and instrument.asset_class is not AssetClass.INDEX:
            raise InvalidInput(f"{name.path.name} is named as an index, but {name.symbol} is a tradable instrument")
        cleaned = clean(
            read_candles(name.path),
            symbol=name.symbol,
            timeframe=name.timeframe,
            source=name.path.name,
            now=self._now,
            session_labels=instrument.calendar in EXCHANGES,
        )
        self.rejected.update(cleaned.rejected)
        self.notes.extend(cleaned.notes)
        if cleaned.rejected:
            counts = ", ".join(f"{count} {kind}" for kind, count in cleaned.rejected.items())
            self.notes.append(f"{name.path.name}: rows rejected: {counts}")
        bars = cleaned.series
        if name.timeframe is not self._timeframe:
            bars = resample(bars, self._timeframe)
        first = float(cleaned.series.open[0])
        priced = self._registry.resolve(name.symbol, class_hint=hint, price=first, folder_class=self._folder_name)
        return priced, with_spread(bars, priced)


def _with_benchmarks(instruments: dict[str, Instrument], registry: Registry) -> dict[str, Instrument]:
    """Each instrument with the first of its possible benchmarks that is at hand, or with none."""
    result = {}
    for symbol, instrument in instruments.items():
        present = next((name for name in registry.benchmarks(instrument) if name in instruments), None)
        result[symbol] = replace(instrument, benchmark=present)
    return result


def _gap_notes(instruments: Mapping[str, Instrument], series: Mapping[str, BarSeries]) -> list[str]:
    """What is missing where bars were expected. Exchanges are judged by long closures alone: their holiday tables
    cost more to load than a replay's start may."""
    notes = []
    for symbol, bars in series.items():
        calendar = instruments[symbol].calendar
        by_hours = calendar not in EXCHANGES
        sessions = Sessions(_day(bars, 0), _day(bars, -1)) if by_hours and calendar != ALWAYS else None
        gaps = find_gaps(bars.opened, bars.timeframe, sessions, calendar)
        if gaps.bars and by_hours:
            notes.append(
                f"{symbol} lacks bars in its trading hours: {gaps.bars} missing in {gaps.count} stretches, "
                f"the longest without a bar for {timedelta(seconds=gaps.longest_s)}"
            )
        elif gaps.longest_s > _LONG_CLOSURE.total_seconds():
            notes.append(f"{symbol} has a gap of {timedelta(seconds=gaps.longest_s)}, longer than any usual closure")
    return notes


def _day(bars: BarSeries, index: int) -> datetime:
    return from_epoch(int(bars.opened[index]))


def _texts(folder: Path, headlines: Path | None) -> tuple[Headlines, int]:
    """The texts that go with the candles, and how many lines of their file were none."""
    beside = folder / HEADLINES_FILE
    path = headlines if headlines is not None else beside if beside.is_file() else None
    return (Headlines(()), 0) if path is None else read_headlines(path)
