"""How much error the next promotion may take, so that a year of verdicts errs no more often than one may.

A test at 5% every week promotes a worthless model in most years. So the verdicts of one account share one budget: the
errors spent within any 365 days add up to at most the rate, and by the union bound the chance of one false promotion
in them is at most the rate, however the verdicts depend on one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from domain.clock import require_utc
from domain.errors import InvalidInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """One verdict that was tested, deployed or not: when, and at which error `alpha`.

    A challenger that was turned away unseen (too few samples) spent nothing and is not recorded.
    """

    at: datetime
    alpha: float

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not 0 < self.alpha < 1:
            raise InvalidInput(f"a verdict was tested at an error of {self.alpha}; it must lie in (0, 1)")


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorBudget:
    """At most `rate` of error within any `window`, closed at one end: two verdicts a full window apart share none."""

    rate: float = 0.05
    window: timedelta = timedelta(days=365)

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 or self.window <= timedelta(0):
            raise InvalidInput(f"a rate of {self.rate} must lie in (0, 1), and {self.window} must be above 0")

    def available(self, now: datetime, spent: Sequence[Spent], *, started_at: datetime) -> float:
        """The error a verdict at `now` may be tested at; 0 when there is none.

        It accrues evenly since the last verdict, or since `started_at` (when the first sample was decided) before the
        first, for at most one window. It never exceeds what is left of the window that ends now, and what is left is
        spread evenly until the oldest spending falls out, so that a large first verdict does not silence the rest of
        the year. Raises `InvalidInput` when spending is out of order or later than `now`.
        """
        require_utc(now, "now")
        begun = spent[-1].at if spent else require_utc(started_at, "started_at")
        if begun > now or any(later.at < earlier.at for earlier, later in pairwise(spent)):
            raise InvalidInput(f"verdicts must be in order of time and none of them, nor the start, after {now}")
        elapsed = min(now - begun, self.window)
        counted = [verdict for verdict in spent if now - verdict.at < self.window]
        left = max(0.0, self.rate - math.fsum(verdict.alpha for verdict in counted))
        accrued = self.rate * (elapsed / self.window)
        if not counted:
            return accrued
        until_oldest_ends = self.window - (now - counted[0].at)
        return min(accrued, left * (elapsed / (elapsed + until_oldest_ends)))
