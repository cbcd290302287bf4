"""Which texts tell a story that was told before: a third of all headlines are reprints, and each story votes once."""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass

_LINK = re.compile(r"https?://\S+|[@#$]\w+")
_WORD = re.compile(r"[^\W_]+")
_PREFIXES = frozenset({"rt", "update", "updated", "breaking", "correction", "exclusive", "live", "watch", "just", "in"})


@dataclass(slots=True, eq=False)
class _Story:
    first_at: float
    words: frozenset[str]
    copies: int = 0


class Stories:
    """Stories of the last `window_s` seconds. Two texts tell one story when their words overlap enough.

    Overlap is Jaccard's: shared words over all words. Two sets that overlap by at least t share a word among the
    first n - ceil(t n) + 1 of each in one common order, so only stories found under those words are compared.
    """

    def __init__(self, *, similarity: float, window_s: float) -> None:
        self._similarity = similarity
        self._window_s = window_s
        self._order: deque[_Story] = deque()
        self._by_word: dict[str, list[_Story]] = {}

    def is_copy(self, text: str, at: float) -> bool:
        """Whether `text`, received at `at` (seconds since 1970), repeats a story; a new one is remembered.

        A copy counts as a confirmation of the first and does not prolong how long that is remembered.
        """
        self._forget(at - self._window_s)
        words = story_words(text)
        ordered = sorted(words, key=lambda word: (-len(word), word))
        prefix = ordered[: len(ordered) - _ceiling(self._similarity * len(ordered)) + 1]
        story = self._told(words, prefix)
        if story is not None:
            story.copies += 1
            return True
        story = _Story(at, words)
        self._order.append(story)
        for word in prefix:
            self._by_word.setdefault(word, []).append(story)
        return False

    def confirmations(self, text: str) -> int:
        """How many copies of the story of `text` have come in since it was first told."""
        words = story_words(text)
        story = self._told(words, sorted(words))
        return 0 if story is None else story.copies

    def _told(self, words: frozenset[str], prefix: list[str]) -> _Story | None:
        for word in prefix:
            for story in self._by_word.get(word, ()):
                shared = len(words & story.words)
                if shared >= self._similarity * (len(words) + len(story.words) - shared):
                    return story
        return None

    def _forget(self, before: float) -> None:
        while self._order and self._order[0].first_at < before:
            story = self._order.popleft()
            for word in story.words:
                told = self._by_word.get(word)
                if told is not None and story in told:
                    told.remove(story)
                    if not told:
                        del self._by_word[word]


def story_words(text: str) -> frozenset[str]:
    """The words that tell the story: lower case, without links, tags and marks of a reprint."""
    words = frozenset(_WORD.findall(_LINK.sub(" ", text.lower())))
    return words - _PREFIXES or words or frozenset({text})


def _ceiling(value: float) -> int:
    # A product such as 0.7 x 30 may come out a hair above 21, which must not shorten the prefix.
    return math.ceil(value - 1e-9)
