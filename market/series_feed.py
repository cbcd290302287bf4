"""A `Feed` over series that are wholly at hand: what recorded files and the simulated market share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.bars import BarSeries
from domain.errors import InvalidInput
from domain.instruments import Instrument, Timeframe
from domain.records import NewsItem
from market.feed import BarRef, FeedReport, Moment
from market.headlines import Headlines
from market.resample import resample
from market.timeline import Timeline


class SeriesFeed:
    """Tells the bars of several series moment by moment; see `market.feed.Feed` for the contract."""

    def __init__(
        self,
        *,
        name: str,
        timeframe: Timeframe,
        instruments: Mapping[str, Instrument],
        series: Mapping[str, BarSeries],
        report: FeedReport,
        headlines: Headlines,
    ) -> None:
        if instruments.keys() != series.keys():
            raise InvalidInput(f"{name}: series {sorted(series)} do not match instruments {sorted(instruments)}")
        self._name = name
        self._timeframe = timeframe
        self._instruments = dict(instruments)
        self._series = {symbol: series[symbol] for symbol in instruments}
        self._last = {symbol: len(bars) - 1 for symbol, bars in self._series.items()}
        self._report = report
        self._headlines = headlines
        self._timeline = Timeline(list(self._series.values()))
        self._higher: dict[str, BarSeries | None] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def timeframe(self) -> Timeframe:
        return self._timeframe

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Tradable instruments in alphabetical order, then benchmarks."""
        return self._instruments

    @property
    def report(self) -> FeedReport:
        return self._report

    @property
    def brings_news(self) -> bool:
        """Whether there is any text to be heard in this story."""
        return len(self._headlines) > 0

    @property
    def moments(self) -> int:
        """How many moments the whole story has."""
        return len(self._timeline)

    def series(self, symbol: str) -> BarSeries:
        """All bars of `symbol`; raises `InvalidInput` for a symbol that is not part of the feed."""
        found = self._series.get(symbol)
        if found is None:
            raise InvalidInput(f"{self._name} has no series of {symbol}; it has {', '.join(self._series)}")
        return found

    def higher(self, symbol: str) -> BarSeries | None:
        """The series in the next higher timeframe, made once; None above the day."""
        if symbol not in self._higher:
            timeframe = self._timeframe.higher
            series = self.series(symbol)
            self._higher[symbol] = None if timeframe is None else resample(series, timeframe)
        return self._higher[symbol]

    def next_at(self) -> datetime | None:
        return self._timeline.next_at()

    def take(self) -> Moment:
        return self._timeline.take()

    def is_last(self, ref: BarRef) -> bool:
        return ref.index == self._last[ref.symbol]

    def seek(self, after: datetime) -> None:
        self._timeline.seek(after)

    def headlines(self, after: datetime, until: datetime) -> Sequence[NewsItem]:
        return self._headlines.between(after, until)
