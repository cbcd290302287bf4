"""A live daemon that is stopped, killed and started again continues the same account on the same market."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from live_daemon import COINS, LiveDaemon, quick
from ratchet_command import count, ratchet, rows, until, verified, verified_by_command

from domain.bars import BarSeries
from domain.clock import to_epoch
from domain.instruments import Timeframe
from market.simulated import SimulatedFeed

STOP_WITHIN_S = 20.0
SLEPT_THROUGH_BARS = 5

TRAILING = {"chandelier_bars": 3, "chandelier_atr": 2.0, "trailing_activation_r": 0, "trailing_step_atr": 0}
TIGHT = quick(signals={**TRAILING, "time_exit_bars": 200})
"""From the first close on the stop follows so near that one of the next bars hits it."""

RESTING_STOPS = """
SELECT intents.client_order_id, intents.instrument, intents.side, orders.stop_price
FROM orders JOIN intents USING (client_order_id)
WHERE intents.leg = 'stop' AND orders.state = 'accepted'
AND orders.row_id IN (SELECT max(row_id) FROM orders GROUP BY client_order_id)
"""


def anchor_of(daemon: LiveDaemon) -> datetime:
    stored = rows(daemon.journal, "SELECT value FROM state WHERE key = 'feed_anchor'")[0]["value"]
    return datetime.fromisoformat(json.loads(stored)["at"])


def told_bars(anchor: datetime) -> dict[str, BarSeries]:
    """The market as one story from its anchor."""
    story = SimulatedFeed(7, instruments=10, bars=1_000, timeframe=Timeframe.S1, start=anchor)
    return {symbol: story.series(symbol) for symbol in COINS}


def demand_same_bars(daemon: LiveDaemon) -> None:
    """Every bar that was kept is the bar of the one story, and none is missing between the first and the last."""
    story = told_bars(anchor_of(daemon))
    for symbol in COINS:
        kept = rows(daemon.journal, "SELECT * FROM bars WHERE instrument = ? ORDER BY opened_at", symbol)
        opened = [row["opened_at"] // 1_000_000 for row in kept]
        assert opened == list(range(opened[0], opened[0] + len(opened)))
        first = opened[0] - to_epoch(anchor_of(daemon))
        closes = story[symbol].close[first : first + len(kept)].tolist()
        assert [row["close"] for row in kept] == closes


def demand_nothing_doubled(daemon: LiveDaemon) -> None:
    for table, key in (("intents", "client_order_id"), ("decisions", "decision_id"), ("fills", "trade_id")):
        doubled = f"SELECT count(*) FROM (SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1)"
        assert count(daemon.journal, doubled) == 0
    assert count(daemon.journal, "SELECT count(*) FROM (SELECT at FROM scans GROUP BY at HAVING count(*) > 1)") == 0


def test_stopped_and_killed_and_started_again_it_is_one_story(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path) as first:
        first.until_ready()
        anchor = anchor_of(first)
        until(lambda: count(first.journal, "SELECT count(*) FROM fills"), "the first fill")
        second = ratchet("run", "-c", str(first.file), state=first.state)
        assert second.status == 1
        assert second.out == ""
        assert f"is being written by process {first.process.pid}" in second.sentence
        first.until_scans(1)
        assert first.stop() < STOP_WITHIN_S
        assert first.status == 0
        assert first.manager.times_of("STOPPING=1")
        assert not (first.account / "daemon.json").exists()
        assert first.out == ""
    digests = verified_by_command(first.journal, first.state)
    last = first.scan_times()[-1]

    with LiveDaemon(tmp_path) as again:
        again.until_ready()
        assert again.logged("ready")
        again.until_scans(3)
        assert again.scan_times()[-1] > last
        again.stop(signal.SIGKILL)
        assert again.status == -signal.SIGKILL
    assert (again.account / "daemon.json").exists()
    assert ratchet("status", state=again.state).status == 0
    assert verified(again.journal) != digests

    with LiveDaemon(tmp_path) as third:
        third.until_ready()
        assert third.address["pid"] == third.process.pid
        third.until_scans(SLEPT_THROUGH_BARS)
        assert anchor_of(third) == anchor
        demand_same_bars(third)
        demand_nothing_doubled(third)
        assert third.stop() < STOP_WITHIN_S
        assert third.status == 0
    verified(third.journal)


def next_hit(daemon: LiveDaemon) -> tuple[int, str] | None:
    """The stop that the story hits soonest after the last scan, if none moves any more: when its bar opens, its id."""
    story, scans = told_bars(anchor_of(daemon)), daemon.scan_times()
    if not scans:
        return None
    hits = []
    for stop in rows(daemon.journal, RESTING_STOPS):
        bars, price, long = story[stop["instrument"]], float(stop["stop_price"]), stop["side"] == "sell"
        first = int(np.searchsorted(bars.opened, scans[-1]))
        bids, asks = bars.low[first:] - bars.half_spread[first:], bars.high[first:] + bars.half_spread[first:]
        touched = np.flatnonzero(bids <= price if long else asks >= price)
        if touched.size:
            hits.append((int(bars.opened[first + touched[0]]), str(stop["client_order_id"])))
    return min(hits, default=None)


def soon(hit: tuple[int, str] | None) -> bool:
    now = time.time_ns() // 10**9
    return hit is not None and now < hit[0] <= now + SLEPT_THROUGH_BARS


def test_bars_that_were_slept_through_fill_resting_stops_and_decide_nothing(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path, TIGHT) as first:
        first.until_ready()
        until(lambda: soon(next_hit(first)), "a resting stop that one of the next bars will hit")
        first.stop(signal.SIGKILL)
    before, found = first.scan_times()[-1], next_hit(first)
    assert found is not None
    opened, hit = found
    # The bars are of the wall clock: nothing but the time itself makes it pass.
    awake = max(opened, before + SLEPT_THROUGH_BARS) + 2
    until(lambda: time.time_ns() >= awake * 10**9, "the bar that hits the stop is history")

    with LiveDaemon(tmp_path, TIGHT) as again:
        again.until_ready()
        until(lambda: again.scans and again.scan_times()[-1] > awake, "it has caught up")
        scans = rows(again.journal, "SELECT * FROM scans WHERE at > ? ORDER BY at", before * 10**6)
        assert [scan["at"] // 10**6 for scan in scans] == list(range(before + 1, before + 1 + len(scans)))
        # Its start took more than a second, so these were older than two bars when it met them.
        slept = [scan for scan in scans if scan["at"] < awake * 10**6]
        assert len(slept) >= SLEPT_THROUGH_BARS
        assert {(scan["reasons"], scan["decisions"]) for scan in slept} == {(f'{{"missed":{len(COINS)}}}', 0)}
        window = (slept[0]["at"], slept[-1]["at"])
        assert count(again.journal, "SELECT count(*) FROM decisions WHERE decided_at BETWEEN ? AND ?", *window) == 0
        filled = rows(again.journal, "SELECT at FROM fills WHERE client_order_id = ?", hit)
        assert [opened <= fill["at"] / 10**6 <= opened + 1 for fill in filled] == [True]
        demand_same_bars(again)
        demand_nothing_doubled(again)
        again.stop()
    verified(again.journal)


def test_an_account_follows_one_market(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path) as first:
        first.until_ready()
        first.stop()
    for changed, word in (({"timeframe": "1m"}, "timeframe 1m"), ({"seed": 8}, "seed 8")):
        with LiveDaemon(tmp_path, quick(feed=changed)) as other:
            assert other.status == 78
            assert word in other.sentence
            assert "account.name" in other.sentence


@pytest.mark.parametrize("names", [["SIMBRAUSD", "EURUSD"], ["XAUUSD"]])
def test_an_instrument_that_the_market_has_not_is_refused_by_name(tmp_path: Path, names: list[str]) -> None:
    with LiveDaemon(tmp_path, quick(feed={"instruments": names})) as daemon:
        assert daemon.status == 78
        assert names[-1] in daemon.sentence
        assert "it has SIMBRAUSD" in daemon.sentence
