"""When markets are open: exchanges with their holidays and half days, the FX week, and markets that never close."""

from __future__ import annotations

import importlib
import warnings
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import ModuleType
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from domain.bars import Ints
from domain.clock import from_epoch, to_epoch
from domain.errors import InvalidInput
from domain.instruments import Timeframe

ALWAYS = "24/7"
FX_WEEK = "FX"
METALS_WEEK = "METALS"
EXCHANGES = ("XNYS", "XASX", "XBOM")
_NEW_YORK = ZoneInfo("America/New_York")
_DAY = 86_400
_WEEKEND = 48 * 3600
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6
_BEFORE_EVERYTHING = int(np.iinfo(np.int64).min)
_BOUNDED = ("XBOM",)
"""Exchanges whose holidays the calendar library knows only between two dates: they are announced year by year."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Openings and closings in seconds since 1970 UTC, sessions in order; `labels` are the sessions' dates."""

    opens: list[int]
    closes: list[int]
    labels: list[int]


class Sessions:
    """Trading hours between two dates. Tables are made on first use (an exchange's costs 0.7 s once).

    A time outside the dates, or outside what an exchange's calendar knows, is answered with None: not known.
    """

    def __init__(self, first: date, last: date) -> None:
        """Cover `first` to `last`, both included; a week more is kept on both sides for questions across an end."""
        if last < first:
            raise InvalidInput(f"sessions from {first} to {last}: the last day must not lie before the first")
        self._first = first - timedelta(days=8)
        self._last = last + timedelta(days=8)
        self._tables: dict[str, _Table] = {}

    def is_open(self, calendar: str, at: datetime) -> bool | None:
        """Whether the market trades at `at` (a session's opening time is open, its closing time is not)."""
        if calendar == ALWAYS:
            return True
        table = self._tables.get(calendar) or self._table(calendar)
        seconds = at.timestamp()
        place = bisect_right(table.opens, seconds)
        if place == 0 or seconds >= table.closes[-1]:
            return None
        return seconds < table.closes[place - 1]

    def is_session(self, calendar: str, label: datetime) -> bool | None:
        """Whether the date of `label` names a session: the test for daily bars, whose time is a label."""
        if calendar == ALWAYS:
            return True
        labels = self._table(calendar).labels
        day = to_epoch(label) // _DAY * _DAY
        if not labels or day < labels[0] or day > labels[-1]:
            return None
        return labels[bisect_right(labels, day) - 1] == day

    def next_close(self, calendar: str, at: datetime) -> datetime | None:
        """The end of the session that is open at `at`, or of the next one; None if never or not known."""
        if calendar == ALWAYS:
            return None
        table = self._table(calendar)
        place = bisect_right(table.closes, at.timestamp())
        return from_epoch(table.closes[place]) if place < len(table.closes) else None

    def weekend_ahead(self, calendar: str, at: datetime, span: timedelta) -> bool:
        """Whether within `span` after `at` the market closes for 48 hours or longer (a weekend, long holidays)."""
        if calendar == ALWAYS:
            return False
        table = self._table(calendar)
        until = (at + span).timestamp()
        place = bisect_right(table.closes, at.timestamp())
        while place + 1 < len(table.opens) and table.closes[place] <= until:
            if table.opens[place + 1] - table.closes[place] >= _WEEKEND:
                return True
            place += 1
        return False

    def open_mask(self, calendar: str, times: Ints, timeframe: Timeframe) -> NDArray[np.bool_]:
        """For many bar open times at once: whether a bar is expected there. Daily bars go by session dates."""
        if calendar == ALWAYS:
            return np.ones(times.shape[0], dtype=bool)
        table = self._table(calendar)
        if timeframe is Timeframe.D1:
            return np.isin(times // _DAY * _DAY, np.array(table.labels, dtype=np.int64))
        closes = np.append(np.array(table.closes, dtype=np.int64), _BEFORE_EVERYTHING)
        place = np.searchsorted(np.array(table.opens, dtype=np.int64), times, side="right")
        return times < closes[place - 1]

    def _table(self, calendar: str) -> _Table:
        table = self._tables.get(calendar)
        if table is None:
            table = self._tables[calendar] = self._made(calendar)
        return table

    def _made(self, calendar: str) -> _Table:
        if calendar in (FX_WEEK, METALS_WEEK):
            return _week_table(self._first, self._last, daily_break=calendar == METALS_WEEK)
        if calendar in EXCHANGES:
            return _exchange_table(calendar, self._first, self._last)
        known = ", ".join((ALWAYS, FX_WEEK, METALS_WEEK, *EXCHANGES))
        raise InvalidInput(f"there is no session calendar {calendar}; known are {known}")


def _week_table(first: date, last: date, *, daily_break: bool) -> _Table:
    """Days from 17:00 to 17:00 New York time, Sunday evening to Friday evening; none that ends on Christmas Day or
    New Year's Day. A metal's day begins an hour later."""
    opens: list[int] = []
    closes: list[int] = []
    labels: list[int] = []
    day = first
    while day <= last:
        holiday = (day.month, day.day) in ((12, 25), (1, 1))
        if day.weekday() not in (_SATURDAY, _SUNDAY) and not holiday:
            starts = datetime.combine(day - timedelta(days=1), time(18 if daily_break else 17), _NEW_YORK)
            ends = datetime.combine(day, time(17), _NEW_YORK)
            opens.append(int(starts.timestamp()))
            closes.append(int(ends.timestamp()))
            labels.append(to_epoch(datetime.combine(day, time(0), UTC)))
        day += timedelta(days=1)
    return _Table(opens, closes, labels)


def _exchange_table(calendar: str, first: date, last: date) -> _Table:
    # Imported here because it costs 0.5 s that only markets with exchange hours need to pay.
    library = importlib.import_module("exchange_calendars")
    with warnings.catch_warnings():
        # The library itself still calls what pandas 3.1 announces to change; nothing of it reaches us.
        warnings.simplefilter("ignore", DeprecationWarning)
        start, end = _known_dates(library, calendar, first, last) if calendar in _BOUNDED else (first, last)
        if end <= start:
            return _Table([0], [0], [])
        hours = library.get_calendar(calendar, start=start.isoformat(), end=end.isoformat())
        return _Table(
            (hours.opens_nanos // 1_000_000_000).tolist(),
            (hours.closes_nanos // 1_000_000_000).tolist(),
            hours.sessions.to_numpy().astype("datetime64[s]").astype(np.int64).tolist(),
        )


def _known_dates(library: ModuleType, calendar: str, first: date, last: date) -> tuple[date, date]:
    """The part of the dates for which the library knows the exchange's holidays."""
    known = library.get_calendar(calendar, start="2010-01-01", end="2010-12-31")
    earliest, latest = known.bound_min(), known.bound_max()
    return (
        first if earliest is None else max(first, earliest.date()),
        last if latest is None else min(last, latest.date()),
    )


def earnings_season(at: datetime) -> bool:
    """Whether most companies report about now: the 11th of January, April, July or October to the 20th of the next
    month. It is the season of calendar-year companies; an instrument's own dates come as external facts."""
    season_month = (at.month - 1) % 3
    return (season_month == 0 and at.day >= 11) or (season_month == 1 and at.day <= 20)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gaps:
    """Missing stretches inside a series: how many, the bars they lack, and the longest in seconds."""

    count: int
    bars: int
    longest_s: int


_MOST_SLOTS = 2_000_000


def find_gaps(opened: Ints, timeframe: Timeframe, sessions: Sessions | None, calendar: str) -> Gaps:
    """Gaps between bars, by the calendar's hours when `sessions` is given, else by the clock alone.

    A stretch counts when at least one bar was expected in it; its length is from the end of one bar to the next.
    """
    span = timeframe.seconds
    steps = np.diff(opened)
    places = np.flatnonzero(steps > span)
    lacking = (steps[places] - 1) // span
    if sessions is not None and int(lacking.sum()) <= _MOST_SLOTS:
        owner = np.repeat(np.arange(places.shape[0]), lacking)
        first = np.repeat(np.cumsum(lacking) - lacking, lacking)
        number = np.arange(owner.shape[0]) - first + 1
        slots = opened[places][owner] + number * span
        expected = sessions.open_mask(calendar, slots, timeframe)
        lacking = np.bincount(owner[expected], minlength=places.shape[0])
    real = lacking > 0
    longest = steps[places][real] - span
    return Gaps(
        count=int(np.count_nonzero(real)), bars=int(lacking.sum()), longest_s=int(longest.max()) if longest.size else 0
    )
