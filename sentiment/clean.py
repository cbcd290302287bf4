"""Texts from outside, made plain before anything reads them; what looks like an attack or spam is dropped.

Letters that only look Latin, invisible and direction-changing characters and hidden HTML are known ways to turn a
headline's score around without a reader noticing. They are undone or removed. Text that talks to a machine instead
of about a market ("ignore previous instructions") is not scored at all.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

LONGEST_TEXT = 2_000
MOST_CASHTAGS = 3

# Cyrillic and Greek letters drawn like Latin ones; NFKC already folds full-width and mathematical letters.
_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u0261\u0410\u0412\u0415\u041a"
    "\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0423\u0406\u0408\u0405\u03b1\u03bf\u03c1\u03bd\u03b9\u03ba\u0391\u0392"
    "\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u0131\u2113",
    "aeopcyxijshdqwgABEKMHOPCTXYIJSaopvikABEZHIKMNOPTYXil",
)
# Every repetition is bounded: a hostile text must not make the search itself take long.
_HIDDEN_HTML = re.compile(
    r"<(script|style|template|noscript)\b[^<>]{0,200}>.{0,1000}?</\1\s{0,9}>|<!--.{0,1000}?-->"
    r"|<(\w{1,20})\b[^<>]{0,200}?(?:display\s{0,9}:\s{0,9}none|visibility\s{0,9}:\s{0,9}hidden"
    r"|font-size\s{0,9}:\s{0,9}0|\bhidden\b)[^<>]{0,200}>.{0,1000}?</\2\s{0,9}>",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"</?[a-z][^<>]{0,500}>", re.IGNORECASE)
# Format, private-use, unassigned and surrogate characters: a reader sees none of them.
_INVISIBLE = frozenset({"Cf", "Co", "Cn", "Cs"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"\s+")
_CASHTAG = re.compile(r"\$[A-Za-z][A-Za-z0-9._]{0,9}\b")
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|all|your)\b.{0,40}"
    r"\b(?:instructions?|prompts?|rules?|context|messages?)\b"
    r"|\b(?:you are|act as|pretend to be|respond as)\b.{0,30}\b(?:assistant|language model|chatbot|an? ai)\b"
    r"|\b(?:answer|respond|reply|output|classify|rate|label|score)\b.{0,30}\b(?:with|as|only)\b.{0,20}"
    r"\b(?:positive|negative|neutral|bullish|bearish)\b"
    r"|\bsystem prompt\b|<\|[a-z_]+\|>|\[/?inst\]|^\s*(?:system|assistant|instruction|answer)\s*:",
    re.IGNORECASE | re.DOTALL,
)
_SPAM = re.compile(
    r"\b(?:join|dm|message|follow)\b.{0,30}\b(?:telegram|whatsapp|discord|vip|signals? group)\b"
    r"|t\.me/|wa\.me/|discord\.gg/"
    r"|\bguaranteed (?:profits?|returns?|gains?)\b|\b(?:airdrop|giveaway)\b|\b(?:\d{2,}x|1000%) (?:gains?|profits?)\b",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"([^\W\d])\1{6,}|([!?$])\2{9,}")


class DropReason(StrEnum):
    EMPTY = "empty"
    INSTRUCTION = "instruction"
    SPAM = "spam"
    MANY_CASHTAGS = "many_cashtags"


@dataclass(frozen=True, slots=True)
class CleanText:
    """The plain text, or why there is none to score. `cut` says that it was longer than allowed."""

    text: str
    dropped: DropReason | None
    cut: bool = False


def clean(raw: str, *, longest: int = LONGEST_TEXT) -> CleanText:
    """Make one text plain and judge it; never raises, whatever the text.

    Characters are normalised (NFKC), lookalike letters folded, control, invisible and bidirectional marks and HTML
    removed, and the whole cut at `longest` characters.
    """
    # Ten times the limit is enough to find what is hidden, and bounds the work on a hostile text.
    text = plain(raw[: 10 * longest])
    cut = len(raw) > 10 * longest or len(text) > longest
    text = text[:longest].rstrip()
    return CleanText(text, _judged(text), cut)


def plain(raw: str) -> str:
    """The text as a reader sees it, on one line."""
    text = html.unescape(raw) if "&" in raw else raw
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(letter for letter in text if unicodedata.category(letter) not in _INVISIBLE)
        if _mixes_scripts(text):
            text = text.translate(_LOOKALIKES)
    if "<" in text:
        text = _TAG.sub(" ", _HIDDEN_HTML.sub(" ", text))
    return _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()


def _mixes_scripts(text: str) -> bool:
    """Whether lookalikes stand among Latin letters; a text all in Greek or Cyrillic is left as it is."""
    return any("a" <= letter <= "z" or "A" <= letter <= "Z" for letter in text)


def _judged(text: str) -> DropReason | None:
    if not any(letter.isalnum() for letter in text):
        return DropReason.EMPTY
    if _INSTRUCTION.search(text):
        return DropReason.INSTRUCTION
    if len(set(_CASHTAG.findall(text.upper()))) > MOST_CASHTAGS:
        return DropReason.MANY_CASHTAGS
    if _SPAM.search(text) or _REPEATED.search(text):
        return DropReason.SPAM
    return None
