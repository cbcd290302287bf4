"""How a live session is moved along: nothing is passed over while the venue is silent, and others get their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from live_daemon import COINS

from brokers.paper.broker import PaperBroker
from daemon.config import load
from daemon.drive import play_due_moments
from daemon.live_feed import GrowingMarket
from daemon.parts import Sources
from daemon.paths import account_paths
from daemon.timed_writer import TimedWriter
from daemon.wiring import Setup, Trading, open_journal, start, wire
from domain.clock import SteppedClock
from domain.errors import JournalError, VenueUnavailable
from journal.batch import Batch
from journal.journal import Journal
from journal.writer import InlineWriter
from market.feed import Moment
from trading.observer import Observer

BEGIN = datetime(2024, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ignored(_moment: Moment) -> None:
    """Nobody watches the moments."""


@contextmanager
def live_trading(folder: Path, clock: SteppedClock) -> Iterator[tuple[Trading, TimedWriter, Journal]]:
    """One account's trading as the live daemon wires it, on a clock that the test moves."""
    flags = ["feed.timeframe=1h", f"feed.instruments={','.join(COINS)}"]
    config = load(environ={}, flags=flags).config
    paths = account_paths(folder, "paper", "main").create()
    feed = GrowingMarket(config, BEGIN - 400 * HOUR, clock.now())
    with open_journal(config, paths, live=True) as journal:
        writer = TimedWriter(InlineWriter(journal), lambda _seconds: None)
        trading = wire(
            Setup(
                config=config,
                clock=clock,
                feed=feed,
                higher=feed.higher,
                paths=paths,
                currency="USD",
                sources=Sources(events=feed.calendar, calendar_complete=True),
                journal=journal,
                writer=writer,
                durable=False,
                observer=Observer(),
                simulated_operator=False,
            )
        )
        feed.seek(clock.now())
        yield trading, writer, journal


async def test_a_moment_during_which_the_venue_is_silent_is_told_again(tmp_path: Path) -> None:
    clock = SteppedClock(BEGIN)
    with live_trading(tmp_path, clock) as (trading, _, _):
        await start(trading)
        clock.move_to(BEGIN + 3 * HOUR)
        assert await play_due_moments(trading, clock, ignored) == 3
        await trading.broker.close()
        clock.move_to(BEGIN + 5 * HOUR)
        for _ in range(2):
            with pytest.raises(VenueUnavailable):
                await play_due_moments(trading, clock, ignored)
        assert trading.session.feed.next_at() == BEGIN + 4 * HOUR
        assert trading.session.last_scan is not None
        assert trading.session.last_scan.at == BEGIN + 3 * HOUR


async def test_while_it_catches_up_with_many_moments_the_loop_serves_others(tmp_path: Path) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    clock = SteppedClock(BEGIN)
    with live_trading(tmp_path, clock) as (trading, _, journal):
        await start(trading)
        clock.move_to(BEGIN + 200 * HOUR)
        neighbour = asyncio.create_task(others())
        assert await play_due_moments(trading, clock, ignored) == 200
        neighbour.cancel()
        assert turns >= 200
        totals = journal.read.scan_reason_totals()
        assert totals["missed"] == 199 * len(COINS)
        assert isinstance(trading.broker, PaperBroker)
        await trading.broker.close()


async def test_after_a_failed_commit_the_writer_says_so_to_whoever_asks(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal.sqlite")
    writer = TimedWriter(InlineWriter(journal), lambda _seconds: None)
    writer.demand_whole()
    watching = asyncio.create_task(writer.watch())
    await asyncio.sleep(0)
    assert not watching.done()
    journal.close()
    batch = Batch()
    batch.put_state("key", "1")
    with pytest.raises(JournalError) as failed:
        await writer.commit(batch)
    with pytest.raises(JournalError):
        writer.demand_whole()
    with pytest.raises(JournalError) as watched:
        await watching
    assert watched.value is failed.value is writer.broken
