"""With a venue's account: between bars, every second or so, and the venue's clock once a minute."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from daemon.source import LiveSource
from daemon.wiring import Trading
from domain.bars import Quote
from journal.batch import Batch
from trading.clock_watch import judge_skew

QUOTES_EVERY = timedelta(seconds=5)
"""How often targets that cannot rest are compared with quotes: each quote is a question to the venue."""


class Watch:
    """Takes in what the venue tells, looks for stops, and watches targets that cannot rest."""

    def __init__(self, trading: Trading, source: LiveSource) -> None:
        self._trading = trading
        self._source = source
        self._quoted_at: datetime | None = None

    async def run(self, at: datetime) -> None:
        session = self._trading.session
        watched = [trade.decision.instrument for trade in session.books.open_trades()]
        quotes: Mapping[str, Quote] = {}
        if watched and session.protection.watches_targets and self._is_time(at):
            self._quoted_at = at
            quotes = await self._source.quotes(watched)
        await session.look_after(quotes)

    def _is_time(self, at: datetime) -> bool:
        last = self._quoted_at
        return last is None or not last <= at < last + QUOTES_EVERY


class VenueClock:
    """Measures how far the venue's clock is from ours."""

    def __init__(
        self, trading: Trading, measure: Callable[[], Awaitable[timedelta]], told: Callable[[float], None]
    ) -> None:
        self._trading = trading
        self._measure = measure
        self._told = told

    async def run(self, _at: datetime) -> str:
        """The finding, in one sentence."""
        skew = await self._measure()
        self._told(skew.total_seconds())
        batch = Batch()
        session = self._trading.session
        judge_skew(skew, session.clock.now(), session.holds, batch)
        if len(batch):
            self._trading.writer.defer(batch)
        return f"the venue's clock is {skew.total_seconds() * 1000:+.0f} ms from ours"
