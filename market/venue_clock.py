"""Which time the venue's clock has certainly reached: a candle is closed by its clock, not by ours."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime, timedelta

from domain.errors import InvalidInput, NotAvailable, Refused
from market.robust import Robust
from venues.link import MarketLink

MEASURED_EVERY_S = 600.0


class VenueClock:
    """Measures the offset of the venue's clock at first and every ten minutes; until it could be, ours is believed."""

    def __init__(self, link: MarketLink, robust: Robust) -> None:
        self.skew: timedelta | None = None
        """The venue's time less ours, as measured last."""
        self._link = link
        self._robust = robust
        self._doubt = timedelta(0)
        self._due_at = -math.inf

    async def reached(self, now: datetime) -> datetime:
        """The latest time, not after `now`, that the venue's clock shows for certain when ours shows `now`."""
        moment = asyncio.get_running_loop().time()
        if moment >= self._due_at:
            await self._measure(now)
        behind = timedelta(0) if self.skew is None else self.skew - self._doubt
        return now + min(behind, timedelta(0))

    async def _measure(self, now: datetime) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        # Whether it succeeds or not: a venue without this route must not slow every round.
        self._due_at = began + MEASURED_EVERY_S
        try:
            theirs = await self._robust.call("server time", self._link.server_time)
        except (NotAvailable, Refused, InvalidInput):
            return
        took = timedelta(seconds=loop.time() - began)
        self.skew, self._doubt = theirs - (now + took / 2), took / 2
