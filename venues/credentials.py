"""The key to one account, in a form that cannot be printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from domain.errors import ConfigurationRefused

MASK = "***"
SHORTEST = 4
"""A part of a key that is shorter would be masked wherever its few letters occur."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What a venue gives out for one key. `passphrase` is None where the venue has none (OKX has one)."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts: Mapping[str, str | None] = {"key": self.key, "secret": self.secret, "passphrase": self.passphrase}
        for name, value in parts.items():
            if value is None:
                continue
            if len(value) < SHORTEST:
                raise ConfigurationRefused(f"the account's {name} has {len(value)} characters; it needs {SHORTEST}")
            if not value.isprintable() or value.strip() != value:
                raise ConfigurationRefused(f"the account's {name} holds a line break or a blank at its edge")

    def __repr__(self) -> str:
        return f"Credentials({MASK})"

    @property
    def texts(self) -> tuple[str, ...]:
        """Every form in which a part could turn up in a message, longest first."""
        parts = [part for part in (self.key, self.secret, self.passphrase) if part is not None]
        forms = {form for part in parts for form in (part, quote(part, safe=""))}
        return tuple(sorted(forms, key=lambda form: (-len(form), form)))
