"""From scored texts to a score per instrument: decayed, capped, shrunk, and never made of nothing.

S = sum(w s 2^(-age/h)) / (sum(w 2^(-age/h)) + k): w the weight of the source, h the half-life of its kind, k the
weight that thin evidence is shrunk by. Ages count from when a text was received, never from when it claims to be
published. A pair's score is its base's less its quote's.

Social texts never make a score: they may only draw one toward 0, and by at most a quarter of the weight.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from domain.clock import EPOCH, require_utc
from domain.decisions import SentimentView
from domain.errors import InvalidInput
from domain.instruments import Instrument
from domain.numbers import significant
from domain.records import NewsItem, TextScore
from sentiment.calendar import EventCalendar
from sentiment.mentions import Mentions, is_pair
from sentiment.stories import Stories

_HOUR = 3600.0
_SOURCE_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "federal reserve": "official",
        "european central bank": "official",
        "bank of england": "official",
        "bank of japan": "official",
        "sec": "official",
        "reuters": "wire",
        "bloomberg": "wire",
        "dow jones": "wire",
        "associated press": "wire",
        "business wire": "wire",
        "pr newswire": "wire",
        "cnbc": "portal",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SentimentSettings:
    """How texts are weighed. Half-lives and the window in seconds; shares in (0, 1).

    `kinds` says which publisher is official, wire, portal or social (lower case; others count as portal, social
    texts always as social). `prior` is k. No author weighs more than `author_share` of an instrument's evidence,
    prior included, social texts together no more than `social_share`. Texts whose words overlap by `same_story`
    are one story. At most `most_texts` newest texts are kept per currency or share.
    """

    weights: Mapping[str, float] = field(
        default_factory=lambda: {"official": 1.0, "wire": 0.8, "portal": 0.5, "social": 0.2}
    )
    half_lives_s: Mapping[str, float] = field(
        default_factory=lambda: {
            "official": 24 * _HOUR,
            "wire": 6 * _HOUR,
            "portal": 6 * _HOUR,
            "social": 0.75 * _HOUR,
        }
    )
    kinds: Mapping[str, str] = field(default_factory=lambda: dict(_SOURCE_KINDS))
    window_s: float = 48 * _HOUR
    prior: float = 1.0
    author_share: float = 0.10
    social_share: float = 0.25
    same_story: float = 0.7
    most_texts: int = 500

    def __post_init__(self) -> None:
        kinds = {"official", "wire", "portal", "social"}
        for name, table in (("weights", self.weights), ("half_lives_s", self.half_lives_s)):
            if set(table) != kinds or not all(value > 0 for value in table.values()):
                raise InvalidInput(f"{name} needs a value above 0 for each of {', '.join(sorted(kinds))}")
        if not set(self.kinds.values()) <= kinds:
            raise InvalidInput(f"kinds may only name {', '.join(sorted(kinds))}")
        if not (self.window_s > 0 and self.prior > 0 and self.most_texts > 0):
            raise InvalidInput("window_s, prior and most_texts must be above 0")
        if not (0 < self.author_share < 1 and 0 < self.social_share < 1 and 0 < self.same_story <= 1):
            raise InvalidInput("author_share and social_share must lie in (0, 1), same_story in (0, 1]")


@dataclass(frozen=True, slots=True, order=True)
class _Text:
    """One vote: when it was received (seconds since 1970), which text of the book it is, and how it counts."""

    at: float
    serial: int
    score: float
    weight: float
    half_life: float
    author: str | None
    social: bool


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What speaks for one currency or share at one moment; weights are decayed and authors capped."""

    news: float = 0.0
    news_weight: float = 0.0
    social: float = 0.0
    social_weight: float = 0.0
    serials: frozenset[int] = frozenset()
    newest: float | None = None


_NOTHING = _Evidence()


class SentimentBook:
    """Scored texts by currency and share, and what they amount to at a moment."""

    def __init__(
        self,
        settings: SentimentSettings,
        instruments: Iterable[Instrument],
        *,
        calendar: EventCalendar | None = None,
        own_names: Path | None = None,
    ) -> None:
        self._settings = settings
        known = list(instruments)
        self._parts = {one.symbol: (one.base, one.quote) if is_pair(one) else (one.symbol, None) for one in known}
        self._currencies = {one.symbol: one.currencies for one in known}
        self._mentions = Mentions(known, own_names=own_names)
        self._calendar = calendar
        self._stories = Stories(similarity=settings.same_story, window_s=settings.window_s)
        self._texts: dict[str, list[_Text]] = {}
        self._latest: dict[str, tuple[float, _Evidence]] = {}
        self._serial = 0

    def add(self, item: NewsItem, score: TextScore) -> bool:
        """Take one text in; whether it votes. In order of receipt: the first of several copies is the one that counts.

        It does not vote when it repeats a story, is about none of the instruments, or when the scorer knows nothing
        about it.
        """
        at = (item.received_at - EPOCH).total_seconds()
        if score.unknown > 0.5:
            return False
        mentioned = self._mentions.of(item.text)
        if not mentioned or self._stories.is_copy(item.text, at):
            return False
        kind = "social" if item.social else self._settings.kinds.get(item.publisher.lower(), "portal")
        self._serial += 1
        for name, sign in mentioned.items():
            text = _Text(
                at=at,
                serial=self._serial,
                score=sign * score.score,
                weight=self._settings.weights[kind],
                half_life=self._settings.half_lives_s[kind],
                author=item.author,
                social=kind == "social",
            )
            self._keep(name, text)
        return True

    def follow(self, calendar: EventCalendar) -> None:
        """Take event scores from a newer calendar from now on."""
        self._calendar = calendar

    def view(self, symbol: str, now: datetime) -> SentimentView:
        """What the texts received until `now` say about one instrument; raises `InvalidInput` for an unknown one."""
        try:
            base, quote = self._parts[symbol]
        except KeyError:
            raise InvalidInput(f"{symbol} is not among the instruments this sentiment is kept for") from None
        moment = (require_utc(now, "now") - EPOCH).total_seconds()
        first = self._evidence(base, moment)
        second = _NOTHING if quote is None else self._evidence(quote, moment)
        event = None if self._calendar is None else self._calendar.event_score(self._currencies[symbol], now)
        if first is _NOTHING and second is _NOTHING:
            return SentimentView(score=None, confidence=0.0, count=0, age_s=None, event_score=event)
        weight = first.news_weight + second.news_weight
        newest = [evidence.newest for evidence in (first, second) if evidence.newest is not None]
        return SentimentView(
            score=self._score(first, second) if weight > 0 else None,
            confidence=significant(weight / (weight + self._settings.prior)),
            count=len(first.serials | second.serials),
            age_s=moment - max(newest) if newest else None,
            social_score=self._social(first, second),
            event_score=event,
        )

    def confirmations(self, text: str) -> int:
        """How often the story of `text` was repeated."""
        return self._stories.confirmations(text)

    def _keep(self, name: str, text: _Text) -> None:
        texts = self._texts.setdefault(name, [])
        if texts and text.at < texts[-1].at:
            insort(texts, text)
        else:
            texts.append(text)
        oldest = texts[-1].at - self._settings.window_s
        if texts[0].at < oldest or len(texts) > self._settings.most_texts:
            self._texts[name] = [one for one in texts if one.at >= oldest][-self._settings.most_texts :]
        self._latest.pop(name, None)

    def _evidence(self, name: str, moment: float) -> _Evidence:
        """The evidence at `moment`; instruments that share a currency share the work."""
        texts = self._texts.get(name)
        if texts is None:
            return _NOTHING
        latest = self._latest.get(name)
        if latest is not None and latest[0] == moment:
            return latest[1]
        evidence = self._gathered(texts, moment)
        self._latest[name] = (moment, evidence)
        return evidence

    def _gathered(self, texts: list[_Text], moment: float) -> _Evidence:
        settings = self._settings
        oldest = moment - settings.window_s
        fresh: list[tuple[_Text, float]] = []
        newest = None
        for text in texts:
            if text.at > moment:
                break
            newest = text.at
            if text.at > oldest:
                fresh.append((text, text.weight * 2.0 ** ((text.at - moment) / text.half_life)))
        if newest is None:
            return _NOTHING
        factors = _author_factors(fresh, settings.author_share, settings.prior)
        news = news_weight = social = social_weight = 0.0
        for text, decayed in fresh:
            weight = decayed if text.author is None else decayed * factors.get(text.author, 1.0)
            if text.social:
                social += weight * text.score
                social_weight += weight
            else:
                news += weight * text.score
                news_weight += weight
        return _Evidence(news, news_weight, social, social_weight, frozenset(text.serial for text, _ in fresh), newest)

    def _score(self, first: _Evidence, second: _Evidence) -> float:
        """Base less quote from news; with social texts when those draw it toward 0, never past it."""
        news = self._news(first) - self._news(second)
        mixed = self._mixed(first) - self._mixed(second)
        score = news
        if abs(mixed) < abs(news) or mixed * news < 0:
            score = mixed if mixed * news > 0 else 0.0
        return significant(min(max(score, -1.0), 1.0))

    def _news(self, evidence: _Evidence) -> float:
        return evidence.news / (evidence.news_weight + self._settings.prior)

    def _mixed(self, evidence: _Evidence) -> float:
        """News and social texts together, the latter scaled to at most their share of the whole weight."""
        prior, share = self._settings.prior, self._settings.social_share
        allowed = share / (1.0 - share) * (evidence.news_weight + prior)
        scale = min(1.0, allowed / evidence.social_weight) if evidence.social_weight > 0 else 0.0
        return (evidence.news + scale * evidence.social) / (
            evidence.news_weight + scale * evidence.social_weight + prior
        )

    def _social(self, first: _Evidence, second: _Evidence) -> float | None:
        if first.social_weight + second.social_weight <= 0:
            return None
        prior = self._settings.prior
        score = first.social / (first.social_weight + prior) - second.social / (second.social_weight + prior)
        return significant(min(max(score, -1.0), 1.0))


def _author_factors(fresh: list[tuple[_Text, float]], share: float, prior: float) -> dict[str, float]:
    """What to multiply the texts of too loud authors by, so that none exceeds `share` of the weight and prior.

    Largest first: with m authors capped at c each, the whole is T = (prior + the others) / (1 - m c), and a capped
    author weighs c T. It ends before m c reaches 1, because then c T is at least all that is left.
    """
    totals: dict[str, float] = {}
    whole = prior
    for text, weight in fresh:
        whole += weight
        if text.author is not None:
            totals[text.author] = totals.get(text.author, 0.0) + weight
    if not totals or max(totals.values()) <= share * whole:
        return {}
    loudest = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))
    rest, capped = whole, 0
    while capped < len(loudest) and (1 - capped * share) > share:
        _, weight = loudest[capped]
        if weight <= share * rest / (1 - capped * share):
            break
        rest -= weight
        capped += 1
    ceiling = share * rest / (1 - capped * share)
    return {author: ceiling / weight for author, weight in loudest[:capped]}
