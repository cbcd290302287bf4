"""Reading the configuration: layers in, one checked and frozen `Config` out, or all faults at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daemon.config.faults import Fault, FaultsFound, shown
from daemon.config.fields import Section
from daemon.config.layers import Entry, environment_layer, file_layer, flag_layer, value_layer
from daemon.config.rules import breaches
from daemon.config.schema import NONE, SectionSchema, sections, suggestion
from daemon.config.sections import BrokerSection, Config

DEFAULT = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A checked configuration, and where each value that is no default came from, by dotted key."""

    config: Config
    origins: Mapping[str, str]

    def origin(self, key: str) -> str:
        return self.origins.get(key, DEFAULT)


def load(
    files: Sequence[Path] = (),
    *,
    environ: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
    values: Mapping[str, object] | None = None,
) -> Loaded:
    """Read `files` in order, then the environment, then `flags` (section.key=value), then the program's `values`.

    A later layer wins, key by key. Raises `FaultsFound` (a `ConfigurationRefused`) with every fault of every layer.
    """
    layers = [
        *(file_layer(path) for path in files),
        environment_layer(environ or {}),
        flag_layer(flags),
        value_layer(values or {}, "command line"),
    ]
    reading = _Reading()
    for entries, faults in layers:
        reading.faults.extend(faults)
        for entry in entries:
            reading.take(entry)
    return reading.finish()


class _Reading:
    """One reading of all layers: values so far, who gave them, and what was wrong."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._values: dict[str, dict[str, Any]] = {}
        self._origins: dict[str, str] = {}

    def take(self, entry: Entry) -> None:
        """Put one value into its place, or note that it has none."""
        schema = sections().get(entry.key[0])
        if schema is None or len(entry.key) == 1:
            self._unknown_section(entry, schema)
        elif entry.key[1] == "":
            return  # an empty table says nothing
        elif entry.key[1] not in schema.keys:
            self._unknown_key(entry, schema)
        elif len(entry.key) == 3 and not schema.is_table(entry.key[1]):
            self._fault(entry, f"a plain value: {schema.allowed(entry.key[1])}")
        else:
            self._place(entry, schema)

    def finish(self) -> Loaded:
        """The configuration, when nothing at all was wrong."""
        valid: dict[str, Section] = {}
        for name, schema in sections().items():
            try:
                valid[name] = schema.model.model_validate(self._values.get(name, {}))
            except ValidationError as error:
                self._note(schema, error)
        self._follow_broker(valid)
        for key, given, allowed in breaches(valid):
            self.faults.append(
                Fault(origin=self._origins.get(key, DEFAULT), key=key, given=shown(key, given), allowed=allowed)
            )
        if self.faults:
            raise FaultsFound(self.faults)
        return Loaded(config=Config.model_validate(valid), origins=dict(self._origins))

    def _follow_broker(self, valid: dict[str, Section]) -> None:
        """With a venue's account the kinds of account and feed that were left out are the venue's."""
        broker = valid.get("broker")
        if not isinstance(broker, BrokerSection) or broker.kind != "ccxt":
            return
        for section, kind in (("account", "demo"), ("feed", "venue")):
            if section in valid and f"{section}.kind" not in self._origins:
                valid[section] = valid[section].model_copy(update={"kind": kind})

    def _place(self, entry: Entry, schema: SectionSchema) -> None:
        section, key = entry.key[0], entry.key[1]
        table = self._values.setdefault(section, {})
        value = self._native(entry, schema)
        if not schema.is_table(key) or not isinstance(value, dict):
            table[key] = value
            self._origins[f"{section}.{key}"] = entry.origin
            return
        merged = table.get(key)
        table[key] = {**(merged if isinstance(merged, dict) else {}), **value}
        for name in value:
            self._origins[f"{section}.{key}.{name}"] = entry.origin

    def _native(self, entry: Entry, schema: SectionSchema) -> object:
        key, value = entry.key[1], entry.value
        if len(entry.key) == 3:
            pairs = schema.value_of(key, f"{entry.key[2]}={value}") if entry.textual else {entry.key[2]: value}
            return pairs if isinstance(pairs, dict) else {entry.key[2]: value}
        if schema.is_none(key, value):
            return None
        if schema.is_path(key) and isinstance(value, str):
            path = Path(value).expanduser()
            return str(entry.base / path) if entry.base is not None else str(path)
        return schema.value_of(key, value) if entry.textual else value

    def _note(self, schema: SectionSchema, error: ValidationError) -> None:
        seen: set[str] = set()
        for detail in error.errors(include_url=False, include_context=False):
            key = str(detail["loc"][0])
            path = ".".join(
                str(part) for part in detail["loc"] if isinstance(part, str) and part in self._names(schema)
            )
            dotted = f"{schema.name}.{path or key}"
            if dotted in seen:
                continue  # one value that fits none of several kinds is one fault
            seen.add(dotted)
            origin = self._origins.get(dotted) or self._origins.get(f"{schema.name}.{key}") or DEFAULT
            given = shown(dotted, self._given(schema.name, path.split(".") if path else [key]))
            allowed = schema.allowed(key, inside=schema.is_table(key) and "." in path)
            self.faults.append(Fault(origin=origin, key=dotted, given=given, allowed=allowed))

    def _names(self, schema: SectionSchema) -> set[str]:
        """The words of a validation path that name keys, beside pydantic's own marks."""
        values = self._values.get(schema.name, {})
        return set(values) | {name for inner in values.values() if isinstance(inner, dict) for name in inner}

    def _given(self, section: str, path: Sequence[str]) -> object:
        value: Any = self._values.get(section, {})
        for part in path:
            value = value.get(part, value) if isinstance(value, dict) else value
        return NONE if value is None else value

    def _unknown_section(self, entry: Entry, schema: SectionSchema | None) -> None:
        names = tuple(sections())
        word = entry.key[0]
        hint = "a section, with its keys below it" if schema is not None else suggestion(word, names)
        self._fault(entry, f"{hint}the sections are {', '.join(names)}" if schema is None else hint)

    def _unknown_key(self, entry: Entry, schema: SectionSchema) -> None:
        hint = suggestion(entry.key[1], schema.keys) or f"[{schema.name}] has {', '.join(schema.keys)}"
        self._fault(entry, f"no such key; {hint.strip()}")

    def _fault(self, entry: Entry, allowed: str) -> None:
        self.faults.append(
            Fault(origin=entry.origin, key=entry.dotted, given=shown(entry.dotted, entry.value), allowed=allowed)
        )
