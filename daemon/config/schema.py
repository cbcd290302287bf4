"""The configuration's own description: which keys there are, what each takes, and how text becomes a value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from daemon.config.faults import Node, allowed_by, alternatives
from daemon.config.fields import Section
from daemon.config.sections import Config

_WHOLE = re.compile(r"[+-]?\d+")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
NONE = "none"


class SectionSchema:
    """What one table of the configuration takes."""

    def __init__(self, name: str, model: type[Section]) -> None:
        schema = model.model_json_schema(by_alias=True)
        self.name = name
        self.model = model
        self._keys: Mapping[str, Node] = schema["properties"]
        self._definitions: Mapping[str, Node] = schema.get("$defs", {})

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def allowed(self, key: str, *, inside: bool = False) -> str:
        """What `key` takes, in words; `inside` asks for one value of the table that it is."""
        node = self._keys[key]
        if inside:
            node = next(
                (option["additionalProperties"] for option in self._options(key) if "additionalProperties" in option),
                node,
            )
        return allowed_by(node, self._definitions)

    def is_path(self, key: str) -> bool:
        return any(option.get("format") == "path" for option in self._options(key))

    def is_table(self, key: str) -> bool:
        return "object" in self._types(key)

    def value_of(self, key: str, text: str) -> object:
        """The value that `text` (from the environment or a flag) means for `key`; `text` where it means none.

        Lists are separated by commas, tables are NAME=VALUE separated by commas, "none" is the absence of a value.
        """
        types = self._types(key)
        if "array" in types:
            return [part.strip() for part in text.split(",") if part.strip()]
        if "object" in types:
            return _pairs(text)
        if "boolean" in types:
            return _BOOLEANS.get(text.strip().lower(), text)
        if "string" in types:
            return text
        return _number(text, whole="integer" in types)

    def is_none(self, key: str, value: object) -> bool:
        """Whether `value` is the word for no value where `key` may have none."""
        return value == NONE and "null" in self._types(key)

    def _options(self, key: str) -> tuple[Node, ...]:
        return alternatives(self._keys[key], self._definitions)

    def _types(self, key: str) -> frozenset[str]:
        return frozenset(str(option.get("type", "string")) for option in self._options(key))


@lru_cache(maxsize=1)
def sections() -> Mapping[str, SectionSchema]:
    """All tables by name, in the order of the configuration."""
    found: dict[str, SectionSchema] = {}
    for name, field in Config.model_fields.items():
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, Section)):
            raise TypeError(f"the configuration's field {name} is not a table")
        found[name] = SectionSchema(name, model)
    return found


def suggestion(word: str, known: Sequence[str]) -> str:
    """A hint at the known word that was probably meant, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}? " if close else ""


def _pairs(text: str) -> object:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(name.strip() and separator for name, separator, _ in pairs):
        return text
    return {name.strip(): _number(value.strip(), whole=False, or_text=True) for name, _, value in pairs}


def _number(text: str, *, whole: bool, or_text: bool = False) -> object:
    text = text.strip()
    if _WHOLE.fullmatch(text) and not (or_text and text.startswith("0")):
        return int(text)
    if whole:
        return text
    try:
        return float(text)
    except ValueError:
        return text
