"""What a job is, and when it is due. All times are UTC: a local 01:30 happens twice in one night of the year."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, Protocol

from domain.clock import EPOCH, require_utc
from domain.errors import Impossible, InvalidInput

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = timedelta(days=1)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")

Run = Callable[[datetime], Awaitable[str | None]]
"""Does the job that was due at the given time; what it found, in a sentence, is kept with the run."""


class Fires(Protocol):
    """The part of APScheduler's triggers that both drivers use."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime, /) -> datetime | None:
        """The first fire time at or after `now`, later than `previous`."""
        ...


class Trigger(Protocol):
    """When a job is due, as plain values; the library's trigger is built from it."""

    @property
    def period(self) -> timedelta:
        """The shortest time between two fires."""
        ...

    def build(self) -> Fires: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Every:
    """Each multiple of `period` since 1970-01-01 UTC, `offset` later: the same times in every run."""

    period: timedelta
    offset: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.period <= timedelta(0):
            raise InvalidInput(f"a job cannot be due every {self.period}")
        if not timedelta(0) <= self.offset < self.period:
            raise InvalidInput(f"an offset of {self.offset} does not lie within the period of {self.period}")

    def build(self) -> Fires:
        from apscheduler.triggers.interval import IntervalTrigger  # noqa: PLC0415 - slow to import

        seconds = self.period.total_seconds()
        built: Fires = IntervalTrigger(seconds=seconds, start_date=EPOCH + self.offset, timezone=UTC)
        return built


@dataclass(frozen=True, kw_only=True, slots=True)
class At:
    """A time of day, UTC: daily, on a `weekday` (mon to sun, by name), or on a `day` of the month (1 to 28)."""

    at: time
    weekday: str | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo not in (None, UTC) or self.at.microsecond:
            raise InvalidInput(f"{self.at} is not a time of day in whole seconds, UTC")
        if self.weekday is not None and self.weekday not in WEEKDAYS:
            raise InvalidInput(f"{self.weekday!r} is no weekday; use one of {', '.join(WEEKDAYS)}")
        if self.day is not None and not 1 <= self.day <= 28:
            raise InvalidInput(f"day {self.day} does not exist in every month; use 1 to 28")
        if self.weekday is not None and self.day is not None:
            raise InvalidInput("a job is due on a weekday or on a day of the month, not on both")

    @property
    def period(self) -> timedelta:
        if self.day is not None:
            return 28 * DAY
        return DAY if self.weekday is None else 7 * DAY

    def build(self) -> Fires:
        from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - slow to import

        built: Fires = CronTrigger(
            day=self.day,
            day_of_week=self.weekday,
            hour=self.at.hour,
            minute=self.at.minute,
            second=self.at.second,
            timezone=UTC,
        )
        return built


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Something done again and again.

    `deadline` is how long one run may take; `every_bar` says that in a replay it runs whenever bars closed, as a
    job with a period no longer than the bar does anyway. A `vital` job (the scan) is never cut off, and only its
    success is progress; any other is cancelled at its deadline, and its failure is counted, not fatal.
    """

    name: str
    trigger: Trigger
    run: Run
    deadline: timedelta
    every_bar: bool = False
    vital: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(f"{self.name!r} cannot name a job: it must match {_NAME.pattern}")
        if self.deadline <= timedelta(0):
            raise InvalidInput(f"job {self.name}: a deadline of {self.deadline} is no time at all")


def unique(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """The jobs in the order given; raises `InvalidInput` when two share a name."""
    given = tuple(jobs)
    names = [job.name for job in given]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InvalidInput(f"several jobs are named {', '.join(doubled)}")
    return given


def following(fires: Fires, after: datetime) -> datetime:
    """The first fire time later than `after`, aware UTC."""
    require_utc(after, "after")
    found = fires.get_next_fire_time(None, after)
    if found is not None and found <= after:
        found = fires.get_next_fire_time(found, found)
    if found is None:
        raise Impossible(f"a trigger without an end has no fire time after {after.isoformat()}")
    return found.astimezone(UTC)
