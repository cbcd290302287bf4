"""From raw texts to votes: made plain, judged, scored in one batch, taken into the book, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from domain.errors import InvalidInput
from domain.records import NewsItem, TextScore
from sentiment.aggregate import SentimentBook
from sentiment.clean import DropReason, clean


class Scorer(Protocol):
    """Whatever gives texts their probabilities; `name` identifies the model and its version."""

    @property
    def name(self) -> str: ...

    def score(self, texts: Sequence[str]) -> list[TextScore]:
        """One score a text, in order."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeReport:
    """What became of a batch. `scored` are the plain texts with their scores, for the journal; `voting` counts those
    that entered the book; `dropped` names what was not scored, and why."""

    scored: tuple[tuple[NewsItem, TextScore], ...]
    voting: int
    dropped: tuple[tuple[NewsItem, DropReason], ...]

    @property
    def dropped_by_reason(self) -> Mapping[str, int]:
        """Counts for metrics, by reason."""
        reasons = sorted(reason.value for _, reason in self.dropped)
        return {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}


def take_in(items: Iterable[NewsItem], scorer: Scorer, book: SentimentBook) -> IntakeReport:
    """Take a batch of texts in, in order of receipt.

    Raises `InvalidInput` when the scorer does not answer for every text: then nothing was taken in.
    """
    kept: list[NewsItem] = []
    dropped: list[tuple[NewsItem, DropReason]] = []
    for item in sorted(items, key=lambda item: (item.received_at, item.news_id)):
        plain = clean(item.text)
        if plain.dropped is not None:
            dropped.append((item, plain.dropped))
        else:
            kept.append(item if plain.text == item.text else replace(item, text=plain.text))
    scores = scorer.score([item.text for item in kept])
    if len(scores) != len(kept):
        raise InvalidInput(f"{scorer.name} scored {len(scores)} of {len(kept)} texts")
    scored = tuple(zip(kept, scores, strict=True))
    voting = sum(book.add(item, score) for item, score in scored)
    return IntakeReport(scored=scored, voting=voting, dropped=tuple(dropped))
