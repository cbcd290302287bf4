"""The `Feed` protocol: recorded files, the simulated market and (later) venues tell the market's story alike.

A feed tells moments in time order. At one moment bars close first; then, after whoever listens has decided, the
next bars open at the same moment. So an order decided on a closed bar can fill at the next open, never before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.bars import BarSeries
from domain.instruments import Instrument, Timeframe
from domain.records import NewsItem


@dataclass(frozen=True, slots=True)
class BarRef:
    """The bar at `index` of the feed's series of `symbol`."""

    symbol: str
    index: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens at one time: bars that close, and bars that open (only their open price may be read)."""

    at: datetime
    closed: tuple[BarRef, ...]
    opened: tuple[BarRef, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedReport:
    """What the feed took, skipped and refused while loading, in sentences; counts by kind for metrics."""

    notes: tuple[str, ...]
    rejected: Mapping[str, int]


class Feed(Protocol):
    """Closed bars of several instruments, in order of time."""

    @property
    def name(self) -> str: ...

    @property
    def timeframe(self) -> Timeframe: ...

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Tradable instruments by symbol, and benchmarks (asset class INDEX), in a fixed order."""
        ...

    @property
    def report(self) -> FeedReport: ...

    def series(self, symbol: str) -> BarSeries:
        """All bars at hand. Past the index of the last moment they are the future: nobody may decide on them."""
        ...

    def next_at(self) -> datetime | None:
        """When the next moment is; None when the story has ended."""
        ...

    def take(self) -> Moment:
        """The next moment; raises `NotAvailable` at the end."""
        ...

    def is_last(self, ref: BarRef) -> bool:
        """Whether no bar of this instrument will ever follow: its recording ends, or it was delisted."""
        ...

    def seek(self, after: datetime) -> None:
        """Continue with the first moment later than `after`."""
        ...

    def headlines(self, after: datetime, until: datetime) -> Sequence[NewsItem]:
        """Texts received in (after, until]; empty where the feed brings none."""
        ...
