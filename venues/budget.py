"""How much one venue may be asked: a budget of request costs, a part kept for exits, and bans that are obeyed.

There is one for each venue. Costs are counted over a window that slides, so no minute of the venue's own, wherever it
begins, holds more than the allowance. While a ban is on nothing is asked at all, exits included: asking lengthens it.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.clock import Clock, to_epoch
from domain.errors import VenueBusy
from venues.errors import BUSY_STATUSES
from venues.profiles import Allowance

PATIENCE_S = 3.0
"""The longest that a question waits for its turn before it is refused."""
BANNED = 418
_UNTIL = re.compile(r"banned until (\d{13})")

_urgent: ContextVar[bool] = ContextVar("venues_urgent", default=False)


@contextmanager
def urgent(really: bool = True) -> Iterator[None]:
    """What is asked inside may use the reserve: exits and cancels alone."""
    token = _urgent.set(really)
    try:
        yield
    finally:
        _urgent.reset(token)


@dataclass(slots=True)
class BudgetCounts:
    """What metrics show of a budget; all of them only grow."""

    asked: int = 0
    refused: int = 0
    waited: int = 0
    bans: int = 0
    busy: int = 0
    """Answers by which the venue asked to be left alone for a while, each ban among them."""
    foreign_units: float = 0.0


class Budget:
    """The allowance of one venue, shared by all who ask it from here."""

    def __init__(self, venue: str, allowance: Allowance, clock: Clock, *, patience_s: float = PATIENCE_S) -> None:
        self.counts = BudgetCounts()
        self._venue = venue
        self._allowance = allowance
        self._clock = clock
        self._patience_s = patience_s
        self._spent: deque[tuple[datetime, float]] = deque()
        self._sum = 0.0
        self._banned_until: datetime | None = None
        self._ban_length = timedelta(0)

    @property
    def used(self) -> float:
        """Units spent in the window that ends now."""
        self._forget(self._clock.now())
        return self._sum

    @property
    def ban_left_s(self) -> float:
        """Seconds until anything may be asked again; 0 while no ban is on."""
        if self._banned_until is None:
            return 0.0
        left = self._banned_until - self._clock.now()
        if left <= timedelta(0):
            self._banned_until = None
            return 0.0
        if left > self._ban_length:  # our clock went back: the ban lasts no longer for that
            self._banned_until = self._clock.now() + self._ban_length
            return self._ban_length.total_seconds()
        return left.total_seconds()

    async def take(self, cost: float) -> None:
        """Spend `cost` units, waiting a moment for them if need be; raises `VenueBusy` where that is not enough."""
        wait_s = self._missing_s(cost)
        if 0 < wait_s <= self._patience_s and not self.ban_left_s:
            self.counts.waited += 1
            await asyncio.sleep(wait_s)
            wait_s = self._missing_s(cost)
        ban_s = self.ban_left_s
        if ban_s:
            self.counts.refused += 1
            raise VenueBusy(f"{self._venue} asked not to be called for another {ban_s:.0f} s", wait_s=ban_s)
        if wait_s:
            self.counts.refused += 1
            limit = f"{self._allowance.units:g} units in {self._allowance.window_s:g} s"
            raise VenueBusy(f"our budget of {limit} for {self._venue} is spent", wait_s=wait_s)
        self.counts.asked += 1
        self._spend(self._clock.now(), cost)

    def heard(self, status: int, headers: Mapping[str, str], body: str) -> None:
        """Take note of what an answer says of the budget: the venue's own count, and bans."""
        named = {name.lower(): value for name, value in headers.items()}
        if status in BUSY_STATUSES:
            self._ban(status, named.get("retry-after"), body)
        used = named.get(self._allowance.used_header or "")
        if used is not None and used.isdecimal():
            self._correct(int(used) / self._allowance.header_per_unit)

    def ban(self, wait_s: float) -> None:
        """Ask nothing for `wait_s` seconds; a longer ban that is on already stays."""
        left_s = self.ban_left_s
        if wait_s <= left_s:
            return
        self.counts.bans += not left_s  # what was under way when it began hears of it too: that is no other one
        self._ban_length = timedelta(seconds=wait_s)
        self._banned_until = self._clock.now() + self._ban_length

    def _ban(self, status: int, retry_after: str | None, body: str) -> None:
        named = _UNTIL.search(body)
        if retry_after is not None and retry_after.strip().isdecimal():
            self.ban(float(retry_after))
        elif named is not None:
            self.ban(max(1.0, int(named.group(1)) / 1000 - to_epoch(self._clock.now())))
        else:
            self.ban(self._allowance.long_ban_s if status == BANNED else self._allowance.ban_s)

    def _correct(self, used: float) -> None:
        """The venue's minute began at most one window ago: where it counts more than we do, others ask it too."""
        now = self._clock.now()
        self._forget(now)
        if used > self._sum:
            self.counts.foreign_units += used - self._sum
            self._spend(now, used - self._sum)

    def _missing_s(self, cost: float) -> float:
        """Seconds until `cost` units are free; 0 where they are."""
        now = self._clock.now()
        self._forget(now)
        allowance = self._allowance
        limit = allowance.units if _urgent.get() else allowance.units * (1 - allowance.reserve)
        # What costs more than a whole window would never be asked: it waits for an idle window instead.
        over = self._sum + min(cost, limit) - limit
        if over <= 0:
            return 0.0
        for at, spent in self._spent:
            over -= spent
            if over <= 0:
                return max(0.001, (at - now).total_seconds() + allowance.window_s)
        return allowance.window_s

    def _spend(self, at: datetime, cost: float) -> None:
        self._spent.append((at, cost))
        self._sum += cost

    def _forget(self, now: datetime) -> None:
        window = timedelta(seconds=self._allowance.window_s)
        while self._spent and not now - window < self._spent[0][0] <= now:
            # What lies in the future was spent before our clock went back; it is counted as spent now.
            at, cost = self._spent.popleft()
            self._sum -= cost
            if at > now:
                self._spend(now, cost)
        if not self._spent:
            self._sum = 0.0
