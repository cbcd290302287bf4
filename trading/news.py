"""News as trading sees it: texts taken in once as they are received, views by instrument, blackout windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from domain.decisions import SentimentView
from domain.holds import Hold
from domain.instruments import Instrument
from domain.records import CalendarEvent, NewsItem, TextScore
from journal.batch import Batch
from sentiment.aggregate import SentimentBook
from sentiment.blackout import Blackout
from sentiment.calendar import EventCalendar
from sentiment.intake import Scorer, take_in


class News:
    """The sentiment side of one scan. Without a scorer there is no sentiment: views are None, never 0."""

    def __init__(
        self,
        *,
        instruments: Mapping[str, Instrument],
        scorer: Scorer | None,
        book: SentimentBook | None,
        events: tuple[CalendarEvent, ...],
        calendar: EventCalendar | None,
        blackout: Blackout | None,
    ) -> None:
        self._instruments = instruments
        self._scorer = scorer
        self._book = book
        self._calendar = calendar
        self._blackout = blackout
        self.events = events
        self.texts = 0
        self.dropped = 0

    def receive(self, items: Sequence[NewsItem], batch: Batch) -> None:
        """Score new texts, note them durably, and let them count from the time they were received."""
        if not items or self._scorer is None or self._book is None:
            return
        report = take_in(items, self._scorer, self._book)
        for item, score in report.scored:
            batch.add(item)
            batch.add_score(item.news_id, score)
        self.texts += len(report.scored)
        self.dropped += len(report.dropped)

    def recall(self, items: Iterable[NewsItem], scores: Mapping[str, Sequence[TextScore]]) -> None:
        """Let texts of the past count again, after a restart, with the scores they were given (by news id).

        All of them, however old: the age of the newest text and which text was a copy of which depend on them.
        """
        if self._scorer is None or self._book is None:
            return
        for item in items:
            known = [score for score in scores.get(item.news_id, ()) if score.model == self._scorer.name]
            self._book.add(item, known[0] if known else self._scorer.score([item.text])[0])

    def view(self, symbol: str, now: datetime) -> SentimentView | None:
        """Aggregated sentiment of one instrument with the calendar's event score; None when nobody reads news."""
        if self._book is None:
            return None
        return self._book.view(symbol, now)

    def minutes_to_event(self, symbol: str, now: datetime) -> float | None:
        """Minutes to the next high-impact event of either currency; None without a calendar or an event."""
        if self._calendar is None:
            return None
        return self._calendar.minutes_to_next(self._instruments[symbol].currencies, now)

    def blackouts(self, now: datetime) -> tuple[Hold, ...]:
        """Holds for the instruments whose currencies have a high-impact event about now."""
        if self._blackout is None:
            return ()
        return self._blackout.holds(tuple(self._instruments.values()), now)

    def follow(self, events: tuple[CalendarEvent, ...], calendar: EventCalendar, blackout: Blackout) -> None:
        """Take a newer calendar in place of the one at hand."""
        self.events, self._calendar, self._blackout = events, calendar, blackout
        if self._book is not None:
            self._book.follow(calendar)
