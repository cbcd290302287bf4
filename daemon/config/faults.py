"""What is wrong with a configuration, fault by fault, and what would have been allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.logs import scrub
from daemon.secrets import MASK
from domain.errors import ConfigurationRefused

LONGEST_SHOWN = 80
_SECRET_WORDS = frozenset(
    {"token", "secret", "password", "passwd", "passphrase", "key", "apikey", "credential", "credentials", "signature"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing to mend: where it came from, the dotted key, the value given there, and what is allowed."""

    origin: str
    key: str
    given: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.key} is {self.given}; allowed: {self.allowed}"


class FaultsFound(ConfigurationRefused):
    """A configuration with faults; the text has all of them, one a line, and `faults` the same as records."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__("\n".join([f"the configuration has {count}:", *(f"  {fault}" for fault in faults)]))


def looks_secret(key: str) -> bool:
    """Whether a key is named like something that may not stand in a file that people pass around."""
    return not _SECRET_WORDS.isdisjoint(re.split(r"[^a-z0-9]+", key.lower()))


def shown(key: str, value: object) -> str:
    """`value` for a message: short, and masked where the key says that it is a secret."""
    if any(looks_secret(part) for part in key.split(".")):
        return MASK
    text = scrub(repr(value) if isinstance(value, str) else str(value))
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3] + "..."


Node = Mapping[str, Any]


def resolve(node: Node, definitions: Mapping[str, Node]) -> Node:
    """`node` of a JSON schema with its reference followed."""
    reference = node.get("$ref")
    return definitions[str(reference).rsplit("/", 1)[-1]] if reference else node


def alternatives(node: Node, definitions: Mapping[str, Node]) -> tuple[Node, ...]:
    """The plain schemas that a value may satisfy."""
    node = resolve(node, definitions)
    parts: Iterable[Node] = node.get("anyOf", ())
    flat = [inner for part in parts for inner in alternatives(part, definitions)]
    return tuple(flat) if flat else (node,)


def allowed_by(node: Node, definitions: Mapping[str, Node]) -> str:
    """What a schema allows, in words."""
    options = alternatives(node, definitions)
    if any(option.get("type") == "number" for option in options):
        # An exact decimal may also be written as text; that is no other kind of value.
        options = tuple(option for option in options if option.get("type") != "string")
    whole = resolve(node, definitions)
    # An enumeration's description is its docstring; its members say more.
    described = None if "enum" in whole else whole.get("description")
    words = [str(described)] if described else [_words(option, definitions) for option in options]
    if any(option.get("type") == "null" for option in options):
        words = [word for word in words if word] + ["none"]
    return " or ".join(dict.fromkeys(word for word in words if word))


def _words(node: Node, definitions: Mapping[str, Node]) -> str:
    choices = node.get("enum", [node["const"]] if "const" in node else None)
    if choices is not None:
        return _either([str(choice) for choice in choices])
    kind = node.get("type")
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _range(node)
    if kind == "string":
        return _text(node)
    if kind == "array":
        return f"a list, each {allowed_by(node['items'], definitions)}"
    if kind == "object":
        return f"a table, each value {allowed_by(node.get('additionalProperties', {}), definitions)}"
    return {"boolean": "true or false", "null": ""}.get(str(kind), str(kind))


def _text(node: Node) -> str:
    if "description" in node:
        return str(node["description"])
    by_format = {"time": "a time of day, UTC, such as 06:00", "path": "a path"}
    if node.get("format") in by_format:
        return by_format[str(node["format"])]
    return "a text"


def _range(node: Node) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {_plain(low)} to {_plain(high)}"
    parts = [
        f"{word} {_plain(bound)}"
        for word, bound in (("from", low), ("above", above), ("up to", high), ("below", below))
        if bound is not None
    ]
    return " " + " and ".join(parts) if parts else ""


def _plain(bound: float) -> str:
    whole = float(bound).is_integer() and abs(bound) < 1e15
    return str(int(bound)) if whole else str(bound)


def _either(choices: Sequence[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"
