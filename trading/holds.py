"""The holds in force. This is the only place that sets or clears one; the rules below only return values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from domain.holds import Effect, Hold, HoldCause, strongest
from journal.batch import Batch
from trading.observer import Observer


class HoldBook:
    """Holds by id. Setting one that is in force changes nothing; every change goes into the batch given."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._holds: dict[str, Hold] = {}
        self._known: dict[str, datetime | None] = {}

    def restore(self, holds: Iterable[Hold]) -> None:
        """Take uncleared holds over from the journal."""
        for hold in holds:
            self._known[hold.hold_id] = hold.until
            if hold.cleared_at is None:
                self._holds[hold.hold_id] = hold
                self._observer.held(hold)

    def set(self, hold: Hold, batch: Batch) -> bool:
        """Put a hold in force; False when it already was, or once was (a hold is set once for one start).

        What a person latches counts again after it was cleared, and a hold that now lasts longer is prolonged.
        """
        if hold.hold_id in self._holds or (hold.hold_id in self._known and not hold.latched):
            known = self._known[hold.hold_id]
            if hold.until is None or known is None or hold.until <= known:
                return False
        if not hold.latched and hold.condition is not None and self._same(hold) is not None:
            return False
        self._known[hold.hold_id] = hold.until
        self._holds[hold.hold_id] = hold
        batch.add(hold)
        self._observer.held(hold)
        return True

    def release(self, cause: HoldCause, scope: str | None, at: datetime, why: str, batch: Batch) -> None:
        """End a hold whose condition no longer holds. Latched holds are not touched."""
        for hold in list(self._holds.values()):
            if hold.cause is cause and hold.scope == scope and hold.condition is not None:
                self._clear(hold.cleared(at, "condition", why), batch)

    def release_others(
        self, cause: HoldCause, scopes: Collection[str | None], at: datetime, why: str, batch: Batch
    ) -> None:
        """End every conditional hold of this cause whose scope is not among `scopes`."""
        for hold in list(self._holds.values()):
            if hold.cause is cause and hold.condition is not None and hold.scope not in scopes:
                self._clear(hold.cleared(at, "condition", why), batch)

    def expire(self, now: datetime, batch: Batch) -> None:
        """Take note of holds whose time is over."""
        for hold in list(self._holds.values()):
            if hold.until is not None and now >= hold.until:
                self._clear(hold.cleared(now, "time", "its time was over"), batch)

    def clear_by_person(
        self, at: datetime, who: str, why: str, batch: Batch, *, simulated: bool = False
    ) -> tuple[Hold, ...]:
        """A recorded human command clears every latched hold and every loss or operator hold; all cleared are
        returned. Holds with a condition stay: their condition is a fact, not an opinion."""
        cleared = []
        for hold in list(self._holds.values()):
            if hold.condition is None and hold.cause is not HoldCause.NEWS:
                ended = hold.cleared(at, who, why, simulated=simulated)
                self._clear(ended, batch)
                cleared.append(ended)
        return tuple(cleared)

    def clear_cause(self, cause: HoldCause, at: datetime, who: str, why: str, batch: Batch) -> None:
        """A recorded human command mends what one kind of latched hold stood for."""
        for hold in list(self._holds.values()):
            if hold.cause is cause and hold.latched:
                self._clear(hold.cleared(at, who, why), batch)

    def in_force(self, now: datetime) -> tuple[Hold, ...]:
        """Every hold in force, oldest first."""
        if not self._holds:
            return ()
        holds = [hold for hold in self._holds.values() if hold.in_force(now)]
        return tuple(sorted(holds, key=lambda hold: (hold.since, hold.hold_id)))

    def all(self) -> tuple[Hold, ...]:
        """Every hold that was not cleared, whether its time has come to an end or not."""
        return tuple(self._holds.values())

    def has(self, cause: HoldCause, scope: str | None) -> bool:
        """Whether a hold of this cause and scope is set."""
        return any(hold.cause is cause and hold.scope == scope for hold in self._holds.values())

    def effect(self, instrument: str, now: datetime) -> Effect | None:
        """The strongest effect on one instrument; None when it may trade."""
        if not self._holds:
            return None
        hold = strongest(self._holds.values(), now, instrument)
        return None if hold is None else hold.effect

    def _same(self, hold: Hold) -> Hold | None:
        return next((h for h in self._holds.values() if h.cause is hold.cause and h.scope == hold.scope), None)

    def _clear(self, hold: Hold, batch: Batch) -> None:
        del self._holds[hold.hold_id]
        batch.add(hold)
        self._observer.released(hold)
