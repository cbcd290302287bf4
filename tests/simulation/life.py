"""One life of the daemon, from its start to its crash or stop: wired as the service wires it, on virtual time.

What the service does every second is done here whenever something happened, and for some seconds after: looking at
ten days a second at a time would show nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, TypeVar

from simulation.killed import Killed
from simulation.network import Line
from simulation.stack import Stack, journal_of, open_stack
from simulation.tape import HOUR

from brokers.ccxt.records import RESTING
from daemon.drive import play_due_moments
from daemon.jobs.data_quality import DataQuality
from daemon.jobs.watch import VenueClock, Watch
from daemon.jobs.weights import EnsembleWeights
from daemon.schedule.declarations import At, Every, Trigger, following
from daemon.wiring import start
from domain.errors import (
    Impossible,
    JournalError,
    RatchetError,
    VenueBusy,
    VenueForbids,
    VenueUnavailable,
)
from domain.orders import Leg
from journal.batch import Batch
from journal.journal import Journal
from trading.protection import ATTEMPTS
from trading.session import Session

if TYPE_CHECKING:
    from simulation.world import World

LOOKED_EVERY_S = 1.0
ATTENTIVE_S = 1.5
"""How long after the last event the account is looked at every second, at least."""
PATIENT_S = 40.0
"""After so long with an open question it is looked at less often, until something happens again."""
SLOW_STEPS_S = (15.0, 120.0)
LONG_S = 600.0
RECONCILED_AFTER = 0.12
"""How often the comparison that comes every half minute is made after something happened."""
DUE_IN_THE_JOB = 0.2
"""How often a reading of the account falls due in another job: one second of the five between two of them."""
HOLD_THE_BOOKS = ("scan", "watch", "reconcile", "equity", "command")
"""Jobs that change the books: one that fails half-way ends the process, as in the service."""
UNANSWERED = (VenueUnavailable, VenueBusy, VenueForbids)
LONGEST_WAIT_S = 30.0


T = TypeVar("T")


class Life:
    """`ended` is set to why, once it is over."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.line = Line(world.network)
        self.journal: Journal | None = None
        self.stack: Stack | None = None
        self.started = False
        self.ended: asyncio.Future[str] = world.loop.create_future()
        self.tasks: set[asyncio.Task[None]] = set()
        self.jobs_run = 0
        self._stopping = False
        self._scan_is_owed = False
        self._attentive_until = 0.0
        self._last_event = world.clock.now()
        self._nudged = asyncio.Event()
        self._random = world.random(f"life {number}")

    # -- the start --------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Open everything, pass the barrier and begin the jobs. A venue that does not answer is waited for."""
        try:
            journal = self.journal = journal_of(self.world)
            self.stack = await self._patiently(lambda: open_stack(self.world, self.line, journal))
            await self._patiently(self._pass_barrier)
            await self._patiently(self._judge_clock)
        except Killed:
            return
        except RatchetError as error:
            if not self.dead:
                self.world.unexpected(self, "begin", error)
                self.kill(f"{type(error).__name__}: {error}")
            return
        session = self.stack.trading.session
        now = self.world.clock.now()
        if session.last_scan is None:
            session.view.observe_until(now)
        session.feed.seek(now if session.last_scan is None else session.last_scan.at - timedelta(microseconds=1))
        self.started = True
        self.world.began(self)
        self._begin_jobs()
        self.nudge()

    async def _pass_barrier(self) -> None:
        if self.stack is not None:
            await start(self.stack.trading)

    async def _judge_clock(self) -> None:
        """A clock that is off from the start blocks entries from the first scan on."""
        await self._clock.run(self.world.clock.now())

    @property
    def _clock(self) -> VenueClock:
        return VenueClock(self._stack.trading, self._stack.account.measure_clock, self.world.skew_told)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        wait_s = 1.0
        while True:
            try:
                return await ask()
            except (VenueUnavailable, VenueBusy) as error:
                self.world.trace.add("awaited", error)
                named = error.wait_s if isinstance(error, VenueBusy) else 0.0
                await asyncio.sleep(max(wait_s, named))
                wait_s = min(LONGEST_WAIT_S, 2 * wait_s)

    # -- the jobs ---------------------------------------------------------------------------------------------

    def _begin_jobs(self) -> None:
        stack, session = self._stack, self._stack.trading.session
        trading, draw = stack.trading, self._random
        second = timedelta(seconds=1)

        async def scan(_due: datetime) -> None:
            self._skip_what_told_nothing()
            await play_due_moments(trading, self.world.clock, self.world.scanned)

        async def equity(_due: datetime) -> None:
            await session.revalue()

        weights = EnsembleWeights(trading, self.world.config.signals.weights)
        clock = self._clock
        offset = second * draw.randint(60, 20_000)
        self._every("scan", Every(period=HOUR, offset=2 * second), scan)
        self._every("equity", Every(period=HOUR, offset=second * draw.randint(60, 3500)), equity)
        self._every("reconcile", Every(period=6 * HOUR, offset=offset), self._reconcile)
        self._every("venue_clock", Every(period=4 * HOUR, offset=second * draw.randint(0, 3500)), clock.run)
        self._every("ensemble_weights", At(at=time(0, 15)), weights.run)
        self._every("data_quality", At(at=time(6, 0)), DataQuality(trading).run)
        self.spawn("watch", self._watch())

    @property
    def session(self) -> Session:
        return self._stack.trading.session

    @property
    def _stack(self) -> Stack:
        if self.stack is None:
            raise RuntimeError("this life has not begun")
        return self.stack

    def _every(self, name: str, trigger: Trigger, run: Callable[[datetime], Awaitable[object]]) -> None:
        async def go_on() -> None:
            fires = trigger.build()
            due = self.world.clock.now()
            while not self._stopping:
                due = following(fires, due)
                await asyncio.sleep((due - self.world.clock.now()).total_seconds())
                if not self._stopping:
                    await self.job(name, run, due)

        self.spawn(name, go_on())

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> None:
        """Begin a task of this process; what ends it ends the process."""
        task = self.world.loop.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Killed) and not self.dead:
            self.world.unexpected(self, task.get_name(), error)
            self.kill(f"{type(error).__name__}: {error}")

    async def job(self, name: str, run: Callable[[datetime], Awaitable[object]], due: datetime) -> bool:
        """One run of a job, under the session's lock and judged as the service judges it; whether it was done."""
        stack, outcome = self._stack, "done"
        try:
            async with stack.trading.session.one_at_a_time:
                stack.writer.demand_whole()
                await run(due)
                await stack.writer.flush()
        except RatchetError as error:
            if self.dead:
                raise Killed from None
            outcome = f"{type(error).__name__}: {error}"
            unanswered = isinstance(error, UNANSWERED)
            if name == "scan" and unanswered:
                self._scan_is_owed = True
                self.nudge()
            if (name in HOLD_THE_BOOKS and not unanswered) or isinstance(error, Impossible | JournalError):
                raise
        self.jobs_run += 1
        self.world.job_ran(self, name, outcome)
        return outcome == "done"

    async def _reconcile(self, _due: datetime) -> None:
        self._skip_what_told_nothing()
        batch = Batch()
        findings = await self._stack.trading.session.reconciler.run(batch)
        self.world.reconciled(findings)
        if len(batch):
            self._stack.trading.writer.defer(batch)

    async def _watch(self) -> None:
        """Look every second while something happens, and reconcile once it is over."""
        watch, loop = Watch(self._stack.trading, self._stack.source), self.world.loop

        async def look(due: datetime) -> None:
            await watch.run(due)
            if self._scan_is_owed:
                await play_due_moments(self._stack.trading, self.world.clock, self.world.scanned)
                self._scan_is_owed = False

        while not self._stopping:
            await self._nudged.wait()
            self._nudged.clear()
            began = loop.time()
            while not self._stopping and (loop.time() < self._attentive_until or self._has_questions()):
                await self._pause(self._step_s(max(began, self._attentive_until)))
                if not self._stopping:
                    await self.job("watch", look, self.world.clock.now())
            if self._random.random() < RECONCILED_AFTER and not await self._nudged_within(
                self._random.uniform(0.0, 30.0)
            ):
                await self.job("reconcile", self._reconcile, self.world.clock.now())

    def _skip_what_told_nothing(self) -> None:
        """A daemon that looks every second has read the account a moment ago; here it did when something happened last.

        Where nothing happened since, nothing waits to go wrong and nothing is open, those readings, which would have
        told nothing, count as made. Now and then one of them falls due in the job itself, as it does with the real one.
        """
        broker, now = self._stack.broker, self.world.clock.now()
        watch = broker._watch
        due = watch._sweeps or watch._rung or broker._failure is not None or self._has_questions()
        if due or self.attentive or self.world.trouble.is_waiting or self._random.random() < DUE_IN_THE_JOB:
            return
        read_at = now - timedelta(seconds=self._random.uniform(0.0, RESTING.total_seconds()))
        watch._last_full = watch._last_sweep = watch._last_round = read_at

    async def _pause(self, step_s: float) -> None:
        """Wait until the next look; where looks are far apart, whatever happens brings it on."""
        if step_s > LOOKED_EVERY_S:
            self._nudged.clear()
            if not await self._nudged_within(step_s):
                return
        await asyncio.sleep(LOOKED_EVERY_S)

    def _step_s(self, quiet_since: float) -> float:
        waited = self.world.loop.time() - quiet_since
        if waited <= PATIENT_S:
            return LOOKED_EVERY_S
        return SLOW_STEPS_S[0] if waited <= LONG_S else SLOW_STEPS_S[1]

    async def _nudged_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            return self._stopping
        return True

    def ring(self) -> None:
        """The exchange's push stream says: ask now."""
        if self.started and not self.dead:
            self._stack.broker._watch.ring()

    def measure_clock_soon(self) -> None:
        """The venue's clock is measured once a minute; here when it was changed."""

        async def measure() -> None:
            await asyncio.sleep(self._random.uniform(0.0, 60.0))
            while not self._stopping and not await self.job("venue_clock", self._clock.run, self.world.clock.now()):
                await asyncio.sleep(60.0)

        self.spawn("venue_clock_now", measure())

    def nudge(self) -> None:
        """Something happened that a daemon which looks every second would see."""
        self._attentive_until = self.world.loop.time() + ATTENTIVE_S
        self._last_event = self.world.clock.now()
        self._nudged.set()

    @property
    def attentive(self) -> bool:
        """Whether something happened a moment ago."""
        return self.world.loop.time() < self._attentive_until

    async def reconcile_now(self) -> None:
        await self.job("reconcile", self._reconcile, self.world.clock.now())

    async def settle(self) -> None:
        """Make everything durable that still rides along."""
        await self._stack.writer.flush()

    def _has_questions(self) -> bool:
        """Whether it has not read the whole account since the last event, or knows of something that is open."""
        session, broker = self._stack.trading.session, self._stack.broker
        if self._scan_is_owed:
            return True
        read_at = broker._watch._last_full
        if read_at is None or read_at < self._last_event:
            return True
        if any(order.in_question for order in broker._log.open_orders()):
            return True
        if session.books.pending() or session.guardian.bare():
            return True
        # A stop that was refused again and again waits for the bar's close here: its next tries are minutes apart.
        refused = (session.books.refused(trade.trade_id, Leg.STOP) for trade in session.guardian.unfit())
        return any(count < ATTEMPTS + 2 for count in refused)

    async def command(self, give: Callable[[Stack], Awaitable[None]]) -> bool:
        """Something a person says, carried out under the same lock as the jobs; whether it was."""

        async def run(_due: datetime) -> None:
            await give(self._stack)

        return await self.job("command", run, self.world.clock.now())

    # -- the end ----------------------------------------------------------------------------------------------

    @property
    def dead(self) -> bool:
        return self.line.dead

    def kill(self, why: str) -> None:
        """The process is gone: nothing of it runs on, and nothing it held is written."""
        if self.dead:
            return
        self.line.dead = True
        if self.stack is not None:
            self.stack.broker._log.close()
        if self.journal is not None:
            self.journal.close()
        for task in list(self.tasks):
            if task is not asyncio.current_task():
                task.cancel()
        self._end(why)

    async def stop(self) -> None:
        """SIGTERM: no new runs, those under way end, what is deferred is written, files are let go of."""
        self._stopping = True
        session = self._stack.trading.session
        try:
            async with asyncio.timeout(8), session.one_at_a_time:
                await self._stack.writer.flush()
        except (TimeoutError, RatchetError) as error:
            self.world.trace.add("unsettled", type(error).__name__)
        if not self.dead:
            await self._stack.writer.close()
            self.kill("stopped")

    def _end(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)
