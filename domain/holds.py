"""Holds say what may trade now: the strongest in force decides. Rules return them; only trading sets or clears."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum

from domain.clock import require_utc
from domain.errors import InvalidRecord
from domain.identity import digest


class Effect(IntEnum):
    """What a hold forbids, weakest first."""

    SAFE = 1
    """Technical score only, at reduced risk."""
    NO_ENTRIES = 2
    REDUCE_ONLY = 3
    """No entries, and entries that still rest are cancelled."""
    HALT = 4
    """Nothing is sent but what a person commands; protective orders stay at the venue."""

    @property
    def label(self) -> str:
        return self.name.lower()


class HoldCause(StrEnum):
    NEWS = "news"
    DRAWDOWN = "drawdown"
    DAILY_LOSS = "daily_loss"
    WEEKLY_LOSS = "weekly_loss"
    CONSECUTIVE_LOSSES = "consecutive_losses"
    COOLDOWN = "cooldown"
    STALE_DATA = "stale_data"
    DATA_QUALITY = "data_quality"
    UNKNOWN_ORDER = "unknown_order"
    UNKNOWN_POSITION = "unknown_position"
    UNPROTECTED = "unprotected"
    MODEL = "model"
    SENTIMENT = "sentiment"
    JOURNAL = "journal"
    SKEW = "skew"
    RECONCILE = "reconcile"
    VENUE = "venue"
    """The venue refuses the account or its key, or the account is no longer the one we knew."""
    OPERATOR = "operator"
    IMPOSSIBLE = "impossible"
    EMERGENCY = "emergency"
    """Equity or margin fell so far that everything open is closed: see `Hold.flattens`."""
    REPEATED_EXECUTION = "repeated_execution"
    """The same entry was sent over and over."""
    EXECUTION_QUALITY = "execution_quality"
    """The venue rejects too many orders, or fills them too far from the prices that were expected."""


FLATTENING = frozenset({HoldCause.EMERGENCY})
"""Causes whose holds ask for more than their effect: what is open under them is closed at the market."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """One reason not to trade. `scope` None means everything, else one instrument.

    It ends at `until`, or when its `condition` (told in words, checked by whoever set it) no longer holds, or,
    `latched`, only by a person. `cleared_*` record how it ended; `simulated` marks the simulated operator.
    """

    hold_id: str
    cause: HoldCause
    effect: Effect
    since: datetime
    detail: str
    scope: str | None = None
    until: datetime | None = None
    condition: str | None = None
    latched: bool = False
    cleared_at: datetime | None = None
    cleared_by: str | None = None
    cleared_why: str | None = None
    simulated: bool = False

    def __post_init__(self) -> None:
        require_utc(self.since, "since")
        for name in ("until", "cleared_at"):
            moment = getattr(self, name)
            if moment is not None:
                require_utc(moment, name)
        ends = (self.until is not None) + (self.condition is not None) + self.latched
        if ends != 1:
            raise InvalidRecord(f"hold {self.cause}: it must end by exactly one of a time, a condition or a person")
        if (self.cleared_at is None) != (self.cleared_by is None):
            raise InvalidRecord(f"hold {self.cause}: cleared at {self.cleared_at} by {self.cleared_by}")

    def in_force(self, now: datetime) -> bool:
        return self.cleared_at is None and (self.until is None or now < self.until)

    @property
    def flattens(self) -> bool:
        """Whether positions under it are closed at once; not while a halt is in force too: nothing is sent then."""
        return self.cause in FLATTENING

    def covers(self, instrument: str) -> bool:
        return self.scope is None or self.scope == instrument

    def cleared(self, at: datetime, by: str, why: str, *, simulated: bool = False) -> Hold:
        """The hold as it ended."""
        return replace(self, cleared_at=at, cleared_by=by, cleared_why=why, simulated=simulated)


def new_hold(
    cause: HoldCause,
    effect: Effect,
    *,
    since: datetime,
    detail: str,
    scope: str | None = None,
    until: datetime | None = None,
    condition: str | None = None,
    latched: bool = False,
) -> Hold:
    """A hold named by its cause, scope and start, so that setting it twice sets it once."""
    return Hold(
        hold_id=digest("hold", cause, scope or "*", since.isoformat()),
        cause=cause,
        effect=effect,
        since=since,
        detail=detail,
        scope=scope,
        until=until,
        condition=condition,
        latched=latched,
    )


def strongest(holds: Iterable[Hold], now: datetime, instrument: str) -> Hold | None:
    """The hold that decides for `instrument`: the strongest effect, the earliest of equals; None when free."""
    deciding = [hold for hold in holds if hold.in_force(now) and hold.covers(instrument)]
    return min(deciding, key=lambda hold: (-hold.effect, hold.since, hold.hold_id), default=None)
