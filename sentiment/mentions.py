"""Which currency or share a text is about, and whether good news for the text is good news for it.

Currencies are scored, not pairs: a pair's score is its base's less its quote's. A text about a pair ("EUR/USD
rallies") speaks for the base and against the quote, and so does one that sets one currency against another ("euro
climbs versus the dollar"). Shares are known by cashtag, by ticker written in capitals, and by company name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationRefused
from domain.instruments import AssetClass, Instrument

NAMES_FILE = Path(__file__).with_name("names.toml")
_PAIRS = frozenset({AssetClass.FOREX, AssetClass.METAL, AssetClass.CRYPTO})
_WORD = re.compile(r"\$?[^\W_]+(?:[./&'\u2019-][^\W_]+)*")
_AGAINST = frozenset({"against", "versus", "vs"})
_SHORTEST_BARE_TICKER = 3
_SHOUTED_SHARE = 0.6


def is_pair(instrument: Instrument) -> bool:
    """Whether the instrument is one currency (or coin, or metal) priced in another."""
    return instrument.asset_class in _PAIRS


class Mentions:
    """Finds what a text is about among the currencies and shares of the given instruments."""

    def __init__(self, instruments: Iterable[Instrument], *, own_names: Path | None = None) -> None:
        self._currencies: set[str] = set()
        self._written: dict[str, tuple[tuple[str, int], ...]] = {}
        self._cashtags: dict[str, tuple[tuple[str, int], ...]] = {}
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._cased: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        known = list(instruments)
        for instrument in known:
            if is_pair(instrument):
                self._know_pair(instrument)
            else:
                self._know_share(instrument)
        shares = {instrument.base: instrument.symbol for instrument in known if not is_pair(instrument)}
        for path in (NAMES_FILE, *((own_names,) if own_names is not None else ())):
            self._know_names(_names(path), shares)
        for table in (self._phrases, self._cased):
            for candidates in table.values():
                candidates.sort(key=lambda candidate: (-len(candidate[0]), candidate))

    def of(self, text: str) -> Mapping[str, int]:
        """Currency codes and share symbols the text is about, with +1 or -1, in order of their first mention."""
        words = [word.removesuffix("'s").removesuffix("\u2019s") for word in _WORD.findall(text)]
        shouted = sum(word.isupper() for word in words) > _SHOUTED_SHARE * len(words)
        found: list[tuple[int, str, int]] = []
        place = 0
        while place < len(words):
            taken, entities = self._at(words, place, shouted=shouted)
            found += [(place, name, sign) for name, sign in entities if name]
            place += taken
        signs: dict[str, int] = {}
        for place, name, sign in found:
            signs.setdefault(name, -1 if self._is_set_against(words, found, place, name) else sign)
        return signs

    def _at(self, words: list[str], place: int, *, shouted: bool) -> tuple[int, tuple[tuple[str, int], ...]]:
        """How many words the mention that begins here takes (at least one), and what it mentions."""
        word = words[place]
        if word.startswith("$"):
            return 1, self._cashtags.get(word[1:].upper(), ())
        if not shouted or "/" in word or word in self._currencies:
            written = self._written.get(word)
            if written is not None:
                return 1, written
        cased = _longest(self._cased.get(word, ()), words[place:], lower=False)
        if cased is not None:
            return cased
        return _longest(self._phrases.get(word.lower(), ()), words[place:], lower=True) or (1, ())

    def _is_set_against(self, words: list[str], found: list[tuple[int, str, int]], place: int, name: str) -> bool:
        """Whether this currency is the second of exactly two, behind the word against."""
        currencies = [other for other in found if other[1] in self._currencies]
        if len({other[1] for other in currencies}) != 2 or name not in self._currencies:
            return False
        first_place, first_name, _ = currencies[0]
        return name != first_name and any(word.lower() in _AGAINST for word in words[first_place:place])

    def _know_pair(self, instrument: Instrument) -> None:
        base, quote = instrument.base, instrument.quote
        self._currencies |= {base, quote}
        pair = ((base, 1), (quote, -1))
        for spelling in (instrument.symbol, f"{base}{quote}", f"{base}/{quote}", f"{base}-{quote}"):
            self._written[spelling] = pair
            self._cashtags[spelling.upper()] = pair
        for code in (base, quote):
            self._cashtags.setdefault(code.upper(), ((code, 1),))
            self._written.setdefault(code, ((code, 1),))

    def _know_share(self, instrument: Instrument) -> None:
        entity = ((instrument.symbol, 1),)
        for ticker in (instrument.symbol, instrument.base):
            self._cashtags.setdefault(ticker.upper(), entity)
            if len(ticker) >= _SHORTEST_BARE_TICKER:
                self._written.setdefault(ticker, entity)

    def _know_names(self, document: Mapping[str, Any], shares: Mapping[str, str]) -> None:
        entities = {code: code for code in self._currencies}
        for table, targets, known in (
            ("currencies", self._phrases, entities),
            ("companies", self._phrases, shares),
            ("cased", self._cased, {**shares, **entities}),
        ):
            for key, names in document.get(table, {}).items():
                if key in known:
                    for name in names:
                        _know(targets, name, known[key], lower=table != "cased")
        for name in document.get("nothing", {}).get("names", ()):
            _know(self._phrases, name, "", lower=True)


def _know(table: dict[str, list[tuple[tuple[str, ...], str]]], name: str, entity: str, *, lower: bool) -> None:
    first, *rest = _WORD.findall(name.lower() if lower else name)
    table.setdefault(first, []).append((tuple(rest), entity))


def _longest(
    candidates: Iterable[tuple[tuple[str, ...], str]], words: list[str], *, lower: bool
) -> tuple[int, tuple[tuple[str, int], ...]] | None:
    for rest, entity in candidates:
        following = words[1 : 1 + len(rest)]
        if tuple(word.lower() for word in following) == rest if lower else tuple(following) == rest:
            return 1 + len(rest), ((entity, 1),)
    return None


@cache
def _names(path: Path) -> Mapping[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for table, content in document.items():
            for key, names in content.items():
                if not isinstance(names, list) or not all(
                    isinstance(name, str) and _WORD.search(name) for name in names
                ):
                    raise ValueError(f"[{table}] {key} must be a list of names")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationRefused(f"the names in {path.name} cannot be used: {error}") from error
    return document
