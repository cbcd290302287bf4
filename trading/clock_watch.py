"""The venue's clock against ours: while they differ by more than half a second nothing new is entered."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.holds import Effect, HoldCause, new_hold
from journal.batch import Batch
from trading.holds import HoldBook

LARGEST_SKEW = timedelta(milliseconds=500)
"""Beyond it nobody knows how old a price or an approval is."""

AGREED = "the venue's clock and ours agree"


def judge_skew(skew: timedelta, now: datetime, holds: HoldBook, batch: Batch) -> None:
    """Hold or release entries by `skew`, venue time less ours."""
    if abs(skew) <= LARGEST_SKEW:
        holds.release(HoldCause.SKEW, None, now, AGREED, batch)
        return
    holds.set(
        new_hold(
            HoldCause.SKEW,
            Effect.NO_ENTRIES,
            since=now,
            condition=AGREED,
            detail=f"the venue's clock is {skew.total_seconds():+.1f} s from ours; {LARGEST_SKEW} is allowed",
        ),
        batch,
    )
