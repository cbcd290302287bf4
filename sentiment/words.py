"""The scorer's word list, read from `words.toml` and VADER's file into one table that a scan of a text needs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationRefused
from domain.identity import digest

WORDS_FILE = Path(__file__).with_name("words.toml")
_BOOSTS = {"stronger": 1.3, "weaker": 0.7}
_EMOJI = 1.5
_MOVES = {"up": 1, "down": -1}


@dataclass(slots=True)
class Word:
    """What one word may mean. `direction` +1 up, -1 down; `noun` +1 when its rise is good, -1 when it is bad.

    `phrases` are what it begins: the words that must follow, and what the whole then means, longest first.
    """

    valence: float = 0.0
    direction: int = 0
    noun: int = 0
    negator: bool = False
    boost: float = 0.0
    phrases: tuple[tuple[tuple[str, ...], Word], ...] = ()


@dataclass(frozen=True, slots=True)
class WordList:
    """Words by lower-case spelling, and a digest that changes whenever a valence does."""

    words: Mapping[str, Word]
    name: str


@cache
def load_words(path: Path = WORDS_FILE, *, general_strength: float = 0.5) -> WordList:
    """The table of the project's words over VADER's; raises `ConfigurationRefused` when the file is not readable."""
    try:
        raw = path.read_text(encoding="utf-8")
        document = tomllib.loads(raw)
        words = _general_words(general_strength, set(document["ignored"]["words"]))
        _take_finance(words, document)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationRefused(f"the word list {path} cannot be used: {error!r}") from error
    content = sorted((text, word.valence, word.direction, word.noun) for text, word in words.items())
    return WordList(words, digest(raw, content, length=8))


def _general_words(strength: float, ignored: set[str]) -> dict[str, Word]:
    analyzer: Any = import_module("vaderSentiment.vaderSentiment").SentimentIntensityAnalyzer()
    return {
        text: Word(valence=strength * float(valence))
        for text, valence in analyzer.lexicon.items()
        if text.isalpha() and text.isascii() and text not in ignored
    }


def _take_finance(words: dict[str, Word], document: Mapping[str, Any]) -> None:
    for value, texts in document["valence"].items():
        _mark(words, texts, "valence", float(value))
    _mark(words, document["direction"]["up"], "direction", 1)
    _mark(words, document["direction"]["down"], "direction", -1)
    _mark(words, document["nouns"]["good_when_up"], "noun", 1)
    _mark(words, document["nouns"]["bad_when_up"], "noun", -1)
    _mark(words, document["negators"]["words"], "negator", True)
    for kind, boost in _BOOSTS.items():
        _mark(words, document["boosters"][kind], "boost", boost)
    for text in document["emoji"]["good"]:
        words[text] = Word(valence=_EMOJI)
    for text in document["emoji"]["bad"]:
        words[text] = Word(valence=-_EMOJI)
    for text, value in document["phrases"].items():
        first, *rest = text.split()
        word = words.setdefault(first, Word())
        whole = Word(direction=_MOVES[value]) if isinstance(value, str) else Word(valence=float(value))
        phrases = (*word.phrases, (tuple(rest), whole))
        word.phrases = tuple(sorted(phrases, key=lambda phrase: (-len(phrase[0]), phrase[0])))


def _mark(words: dict[str, Word], texts: Iterable[str], attribute: str, value: float | bool) -> None:
    for text in texts:
        if " " in text or text != text.lower():
            raise ValueError(f"{text!r} must be one lower-case word; word groups belong under [phrases]")
        setattr(words.setdefault(text, Word()), attribute, value)
