"""A configuration written out again: as TOML that reads back as itself, as JSON, as a digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

from daemon.config.load import Loaded
from daemon.config.schema import NONE
from daemon.config.sections import Config
from daemon.logs import scrub
from domain.identity import digest


def as_json(config: Config) -> dict[str, Any]:
    """The configuration as plain JSON values; money and times as text, so that nothing is lost."""
    tables = config.model_dump(by_alias=True)
    return {section: {key: _plain(value) for key, value in table.items()} for section, table in tables.items()}


def digest_of(config: Config) -> str:
    """A name for what the configuration says: equal for equal values, however and wherever they were written."""
    return digest("config", json.dumps(as_json(config), sort_keys=True, separators=(",", ":")))


def as_toml(loaded: Loaded, *, origins: bool = False) -> str:
    """The whole configuration as TOML, secrets masked; with `origins` each line says where its value came from."""
    lines: list[str] = []
    for section, table in loaded.config.model_dump(by_alias=True).items():
        lines.append(f"[{section}]")
        nested: list[str] = []
        for key, value in table.items():
            if isinstance(value, Mapping):
                if value:
                    nested.append(f"\n[{section}.{key}]")
                nested.extend(
                    _line(_key(name), inner, loaded.origin(f"{section}.{key}.{name}") if origins else None)
                    for name, inner in value.items()
                )
            else:
                lines.append(_line(key, value, loaded.origin(f"{section}.{key}") if origins else None))
        lines.extend([*nested, ""])
    return "\n".join(lines)


def _line(key: str, value: object, origin: str | None) -> str:
    line = f"{key} = {scrub(_toml(value))}"
    return line if origin is None else f"{line}  # {origin}"


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)


def _toml(value: object) -> str:
    plain = _plain(value)
    if plain is None:
        return json.dumps(NONE)
    if isinstance(plain, list):
        return f"[{', '.join(_toml(item) for item in plain)}]"
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return json.dumps(plain, ensure_ascii=False)
    return repr(plain)


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize() if value else Decimal(0), "f")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
