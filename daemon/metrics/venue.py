"""Metrics of the venue's account: what was asked of its allowance, bans, the push stream.

Counted elsewhere, by whoever asks the venue, and read whenever it is scraped. Without a venue there are no such series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.metrics.families import Families, Labelled

if TYPE_CHECKING:
    from venues.budget import BudgetCounts
    from venues.stream import StreamCounts  # brings the venues' library

ACCOUNT: Final = "account"
CANDLES: Final = "candles"

_OF_BUDGET: Final[tuple[tuple[str, str, Callable[[BudgetCounts], float]], ...]] = (
    ("venue_requests", "Requests sent to the venue.", lambda counts: counts.asked),
    ("venue_waits", "Requests that waited for their turn in the allowance.", lambda counts: counts.waited),
    ("venue_refused", "Requests not sent: the allowance was spent, or a ban was on.", lambda counts: counts.refused),
    ("venue_busy", "Answers by which the venue asked to be left alone for a while.", lambda counts: counts.busy),
    ("venue_bans", "Times from which on nothing was asked because the venue said so.", lambda counts: counts.bans),
    (
        "venue_foreign_units",
        "Units of the allowance that the venue counts and we did not spend.",
        lambda counts: counts.foreign_units,
    ),
)
_OF_STREAM: Final[tuple[tuple[str, str, Callable[[StreamCounts], float]], ...]] = (
    ("venue_stream_connections", "Connections to the push stream that were begun.", lambda counts: counts.connections),
    ("venue_stream_failures", "Connections to the push stream that failed.", lambda counts: counts.failures),
    ("venue_stream_silences", "Connections to the push stream given up as silent.", lambda counts: counts.silences),
    ("venue_stream_rings", "Times that the push stream said to ask now.", lambda counts: counts.rings),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VenueCounts:
    """What is counted at the venue while it is asked. `candles` is None where the candles come from the host of the
    account: then both spend one allowance, which is counted as the account's."""

    account: BudgetCounts
    candles: BudgetCounts | None
    stream: StreamCounts
    rejections: tuple[str, ...]
    """Every reason for which one of its candles may not be believed."""


class VenueMetrics:
    """Shows the counts that `watch` is given; before that the families are there without series."""

    def __init__(self, make: Families) -> None:
        self._counts: VenueCounts | None = None
        for name, text, of_budget in _OF_BUDGET:
            make.counted_elsewhere(name, text, ("budget",), self._budgets(of_budget))
        for name, text, of_stream in _OF_STREAM:
            make.counted_elsewhere(name, text, (), self._stream(of_stream))

    def watch(self, counts: VenueCounts) -> None:
        """From now on show these."""
        self._counts = counts

    def _budgets(self, read: Callable[[BudgetCounts], float]) -> Callable[[], Iterator[Labelled]]:
        def told() -> Iterator[Labelled]:
            counts = self._counts
            if counts is None:
                return
            yield (ACCOUNT,), read(counts.account)
            if counts.candles is not None:
                yield (CANDLES,), read(counts.candles)

        return told

    def _stream(self, read: Callable[[StreamCounts], float]) -> Callable[[], Iterator[Labelled]]:
        def told() -> Iterator[Labelled]:
            if self._counts is not None:
                yield (), read(self._counts.stream)

        return told
