"""`ratchet run -c FILE`: the live daemon, what systemd starts. One task group, one scan at each bar's close."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Final

from daemon.clock import LiveClock
from daemon.config import Config
from daemon.desk import ServiceDesk
from daemon.drive import play_due_moments
from daemon.jobs.standing import standing_jobs
from daemon.live_feed import GrowingMarket, open_live_feed
from daemon.metrics import Metrics, MetricsObserver
from daemon.metrics import serve as serve_metrics
from daemon.notify import Notifier, Watchdog, watchdog_timeout
from daemon.paths import AccountPaths, account_paths, state_root
from daemon.replay import account_currency
from daemon.schedule import LiveSchedule, standard_job
from daemon.serving import api_served
from daemon.supervise import Stage, Supervisor, probe_loop_lag
from daemon.timed_writer import TimedWriter
from daemon.watching import Snapshots, make_metrics
from daemon.wiring import Sources, Trading, blackout_of, open_journal, start, wire
from domain.clock import EPOCH
from domain.records import JobRun
from journal.batch import Batch
from journal.journal import Journal
from journal.writer import ThreadWriter
from sentiment.blackout import Blackout
from sentiment.calendar import EventCalendar

SETTLE_WITHIN: Final = timedelta(seconds=8)
FLUSH_WITHIN: Final = timedelta(seconds=4)
CLOSE_WITHIN: Final = timedelta(seconds=3)

_log = logging.getLogger(__name__)


def run_live(config: Config, environ: Mapping[str, str] = os.environ) -> int:
    """Run until told to stop; gives the process's exit status. Raises what the configuration or journal refuse."""
    paths = account_paths(state_root(environ), config.account.kind, config.account.name).create()
    with open_journal(config, paths, live=True) as journal:
        asyncio.run(_Service(config, paths, journal, environ).run())
    return 0


class _Service:
    """Everything of one live run that is not trading itself."""

    def __init__(self, config: Config, paths: AccountPaths, journal: Journal, environ: Mapping[str, str]) -> None:
        self._config = config
        self._paths = paths
        self._journal = journal
        self._environ = environ
        self._clock = LiveClock()
        self._notifier = Notifier.from_environment(environ)
        self._watchdog = Watchdog(monotonic=time.monotonic, feed=self._notifier.alive)
        self._is_ready = False
        self._exits = AsyncExitStack()

    async def run(self) -> None:
        feed = open_live_feed(self._config, self._journal, self._clock.now())
        currency = self._config.account.currency or account_currency(feed, None)
        metrics = make_metrics(feed, currency)
        writer = TimedWriter(ThreadWriter(self._journal), metrics.service.committed)
        trading = wire(
            config=self._config,
            clock=self._clock,
            feed=feed,
            higher=feed.higher,
            paths=self._paths,
            currency=currency,
            sources=Sources(events=feed.calendar, calendar_complete=True, read_news=self._config.sentiment.enabled),
            journal=self._journal,
            writer=writer,
            durable=True,
            observer=MetricsObserver(metrics),
            simulated_operator=False,
        )
        snapshots = Snapshots(trading, metrics, self._config, live=True, state=self._paths.folder)
        schedule = self._schedule(trading, metrics, snapshots, feed)
        supervisor = self._supervisor(trading, schedule)
        async with self._exits:
            await self._become_ready(trading, metrics, feed, supervisor)
            supervisor.add("schedule", schedule.run)
            supervisor.add("loop_lag", lambda: probe_loop_lag(metrics.service.lagged))
            timeout = watchdog_timeout(self._environ, os.getpid())
            if timeout is not None:
                supervisor.add("watchdog", lambda: self._watchdog.run(timeout / 3))
            await supervisor.run()

    async def _become_ready(
        self, trading: Trading, metrics: Metrics, feed: GrowingMarket, supervisor: Supervisor
    ) -> None:
        """Reconcile before anything trades, then serve, then tell systemd."""
        await start(trading)
        last_scan = trading.session.last_scan
        feed.seek(self._clock.now() if last_scan is None else last_scan.at - timedelta(microseconds=1))
        self._is_ready = True
        desk = ServiceDesk(
            trading=trading,
            clock=self._clock,
            overdue=self._watchdog.overdue,
            ready=lambda: self._is_ready,
            mode="live",
        )
        if self._config.metrics.enabled:
            endpoint = serve_metrics(metrics.registry, self._config.metrics.host, self._config.metrics.port)
            self._exits.callback(endpoint.stop)
            _log.info("metrics_served", extra={"url": endpoint.url})
        if self._config.api.enabled:
            port = await self._exits.enter_async_context(
                api_served(
                    desk,
                    host=self._config.api.host,
                    port=self._config.api.port,
                    paths=self._paths,
                    started_at=self._clock.now(),
                    ended=supervisor.request_stop,
                )
            )
            _log.info("api_served", extra={"port": port})
        self._notifier.ready(f"trading {trading.session.books.account} on {feed.name}")
        _log.info("ready", extra={"account": trading.session.books.account, "feed": feed.name})

    def _schedule(self, trading: Trading, metrics: Metrics, snapshots: Snapshots, feed: GrowingMarket) -> LiveSchedule:
        async def scan(_due: datetime) -> None:
            if feed.grow(self._clock.now()):
                calendar = EventCalendar(feed.calendar)
                blackout = Blackout(feed.calendar, blackout_of(self._config, complete=True))
                trading.session.news.follow(feed.calendar, calendar, blackout)
            await play_due_moments(trading, self._clock, snapshots.after)

        async def heartbeat(_due: datetime) -> None:
            point = trading.session.last_point
            equity = "" if point is None else f", equity {point.equity:,.2f} {trading.currency}"
            self._notifier.status(f"{len(trading.session.books.open_trades())} positions{equity}")

        async def equity(_due: datetime) -> None:
            async with trading.session.one_at_a_time:
                await trading.session.revalue()

        def finished(run: JobRun, _error: BaseException | None) -> None:
            metrics.service.job_ran(run.job, run.outcome, (run.finished_at - EPOCH).total_seconds())
            batch = Batch()
            batch.add(run)
            trading.writer.defer(batch)

        delay = timedelta(seconds=self._config.schedule.scan_delay_s)
        span = trading.session.view.timeframe.span
        jobs = (
            standard_job("scan", scan, bar=span, delay=min(delay, span / 4)),
            standard_job("heartbeat", heartbeat),
            standard_job("equity", equity),
            *standing_jobs(trading, metrics, snapshots, self._config),
        )
        return LiveSchedule(jobs, clock=self._clock, watch=self._watchdog, finished=finished)

    def _supervisor(self, trading: Trading, schedule: LiveSchedule) -> Supervisor:
        async def settle() -> None:
            left = await schedule.drain(SETTLE_WITHIN - timedelta(seconds=1))
            if left:
                _log.warning("jobs_left", extra={"jobs": ", ".join(left)})

        async def flush() -> None:
            await trading.writer.flush()
            await trading.writer.close()

        stages = (
            Stage(name="settle_orders", run=settle, budget=SETTLE_WITHIN),
            Stage(name="flush_journal", run=flush, budget=FLUSH_WITHIN),
            Stage(name="close_broker", run=trading.broker.close, budget=CLOSE_WITHIN),
        )
        return Supervisor(stages=stages, stopping=self._notifier.stopping)
