"""The words that may become label values. They are known before the first event, and there are few of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from domain.errors import InvalidRecord

OTHER: Final = "other"
"""Where events are counted whose word is not in the vocabulary."""

INSTRUMENTS_AT_MOST: Final = 50
_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.:^=-]{0,39}")
_BUDGETS: Final = {
    "reasons": 120,
    "jobs": 32,
    "sources": 16,
    "incidents": 32,
    "rejections": 32,
    "candle_rejections": 16,
    "mismatches": 32,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """Label values by what they name; an event with any other word is counted under `other`.

    The first fifty instruments have series of their own, later ones share `other`. Never an order id, an error's
    text or a URL: a series lives as long as the process.
    """

    instruments: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why a decision did or did not become an order."""
    jobs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Where news and sentiment come from."""
    incidents: tuple[str, ...] = ()
    rejections: tuple[str, ...] = ()
    """Why bars of candle files were refused."""
    candle_rejections: tuple[str, ...] = ()
    """Why live candles were not believed; each is a series of every instrument."""
    mismatches: tuple[str, ...] = ()
    """How our books and the venue's may differ."""

    def __post_init__(self) -> None:
        for name, budget in _BUDGETS.items():
            words: tuple[str, ...] = getattr(self, name)
            if len(words) > budget:
                raise InvalidRecord(f"{len(words)} {name} are too many label values; at most {budget} are allowed")
            _check(name, words, _WORD)
        _check("instruments", self.instruments, _SYMBOL)

    @property
    def own_instruments(self) -> tuple[str, ...]:
        """The instruments that have series of their own."""
        return self.instruments[:INSTRUMENTS_AT_MOST]


def _check(name: str, words: tuple[str, ...], allowed: re.Pattern[str]) -> None:
    if len(set(words)) != len(words):
        raise InvalidRecord(f"a word stands twice among the label values of {name}")
    for word in words:
        if not allowed.fullmatch(word) or word == OTHER:
            raise InvalidRecord(
                f"{word!r} cannot be a label value of {name}: it must match {allowed.pattern} and not be {OTHER!r}"
            )
