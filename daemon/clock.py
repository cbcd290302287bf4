"""The live clock: the only place that asks the machine what time it is."""

from __future__ import annotations

from datetime import UTC, datetime


class LiveClock:
    """The machine's clock, aware UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the one clock that may ask
