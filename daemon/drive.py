"""Moving a session through its feed: by simulated time in replays and demos, by the real clock live."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from daemon.schedule import ReplaySchedule
from daemon.wiring import Trading
from domain.clock import Clock, SteppedClock
from domain.errors import VenueBusy, VenueForbids, VenueUnavailable
from domain.records import JobRun
from journal.batch import Batch
from market.feed import Moment
from trading.session import OPENING

JOBS_KEY = "job_last_runs"
_BREATHE_EVERY_S = 0.05

Ticked = Callable[[Moment], None]


class ReplayDriver:
    """Plays a feed to its end through the session, with the scheduled jobs at their simulated times.

    `speed` is simulated seconds for a real second; None plays as fast as it goes. Between moments the event loop
    gets its turn often enough that the API, the metrics and a stop request are served.
    """

    def __init__(
        self,
        *,
        trading: Trading,
        clock: SteppedClock,
        schedule: ReplaySchedule,
        speed: float | None,
        ticked: Ticked,
    ) -> None:
        self._trading = trading
        self._clock = clock
        self._schedule = schedule
        self._speed = speed
        self._ticked = ticked
        self._stopping = asyncio.Event()
        stored = trading.journal.read.state(JOBS_KEY)
        if stored is not None:
            schedule.restore({name: datetime.fromisoformat(at) for name, at in json.loads(stored).items()})

    def stop(self) -> None:
        """End after the moment that is under way, or at once while waiting for the next."""
        self._stopping.set()

    async def run(self) -> bool:
        """Play on from where the journal says; False when it was stopped before the end of the feed."""
        session, feed = self._trading.session, self._trading.session.feed
        last_scan = self._trading.resumption.last_scan
        if last_scan is not None:
            feed.seek(last_scan.at - timedelta(microseconds=1))
        breathed = time.monotonic()
        previous: datetime | None = None
        while not self._stopping.is_set() and (at := feed.next_at()) is not None:
            if self._speed is not None and previous is not None:
                if await self._stopped_within((at - previous).total_seconds() / self._speed):
                    break
            elif time.monotonic() - breathed > _BREATHE_EVERY_S:
                await asyncio.sleep(0)
                breathed = time.monotonic()
            previous = at
            moment = feed.take()
            async with session.one_at_a_time:
                await self._play(moment)
            self._ticked(moment)
        await session.settle()
        return not self._stopping.is_set()

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    async def _play(self, moment: Moment) -> None:
        """One moment: jobs that are due, bars that close and what follows, bars that open and what follows."""
        session = self._trading.session
        self._move_to(moment.at)
        if session.last_scan is None or moment.at > session.last_scan.at:
            await self._run_due(moment.at)
        await session.on_closes(moment)
        self._move_to(moment.at + OPENING)
        await session.on_opens(moment)

    def _move_to(self, at: datetime) -> None:
        # After a restart the clock may stand a millisecond later in the same moment; it never goes back.
        if self._clock.now() < at:
            self._clock.move_to(at)

    async def _run_due(self, at: datetime) -> None:
        due = self._schedule.due(at)
        kept = Batch()
        for fire_time, job in due:
            found = await job.run(fire_time)
            if not job.every_bar and job.trigger.period >= self._trading.session.view.timeframe.span:
                kept.add(job_run(job.name, fire_time, at, at, "done", found or ""))
        if len(kept):
            runs = {name: run.isoformat() for name, run in self._schedule.last_runs().items()}
            kept.put_state(JOBS_KEY, json.dumps(runs, sort_keys=True))
            self._trading.writer.defer(kept)


def job_run(job: str, due: datetime, started: datetime, finished: datetime, outcome: str, detail: str = "") -> JobRun:
    """A job's run as the journal keeps it."""
    return JobRun(job=job, due_at=due, started_at=started, finished_at=finished, outcome=outcome, detail=detail)


async def play_due_moments(trading: Trading, clock: Clock, ticked: Ticked) -> int:
    """Live: play every moment of the feed whose time has come; gives back how many that were.

    A moment during which the venue did not answer is told again at the next call: it must not be passed over.
    The caller holds the session's lock.
    """
    session = trading.session
    played = 0
    while (at := session.feed.next_at()) is not None and at <= clock.now():
        moment = session.feed.take()
        try:
            await session.on_closes(moment)
            await session.on_opens(moment)
        except (VenueUnavailable, VenueBusy, VenueForbids):
            session.feed.seek(at - timedelta(microseconds=1))
            raise
        ticked(moment)
        played += 1
        # Catching up with a long sleep may take minutes; whatever else runs on the loop gets its turn meanwhile.
        await asyncio.sleep(0)
    await session.settle()
    return played
