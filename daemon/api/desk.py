"""What the API needs of the daemon; the service implements it, tests bring one of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Document = Mapping[str, Any]
"""Plain JSON values by name."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether something holds, and in a few words why not."""

    ok: bool
    detail: str = ""


class Desk(Protocol):
    """The daemon as its operator sees it. What a command returns is what was recorded because of it.

    A command may raise any `RatchetError`; its text reaches whoever asked, scrubbed.
    """

    async def status(self) -> Document: ...

    async def holds(self) -> Sequence[Document]: ...

    async def positions(self) -> Sequence[Document]: ...

    async def pause(self, *, who: str, why: str) -> Document:
        """Set the operator's hold: no entries until `resume`."""
        ...

    async def resume(self, *, who: str, why: str) -> Document:
        """Clear what a person may clear, latched holds included; a drawdown's peak is re-based."""
        ...

    async def flatten(self, *, who: str, why: str, instrument: str | None) -> Document:
        """Close the position in `instrument`, or all positions."""
        ...

    async def halt(self, *, who: str, why: str) -> Document:
        """Send nothing more; protective orders stay at the venue."""
        ...

    async def rebase(self, *, who: str, why: str) -> Document:
        """Start a new ledger from what the venue holds now; only where a hold calls for it."""
        ...

    def healthy(self) -> Condition:
        """Whether due work makes progress."""
        ...

    def ready(self) -> Condition:
        """Whether reconciliation has succeeded and the daemon may trade."""
        ...
