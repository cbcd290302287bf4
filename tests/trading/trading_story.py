"""A small replay through the whole of trading, wired as the daemon wires it: for tests of restarts, crashes and
look-ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.config import Config
from daemon.drive import ReplayDriver
from daemon.jobs.standing import replay_jobs
from daemon.paths import AccountPaths
from daemon.schedule import ReplaySchedule
from daemon.watching import Snapshots, make_metrics
from daemon.wiring import Sources, Trading, open_journal, start, wire
from domain.clock import SteppedClock
from journal.journal import Journal
from journal.verify import Verification, verify
from journal.writer import InlineWriter
from market.feed import Moment
from market.series_feed import SeriesFeed
from market.simulated import SimulatedFeed
from trading.observer import Observer
from trading.recovery import stored_clock

START = datetime(2024, 1, 1, tzinfo=UTC)
CURRENCY = "USD"
LIVELY: Mapping[str, Mapping[str, Any]] = {
    "account": {"currency": CURRENCY},
    # The shortest warm-up there is, and exits that come soon: much must happen within a few hundred bars.
    "signals": {"warmup_bars": 0, "min_confidence": 0.5, "agreement": 0.5, "min_votes": 1, "time_exit_bars": 40},
    "risk": {"instrument_cooldown_hours": 0, "consecutive_losses": 4, "cooldown_hours": 12, "max_correlation": 1},
    "learning": {"minimum_labels": 20, "minimum_per_class": 3},
    "broker": {"reject_rate": 0.15, "max_participation": 0.02},
    "operator": {"resume_after_days": 1.0},
}


def lively_config(**sections: Mapping[str, Any]) -> Config:
    """The story's configuration, with sections changed key by key."""
    names = sorted({*LIVELY, *sections})
    return Config.model_validate({name: {**LIVELY.get(name, {}), **sections.get(name, {})} for name in names})


@dataclass(frozen=True, kw_only=True)
class Story:
    """A market, and how it is traded."""

    feed: Callable[[], SeriesFeed]
    config: Config


def simulated(*, instruments: int = 2, bars: int = 300, seed: int = 7, **sections: Mapping[str, Any]) -> Story:
    """A story on the simulated market."""
    return Story(
        feed=lambda: SimulatedFeed(seed, instruments=instruments, bars=bars, start=START, edge=0.5),
        config=lively_config(**sections),
    )


class Interrupted(Exception):
    """The story was broken off in the middle, as by a crash between two moments."""


def play(
    story: Story,
    folder: Path,
    *,
    ticked: Callable[[Moment, Trading], None] = lambda _moment, _trading: None,
    observer: Observer | None = None,
) -> None:
    """Play the story on from where `folder` says, to its end. What `ticked` raises breaks it off: whatever was not
    committed is lost."""
    asyncio.run(_play(story, folder, ticked, observer or Observer()))


async def _play(story: Story, folder: Path, ticked: Callable[[Moment, Trading], None], observer: Observer) -> None:
    feed = story.feed()
    paths = AccountPaths(folder=folder).create()
    with open_journal(story.config, paths, live=False) as journal:
        trading, clock, begins = _wired(story, feed, paths, journal, observer)
        try:
            await start(trading)
            metrics = make_metrics(feed, CURRENCY)
            snapshots = Snapshots(trading, metrics, story.config, live=False, state=folder)
            jobs = replay_jobs(trading, metrics, snapshots, story.config)
            await ReplayDriver(
                trading=trading,
                clock=clock,
                schedule=ReplaySchedule(jobs, start=begins, bar=feed.timeframe.span),
                speed=None,
                ticked=lambda moment: ticked(moment, trading),
            ).run()
        finally:
            await trading.broker.close()


def _wired(
    story: Story, feed: SeriesFeed, paths: AccountPaths, journal: Journal, observer: Observer
) -> tuple[Trading, SteppedClock, datetime]:
    first = feed.next_at()
    if first is None:
        raise AssertionError("the story's feed has no bars")
    begins = first - feed.timeframe.span
    clock = SteppedClock(stored_clock(journal.read) or begins)
    trading = wire(
        config=story.config,
        clock=clock,
        feed=feed,
        higher=feed.higher,
        paths=paths,
        currency=CURRENCY,
        sources=Sources(events=feed.calendar if isinstance(feed, SimulatedFeed) else None),
        journal=journal,
        writer=InlineWriter(journal),
        durable=False,
        observer=observer,
        simulated_operator=True,
    )
    return trading, clock, begins


def verified(folder: Path) -> Verification:
    """What `ratchet verify` says of the story's journal."""
    with Journal.open(AccountPaths(folder=folder).journal, read_only=True) as journal:
        return verify(journal)


def counted(folder: Path) -> dict[str, int]:
    """Rows of the story's journal by table."""
    with Journal.open(AccountPaths(folder=folder).journal, read_only=True) as journal:
        return journal.read.counts()
