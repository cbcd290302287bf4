"""The jobs of a live daemon run at their configured times and leave a row each; its market grows as time goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from live_daemon import COINS, LiveDaemon, quick
from ratchet_command import count, rows, until, verified

from daemon.config import load
from daemon.live_feed import GrowingMarket
from market.simulated import SimulatedFeed

FORESEEN_BARS = 100
DAILY_JOBS_AFTER_S = 10


def seconds_ahead(seconds: int) -> str:
    """A time of day, UTC, so many seconds from now on the machine's clock."""
    at = datetime.fromtimestamp(time.time_ns() // 10**9 + seconds, UTC)
    return at.strftime("%H:%M:%S")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDaemon]:
    soon = seconds_ahead(DAILY_JOBS_AFTER_S)
    schedule = {
        "scan_delay_s": 0.05,
        "heartbeat_every_s": 1,
        "equity_every_s": 5,
        "reconcile_every_s": 5,
        "data_quality_at": soon,
        "ensemble_weights_at": soon,
    }
    config = quick(schedule=schedule, feed={"bars": FORESEEN_BARS})
    with LiveDaemon(tmp_path_factory.mktemp("jobs"), config) as live:
        live.until_ready()
        yield live


def test_every_job_runs_at_its_configured_time_and_is_journaled(daemon: LiveDaemon) -> None:
    wanted = {"heartbeat": 4, "equity": 2, "reconcile": 2, "data_quality": 2, "ensemble_weights": 1}

    def runs(job: str) -> int:
        return count(daemon.journal, "SELECT count(*) FROM job_runs WHERE job = ? AND outcome = 'done'", job)

    until(lambda: all(runs(job) >= least for job, least in wanted.items()), f"runs of {wanted}")
    for job, period in (("heartbeat", 1), ("equity", 5), ("reconcile", 5)):
        runs_of_it = rows(daemon.journal, "SELECT due_at FROM job_runs WHERE job = ? ORDER BY due_at", job)
        due = [row["due_at"] for row in runs_of_it]
        assert due == [due[0] + number * period * 10**6 for number in range(len(due))]
        assert due[0] % (period * 10**6) == 0
    found = {row["detail"] for row in rows(daemon.journal, "SELECT detail FROM job_runs WHERE job = 'data_quality'")}
    assert all(text.endswith("bars in 7 days, 0 missing") and text.split()[0] != "0" for text in found)
    assert count(daemon.journal, "SELECT count(*) FROM state WHERE key = 'ensemble_weights'") == 1
    between = "SELECT count(*) FROM equity WHERE at % 1000000 <> 0"
    assert count(daemon.journal, between) == runs("equity")
    page = daemon.metrics()
    for job in wanted:
        assert page[f'ratchet_job_runs_total{{job_name="{job}",outcome="done"}}'] >= 1
    assert page["ratchet_last_reconcile_timestamp_seconds"] > 0
    heard = [message for _, message in daemon.manager.heard if message.startswith("STATUS=")]
    assert any("positions, equity" in message for message in heard)


def test_a_market_told_a_hundred_bars_ahead_is_told_further_while_the_daemon_runs(daemon: LiveDaemon) -> None:
    until(lambda: daemon.logged("feed_grew"), "the story is told further")
    daemon.until_scans(3)
    assert count(daemon.journal, "SELECT count(*) FROM job_runs WHERE job = 'scan' AND outcome = 'failed'") == 0
    times = daemon.scan_times()
    assert times == list(range(times[0], times[0] + len(times)))
    verified(daemon.journal)


@pytest.mark.parametrize("names", [COINS, ()], ids=["chosen", "usual"])
def test_a_story_told_piece_by_piece_is_the_story_told_at_once(names: tuple[str, ...]) -> None:
    chosen_names = [f"feed.instruments={','.join(names)}"] if names else []
    flags = ["feed.timeframe=1h", f"feed.bars={FORESEEN_BARS}", *chosen_names]
    config = load(environ={}, flags=flags).config
    anchor = datetime(2024, 3, 1, tzinfo=UTC)
    growing = GrowingMarket(config, anchor, anchor)
    whole = SimulatedFeed(config.feed.seed, instruments=10, bars=5 * FORESEEN_BARS, start=anchor)
    chosen = set(names) or set(whole.instruments)
    assert set(growing.instruments) == chosen
    grown, heard, now = 0, anchor, anchor
    while (at := whole.next_at()) is not None and at < anchor + 4 * FORESEEN_BARS * timedelta(hours=1):
        moment, now = whole.take(), at
        grown += growing.grow(now)
        closed = tuple(ref for ref in moment.closed if ref.symbol in chosen)
        opened = tuple(ref for ref in moment.opened if ref.symbol in chosen)
        if not closed and not opened:
            continue
        told = growing.take()
        assert (told.at, set(told.closed), set(told.opened)) == (at, set(closed), set(opened))
        for ref in closed:
            assert growing.series(ref.symbol).bar(ref.index) == whole.series(ref.symbol).bar(ref.index)
        assert growing.headlines(heard, at) == whole.headlines(heard, at)
        heard = at
    assert grown >= 4
    assert growing.calendar[: len(whole.calendar)] == tuple(e for e in whole.calendar if e.at < growing.told_until)
    assert now > anchor
