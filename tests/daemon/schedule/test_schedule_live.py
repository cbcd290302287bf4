"""Live, APScheduler says when; what runs is never cancelled by it, and every run ends in one report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from daemon.notify import Watchdog
from daemon.schedule import Every, Job, LiveSchedule
from domain.clock import EPOCH
from domain.errors import JournalError
from domain.records import JobRun

SHORT = Every(period=timedelta(milliseconds=50))
WITHIN = 10.0


class WallClock:
    """The wall clock, which APScheduler reads too."""

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=time.time_ns() // 1000)


class Reports:
    """Keeps what the schedule reports, and lets a test wait for it."""

    def __init__(self) -> None:
        self.runs: list[JobRun] = []
        self.errors: list[BaseException] = []
        self.fed = 0
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, run: JobRun, error: BaseException | None) -> None:
        self.runs.append(run)
        if error is not None:
            self.errors.append(error)
        task = asyncio.get_running_loop().create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def feed(self) -> None:
        self.fed += 1

    def outcomes(self) -> list[str]:
        return [run.outcome for run in self.runs]

    async def until(self, outcome: str, count: int = 1) -> None:
        async with asyncio.timeout(WITHIN), self._changed:
            await self._changed.wait_for(lambda: self.outcomes().count(outcome) >= count)


@asynccontextmanager
async def started(schedule: LiveSchedule) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(schedule.run())
    try:
        yield task
    finally:
        await schedule.drain(timedelta(seconds=5))
        task.cancel()
        await asyncio.wait({task})


def schedule_of(*jobs: Job, reports: Reports, dog: Watchdog | None = None) -> LiveSchedule:
    watch = dog or Watchdog(monotonic=time.monotonic, feed=reports.feed)
    return LiveSchedule(jobs, clock=WallClock(), watch=watch, finished=reports)


async def test_a_job_runs_again_and_again_at_its_times_and_each_run_is_reported() -> None:
    reports, seen = Reports(), []

    async def note(due: datetime) -> None:
        seen.append(due)

    job = Job(name="note", trigger=SHORT, run=note, deadline=timedelta(seconds=5))
    async with started(schedule_of(job, reports=reports)):
        await reports.until("done", 3)
    done = [run for run in reports.runs if run.outcome == "done"]
    assert [run.due_at for run in done] == seen[: len(done)]
    assert seen == sorted(set(seen))
    assert all(
        due.tzinfo is UTC and (due - EPOCH) % timedelta(milliseconds=50) < timedelta(microseconds=3) for due in seen
    )


async def test_a_raising_job_is_reported_and_keeps_its_schedule(caplog: pytest.LogCaptureFixture) -> None:
    reports = Reports()

    async def fail(due: datetime) -> None:
        raise JournalError("the disk is full")

    async with started(
        schedule_of(Job(name="bad", trigger=SHORT, run=fail, deadline=timedelta(seconds=5)), reports=reports)
    ):
        await reports.until("failed", 3)
    assert all(isinstance(error, JournalError) for error in reports.errors)
    assert reports.runs[0].detail == "JournalError: the disk is full"
    assert "job_failed" in caplog.messages


async def test_a_run_that_outlasts_its_period_is_never_overlapped_and_the_skipped_ones_are_counted() -> None:
    reports, finish = Reports(), asyncio.Event()
    inside = most = 0

    async def slow(due: datetime) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await finish.wait()
        inside -= 1

    async with started(
        schedule_of(Job(name="slow", trigger=SHORT, run=slow, deadline=timedelta(seconds=9)), reports=reports)
    ):
        await reports.until("missed", 3)
        finish.set()
        await reports.until("done", 2)
    assert most == 1
    skipped = [run.due_at for run in reports.runs if run.outcome == "missed"]
    assert len(set(skipped)) == len(skipped)
    assert {run.detail for run in reports.runs if run.outcome == "missed"} <= {
        "the previous run had not ended",
        "the schedule came too late for it",
    }


async def test_runs_that_a_blocked_loop_missed_are_counted_and_made_up_for_once() -> None:
    reports, starts = Reports(), []

    async def block_once(due: datetime) -> None:
        starts.append(due)
        if len(starts) == 1:
            end = time.monotonic() + 0.4
            while time.monotonic() < end:
                pass  # what a long computation on the event loop does

    job = Job(name="block", trigger=SHORT, run=block_once, deadline=timedelta(seconds=5))
    async with started(schedule_of(job, reports=reports)):
        await reports.until("done", 2)
    missed = [run for run in reports.runs if run.outcome == "missed"]
    assert len(missed) >= 5
    assert starts[1] - starts[0] >= timedelta(milliseconds=350)
    assert not {run.due_at for run in missed} & set(starts)


async def test_draining_lets_a_run_finish_though_the_library_cancels_its_own() -> None:
    reports, begun, finish = Reports(), asyncio.Event(), asyncio.Event()

    async def order(due: datetime) -> None:
        begun.set()
        await finish.wait()

    schedule = schedule_of(
        Job(name="order", trigger=SHORT, run=order, deadline=timedelta(seconds=9), vital=True), reports=reports
    )
    async with started(schedule):
        await begun.wait()
        draining = asyncio.create_task(schedule.drain(timedelta(seconds=5)))
        await asyncio.sleep(0)
        assert schedule.running == ("order",)
        finish.set()
        assert await draining == ()
    assert "done" in reports.outcomes()


async def test_draining_names_what_outlasts_its_budget_and_leaves_it_running() -> None:
    reports, begun, finish = Reports(), asyncio.Event(), asyncio.Event()

    async def order(due: datetime) -> None:
        begun.set()
        await finish.wait()

    schedule = schedule_of(
        Job(name="order", trigger=SHORT, run=order, deadline=timedelta(seconds=9), vital=True), reports=reports
    )
    async with started(schedule):
        await begun.wait()
        assert await schedule.drain(timedelta(milliseconds=20)) == ("order",)
        assert schedule.running == ("order",)
        finish.set()
        await reports.until("done")
    assert schedule.running == ()


async def test_no_run_begins_after_a_pause() -> None:
    reports, runs = Reports(), []

    async def note(due: datetime) -> None:
        runs.append(due)

    other = Job(name="other", trigger=SHORT, run=note, deadline=timedelta(seconds=5))
    schedule = schedule_of(other, reports=reports)
    async with started(schedule):
        await reports.until("done")
        schedule.pause()
        paused_at = WallClock().now()
        await asyncio.wait({asyncio.create_task(asyncio.Event().wait())}, timeout=0.2)
    assert runs
    assert all(due <= paused_at for due in runs)


async def test_a_job_past_its_deadline_is_cut_off_and_called_late() -> None:
    reports, cleaned = Reports(), asyncio.Event()

    async def hang(due: datetime) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    async with started(
        schedule_of(Job(name="hang", trigger=SHORT, run=hang, deadline=timedelta(milliseconds=30)), reports=reports)
    ):
        await reports.until("late")
    assert cleaned.is_set()
    assert reports.errors == []


async def test_a_vital_job_past_its_deadline_is_not_cut_off_but_starves_the_watchdog() -> None:
    reports, begun, finish = Reports(), asyncio.Event(), asyncio.Event()
    now = [100.0]
    dog = Watchdog(monotonic=lambda: now[0], feed=reports.feed)

    async def scan(due: datetime) -> None:
        begun.set()
        await finish.wait()

    job = Job(name="scan", trigger=SHORT, run=scan, deadline=timedelta(milliseconds=30), vital=True)
    async with started(schedule_of(job, reports=reports, dog=dog)):
        await begun.wait()
        assert dog.beat()
        now[0] += 1.0
        assert dog.overdue() == ("scan",)
        assert not dog.beat()
        await reports.until("missed")
        finish.set()
        await reports.until("late")
        assert dog.beat()


async def test_a_vital_job_that_keeps_failing_starves_the_watchdog_until_it_succeeds() -> None:
    reports, healthy = Reports(), asyncio.Event()
    now = [100.0]
    dog = Watchdog(monotonic=lambda: now[0], feed=reports.feed)

    async def scan(due: datetime) -> None:
        if not healthy.is_set():
            raise JournalError("locked")

    job = Job(name="scan", trigger=SHORT, run=scan, deadline=timedelta(milliseconds=200), vital=True)
    async with started(schedule_of(job, reports=reports, dog=dog)):
        await reports.until("failed", 2)
        now[0] += 1.0
        await reports.until("failed", 4)
        assert not dog.beat()
        healthy.set()
        await reports.until("done")
        assert dog.beat()


async def test_a_failing_job_that_is_not_vital_does_not_starve_the_watchdog() -> None:
    reports = Reports()
    now = [100.0]
    dog = Watchdog(monotonic=lambda: now[0], feed=reports.feed)

    async def refresh(due: datetime) -> None:
        raise JournalError("down")

    job = Job(name="refresh", trigger=SHORT, run=refresh, deadline=timedelta(milliseconds=200))
    async with started(schedule_of(job, reports=reports, dog=dog)):
        await reports.until("failed", 2)
        now[0] += 1.0
        await reports.until("failed", 4)
        assert dog.beat()


async def test_a_schedule_that_dies_starves_the_watchdog_at_the_next_missed_deadline() -> None:
    reports = Reports()
    now = [100.0]
    dog = Watchdog(monotonic=lambda: now[0], feed=reports.feed)

    async def note(due: datetime) -> None:
        """A job that does nothing."""

    schedule = schedule_of(
        Job(name="note", trigger=SHORT, run=note, deadline=timedelta(seconds=1)), reports=reports, dog=dog
    )
    async with started(schedule):
        await reports.until("done")
        assert dog.beat()
        schedule.pause()
        now[0] += 2.0
        assert not dog.beat()


async def test_an_error_of_the_listener_ends_the_service() -> None:
    def broken(run: JobRun, error: BaseException | None) -> None:
        raise JournalError("the run cannot be written down")

    async def note(due: datetime) -> None:
        """A job that does nothing."""

    schedule = LiveSchedule(
        [Job(name="note", trigger=SHORT, run=note, deadline=timedelta(seconds=1))],
        clock=WallClock(),
        watch=Watchdog(monotonic=time.monotonic, feed=lambda: None),
        finished=broken,
    )
    with pytest.raises(JournalError, match="cannot be written down"):
        async with asyncio.timeout(WITHIN), started(schedule) as task:
            await task
