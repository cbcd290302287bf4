"""One row of what `ratchet check` shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One thing looked at. `ok` False refuses the start; None is a note."""

    name: str
    ok: bool | None
    detail: str
