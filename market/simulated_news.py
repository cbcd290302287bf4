"""Invented headlines and a small invented calendar for the simulated market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from domain.bars import Ints
from domain.clock import from_epoch
from domain.identity import digest
from domain.records import CalendarEvent, Impact, NewsItem
from market.simulated_prices import Episode
from market.simulated_roster import SimulatedName

_BULLISH = (
    "{name} ({symbol}) surges as demand beats expectations",
    "Analysts upgrade {name} ({symbol}) after record growth",
    "{name} ({symbol}) rallies on strong results and a bullish outlook",
    "Buyers rush into {name} ({symbol}) as profit jumps",
    "{name} ({symbol}) wins approval, optimism grows",
)
_BEARISH = (
    "{name} ({symbol}) plunges as demand misses expectations",
    "Analysts downgrade {name} ({symbol}) after heavy losses",
    "{name} ({symbol}) slumps on weak results and a bearish outlook",
    "Sellers dump {name} ({symbol}) as losses widen",
    "{name} ({symbol}) faces fraud lawsuit, fear grows",
)
_NEUTRAL = (
    "{name} ({symbol}) publishes the agenda of its yearly meeting",
    "What to know about {name} ({symbol}) this week",
    "{name} ({symbol}) names a new office address",
    "A short history of {name} ({symbol})",
)
_WIRES = ("Simulated Wire", "Simulated Post", "Simulated Ledger")
_ANNOUNCED = 0.8  # the share of episodes that headlines precede
_NOISE_PER_BAR = 0.004  # texts without any relation to what follows
_EVENT_NAMES = ("Simulated rate decision", "Simulated jobs report", "Simulated price index")
_EVENT_EVERY = timedelta(days=9)
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class PlantedText:
    """One headline and the direction of its words: +1 bullish, -1 bearish, 0 neither."""

    item: NewsItem
    symbol: str
    direction: int


def write_announcements(
    random: np.random.Generator, name: SimulatedName, opened: Ints, drifts: Sequence[Episode], edge: float
) -> list[PlantedText]:
    """Texts about one instrument that precede most of its episodes.

    One to three texts appear within the six hours before the first bar. Their words point the episode's way with
    probability (1 + edge) / 2: at edge 1 always, at edge 0 by the toss of a coin.
    """
    found: list[PlantedText] = []
    for episode in drifts:
        announced = random.random() < _ANNOUNCED
        texts = int(random.integers(1, 3, endpoint=True))
        truthful = random.random() < (1 + edge) / 2
        for text in range(texts):
            at = int(opened[episode.first]) - int(random.integers(60, 6 * _HOUR))
            words = int(random.integers(0, 1_000_000))
            if announced:
                found.append(_text(name, at, episode.direction if truthful else -episode.direction, words, text))
    return found


def write_noise(random: np.random.Generator, name: SimulatedName, opened: Ints) -> list[PlantedText]:
    """Texts about one instrument at random times, with random words."""
    found: list[PlantedText] = []
    noise = random.random((opened.shape[0], 3))
    for index in np.flatnonzero(noise[:, 0] < _NOISE_PER_BAR).tolist():
        direction = int(noise[index, 1] * 3) - 1
        words = int(noise[index, 2] * 1_000_000)
        found.append(_text(name, int(opened[index]) + 60 + words % 600, direction, words, 9))
    return found


def _text(name: SimulatedName, at: int, direction: int, words: int, number: int) -> PlantedText:
    symbol = name.instrument.symbol
    templates = _BULLISH if direction > 0 else _BEARISH if direction < 0 else _NEUTRAL
    text = templates[words % len(templates)].format(name=name.called, symbol=symbol)
    moment = from_epoch(at)
    item = NewsItem(
        news_id=digest("simulated", symbol, at, direction, words, number),
        received_at=moment,
        published_at=moment,
        source="simulated",
        publisher=_WIRES[words % len(_WIRES)],
        author=None,
        text=text[0].upper() + text[1:],
    )
    return PlantedText(item, symbol, direction)


def write_calendar(random: np.random.Generator, start: datetime, end: datetime) -> tuple[CalendarEvent, ...]:
    """A high-impact release for USD about every nine days, at a full hour between 12:00 and 18:00 UTC.

    Its figures are drawn at random and move no price; only volatility doubles in the bars of the hour that follows.
    """
    found: list[CalendarEvent] = []
    day = datetime(start.year, start.month, start.day, tzinfo=start.tzinfo) + timedelta(days=3)
    while day < end:
        number = len(found)
        at = day + timedelta(hours=int(random.integers(12, 18, endpoint=True)))
        forecast, surprise = (round(float(value), 1) for value in random.standard_normal(2))
        previous = found[-1].actual if found else None
        found.append(
            CalendarEvent(
                event_id=digest("simulated event", number, at.isoformat()),
                at=at,
                precise=True,
                currency="USD",
                impact=Impact.HIGH,
                name=_EVENT_NAMES[number % len(_EVENT_NAMES)],
                actual=round(forecast + surprise, 1),
                forecast=forecast,
                previous=previous,
            )
        )
        day += _EVENT_EVERY + timedelta(days=int(random.integers(0, 2, endpoint=True)))
    return tuple(event for event in found if event.at < end)


def aliases(names: Sequence[SimulatedName]) -> Mapping[str, tuple[str, ...]]:
    """How texts call each instrument, by symbol."""
    return {name.instrument.symbol: (name.instrument.symbol, name.called) for name in names}
