"""With a venue's account: between bars, every second or so, and the venue's clock once a minute."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from daemon.source import LiveSource
from daemon.wiring import Trading
from journal.batch import Batch
from trading.clock_watch import judge_skew


class Watch:
    """Takes in what the venue tells, looks for stops, and watches targets that cannot rest."""

    def __init__(self, trading: Trading, source: LiveSource) -> None:
        self._trading = trading
        self._source = source

    async def run(self, _at: datetime) -> None:
        session = self._trading.session
        watched = [trade.decision.instrument for trade in session.books.open_trades()]
        wanted = watched if session.protection.watches_targets else []
        quotes = await self._source.quotes(wanted) if wanted else {}
        await session.look_after(quotes)


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
