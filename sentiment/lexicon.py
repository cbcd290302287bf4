"""The scorer that needs no download: VADER's general words, the project's own finance words, and rules for moves.

What a market text says is mostly "this moved that way". A move ("fell", "narrowed", "8.1 from 6.9") takes the
polarity of the nearest thing in its clause ("profit" against "loss"), so that a narrowed loss is good and a risen
cost is bad. General words come from VADER's list (Hutto and Gilbert 2014) at half strength. A negator turns what
follows it, a question says less than a statement. The sum x becomes a score s = x / sqrt(x^2 + 15) as in VADER, and
three probabilities by a softmax over (-a s, b, a s), whose two numbers were fitted on posts. A text without one
known word is unknown, not neutral.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.records import TextScore
from sentiment.words import Word, WordList, load_words

STEEPNESS = 5.5
NEUTRAL = 1.65
_NORMALISER = 15.0
_MOVE = 1.6
_BARE_MOVE = 0.8
_PERCENT_MOVE = 1.4
_REACH_BACK = 6
_REACH_AHEAD = 4
_NEGATION_REACH = 3
_NEGATION = -0.7
_QUESTION = 0.4
_COMPARED_WITHIN = 3
_COMPARING = frozenset({"from", "vs", "versus", "against"})
_CLAUSE_ENDS = frozenset(".;!?")
_RISE, _FALL = Word(direction=1), Word(direction=-1)
_GAINED, _LOST = Word(valence=2.5), Word(valence=-2.5)
# Links and tags are tokens of their own, so that nothing inside them is read as a word.
_TOKEN = re.compile(
    r"https?://\S+|[$@](?=[a-z_])\S+|[a-z]+(?:'[a-z]+)?|(?<![\w.])[-+]?\d[\d.,]*%?|[.;!?](?=\s|$)"
    r"|[\u2600-\u27bf\U0001f300-\U0001faff]"
)


@dataclass(frozen=True, slots=True)
class _Hit:
    """A known word at its place in the text; `strength` scales a move."""

    place: int
    word: Word
    strength: float = 1.0


class LexiconScorer:
    """Scores texts by word list and rules, about ten microseconds each; the same text always scores the same."""

    def __init__(self, words: WordList | None = None) -> None:
        self._list = load_words() if words is None else words

    @property
    def name(self) -> str:
        """Scorer and word list: a changed valence changes the name."""
        return f"lexicon-{self._list.name}"

    def score(self, texts: Sequence[str]) -> list[TextScore]:
        """One score a text, in order; a text that says nothing known has all its mass on unknown."""
        name = self.name
        return [_probabilities(self.valence(text), name) for text in texts]

    def valence(self, text: str) -> float | None:
        """The sum of what is said, above 0 for good; None when no known word is there."""
        tokens = _TOKEN.findall(text.lower().replace("\u2019", "'"))
        total, found = 0.0, False
        for clause, asked in self._clauses(tokens):
            if any(hit.word.valence or hit.word.direction or hit.word.noun for hit in clause):
                found = True
                total += _clause_valence(clause) * (_QUESTION if asked else 1.0)
        return total if found else None

    def _clauses(self, tokens: list[str]) -> Iterator[tuple[list[_Hit], bool]]:
        """The known words clause by clause, and whether the clause is a question."""
        words = self._list.words
        clause: list[_Hit] = []
        skip_to = 0
        for place, token in enumerate(tokens):
            if place < skip_to:
                continue
            if token in _CLAUSE_ENDS:
                yield clause, token.startswith("?")
                clause = []
                continue
            word = words.get(token) or _figured(token, tokens, place)
            if word is None:
                continue
            phrase = _phrase(word, tokens, place)
            if phrase is not None:
                skip_to = place + phrase[0]
                clause.append(_Hit(place, phrase[1]))
            elif word.direction and place + 1 < len(tokens) and tokens[place + 1][-1] == "%":
                clause.append(_Hit(place, word, _PERCENT_MOVE))
            else:
                clause.append(_Hit(place, word))
        yield clause, False


def _probabilities(valence: float | None, name: str) -> TextScore:
    if valence is None:
        return TextScore(negative=0.0, neutral=0.0, positive=0.0, unknown=1.0, model=name)
    score = STEEPNESS * valence / math.sqrt(valence * valence + _NORMALISER)
    bad, calm, good = math.exp(-score), math.exp(NEUTRAL), math.exp(score)
    whole = bad + calm + good
    return TextScore(negative=bad / whole, neutral=calm / whole, positive=good / whole, unknown=0.0, model=name)


def _phrase(word: Word, tokens: list[str], place: int) -> tuple[int, Word] | None:
    """How many words the longest phrase that begins here takes, and what it means."""
    for rest, whole in word.phrases:
        if tuple(tokens[place + 1 : place + 1 + len(rest)]) == rest:
            return 1 + len(rest), whole
    return None


def _figured(token: str, tokens: list[str], place: int) -> Word | None:
    """What figures say without words: a signed change (+4.5%), or one figure held against another."""
    if token in _COMPARING:
        return _compared(tokens, place)
    if token[-1] == "%" and token[0] in "+-" and any(digit in "123456789" for digit in token):
        return _GAINED if token[0] == "+" else _LOST
    return None


def _compared(tokens: list[str], place: int) -> Word | None:
    """A rise or a fall when the word at `place` stands between two comparable figures: 8.1 mn from 6.9 mn."""
    now = _figure(tokens[max(place - _COMPARED_WITHIN, 0) : place][::-1])
    then = _figure(tokens[place + 1 : place + 1 + _COMPARED_WITHIN])
    # Figures of very different size are of different kinds (a share of 5% from 1,200 people).
    if now is None or then is None or now * then <= 0 or not 0.1 < now / then < 10 or now == then:
        return None
    return _RISE if now > then else _FALL


def _figure(tokens: list[str]) -> float | None:
    for token in tokens:
        if token[0] in "+-0123456789":
            text = token.replace(",", "").rstrip("%").rstrip(".")
            return float(text) if text.count(".") <= 1 else None
    return None


def _clause_valence(clause: list[_Hit]) -> float:
    """The sum over one clause: moves with what moved, then the words that speak for themselves."""
    moved: set[int] = set()
    values: list[tuple[int, float]] = []
    for hit in clause:
        if not hit.word.direction:
            continue
        thing = _thing_moved(clause, hit)
        if thing is not None:
            moved.add(thing.place)
            values.append((hit.place, hit.word.direction * thing.word.noun * _MOVE * hit.strength))
        else:
            alone = hit.word.valence or hit.word.direction * _MOVE * _BARE_MOVE * hit.strength
            values.append((hit.place, alone))
    values += [
        (hit.place, hit.word.valence)
        for hit in clause
        if hit.word.valence and not hit.word.direction and hit.place not in moved
    ]
    return math.fsum(value * _modifier(clause, place) for place, value in values)


def _thing_moved(clause: list[_Hit], move: _Hit) -> _Hit | None:
    """The nearest noun to a move, at most six words before it or four after; before wins a tie."""
    best: _Hit | None = None
    nearest = _REACH_BACK + 1
    for hit in clause:
        if not hit.word.noun or hit is move:
            continue
        distance = hit.place - move.place
        if -_REACH_BACK <= distance <= _REACH_AHEAD and abs(distance) < nearest:
            best, nearest = hit, abs(distance)
    return best


def _modifier(clause: list[_Hit], place: int) -> float:
    """What the words around a value make of it: negators up to three before, boosters also right after."""
    factor = 1.0
    for hit in clause:
        before = place - hit.place
        if 0 < before <= _NEGATION_REACH:
            if hit.word.negator:
                factor *= _NEGATION
            if hit.word.boost:
                factor *= hit.word.boost
        elif hit.word.boost and before == -1:
            factor *= hit.word.boost
    return factor
