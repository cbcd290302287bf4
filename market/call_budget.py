"""A provider's budget of calls a minute and a day, which outlasts restarts: a call counts before it is made."""

from __future__ import annotations

import json
from typing import Protocol

from domain.clock import Clock, to_epoch
from domain.errors import InvalidInput, VenueBusy

_MINUTE = 60
_DAY = 86_400


class BudgetStore(Protocol):
    """Where the spent calls are kept; whoever makes the budget says where."""

    def load(self) -> str | None:
        """What was saved last; None at first."""
        ...

    def save(self, text: str) -> None: ...


class CallBudget:
    """At most `per_minute` calls in a minute and `per_day` in a day, both of UTC's calendar.

    A clock that goes back opens no new minute and no new day. A stored text that cannot be read counts as a spent
    minute: what was called before is not known.
    """

    def __init__(self, *, provider: str, per_minute: int, per_day: int, clock: Clock, store: BudgetStore) -> None:
        if per_minute < 1 or per_day < 1:
            raise InvalidInput(f"{provider}: a budget of {per_minute} calls a minute and {per_day} a day; 1 or more")
        self._provider = provider
        self._per_minute = per_minute
        self._per_day = per_day
        self._clock = clock
        self._store = store
        self._minute, self._in_minute, self._day, self._in_day = self._restored()

    @property
    def left_today(self) -> int:
        """Calls that may still be made today."""
        self._turn()
        return max(0, self._per_day - self._in_day)

    def take(self) -> None:
        """Spend one call; raises `VenueBusy`, with the seconds to wait, when none is left."""
        self._turn()
        if self._in_day >= self._per_day:
            raise VenueBusy(f"{self._provider}'s calls of the day are spent", wait_s=self._until(self._day, _DAY))
        if self._in_minute >= self._per_minute:
            wait_s = self._until(self._minute, _MINUTE)
            raise VenueBusy(f"{self._provider}'s calls of the minute are spent", wait_s=wait_s)
        self._in_minute += 1
        self._in_day += 1
        self._save()

    def spent(self) -> VenueBusy:
        """The provider says that the minute is spent, whatever we counted; gives the error to raise."""
        self._turn()
        self._in_minute = self._per_minute
        self._save()
        wait_s = self._until(self._minute, _MINUTE)
        return VenueBusy(f"{self._provider} says that its calls of the minute are spent", wait_s=wait_s)

    def _turn(self) -> None:
        now = to_epoch(self._clock.now())
        if now // _MINUTE > self._minute:
            self._minute, self._in_minute = now // _MINUTE, 0
        if now // _DAY > self._day:
            self._day, self._in_day = now // _DAY, 0

    def _until(self, number: int, length: int) -> float:
        """Seconds until the next one after minute or day `number` begins."""
        return max(1.0, float((number + 1) * length - to_epoch(self._clock.now())))

    def _save(self) -> None:
        kept = {"minute": self._minute, "in_minute": self._in_minute, "day": self._day, "in_day": self._in_day}
        self._store.save(json.dumps(kept, sort_keys=True))

    def _restored(self) -> tuple[int, int, int, int]:
        text = self._store.load()
        now = to_epoch(self._clock.now())
        if text is None:
            return now // _MINUTE, 0, now // _DAY, 0
        try:
            kept = json.loads(text)
            return int(kept["minute"]), int(kept["in_minute"]), int(kept["day"]), int(kept["in_day"])
        except (ValueError, KeyError, TypeError):
            return now // _MINUTE, self._per_minute, now // _DAY, 0
