"""When not to enter because of scheduled news, whatever anybody thinks of it.

Around every high-impact event of a currency (by default 15 minutes before to 60 after; medium impact 5 and 15)
instruments that the currency moves take no new positions. Sentiment and direction play no part. Overlapping windows
are one hold, which ends with the last of them.

A calendar that does not cover the present cannot say that nothing is due. So where it has no event at all for
longer than `stale_after_h`, and before its first event, entries are held too: until the calendar covers the present
again. Without any calendar there are no holds: nobody asked for them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from domain.clock import EPOCH
from domain.errors import InvalidInput
from domain.holds import Effect, Hold, HoldCause, new_hold
from domain.instruments import Instrument
from domain.records import CalendarEvent, Impact
from sentiment.calendar import EVERY_CURRENCY, calendar_currency

STALE_CONDITION = "the calendar covers the present again"
_NAMED_EVENTS = 3
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlackoutSettings:
    """Minutes around events. All-day and tentative events have no time to stand around, so they hold nothing.

    `stale_after_h` is the longest stretch without any event, of any impact and currency, that a calendar without
    gaps can have (a long weekend); `hold_when_stale` False trusts a calendar that ends.
    """

    before_min: float = 15.0
    after_min: float = 60.0
    medium_before_min: float = 5.0
    medium_after_min: float = 15.0
    stale_after_h: float = 96.0
    hold_when_stale: bool = True

    def __post_init__(self) -> None:
        for name in ("before_min", "after_min", "medium_before_min", "medium_after_min"):
            if not 0 <= getattr(self, name) <= 24 * 60:
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must lie between 0 and 1440 minutes")
        if not self.stale_after_h > 0:
            raise InvalidInput(f"stale_after_h is {self.stale_after_h}; it must be above 0")

    def window(self, event: CalendarEvent) -> tuple[datetime, datetime] | None:
        """The time around `event` in which nothing is entered; None when it does not hold anything."""
        minutes = {
            Impact.HIGH: (self.before_min, self.after_min),
            Impact.MEDIUM: (self.medium_before_min, self.medium_after_min),
        }.get(event.impact)
        if minutes is None or not event.precise or sum(minutes) == 0:
            return None
        return event.at - timedelta(minutes=minutes[0]), event.at + timedelta(minutes=minutes[1])


@dataclass(frozen=True, slots=True)
class _Stretch:
    """From `start` until before `end` there is one hold; a `stale` one ends by a condition, the others at `end`."""

    start: datetime
    end: datetime
    detail: str
    stale: bool


class Blackout:
    """Which instruments may not be entered now. Windows are merged once per set of currencies, then looked up."""

    def __init__(self, events: Iterable[CalendarEvent], settings: BlackoutSettings | None = None) -> None:
        self._settings = BlackoutSettings() if settings is None else settings
        self._events = sorted(events, key=lambda event: (event.at, event.currency, event.name))
        self._gaps = self._uncovered() if self._settings.hold_when_stale else []
        self._stretches: dict[tuple[str, ...], tuple[list[datetime], list[_Stretch]]] = {}
        self._answers: dict[str, tuple[datetime, datetime, Hold | None]] = {}

    def hold_for(self, instrument: Instrument, now: datetime) -> Hold | None:
        """The hold on `instrument` at `now`, the same (by id) for as long as it lasts; None when it may be entered."""
        answer = self._answers.get(instrument.symbol)
        if answer is None or not answer[0] <= now < answer[1]:
            answer = self._answer(instrument, now)
            self._answers[instrument.symbol] = answer
        return answer[2]

    def holds(self, instruments: Iterable[Instrument], now: datetime) -> tuple[Hold, ...]:
        """The holds on all of `instruments` at `now`, in their order."""
        found = [self.hold_for(instrument, now) for instrument in instruments]
        return tuple(hold for hold in found if hold is not None)

    def _answer(self, instrument: Instrument, now: datetime) -> tuple[datetime, datetime, Hold | None]:
        """The answer for now, and from when until when it stays the same."""
        starts, stretches = self._merged(instrument.currencies)
        place = bisect_right(starts, now) - 1
        following = starts[place + 1] if place + 1 < len(starts) else _LATEST
        if place < 0:
            return EPOCH, following, None
        stretch = stretches[place]
        if now >= stretch.end:
            return stretch.end, following, None
        hold = new_hold(
            HoldCause.NEWS,
            Effect.NO_ENTRIES,
            since=stretch.start,
            detail=stretch.detail,
            scope=instrument.symbol,
            until=None if stretch.stale else stretch.end,
            condition=STALE_CONDITION if stretch.stale else None,
        )
        return stretch.start, stretch.end, hold

    def _merged(self, currencies: tuple[str, ...]) -> tuple[list[datetime], list[_Stretch]]:
        """Start times and stretches, none overlapping, for what these currencies move."""
        known = self._stretches.get(currencies)
        if known is None:
            codes = {calendar_currency(currency) for currency in currencies} | {EVERY_CURRENCY}
            stretches = sorted([*self._news(codes), *self._gaps], key=lambda stretch: stretch.start)
            known = [stretch.start for stretch in stretches], stretches
            self._stretches[currencies] = known
        return known

    def _news(self, codes: set[str]) -> list[_Stretch]:
        windows: list[tuple[datetime, datetime, CalendarEvent]] = []
        for event in self._events:
            window = self._settings.window(event) if event.currency in codes else None
            if window is not None:
                windows.append((*window, event))
        windows.sort(key=lambda window: (window[0], window[1], window[2].event_id))
        stretches: list[_Stretch] = []
        together: list[CalendarEvent] = []
        for start, end, event in windows:
            if stretches and start <= stretches[-1].end:
                together.append(event)
                last = stretches.pop()
                stretches.append(_Stretch(last.start, max(last.end, end), _told(together), stale=False))
            else:
                together = [event]
                stretches.append(_Stretch(start, end, _told(together), stale=False))
        return stretches

    def _uncovered(self) -> list[_Stretch]:
        """Where the calendar is silent for too long to be believed; never inside the window of an event."""
        if not self._events:
            return [_Stretch(EPOCH, _LATEST, "the calendar holds no event", stale=True)]
        settings = self._settings
        patience = timedelta(hours=settings.stale_after_h)
        patience = max(patience, timedelta(minutes=max(settings.after_min, settings.medium_after_min)))
        early = timedelta(minutes=max(settings.before_min, settings.medium_before_min))
        first, last = self._events[0].at, self._events[-1].at
        gaps = [_Stretch(EPOCH, first - early, f"the calendar begins only at {_stamp(first)}", stale=True)]
        for before, after in pairwise(self._events):
            if before.at + patience < after.at - early:
                told = f"the calendar has no event between {_stamp(before.at)} and {_stamp(after.at)}"
                gaps.append(_Stretch(before.at + patience, after.at - early, told, stale=True))
        gaps.append(_Stretch(last + patience, _LATEST, f"the calendar ends at {_stamp(last)}", stale=True))
        return gaps


def _told(events: list[CalendarEvent]) -> str:
    """The events of one window in words, those of highest impact first."""
    ranked = sorted(events, key=lambda event: (event.impact is not Impact.HIGH, event.at, event.currency, event.name))
    named = [
        f"{event.currency} {event.name} ({event.impact}) at {_stamp(event.at)}" for event in ranked[:_NAMED_EVENTS]
    ]
    more = f" and {len(ranked) - _NAMED_EVENTS} more" if len(ranked) > _NAMED_EVENTS else ""
    return ", ".join(named) + more


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
