"""Time: one passed-in clock, aware UTC everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from domain.errors import Impossible, InvalidRecord

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What time it is. Live, replay and simulation differ only in which clock is passed in."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""
        ...


class SteppedClock:
    """A clock that stands still until it is moved, and only moves forward; for replays and simulations."""

    __slots__ = ("_now",)

    def __init__(self, start: datetime) -> None:
        self._now = require_utc(start, "start")

    def now(self) -> datetime:
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Move to `moment`; raises `Impossible` when that lies in the past."""
        if require_utc(moment, "moment") < self._now:
            raise Impossible(f"the clock cannot go back from {self._now.isoformat()} to {moment.isoformat()}")
        self._now = moment


def require_utc(moment: datetime, name: str) -> datetime:
    """Give `moment` back if it is aware and UTC; raise `InvalidRecord` otherwise."""
    if moment.tzinfo is UTC:
        return moment
    if moment.utcoffset() is None:
        raise InvalidRecord(f"{name} is {moment.isoformat()}, a time without a zone; times are aware UTC")
    # A zone that merely stands at UTC now (London in winter) has no offset of its own, and will move.
    if moment.tzinfo is None or moment.tzinfo.utcoffset(None) != timedelta(0):
        raise InvalidRecord(f"{name} is {moment.isoformat()} in {moment.tzinfo}; times are UTC")
    return moment


def from_epoch(seconds: int) -> datetime:
    """Whole seconds since 1970-01-01 UTC as an aware time."""
    return datetime.fromtimestamp(seconds, UTC)


def to_epoch(moment: datetime) -> int:
    """An aware time as whole seconds since 1970-01-01 UTC (fractions are cut off)."""
    return (moment - EPOCH) // timedelta(seconds=1)
