"""One simulated-time run from start to summary: what replays and the demo share."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from daemon.config import Config
from daemon.desk import LearningDesk, ServiceDesk
from daemon.drive import ReplayDriver
from daemon.jobs.drift import WeeklyDrift
from daemon.jobs.learning import DailyEvaluation, learning_jobs
from daemon.jobs.standing import standing_jobs
from daemon.jobs.training import Training, account_of
from daemon.metrics import Metrics, MetricsObserver
from daemon.metrics import serve as serve_metrics
from daemon.parts import Sources
from daemon.paths import AccountPaths
from daemon.progress import RunProgress
from daemon.schedule import Job, ReplaySchedule
from daemon.summary import Summary, summarise_run
from daemon.timed_writer import TimedWriter
from daemon.watching import Snapshots, make_metrics
from daemon.wiring import Setup, Trading, open_journal, start, wire
from domain.bars import BarSeries
from domain.clock import SteppedClock
from domain.errors import InvalidInput
from journal.journal import Journal
from journal.writer import InlineWriter
from learning.training.process import InlineTrainer
from market.feed import Feed, Moment
from trading.observer import Observers
from trading.recovery import stored_clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """What a simulated-time run is made of. `ports` None serve nothing."""

    title: str
    config: Config
    feed: Feed
    higher: Callable[[str], BarSeries | None]
    paths: AccountPaths
    currency: str
    sources: Sources
    speed: float | None = None
    simulated_operator: bool = True
    metrics_port: int | None = None
    api_port: int | None = None
    quiet: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


def tell(story: Story) -> Summary:
    """Run a story to its end, or to the first SIGINT or SIGTERM, and sum it up."""
    return asyncio.run(_tell(story))


async def _tell(story: Story) -> Summary:
    story.paths.create()
    with open_journal(story.config, story.paths, live=False) as journal:
        return await _play(story, journal)


async def _play(story: Story, journal: Journal) -> Summary:
    feed = story.feed
    first = feed.next_at()
    if first is None:
        raise InvalidInput(f"{feed.name} has no bars to play")
    began = first - feed.timeframe.span
    clock = SteppedClock(stored_clock(journal.read) or began)
    metrics = make_metrics(feed, story.currency)
    total = sum(len(feed.series(symbol)) for symbol in feed.instruments)
    with RunProgress(title=story.title, total=total, currency=story.currency, quiet=story.quiet) as progress:
        trading = wire(_setup(story, journal, clock, metrics, Observers(MetricsObserver(metrics), progress)))
        served = story.metrics_port is not None
        snapshots = Snapshots(trading, metrics, story.config, live=False, state=story.paths.folder, served=served)
        stopwatch, played = time.monotonic(), _Played(snapshots)
        try:
            await start(trading)
            learning, desk = _learning(story, trading, metrics, snapshots)
            jobs = standing_jobs(trading, metrics, snapshots, story.config, learning)
            schedule = ReplaySchedule(jobs, start=began, bar=feed.timeframe.span)
            driver = ReplayDriver(
                trading=trading, clock=clock, schedule=schedule, speed=story.speed, ticked=played.tick
            )
            async with AsyncExitStack() as serving:
                await _serve(story, trading, clock, metrics, driver, desk, serving)
                finished = await _until_stopped(driver)
        finally:
            await trading.broker.close()
    elapsed_s = time.monotonic() - stopwatch
    return summarise_run(
        trading,
        title=story.title,
        finished=finished,
        bars_played=played.bars,
        elapsed_s=elapsed_s,
        extra=story.extra,
    )


def _learning(
    story: Story, trading: Trading, metrics: Metrics, snapshots: Snapshots
) -> tuple[tuple[Job, ...], LearningDesk | None]:
    """The learning cycle of a simulated-time run: trained in place, in effect when its simulated time has come."""
    if not story.config.training.enabled:
        return (), None
    account = account_of(trading, story.paths.folder, story.config)
    training = Training(trading, account, InlineTrainer(), metrics, inline=True, simulated=True)
    evaluation = DailyEvaluation(trading, account, metrics, snapshots, simulated=True)
    drift = WeeklyDrift(trading, account, metrics, inline=True)
    bar = trading.session.view.timeframe.span
    jobs = learning_jobs(training, evaluation, drift, story.config.schedule, bar)
    return jobs, LearningDesk(training=training, account=account, aside=False)


def _setup(story: Story, journal: Journal, clock: SteppedClock, metrics: Metrics, observer: Observers) -> Setup:
    return Setup(
        config=story.config,
        clock=clock,
        feed=story.feed,
        higher=story.higher,
        paths=story.paths,
        currency=story.currency,
        sources=story.sources,
        journal=journal,
        writer=TimedWriter(InlineWriter(journal), metrics.service.committed),
        durable=False,
        observer=observer,
        simulated_operator=story.simulated_operator,
    )


async def _serve(
    story: Story,
    trading: Trading,
    clock: SteppedClock,
    metrics: Metrics,
    driver: ReplayDriver,
    learning: LearningDesk | None,
    serving: AsyncExitStack,
) -> None:
    """Serve what was asked for until `serving` is left; the same commands work on a replay as on a live run."""
    if story.metrics_port is not None:
        endpoint = serve_metrics(metrics.registry, port=story.metrics_port)
        serving.callback(endpoint.stop)
    if story.api_port is None:
        return
    from daemon.serving import api_served  # noqa: PLC0415 - only who serves pays for FastAPI

    desk = ServiceDesk(
        trading=trading, clock=clock, overdue=tuple, ready=lambda: True, mode=story.title, learning=learning
    )
    await serving.enter_async_context(
        api_served(
            desk,
            host=story.config.api.host,
            port=story.api_port,
            paths=story.paths,
            started_at=clock.now(),
            ended=lambda _why: driver.stop(),
        )
    )


class _Played:
    """Counts what was played and tells the snapshot metrics."""

    def __init__(self, snapshots: Snapshots) -> None:
        self.bars = 0
        self._snapshots = snapshots

    def tick(self, moment: Moment) -> None:
        self.bars += len(moment.closed)
        self._snapshots.after(moment)


async def _until_stopped(driver: ReplayDriver) -> bool:
    """Play; the first SIGINT or SIGTERM ends it after the moment under way."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, driver.stop)
    try:
        return await driver.run()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
