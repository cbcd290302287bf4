"""What a live run follows and trades on: the embedded market with the paper broker, or a venue's demo account."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from brokers.protocol import Broker
from daemon.config import Config
from daemon.live_feed import GrowingMarket, open_live_feed
from daemon.metrics import VenueCounts
from daemon.parts import Sources
from daemon.replay import account_currency
from daemon.settings import blackout_of
from daemon.wiring import Trading
from domain.bars import BarSeries, Quote
from journal.batch import Batch
from journal.journal import Journal
from market.feed import Feed
from market.venue_feed import Gathered, VenueFeed
from sentiment.blackout import Blackout
from sentiment.calendar import EventCalendar, load_calendar

if TYPE_CHECKING:
    from daemon.connection import Connection  # brings the venues' library, which a paper account does not need

_log = logging.getLogger(__name__)


async def _nothing() -> None:
    """What has no connection needs no closing."""


async def _nothing_to_fetch(_until: datetime) -> None:
    """What is at hand already needs no fetching."""


async def _no_quotes(_symbols: Sequence[str]) -> Mapping[str, Quote]:
    return {}


def _nothing_to_note(_trading: Trading, _until: datetime) -> None:
    """Bars alone change nothing beside the feed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveSource:
    """`fetch` brings in what has happened by a time, while others go on; `follow` takes note of it, under the
    session's lock. `quotes` are the best prices now, as far as they can be had; `measure_skew` is venue time less
    ours, and `counts` what was asked of the venue, for metrics. A `broker` of None is the embedded one, which needs no
    watching."""

    feed: Feed
    higher: Callable[[str], BarSeries | None]
    sources: Sources
    currency: str
    fetch: Callable[[datetime], Awaitable[None]] = _nothing_to_fetch
    follow: Callable[[Trading, datetime], None] = _nothing_to_note
    broker: Broker | None = None
    quotes: Callable[[Sequence[str]], Awaitable[Mapping[str, Quote]]] = _no_quotes
    measure_skew: Callable[[], Awaitable[timedelta]] | None = None
    counts: VenueCounts | None = None
    close: Callable[[], Awaitable[None]] = _nothing


def simulated_source(config: Config, journal: Journal, now: datetime) -> LiveSource:
    """The embedded market, appearing bar by bar."""
    feed = open_live_feed(config, journal, now)

    def follow(trading: Trading, until: datetime) -> None:
        if feed.grow(until):
            _take_in_growth(feed, trading, config)

    return LiveSource(
        feed=feed,
        higher=feed.higher,
        sources=Sources(events=feed.calendar, calendar_complete=True, read_news=config.sentiment.enabled),
        currency=config.account.currency or account_currency(feed, None),
        follow=follow,
    )


def _take_in_growth(feed: GrowingMarket, trading: Trading, config: Config) -> None:
    """The story was told further: its new events are journaled, and everybody looks at the longer calendar."""
    news, events = trading.session.news, feed.calendar
    known = {event.event_id for event in news.events}
    batch = Batch()
    for event in events:
        if event.event_id not in known:
            batch.add(event)
    trading.writer.defer(batch)
    _log.info("feed_grew", extra={"until": feed.told_until.isoformat()})
    news.follow(events, EventCalendar(events), Blackout(events, blackout_of(config, complete=True)))


def _take_in_bars(feed: VenueFeed, gathered: Gathered, trading: Trading) -> None:
    """Journal every bar that came, late ones too, each with who gave it; and log what did not come."""
    batch = Batch()
    for symbol, (start, stop) in gathered.added.items():
        for part in feed.parts(symbol, start, stop):
            batch.add_bars(part, 0, len(part))
    if len(batch):
        trading.writer.defer(batch)
    for (symbol, kind), count in gathered.rejected_of.items():
        _log.warning("candles_rejected", extra={"instrument": symbol, "kind": kind, "count": count})
        trading.session.observer.candles_rejected(symbol, kind, count)


def _tell_silence(now: Mapping[str, str], before: set[str]) -> None:
    """Log once that an instrument's candles stay away, and once that they come again; `before` is kept up to date."""
    for symbol in now.keys() - before:
        _log.warning("candles_missing", extra={"instrument": symbol, "reason": now[symbol]})
    for symbol in before - now.keys():
        _log.info("candles_come_again", extra={"instrument": symbol})
    before.clear()
    before.update(now)


def venue_source(config: Config, connection: Connection) -> LiveSource:
    """A venue's demo account and its candles."""
    feed, calendar = connection.feed, config.sentiment.calendar

    fetched: list[Gathered] = []
    silent: set[str] = set()

    async def fetch(_until: datetime) -> None:
        fetched.append(await feed.follow())

    def follow(trading: Trading, _until: datetime) -> None:
        for gathered in fetched:
            _take_in_bars(feed, gathered, trading)
            _tell_silence(gathered.silent, silent)
        fetched.clear()

    return LiveSource(
        feed=feed,
        higher=feed.higher,
        sources=Sources(events=None if calendar is None else load_calendar(calendar), read_news=False),
        currency=connection.currency,
        fetch=fetch,
        follow=follow,
        broker=connection.broker,
        quotes=feed.quotes,
        measure_skew=connection.account.measure_clock,
        counts=connection.counts,
        close=connection.close,
    )
