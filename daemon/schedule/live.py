"""The schedule of a live run: APScheduler says when; what runs, and how it ends, is kept here.

APScheduler cancels running coroutines when it shuts down and passes over missed runs in silence. So each run
is a task of our own, which nothing but its deadline cancels, and every run ends in exactly one `JobRun`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from daemon.schedule.declarations import Fires, Job, following, unique
from domain.clock import Clock
from domain.errors import Impossible, NotAvailable, RatchetError, VenueForbids
from domain.records import JobRun

CANCEL_WITHIN: Final = timedelta(seconds=5)
"""What a run that was cut off at its deadline gets to clean up before it counts as hanging."""

Finished = Callable[[JobRun, BaseException | None], None]
"""Hears of every run, with the error it raised; counting, keeping and judging it is the listener's."""

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """Who wants to know that jobs go on, see `daemon.notify.Watchdog`."""

    def due(self, job: str, deadline_s: float) -> None: ...

    def progress(self, job: str) -> None: ...


class LiveSchedule:
    """Runs jobs at their times, one run of a job at a time, until it is drained.

    Missed runs (the loop was busy, the machine asleep, the previous run still going) are made up for by one run
    at most and are reported as `missed`. An error of a job is logged and reported; the job keeps its schedule.
    An error of the `finished` hook ends `run`.
    """

    def __init__(self, jobs: Sequence[Job], *, clock: Clock, watch: Progress, finished: Finished) -> None:
        self._jobs = unique(jobs)
        self._clock = clock
        self._watch = watch
        self._finished = finished
        self._fires: dict[str, Fires] = {job.name: job.trigger.build() for job in self._jobs}
        self._reached: dict[str, datetime] = {}
        self._failing: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._running: dict[asyncio.Task[None], str] = {}
        self._owned: set[asyncio.Task[None]] = set()
        self._fault: asyncio.Future[None] | None = None
        self._scheduler: Any = None

    @property
    def running(self) -> tuple[str, ...]:
        """Names of the jobs that run now."""
        return tuple(sorted(self._running.values()))

    async def run(self) -> None:
        """Start, and go on until cancelled. What has begun is left to `drain`."""
        self._fault = asyncio.get_running_loop().create_future()
        self._start()
        await self._fault

    def pause(self) -> None:
        """Begin no more runs; those that run go on."""
        if self._scheduler is not None and self._scheduler.running:
            self._scheduler.pause()

    async def drain(self, budget: timedelta) -> tuple[str, ...]:
        """Begin no more runs and wait for those that run; gives back the names of the ones that outlast `budget`."""
        self.pause()
        if self._running:
            await asyncio.wait(set(self._running), timeout=budget.total_seconds())
        left = self.running
        if self._scheduler is not None and self._scheduler.running:
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # the library shuts down on the loop's next turn
        return left

    def _start(self) -> None:
        from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED  # noqa: PLC0415 - slow to import
        from apscheduler.executors.asyncio import AsyncIOExecutor  # noqa: PLC0415
        from apscheduler.jobstores.memory import MemoryJobStore  # noqa: PLC0415
        from apscheduler.schedulers.asyncio import AsyncIOScheduler  # noqa: PLC0415

        # The library writes two lines for every run; ours are reported by `finished`.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        scheduler = AsyncIOScheduler(
            timezone=UTC, jobstores={"default": MemoryJobStore()}, executors={"default": AsyncIOExecutor()}
        )
        scheduler.add_listener(self._passed_over, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        now = self._clock.now()
        for job in self._jobs:
            self._reached[job.name] = now
            self._announce(job)
            scheduler.add_job(
                self._fire,
                self._fires[job.name],
                args=[job],
                id=job.name,
                # A run that is later than the next one is due is not made up for.
                misfire_grace_time=max(1, int(job.trigger.period.total_seconds())),
                coalesce=True,
                max_instances=1,
            )
        self._scheduler = scheduler
        scheduler.start()

    def _announce(self, job: Job) -> None:
        now = self._clock.now()
        wait = following(self._fires[job.name], max(now, self._reached[job.name])) - now
        self._watch.due(job.name, (wait + job.deadline).total_seconds())

    async def _fire(self, job: Job) -> None:
        # asyncio.wait leaves the task alone when the library cancels this coroutine.
        task = self._own(self._execute(job))
        self._running[task] = job.name
        await asyncio.wait({task})

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin `work`, hold on to it, and let its error end `run`."""
        task = asyncio.create_task(work)
        self._owned.add(task)
        task.add_done_callback(self._settled)
        return task

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._owned.discard(task)
        self._running.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is None or self._fault is None or self._fault.done():
            return
        self._fault.set_exception(error)

    async def _execute(self, job: Job) -> None:
        started = self._clock.now()
        due = self._reach(job, started)
        task = asyncio.ensure_future(job.run(due))
        await asyncio.wait({task}, timeout=job.deadline.total_seconds())
        late = not task.done()
        if late:
            _log.warning("job_past_deadline", extra={"job": job.name, "deadline": str(job.deadline)})
        if late and not job.vital:
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_WITHIN.total_seconds())
        await asyncio.wait({task})
        error = None if task.cancelled() else task.exception()
        if task.cancelled() and not late:
            error = Impossible(f"a run of {job.name} was cancelled although nobody stopped it")
        found = None if error is not None or task.cancelled() else task.result()
        self._end(job, due, started, "failed" if error is not None else "late" if late else "done", error, found)

    def _end(
        self,
        job: Job,
        due: datetime,
        started: datetime,
        outcome: str,
        error: BaseException | None,
        found: str | None,
    ) -> None:
        self._tell(job, error)
        # A vital job that failed once has until its next run to make it good; then it counts as standing still. Where
        # the venue is what stands still, starting us again would not help it.
        unanswered = isinstance(error, NotAvailable | VenueForbids)
        if error is None or unanswered or not job.vital or job.name not in self._failing:
            self._watch.progress(job.name)
        (self._failing.discard if error is None else self._failing.add)(job.name)
        self._announce(job)
        detail = found or "" if error is None else f"{type(error).__name__}: {error}"
        run = JobRun(
            job=job.name,
            due_at=due,
            started_at=started,
            finished_at=self._clock.now(),
            outcome=outcome,
            detail=detail,
        )
        self._finished(run, error)

    def _tell(self, job: Job, error: BaseException | None) -> None:
        """Log that a job failed once for each reason in a row, and once that it works again."""
        before, reason = self._reasons.pop(job.name, None), None if error is None else str(error)
        if reason is not None:
            self._reasons[job.name] = reason
            if reason != before:
                # What our own errors say is enough; of any other the place is wanted too.
                place = None if isinstance(error, RatchetError) else error
                _log.error("job_failed", extra={"job": job.name, "reason": reason}, exc_info=place)
        elif before is not None:
            _log.info("job_works_again", extra={"job": job.name})

    def _reach(self, job: Job, now: datetime) -> datetime:
        """The newest fire time up to `now`, which this run is for; earlier ones since the last run were missed."""
        fires = self._fires[job.name]
        due = following(fires, self._reached[job.name])
        while (later := following(fires, due)) <= now:
            self._missed(job, due, "the schedule came too late for it")
            due = later
        self._reached[job.name] = due
        return due

    def _missed(self, job: Job, due: datetime, why: str) -> None:
        now = self._clock.now()
        _log.warning("job_missed", extra={"job": job.name, "due": due.isoformat(), "reason": why})
        run = JobRun(job=job.name, due_at=due, started_at=now, finished_at=now, outcome="missed", detail=why)
        self._finished(run, None)

    def _passed_over(self, event: Any) -> None:
        """The library's word that a run did not begin. It swallows what a listener raises, so a task reports."""
        job = next(job for job in self._jobs if job.name == event.job_id)
        times = getattr(event, "scheduled_run_times", None)
        why = "the previous run had not ended" if times else "it was due too long ago"
        self._own(self._report_passed_over(job, times or [event.scheduled_run_time], why))

    async def _report_passed_over(self, job: Job, times: Sequence[datetime], why: str) -> None:
        # With coalescing the library names only the newest of several; the ones before it were missed alike.
        fires, newest = self._fires[job.name], max(times)
        while (due := following(fires, self._reached[job.name])) <= newest:
            self._reached[job.name] = due
            self._missed(job, due, why)
