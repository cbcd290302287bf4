"""What the API needs of the daemon; the service implements it, tests bring one of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Document = Mapping[str, Any]
"""Plain JSON values by name."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether something holds, and in a few words why not."""

    ok: bool
    detail: str = ""


class TrainingPort(Protocol):
    """Whoever trains for the daemon. Both are asked under the session's lock."""

    @property
    def under_way(self) -> object | None:
        """The training that was asked for and is not concluded; None when there is none."""
        ...

    async def ask(self, cause: str, at: datetime, *, by: str) -> str:
        """Note that a training is wanted; what came of that, in a sentence."""
        ...


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

    async def retrain(self, *, who: str, why: str, force: bool) -> Document:
        """Ask for a training; without `force` only when there is enough to learn that is new."""
        ...

    async def roll_back(self, *, who: str, why: str) -> Document:
        """Let the champion before this one speak again, or nobody where there was none."""
        ...

    def healthy(self) -> Condition:
        """Whether due work makes progress."""
        ...

    def ready(self) -> Condition:
        """Whether reconciliation has succeeded and the daemon may trade."""
        ...
