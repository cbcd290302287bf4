"""A venue's candles as a feed that grows: `gather` fetches what closed, `next_at` and `take` tell it.

**What is told.** A moment is told once every instrument has its bar for that close, or once `patience` has passed
since the close, so that one slow instrument never holds the others up. An instrument whose newest bar is more than
`SILENT_BARS` bars older is not waited for at all. A bar that comes after its moment was told is put behind the
instrument's other bars, where indicators see it, but it is never told: a moment lies in the past for good. So the
indices that one instrument's moments name may skip some. Telling goes on from `seek` alone; nothing is lost by not
asking.

**What opens.** A venue's bar is at hand once it has closed, so its opening cannot be told when it happens:
`Moment.opened` is always empty, and moments at which bars would only open do not exist.

**What never changes.** Bars at hand keep their index and their values for as long as the feed lives: a correction, a
hole filled too late and anything older than the newest bar are counted and left out. The first bar of `history` stays
the first; `market.venue_history` drops the oldest ones beyond its `keep` when the daemon starts, never while it runs.

**Whose clock.** A bar has closed when the venue's clock says so. Where ours runs ahead, the difference (and half of the
time its measurement took) is waited for; where ours runs behind, ours decides.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from domain.bars import BarSeries, Quote
from domain.clock import EPOCH, Clock, from_epoch, to_epoch
from domain.errors import InvalidInput, NotAvailable
from domain.instruments import Instrument, Timeframe
from domain.records import NewsItem
from market.bar_follower import BarFollower, Provider
from market.candle_source import CandleSource, LinkCandles
from market.feed import BarRef, FeedReport, Moment
from market.growing_bars import GrowingBars
from market.robust import AT_ONCE, RetryPlan, Robust
from market.venue_clock import VenueClock
from market.venue_quotes import VenueQuotes
from venues.link import MarketLink

Key = TypeVar("Key", str, tuple[str, str])

SILENT_BARS = 2
LONGEST_PATIENCE = timedelta(seconds=10)
REJECTIONS = (
    *("unreadable", "time", "nan", "not_positive", "high_low", "future", "out_of_order", "duplicate", "conflict"),
    *("overlap", "spike", "missing", "other_level"),
)
"""Every kind that `Gathered.rejected` counts under: what no bar is (`market.candle_source`), what is not believed
(`market.quality`, `market.bar_follower`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """What one round of fetching brought. Counts are of this round, by kind or by source."""

    at: datetime
    added: Mapping[str, tuple[int, int]]
    """By symbol the indices (from, up to but not including) of the bars put behind the others."""
    by_source: Mapping[str, int]
    late: int
    """Bars that came after their moment was told."""
    rejected_of: Mapping[tuple[str, str], int]
    """What was not believed, by symbol and kind."""
    silent: Mapping[str, str]
    """Instruments without the bar that closed last, and why, as far as is known."""
    took_s: float
    again_at: datetime | None
    """When another round is worth while because a moment waits for bars; None when none does."""

    @property
    def bars(self) -> int:
        """How many bars were added."""
        return sum(stop - start for start, stop in self.added.values())

    @property
    def rejected(self) -> Mapping[str, int]:
        """What was not believed, by kind."""
        return _by_kind(self.rejected_of)

    def then(self, later: Gathered) -> Gathered:
        """This round and the `later` one as one."""
        starts = {symbol: span[0] for symbol, span in (*later.added.items(), *self.added.items())}
        stops = {symbol: span[1] for symbol, span in (*self.added.items(), *later.added.items())}
        return replace(
            later,
            added={symbol: (starts[symbol], stops[symbol]) for symbol in sorted(stops)},
            by_source=_sum(self.by_source, later.by_source),
            late=self.late + later.late,
            rejected_of=_sum(self.rejected_of, later.rejected_of),
            took_s=self.took_s + later.took_s,
        )


class VenueFeed:
    """See the module. `history` holds at least one bar of every instrument, whose order is that of `instruments`.

    `link` stays the caller's to close, after `close` of the feed. `patience` is at most ten seconds and a quarter of
    a bar unless given. All instruments are expected to trade around the clock.
    """

    def __init__(
        self,
        *,
        name: str,
        timeframe: Timeframe,
        instruments: Mapping[str, Instrument],
        history: Mapping[str, BarSeries],
        link: MarketLink,
        clock: Clock,
        fallback: CandleSource | None = None,
        patience: timedelta | None = None,
        plan: RetryPlan | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        if not instruments or instruments.keys() != history.keys():
            raise InvalidInput(f"{name}: history of {sorted(history)} does not match instruments {sorted(instruments)}")
        self._name = name
        self._timeframe = timeframe
        self._instruments = dict(instruments)
        self._clock = clock
        self._notes = tuple(notes)
        self._patience = min(LONGEST_PATIENCE, timeframe.span / 4) if patience is None else patience
        self._pause = min(1.0, self._patience.total_seconds() / 4)
        self._plan = plan or RetryPlan()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._venue_clock = VenueClock(link, self._robust(link.venue, attempts=1))
        self._quotes = VenueQuotes(link, self._robust(link.venue, attempts=1))
        self._providers = [Provider(source=LinkCandles(link), robust=self._robust(link.venue))]
        if fallback is not None:
            self._providers.append(Provider(source=fallback, robust=self._robust(fallback.venue)))
        self._followers = {symbol: self._follower(symbol, history[symbol], link.venue) for symbol in instruments}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._gathering = asyncio.Lock()
        self._cursor: int | None = None
        self._next: tuple[int, tuple[BarRef, ...]] | None = None
        self._given_up: float | None = None
        """Moments up to this time (seconds since 1970 UTC) wait for nobody any more."""
        self._late = 0
        self._by_source: Counter[str] = Counter()
        self._reported = _Reported(bars={symbol: len(one.bars) for symbol, one in self._followers.items()})

    def _robust(self, venue: str, attempts: int | None = None) -> Robust:
        plan = self._plan if attempts is None else replace(self._plan, attempts=attempts)
        return Robust(venue, plan, self._at_once)

    def _follower(self, symbol: str, history: BarSeries, venue: str) -> BarFollower:
        if history.symbol != symbol or history.timeframe is not self._timeframe:
            raise InvalidInput(f"{self._name}: the history of {symbol} is {history.symbol} {history.timeframe.value}")
        instrument = self._instruments[symbol]
        return BarFollower(
            GrowingBars(history, venue),
            primary=self._providers[0],
            fallback=self._providers[1] if len(self._providers) > 1 else None,
            patience_s=self._patience.total_seconds(),
            half_spread=lambda bar: self._quotes.half_spread(bar, instrument),
            appended=self._appended,
        )

    # -- what it is -------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def timeframe(self) -> Timeframe:
        return self._timeframe

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        return self._instruments

    @property
    def report(self) -> FeedReport:
        """What was noted while loading, and what has been rejected since the feed was made."""
        return FeedReport(notes=self._notes, rejected=_by_kind(self._rejected()))

    @property
    def patience(self) -> timedelta:
        return self._patience

    @property
    def skew(self) -> timedelta | None:
        """The venue's clock less ours, as measured last; None before it was."""
        return self._venue_clock.skew

    @property
    def resting(self) -> Sequence[str]:
        """Providers that are thought to be down: they are asked only now and then."""
        return [one.source.venue for one in self._providers if one.robust.is_resting]

    @property
    def quotes_failed(self) -> int:
        """Quotes that were asked for and not given."""
        return self._quotes.failed

    def series(self, symbol: str) -> BarSeries:
        """All bars at hand; raises `InvalidInput` for a symbol that is not part of the feed."""
        return self._bars(symbol).series()

    def higher(self, symbol: str) -> BarSeries | None:
        """The bars in the next higher timeframe; None above the day."""
        return self._bars(symbol).higher()

    def sources(self, symbol: str) -> Mapping[str, int]:
        """How many of the bars at hand each source gave."""
        return self._bars(symbol).sources()

    def parts(self, symbol: str, start: int, stop: int) -> Sequence[BarSeries]:
        """The bars `start` up to but not including `stop`, cut where the source changes; for keeping them."""
        return self._bars(symbol).parts(start, stop)

    def _bars(self, symbol: str) -> GrowingBars:
        found = self._followers.get(symbol)
        if found is None:
            raise InvalidInput(f"{self._name} has no series of {symbol}; it has {', '.join(self._followers)}")
        return found.bars

    # -- telling ----------------------------------------------------------------------------------------------

    def next_at(self) -> datetime | None:
        """When the next moment is that can be told by now; None while there is none, which is not the end."""
        self._next = self._next or self._find_next()
        return None if self._next is None else from_epoch(self._next[0])

    def take(self) -> Moment:
        """The next moment; raises `NotAvailable` while there is none that can be told."""
        self._next = self._next or self._find_next()
        if self._next is None:
            raise NotAvailable(f"{self._name} has no further moment to tell yet")
        at, closed = self._next
        self._cursor, self._next = at, None
        return Moment(at=from_epoch(at), closed=closed, opened=())

    def is_last(self, ref: BarRef) -> bool:  # noqa: ARG002 - a venue's story has no end
        return False

    def seek(self, after: datetime) -> None:
        """Continue with the first moment later than `after`, also when it was told before."""
        self._cursor, self._next = to_epoch(after), None

    def headlines(self, after: datetime, until: datetime) -> Sequence[NewsItem]:  # noqa: ARG002 - none come with it
        return ()

    def _find_next(self) -> tuple[int, tuple[BarRef, ...]] | None:
        at: int | None = None
        refs: list[BarRef] = []
        for symbol, follower in self._followers.items():
            bars = follower.bars
            index = 0 if self._cursor is None else bars.first_closing_after(self._cursor)
            if index == len(bars):
                continue
            closed = bars.closed_at(index)
            if at is None or closed < at:
                at, refs = closed, []
            if closed == at:
                refs.append(BarRef(symbol, index))
        return None if at is None or not self._may_be_told(at) else (at, tuple(refs))

    def _may_be_told(self, at: int) -> bool:
        return (self._given_up is not None and at <= self._given_up) or not self._awaited(at)

    def _awaited(self, at: int) -> list[str]:
        """The instruments that a moment at `at` still waits for, patience aside."""
        silent = SILENT_BARS * self._timeframe.seconds
        newest = {symbol: follower.bars.newest_closed for symbol, follower in self._followers.items()}
        return [symbol for symbol, closed in newest.items() if at - silent <= closed < at]

    def _appended(self, closed: int, source: str) -> None:
        self._by_source[source] += 1
        self._late += self._cursor is not None and closed <= self._cursor
        self._next = None

    # -- fetching ---------------------------------------------------------------------------------------------

    async def gather(self, now: datetime) -> Gathered:
        """One round: fetch, for all instruments side by side, the bars that closed by `now` and are not at hand.

        It takes `patience` at the longest; what has not been answered by then goes on by itself, and what it brings
        is part of a later round. Providers that fail are no error: see `Gathered.silent`.
        """
        async with self._gathering:
            began = asyncio.get_running_loop().time()
            reached = await self._venue_clock.reached(now)
            for symbol, follower in self._followers.items():
                if symbol not in self._running and follower.owed(to_epoch(reached)):
                    self._running[symbol] = asyncio.create_task(
                        follower.follow(now, reached), name=f"candles of {symbol}"
                    )
            if self._running:
                await asyncio.wait(self._running.values(), timeout=self._patience.total_seconds())
            self._reap()
            at = max(now, self._clock.now())
            waited = (at - self._patience - EPOCH).total_seconds()
            self._given_up = waited if self._given_up is None else max(self._given_up, waited)
            self._next = None
            return self._gathered(at, reached, asyncio.get_running_loop().time() - began)

    async def follow(self) -> Gathered:
        """Rounds of `gather` by the clock until the newest moment can be told; at most about twice the patience."""
        loop = asyncio.get_running_loop()
        until = loop.time() + 2 * self._patience.total_seconds()
        found = await self.gather(self._clock.now())
        while found.again_at is not None and loop.time() < until:
            await asyncio.sleep(self._pause)
            found = found.then(await self.gather(self._clock.now()))
        return found

    async def quotes(self, symbols: Iterable[str]) -> Mapping[str, Quote]:
        """The venue's quotes, as many as could be had. The next bars take their spread from them while they are young
        (`venue_quotes.YOUNG_BARS`); other bars have the instrument's modelled spread."""
        return await self._quotes.ask(symbols)

    async def close(self) -> None:
        """Call off what is still being asked."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._running.clear()

    def _reap(self) -> None:
        for symbol, task in list(self._running.items()):
            if task.done():
                del self._running[symbol]
                task.result()

    def _gathered(self, at: datetime, reached: datetime, took_s: float) -> Gathered:
        """What came since the last report."""
        size = {symbol: len(follower.bars) for symbol, follower in self._followers.items()}
        rejected = self._rejected()
        last, self._reported = (
            self._reported,
            _Reported(bars=size, by_source=Counter(self._by_source), rejected=rejected, late=self._late),
        )
        added = {symbol: (last.bars[symbol], count) for symbol, count in size.items() if count > last.bars[symbol]}
        return Gathered(
            at=at,
            added=added,
            by_source=dict(sorted((self._by_source - last.by_source).items())),
            late=self._late - last.late,
            rejected_of=dict(sorted((rejected - last.rejected).items())),
            silent=self._silent(reached),
            took_s=took_s,
            again_at=self._again_at(at),
        )

    def _silent(self, reached: datetime) -> dict[str, str]:
        owing = {symbol: one for symbol, one in self._followers.items() if one.owed(to_epoch(reached))}
        return {symbol: self._reason(symbol, follower) for symbol, follower in owing.items()}

    def _reason(self, symbol: str, follower: BarFollower) -> str:
        if symbol in self._running:
            return "it has not been answered for yet"
        newest = from_epoch(follower.bars.newest_closed).isoformat()
        return follower.why or f"no bar was given since the one that closed at {newest}"

    def _again_at(self, at: datetime) -> datetime | None:
        span = self._timeframe.seconds
        newest = to_epoch(at) // span * span
        waits = self._given_up is not None and newest > self._given_up and self._awaited(newest)
        if not waits and not self._running:
            return None
        return at + timedelta(seconds=self._pause)

    def _rejected(self) -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for symbol, follower in self._followers.items():
            counts.update({(symbol, kind): count for kind, count in follower.rejected.items()})
        for provider in self._providers:
            counts.update(provider.source.rejected)
        return counts


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reported:
    """What the last `Gathered` had told of, in all."""

    bars: Mapping[str, int]
    by_source: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    late: int = 0


def _sum(one: Mapping[Key, int], other: Mapping[Key, int]) -> dict[Key, int]:
    return dict(sorted((Counter(one) + Counter(other)).items()))


def _by_kind(rejected: Mapping[tuple[str, str], int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for (_, kind), count in rejected.items():
        counts[kind] += count
    return dict(sorted(counts.items()))
