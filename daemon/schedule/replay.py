"""The schedule of a replay: the same triggers, asked for their fire times as the story's time moves on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from daemon.schedule.declarations import Fires, Job, following, unique
from domain.clock import require_utc
from domain.errors import InvalidInput


class Due(NamedTuple):
    """One run of one job, and the time it is due."""

    fire_time: datetime
    job: Job


_NOTHING: Final[tuple[Due, ...]] = ()


class ReplaySchedule:
    """Tells which jobs are due as bars close. It only hands out runs; whoever asks does them.

    Nothing is due at `start` itself. Jobs with a period no longer than `bar` (the length of a bar), and those marked
    `every_bar`, are due once at each moment that `due` is asked for; the others at every fire time of their
    trigger since the last one, none left out.
    """

    def __init__(self, jobs: Sequence[Job], *, start: datetime, bar: timedelta) -> None:
        if bar <= timedelta(0):
            raise InvalidInput(f"a bar of {bar} has no length")
        self._start = require_utc(start, "start")
        self._order = {job.name: position for position, job in enumerate(unique(jobs))}
        self._each_bar = tuple(job for job in jobs if job.every_bar or job.trigger.period <= bar)
        self._periodic = tuple(job for job in jobs if job not in self._each_bar)
        self._fires: tuple[Fires, ...] = tuple(job.trigger.build() for job in self._periodic)
        self._last: dict[str, datetime] = {}
        self._asked = start
        self._next: list[datetime] = []
        self._earliest: datetime | None = None
        self._plan()

    def due(self, until: datetime) -> Sequence[Due]:
        """Runs that became due after the last moment asked for, up to and with `until`, in time order.

        Jobs due at the same time come in the order they were declared in. Asking again for the same or an earlier
        moment gives nothing.
        """
        if until <= self._asked or (not self._each_bar and (self._earliest is None or until < self._earliest)):
            return _NOTHING
        self._asked = until
        found = [Due(until, job) for job in self._each_bar if self._last.get(job.name, self._start) < until]
        if self._earliest is not None and self._earliest <= until:
            found += self._periodic_due(until)
        for run in found:
            self._last[run.job.name] = max(run.fire_time, self._last.get(run.job.name, run.fire_time))
        found.sort(key=lambda run: (run.fire_time, self._order[run.job.name]))
        return found

    def last_runs(self) -> dict[str, datetime]:
        """When each job that was handed out was last due, to be kept and given to `restore`."""
        return dict(self._last)

    def restore(self, last_runs: Mapping[str, datetime]) -> None:
        """Continue after these runs; jobs that are not named begin at the start, names of other jobs are ignored.

        A run that was handed out but not done before a crash is, being absent here, handed out again.
        """
        self._last = {name: require_utc(at, name) for name, at in last_runs.items() if name in self._order}
        self._asked = self._start
        self._plan()

    def _plan(self) -> None:
        self._next = [
            following(fires, self._last.get(job.name, self._start))
            for job, fires in zip(self._periodic, self._fires, strict=True)
        ]
        self._earliest = min(self._next, default=None)

    def _periodic_due(self, until: datetime) -> list[Due]:
        found = []
        for index, (job, fires) in enumerate(zip(self._periodic, self._fires, strict=True)):
            moment = self._next[index]
            while moment <= until:
                found.append(Due(moment, job))
                moment = following(fires, moment)
            self._next[index] = moment
        self._earliest = min(self._next)
        return found
