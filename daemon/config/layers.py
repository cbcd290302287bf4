"""Where values come from: files, the environment, flags. Every value remembers its origin."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.config.faults import Fault, looks_secret, shown
from daemon.secrets import MASK

ENVIRONMENT_PREFIX = "RATCHET__"
LARGEST_FILE_BYTES = 1_000_000
NO_SECRETS = (
    "no secret stands in the configuration: give it as a systemd credential, an owner-only file in the state "
    "folder's secrets/, or the environment variable RATCHET_SECRET_NAME"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One value of one layer. `key` is section, key and, inside a table, the name there.

    `textual` values (environment, flags) are still text. `base` is the folder that relative paths start from.
    """

    key: tuple[str, ...]
    value: Any
    origin: str
    textual: bool = False
    base: Path | None = None

    @property
    def dotted(self) -> str:
        return ".".join(self.key)


Layer = tuple[list[Entry], list[Fault]]


def file_layer(path: Path) -> Layer:
    """The values of one TOML file; what is wrong with the file itself is a fault."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            return [], [_file_fault(path, "too large", f"at most {LARGEST_FILE_BYTES} bytes of TOML")]
        text = path.read_bytes().decode("utf-8")
    except OSError as fault:
        return [], [_file_fault(path, fault.strerror or "unreadable", "a readable TOML file")]
    except UnicodeDecodeError as fault:
        return [], [_file_fault(path, f"not UTF-8 at byte {fault.start}", "TOML, which is UTF-8 text")]
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        return [], [_file_fault(path, f"not TOML ({fault})", "TOML: [section] and key = value")]
    return _without_secrets(list(_flattened(tables, path, _lines(text))))


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The values of all variables named RATCHET__SECTION__KEY, in the order of their names."""
    entries: list[Entry] = []
    for name in sorted(environ):
        if name.startswith(ENVIRONMENT_PREFIX):
            section, *rest = name.removeprefix(ENVIRONMENT_PREFIX).split("__")
            # Names inside a table, such as symbols, keep their capitals.
            key = (section.lower(), *(part.lower() for part in rest[:1]), *rest[1:])
            entries.append(Entry(key=key, value=environ[name], origin=f"environment {name}", textual=True))
    return _without_secrets(entries)


def flag_layer(overrides: Sequence[str]) -> Layer:
    """The values of flags written `section.key=value`."""
    entries: list[Entry] = []
    faults: list[Fault] = []
    for override in overrides:
        dotted, separator, value = override.partition("=")
        if not separator:
            faults.append(Fault(origin="flag --set", key=dotted, given="without a value", allowed="section.key=value"))
            continue
        key = tuple(part.strip() for part in dotted.split(".", 2))
        entries.append(Entry(key=key, value=value, origin="flag --set", textual=True))
    kept, secrets = _without_secrets(entries)
    return kept, faults + secrets


def value_layer(values: Mapping[str, object], origin: str) -> Layer:
    """Values that the program itself gives, by dotted key; they override every other layer."""
    return [Entry(key=tuple(key.split(".", 2)), value=value, origin=origin) for key, value in values.items()], []


def _flattened(tables: Mapping[str, Any], path: Path, lines: Mapping[str, int]) -> Iterator[Entry]:
    base = path.absolute().parent
    for section, table in tables.items():
        if not isinstance(table, dict):
            yield Entry(key=(section,), value=table, origin=_place(path, lines.get(section)), base=base)
            continue
        if not table:
            yield Entry(key=(section, ""), value=None, origin=_place(path, lines.get(section)), base=base)
        for key, value in table.items():
            if isinstance(value, dict):
                for name, inner in value.items():
                    line = lines.get(f"{section}.{key}.{name}", lines.get(f"{section}.{key}"))
                    yield Entry(key=(section, key, name), value=inner, origin=_place(path, line), base=base)
            else:
                yield Entry(
                    key=(section, key), value=value, origin=_place(path, lines.get(f"{section}.{key}")), base=base
                )


def _without_secrets(entries: Sequence[Entry]) -> Layer:
    refused = [entry for entry in entries if any(looks_secret(part) for part in entry.key)]
    faults = [Fault(origin=entry.origin, key=entry.dotted, given=MASK, allowed=NO_SECRETS) for entry in refused]
    return [entry for entry in entries if entry not in refused], faults


def _lines(text: str) -> Mapping[str, int]:
    """The line on which each dotted key stands, as far as plain reading finds it."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([\w.\"-]+)\s*\]", line)
        assignment = re.match(r"\s*([\w.\"-]+)\s*=", line)
        if header:
            section = header.group(1).replace('"', "")
            found.setdefault(section, number)
        elif assignment:
            name = assignment.group(1).replace('"', "")
            found.setdefault(f"{section}.{name}" if section else name, number)
    return found


def _place(path: Path, line: int | None) -> str:
    return str(path) if line is None else f"{path} line {line}"


def _file_fault(path: Path, given: str, allowed: str) -> Fault:
    return Fault(origin=str(path), key="the file", given=shown("file", given).strip("'"), allowed=allowed)
