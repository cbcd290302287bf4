"""The economic calendar: scheduled releases, how far off their forecasts they came, and when the next one is due.

A surprise is z = polarity x (actual - forecast) / sigma, with sigma the standard deviation of the same series'
earlier surprises, at least eight of them; later releases and revised figures never enter. An actual figure is used
from its release on, never before.
"""

from __future__ import annotations

import csv
import json
import math
import re
import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from statistics import stdev

from domain.clock import EPOCH
from domain.errors import InvalidInput
from domain.identity import digest
from domain.numbers import significant
from domain.records import CalendarEvent, Impact

EVERY_CURRENCY = "ALL"
_TOKENS_OF = {
    **dict.fromkeys(("USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USDP", "DAI"), "USD"),
    **dict.fromkeys(("EURT", "EURC"), "EUR"),
}
POLARITY_FILE = Path(__file__).with_name("polarity.toml")
_SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_FIGURE = re.compile(r"[<>~]?\s*([-+]?[\d,]*\.?\d+)\s*([KMBT%]?)", re.IGNORECASE)
_IMPACT_WEIGHTS: Mapping[Impact, float] = {Impact.HIGH: 1.0, Impact.MEDIUM: 0.5, Impact.LOW: 0.25, Impact.HOLIDAY: 0.0}


def load_calendar(path: Path) -> tuple[CalendarEvent, ...]:
    """The events of a calendar file, in order of time, doubles removed.

    `.jsonl` has one object a line, `.csv` a header; columns `timestamp` (aware; bare times count as UTC), `currency`,
    `impact`, `event`, and if known `precision` (`day` for all-day and tentative events), `actual`, `forecast`,
    `previous` as printed ("0.3%", "254K") or, where present, `*_num` already parsed. Raises `InvalidInput` naming
    the file, the line and what is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows: list[tuple[int, Mapping[str, object]]]
            if path.suffix == ".csv":
                rows = list(enumerate(csv.DictReader(lines), 2))
            elif path.suffix in (".jsonl", ".ndjson"):
                rows = [(at, _object(line, path, at)) for at, line in enumerate(lines, 1) if line.strip()]
            else:
                raise InvalidInput(f"{path.name}: a calendar is a .jsonl or a .csv file")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path.name} cannot be read as a calendar: {error}") from error
    events = {event.event_id: event for event in (_event(row, path, at) for at, row in rows)}
    if not events:
        raise InvalidInput(f"{path.name} holds no event")
    return tuple(sorted(events.values(), key=lambda event: (event.at, event.currency, event.name)))


def calendar_currency(code: str) -> str:
    """The currency whose calendar counts for `code`: a dollar token is priced in dollars."""
    return _TOKENS_OF.get(code, code)


def parse_figure(text: str | None) -> float | None:
    """A printed figure as a number: K, M, B and T are expanded, percents stay percent points; None when it is none."""
    if text is None:
        return None
    match = _FIGURE.fullmatch(text.strip())
    if match is None:
        return None
    value = float(match[1].replace(",", "")) * _SUFFIXES.get(match[2].upper(), 1.0)
    return value if math.isfinite(value) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class EventSettings:
    """`half_life_s` and `window_s` of a surprise in seconds; `prior` shrinks thin evidence; z is cut at `largest_z`."""

    half_life_s: float = 2 * 3600.0
    window_s: float = 24 * 3600.0
    prior: float = 0.5
    fewest_releases: int = 8
    largest_z: float = 4.0

    def __post_init__(self) -> None:
        if not (self.half_life_s > 0 and self.window_s > 0 and self.prior > 0 and self.largest_z > 0):
            raise InvalidInput("half_life_s, window_s, prior and largest_z of calendar events must be above 0")
        if self.fewest_releases < 2:
            raise InvalidInput("a surprise needs at least 2 earlier releases to be measured by")


@dataclass(frozen=True, slots=True)
class Surprise:
    """How far a release came off its forecast, in standard deviations; above 0 is good for the currency."""

    at: datetime
    currency: str
    name: str
    z: float
    impact: Impact


class EventCalendar:
    """Answers about scheduled events at a moment; built once from all of them."""

    def __init__(self, events: Sequence[CalendarEvent], settings: EventSettings | None = None) -> None:
        self._settings = EventSettings() if settings is None else settings
        self._surprises = surprises(events, self._settings)
        self._by_currency: dict[str, list[Surprise]] = {}
        for surprise in self._surprises:
            self._by_currency.setdefault(surprise.currency, []).append(surprise)
        self._times = {name: [one.at for one in known] for name, known in self._by_currency.items()}
        self._due: dict[str, list[datetime]] = {}
        for event in sorted(events, key=lambda event: event.at):
            if event.impact is Impact.HIGH and event.precise:
                self._due.setdefault(event.currency, []).append(event.at)

    @property
    def surprises(self) -> tuple[Surprise, ...]:
        """Every release that could be measured, in order of time."""
        return self._surprises

    def event_score(self, currencies: Sequence[str], now: datetime) -> float | None:
        """Surprises of the last day, decayed and shrunk, base less quote, in [-1, 1]; None when there was none.

        With one currency only (a share's), it is that currency's own score.
        """
        parts = [self._currency_score(currency, now) for currency in currencies[:2]]
        if all(part is None for part in parts):
            return None
        base = parts[0] or 0.0
        score = base - (parts[1] or 0.0) if len(parts) > 1 else base
        return significant(min(max(score, -1.0), 1.0))

    def minutes_to_next(self, currencies: Sequence[str], now: datetime) -> float | None:
        """Minutes until the next high-impact event of any of the currencies; None when none is scheduled."""
        soonest: datetime | None = None
        for currency in (*currencies, EVERY_CURRENCY):
            due = self._due.get(calendar_currency(currency))
            if not due:
                continue
            place = bisect_left(due, now)
            if place < len(due) and (soonest is None or due[place] < soonest):
                soonest = due[place]
        return None if soonest is None else significant((soonest - now).total_seconds() / 60)

    def _currency_score(self, currency: str, now: datetime) -> float | None:
        code = calendar_currency(currency)
        times = self._times.get(code)
        if not times:
            return None
        settings = self._settings
        known = self._by_currency[code]
        total = weights = 0.0
        place = bisect_right(times, now) - 1
        while place >= 0:
            age = (now - times[place]).total_seconds()
            if age >= settings.window_s:
                break
            weight = _IMPACT_WEIGHTS[known[place].impact] * 2.0 ** (-age / settings.half_life_s)
            total += weight * known[place].z / settings.largest_z
            weights += weight
            place -= 1
        return total / (weights + settings.prior) if weights > 0 else None


def surprises(events: Iterable[CalendarEvent], settings: EventSettings) -> tuple[Surprise, ...]:
    """The measurable surprises among `events`, each by the releases before it."""
    earlier: dict[tuple[str, str], list[float]] = {}
    found = []
    for event in sorted(events, key=lambda event: (event.at, event.currency, event.name)):
        direction = polarity(event.name)
        if event.actual is None or event.forecast is None or not direction or not event.precise:
            continue
        missed = event.actual - event.forecast
        past = earlier.setdefault((event.currency, event.name), [])
        sigma = stdev(past) if len(past) >= settings.fewest_releases else 0.0
        if sigma > 0:
            z = min(max(direction * missed / sigma, -settings.largest_z), settings.largest_z)
            found.append(Surprise(event.at, event.currency, event.name, z, event.impact))
        past.append(missed)
    return tuple(found)


def polarity(name: str) -> int:
    """+1 when a higher figure is good for the currency, -1 when it is bad, 0 when it says nothing by itself."""
    bad, nothing = _polarity_words()
    lowered = name.lower()
    if any(part in lowered for part in nothing):
        return 0
    return -1 if any(part in lowered for part in bad) else 1


@cache
def _polarity_words() -> tuple[tuple[str, ...], tuple[str, ...]]:
    document = tomllib.loads(POLARITY_FILE.read_text(encoding="utf-8"))
    return tuple(document["higher_is_bad"]), tuple(document["says_nothing"])


def _object(line: str, path: Path, number: int) -> Mapping[str, object]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidInput(f"{path.name} line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise InvalidInput(f"{path.name} line {number} is not an object")
    return row


def _event(row: Mapping[str, object], path: Path, number: int) -> CalendarEvent:
    where = f"{path.name} line {number}"
    name, currency = _text(row, "event", where), _text(row, "currency", where).upper()
    at = _moment(_text(row, "timestamp", where), where)
    impact = _text(row, "impact", where).lower()
    if impact not in {member.value for member in Impact}:
        raise InvalidInput(f"{where}: impact is {impact!r}; it must be high, medium, low or holiday")
    return CalendarEvent(
        event_id=digest("calendar", (at - EPOCH).total_seconds(), currency, name),
        at=at,
        precise=row.get("precision", "minute") != "day",
        currency=currency,
        impact=Impact(impact),
        name=name,
        actual=_number(row, "actual", where),
        forecast=_number(row, "forecast", where),
        previous=_number(row, "previous", where),
    )


def _text(row: Mapping[str, object], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{where}: {key} is {value!r}; it must be text")
    return value.strip()


def _moment(text: str, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{where}: timestamp is {text!r}; it must look like 2023-01-31T21:45:00Z") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _number(row: Mapping[str, object], key: str, where: str) -> float | None:
    parsed = row.get(f"{key}_num", row.get(key))
    if parsed is None or isinstance(parsed, str):
        return parse_figure(parsed)
    if isinstance(parsed, bool) or not isinstance(parsed, int | float) or not math.isfinite(parsed):
        raise InvalidInput(f"{where}: {key} is {parsed!r}; it must be a number or missing")
    return float(parsed)
