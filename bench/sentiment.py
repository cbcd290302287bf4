"""Scoring texts, a view over many of them, and the blackout's question at a quiet moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from bench.figures import Figure, in_unit, rates
from bench.request import Request
from bench.timing import once_each, per_call
from domain.records import CalendarEvent, Impact, NewsItem, TextScore
from market.registry import Registry
from sentiment.aggregate import SentimentBook, SentimentSettings
from sentiment.blackout import Blackout
from sentiment.lexicon import LexiconScorer

NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "AUDUSD", "USDCAD", "EURGBP")
WORDS = ("rallies", "slips", "rebounds", "drifts", "jumps", "steadies", "weakens", "firms", "stalls", "climbs")
TEXTS = ("Operating profit rose to EUR 13.1 mn from EUR 8.7 mn in the corresponding period", "Shares slip 3%")


def run(request: Request) -> Iterator[Figure]:
    """Texts a second, and microseconds for one question of a scan."""
    scorer = LexiconScorer()
    texts = [f"Company {number}: {text}" for number in range(500) for text in TEXTS]
    seconds = once_each(lambda: scorer.score(texts), request.repeat)
    told = f"the lexicon, {len(texts)} different texts, a long and a short headline in turn"
    yield Figure(name="sentiment.lexicon", what=told, unit="texts/s", values=rates(len(texts), seconds))
    book, later = _book(), count()
    # Each call asks a moment later: the same moment would be answered from memory.
    seconds = per_call(lambda: book.view("EURUSD", NOON + timedelta(seconds=next(later) % 3_000)), request.repeat)
    told = "one pair's view over 60 texts of the last six hours"
    yield Figure(name="sentiment.view", what=told, unit="us", values=in_unit(seconds, "us"))
    instruments = [Registry.shipped().resolve(symbol) for symbol in SYMBOLS]
    blackout, quiet = Blackout(_events()), NOON + timedelta(hours=8)
    seconds = tuple(
        each / len(instruments) for each in per_call(lambda: blackout.holds(instruments, quiet), request.repeat)
    )
    told = "whether one instrument is held by news, at a moment at which it is not"
    yield Figure(name="sentiment.blackout", what=told, unit="us", values=in_unit(seconds, "us"))


def _book() -> SentimentBook:
    book = SentimentBook(SentimentSettings(), [Registry.shipped().resolve(symbol) for symbol in SYMBOLS])
    score = TextScore(negative=0.2, neutral=0.3, positive=0.5, unknown=0.0, model="fixed")
    taken = 0
    for number in range(60):
        first, second = WORDS[number % 10], WORDS[number // 10]
        at = NOON - timedelta(minutes=6 * (60 - number))
        item = NewsItem(
            news_id=f"n-{number}",
            received_at=at,
            published_at=at,
            source="bench",
            publisher="reuters",
            author=None,
            text=f"Euro {first} {second} {number}",
        )
        taken += book.add(item, score)
    if taken < 50:
        raise RuntimeError(f"only {taken} of 60 texts count: the view that is timed would be of too few")
    return book


def _events() -> list[CalendarEvent]:
    """One event a day, noon, for a month either side."""
    return [
        CalendarEvent(
            event_id=f"e-{day}",
            at=NOON + timedelta(days=day),
            precise=True,
            currency=("USD", "EUR", "GBP")[day % 3],
            impact=Impact.HIGH,
            name="Rate decision",
            actual=None,
            forecast=None,
            previous=None,
        )
        for day in range(-30, 31)
    ]
