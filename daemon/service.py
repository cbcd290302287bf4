"""`ratchet run -c FILE`: the live daemon, what systemd starts. One task group, one scan at each bar's close."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from daemon.clock import LiveClock
from daemon.config import Config
from daemon.desk import LearningDesk, ServiceDesk
from daemon.drive import play_due_moments
from daemon.jobs.data_quality import DataQuality
from daemon.jobs.drift import WeeklyDrift
from daemon.jobs.learning import DailyEvaluation, learning_jobs
from daemon.jobs.standing import standing_jobs
from daemon.jobs.training import Training, account_of, process_trainer
from daemon.jobs.watch import VenueClock, Watch
from daemon.loosening import hold_to
from daemon.metrics import MetricsObserver
from daemon.metrics import serve as serve_metrics
from daemon.notify import Notifier, Watchdog, watchdog_timeout
from daemon.paths import AccountPaths, account_paths, state_root
from daemon.patience import patiently
from daemon.schedule import Every, Job, LiveSchedule, standard_job
from daemon.serving import announced, api_served
from daemon.source import LiveSource, simulated_source, venue_source
from daemon.supervise import Stage, Supervisor, probe_loop_lag
from daemon.timed_writer import TimedWriter
from daemon.watching import Snapshots, make_metrics
from daemon.wiring import Setup, Trading, open_journal, start, wire
from domain.clock import EPOCH, Clock
from domain.errors import Impossible, NotAvailable, RatchetError, VenueBusy, VenueForbids, VenueUnavailable
from domain.records import JobRun
from journal.batch import Batch
from journal.journal import Journal
from journal.writer import ThreadWriter
from market.feed import Moment

SETTLE_WITHIN: Final = timedelta(seconds=8)
FLUSH_WITHIN: Final = timedelta(seconds=4)
CLOSE_WITHIN: Final = timedelta(seconds=3)
SCAN_WITHIN: Final = (timedelta(seconds=3), timedelta(minutes=2))
"""A scan gets three bars, within these bounds, before it counts as standing still."""

HOLD_THE_BOOKS: Final = ("scan", "watch", "reconcile", "equity")
"""Jobs that change the books: one that fails half-way has left more in memory than was written down."""

FREQUENT: Final = ("watch",)
"""Jobs whose runs are journaled only when they fail: they run every second."""

_log = logging.getLogger(__name__)


def run_live(config: Config, environ: Mapping[str, str] = os.environ) -> int:
    """Run until told to stop; gives the process's exit status.

    Raises what the configuration or journal refuse, and the first error that ended the run.
    """
    paths = account_paths(state_root(environ), config.account.kind, config.account.name).create()
    with open_journal(config, paths, live=True) as journal:
        hold_to(journal, config)
        try:
            asyncio.run(_serve_account(config, paths, journal, environ))
        except ExceptionGroup as group:
            told = _in_one_sentence(group)
            if told is None:
                raise
            raise told from group
    return 0


async def _serve_account(config: Config, paths: AccountPaths, journal: Journal, environ: Mapping[str, str]) -> None:
    """Reach what is followed and traded on, then run on it."""
    clock, notifier = LiveClock(), Notifier.from_environment(environ)
    if config.broker.kind == "paper":
        source = simulated_source(config, journal, clock.now())
    else:
        from daemon.connection import connect  # noqa: PLC0415 - brings the venues' library, which few runs need

        source = venue_source(config, await connect(config, paths, journal, clock, environ, notifier))
    try:
        await _Service(config, paths, journal, environ, clock=clock, notifier=notifier, source=source).run()
    finally:
        await source.close()


def _in_one_sentence(group: ExceptionGroup) -> RatchetError | None:
    """The error that speaks for all of them; None where one is not ours: then the places are wanted."""
    errors = list(_leaves(group))
    if any(not isinstance(error, RatchetError | TimeoutError) for error in errors):
        return None
    own = next((error for error in errors if isinstance(error, RatchetError)), None)
    return own if own is not None else NotAvailable("; ".join(str(error) for error in errors))


def _leaves(group: ExceptionGroup) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


class _Service:
    """Everything of one live run that is not trading itself."""

    def __init__(
        self,
        config: Config,
        paths: AccountPaths,
        journal: Journal,
        environ: Mapping[str, str],
        *,
        clock: Clock,
        notifier: Notifier,
        source: LiveSource,
    ) -> None:
        self._config = config
        self._paths = paths
        self._environ = environ
        self._clock = clock
        self._notifier = notifier
        self._source = source
        self._watchdog = Watchdog(monotonic=time.monotonic, feed=self._notifier.alive)
        self._is_ready = False
        self._scan_is_owed = False
        self._exits = AsyncExitStack()
        self._feed = source.feed
        self._metrics = make_metrics(self._feed, source.currency, source.counts)
        self._writer = TimedWriter(ThreadWriter(journal), self._metrics.service.committed)
        self._learning_desk: LearningDesk | None = None
        self._trading = self._wired(journal)

    def _wired(self, journal: Journal) -> Trading:
        return wire(
            Setup(
                config=self._config,
                clock=self._clock,
                feed=self._feed,
                higher=self._source.higher,
                paths=self._paths,
                currency=self._source.currency,
                sources=self._source.sources,
                journal=journal,
                writer=self._writer,
                durable=True,
                observer=MetricsObserver(self._metrics),
                simulated_operator=False,
                broker=self._source.broker,
            )
        )

    async def run(self) -> None:
        snapshots = Snapshots(self._trading, self._metrics, self._config, live=True, state=self._paths.folder)
        schedule = self._schedule(snapshots)
        supervisor = self._supervisor(schedule)
        async with self._exits:
            await self._become_ready(supervisor)
            supervisor.add("journal", self._writer.watch)
            supervisor.add("schedule", schedule.run)
            supervisor.add("loop_lag", lambda: probe_loop_lag(self._metrics.service.lagged))
            timeout = watchdog_timeout(self._environ, os.getpid())
            if timeout is not None:
                supervisor.add("watchdog", lambda: self._watchdog.run(timeout / 3))
            await supervisor.run()

    # -- the start --------------------------------------------------------------------------------------------

    async def _become_ready(self, supervisor: Supervisor) -> None:
        """Reconcile before anything trades, then serve, then tell systemd."""
        session = self._trading.session
        await self._pass_barrier()
        if session.reconciler.last_at is not None:
            self._metrics.service.reconciled((session.reconciler.last_at - EPOCH).total_seconds())
        now, last_scan = self._clock.now(), session.last_scan
        if last_scan is None:
            session.view.observe_until(now)
        await self._judge_clock()
        self._feed.seek(now if last_scan is None else last_scan.at - timedelta(microseconds=1))
        found = await DataQuality(self._trading).run(now)
        self._finished(_run_of("data_quality", now, self._clock.now(), found), None)
        await self._writer.flush()
        self._is_ready = True
        await self._serve(supervisor)
        account = session.books.account
        self._notifier.ready(f"trading {account} on {self._feed.name}")
        _log.info("ready", extra={"account": account, "feed": self._feed.name})

    async def _judge_clock(self) -> None:
        """A clock that is off from the start blocks entries from the first scan on."""
        measure = self._source.measure_skew
        if measure is not None:
            clock = VenueClock(self._trading, measure, self._metrics.service.skewed)
            await patiently(lambda: clock.run(self._clock.now()), self._notifier, "the venue's clock is not known")

    async def _pass_barrier(self) -> None:
        """Nothing trades before reconciliation has succeeded; a venue that does not answer is waited for."""
        await patiently(lambda: start(self._trading), self._notifier, "waiting to reconcile with the venue")

    async def _serve(self, supervisor: Supervisor) -> None:
        metrics, api = self._config.metrics, self._config.api
        if metrics.enabled:
            endpoint = serve_metrics(self._metrics.registry, metrics.host, metrics.port)
            self._exits.callback(endpoint.stop)
            _log.info("metrics_served", extra={"url": endpoint.url})
        if not api.enabled:
            self._exits.enter_context(announced(self._paths, None, self._clock.now()))
            return
        desk = ServiceDesk(
            trading=self._trading,
            clock=self._clock,
            overdue=self._watchdog.overdue,
            ready=lambda: self._is_ready,
            mode="live",
            learning=self._learning_desk,
        )
        port = await self._exits.enter_async_context(
            api_served(
                desk,
                host=api.host,
                port=api.port,
                paths=self._paths,
                started_at=self._clock.now(),
                ended=supervisor.request_stop,
            )
        )
        _log.info("api_served", extra={"port": port})

    # -- the jobs ---------------------------------------------------------------------------------------------

    def _schedule(self, snapshots: Snapshots) -> LiveSchedule:
        plan, span = self._config.schedule, self._feed.timeframe.span
        least, most = SCAN_WITHIN
        scan_deadline = min(most, max(least, 3 * span))

        def played(moment: Moment) -> None:
            snapshots.after(moment)
            # After a long sleep one scan catches up with many moments; each of them is progress.
            self._watchdog.progress("scan")
            self._watchdog.due("scan", scan_deadline.total_seconds())

        async def scan(_due: datetime) -> None:
            self._source.follow(self._trading, self._clock.now())
            await play_due_moments(self._trading, self._clock, played)

        async def equity(_due: datetime) -> None:
            await self._trading.session.revalue()

        jobs = (
            standard_job(
                "scan",
                scan,
                bar=span,
                delay=min(timedelta(seconds=plan.scan_delay_s), span / 4),
                deadline=scan_deadline,
            ),
            standard_job("equity", equity, trigger=Every(period=timedelta(seconds=plan.equity_every_s))),
            *standing_jobs(self._trading, self._metrics, snapshots, self._config, self._learning(snapshots)),
            *self._venue_jobs(snapshots),
        )
        every = Every(period=timedelta(seconds=plan.heartbeat_every_s))
        return LiveSchedule(
            (*(self._alone(job) for job in jobs), standard_job("heartbeat", self._heartbeat, trigger=every)),
            clock=self._clock,
            watch=self._watchdog,
            finished=self._finished,
        )

    def _learning(self, snapshots: Snapshots) -> tuple[Job, ...]:
        """The learning cycle of a live run: trained in a process of its own, in effect when it is done."""
        if not self._config.training.enabled:
            return ()
        account = account_of(self._trading, self._paths.folder, self._config)
        trainer = process_trainer(account)
        training = Training(self._trading, account, trainer, self._metrics, inline=False)
        self._learning_desk = LearningDesk(training=training, account=account, aside=True)
        self._exits.push_async_callback(training.close)
        evaluation = DailyEvaluation(self._trading, account, self._metrics, snapshots, simulated=False)
        drift = WeeklyDrift(self._trading, account, self._metrics, inline=False)
        return learning_jobs(training, evaluation, drift, self._config.schedule, self._feed.timeframe.span)

    def _venue_jobs(self, snapshots: Snapshots) -> tuple[Job, ...]:
        """What only a venue's account needs: the embedded broker keeps its stops and targets by itself."""
        source, every = self._source, self._config.schedule.watch_every_s
        if source.broker is None or source.measure_skew is None:
            return ()
        watch = Watch(self._trading, source)

        async def look(due: datetime) -> None:
            await watch.run(due)
            snapshots.orders()
            if self._scan_is_owed:
                # An answer failed in the middle of the last scan; to wait for the next bar would pass this one over.
                await play_due_moments(self._trading, self._clock, snapshots.after)
                self._scan_is_owed = False

        clock = VenueClock(self._trading, source.measure_skew, self._metrics.service.skewed)
        return (
            standard_job("watch", look, trigger=Every(period=timedelta(seconds=every))),
            standard_job("venue_clock", clock.run),
        )

    def _alone(self, job: Job) -> Job:
        """The job under the session's lock: while another waits for its commit, the books are ahead of the journal.

        After a commit has failed nothing runs any more, for what is in memory was never written down.
        """

        async def run(due: datetime) -> str | None:
            if job.name == "scan":
                await self._source.fetch(self._clock.now())  # may wait for a late candle, and holds nobody up
            async with self._trading.session.one_at_a_time:
                self._writer.demand_whole()
                found = await job.run(due)
                await self._writer.flush()
            return found

        return replace(job, run=run)

    async def _heartbeat(self, _due: datetime) -> None:
        point = self._trading.session.last_point
        equity = "" if point is None else f", equity {point.equity:,.2f} {self._trading.currency}"
        self._notifier.status(f"{len(self._trading.session.books.open_trades())} positions{equity}")

    def _finished(self, run: JobRun, error: BaseException | None) -> None:
        """Count and keep a job's run. What a restart from the journal must put right is raised, and ends the run.

        Only a venue that did not answer, or refused, leaves everything as it was.
        """
        self._metrics.service.job_ran(run.job, run.outcome, (run.finished_at - EPOCH).total_seconds())
        if run.job not in FREQUENT or error is not None:
            batch = Batch()
            batch.add(run)
            self._writer.defer(batch)
        unanswered = isinstance(error, VenueUnavailable | VenueBusy | VenueForbids)
        half_done = run.job in HOLD_THE_BOOKS and not unanswered
        if run.job == "scan":
            self._scan_is_owed = unanswered
        if error is not None and (half_done or isinstance(error, Impossible)):
            raise error

    # -- the end ----------------------------------------------------------------------------------------------

    def _supervisor(self, schedule: LiveSchedule) -> Supervisor:
        async def settle() -> None:
            left = await schedule.drain(SETTLE_WITHIN - timedelta(seconds=1))
            if left:
                _log.warning("jobs_left", extra={"jobs": ", ".join(left)})

        stages = (
            Stage(name="settle_orders", run=settle, budget=SETTLE_WITHIN),
            Stage(name="flush_journal", run=self._writer.close, budget=FLUSH_WITHIN),
            Stage(name="close_broker", run=self._trading.broker.close, budget=CLOSE_WITHIN),
        )
        return Supervisor(stages=stages, stopping=self._notifier.stopping)


def _run_of(job: str, started: datetime, finished: datetime, found: str) -> JobRun:
    return JobRun(job=job, due_at=started, started_at=started, finished_at=finished, outcome="done", detail=found)
