"""Faults 6, 28 to 32, 35, 37 and 38: a network that swallows, loses and delays, candles that are none, and time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from fault_runs.bench import HELD, ONE, Bench, demand
from fault_runs.catalogue import fault
from fault_runs.daemons import SECRETS
from fault_runs.market_story import configuration, toml
from fault_runs.wall import pause

ABSURD = """SELECT count(*) FROM intents
WHERE CAST(coalesce(stop_price, limit_price, '30000') AS REAL) NOT BETWEEN 15000 AND 60000"""
ACCOUNT = "/(order|openOrders|account|myTrades)$"
CANDLES = ("candles_repeated", "candles_missing", "candles_broken", "candles_future")


@fault(
    6, "crash during reconciliation, ten times", "SIGKILL after the first round of questions of a start", "idempotent"
)
def crash_while_reconciling(bench: Bench) -> str:
    with bench.story(changes=HELD) as trial:
        trial.start()
        trial.trade_until(lambda: trial.rests() == 2, "two stops", 60)
        trial.daemon.kill()
        trial.story.died(trial.daemon)
        before = [(order.client_id, order.status) for order in trial.view().orders]
        for _ in range(10):
            daemon = trial.story.daemon({"RATCHET_CRASH_AT": "ccxt.after_round:1"})
            demand(daemon.wait() == -9, f"it was not killed: {daemon.said[-300:]}")
            trial.story.died(daemon)
        trial.start()
        pause(1.0)
        after = [(order.client_id, order.status) for order in trial.view().orders]
        demand(before == after, f"orders differ: {set(before) ^ set(after)}")
        trial.finish()
        return "10 crashes; orders before and after differ by 0"


@fault(28, "blackhole", "the exchange's process is stopped for 15 s", "nothing new is entered, the daemon lives")
def blackhole(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.start()
        trial.trade(2.0)
        decided, scans = trial.count("SELECT count(*) FROM decisions WHERE status = 'ordered'"), trial.scans()
        os.kill(trial.exchange.pid, signal.SIGSTOP)
        try:
            pause(15.0)
            demand(trial.daemon.lives, f"the daemon ended: {trial.daemon.said[-500:]}")
            during = trial.count("SELECT count(*) FROM decisions WHERE status = 'ordered'") - decided
        finally:
            os.kill(trial.exchange.pid, signal.SIGCONT)
        demand(during == 0, f"{during} entries were decided on meanwhile")
        back = trial.trade_until(lambda: trial.scans() > scans, "scans again", 60)
        trial.finish()
        return f"entries meanwhile 0; scanning again {back:.1f} s after"


@fault(
    29,
    "2 s latency and lost answers",
    "everything about the account 2 s late, one answer in twenty lost, for 20 s",
    "slower, nothing doubled",
)
def slow_network(bench: Bench) -> str:
    with bench.story() as trial:
        trial.start()
        trial.exchange.add_fault("delay_after", path=ACCOUNT, times=None, ms=2_000)
        trial.exchange.add_fault("drop_after", path=ACCOUNT, times=None, probability=0.05)
        trial.trade(20.0)
        trial.exchange.calm()
        demand(trial.daemon.lives, f"the daemon ended: {trial.daemon.said[-500:]}")
        found = trial.finish(bare=True)
        demand(found.figures["orders"] > 0, "nothing was sent")
        bare = found.figures["longest_bare_s"]
        return f"{found.figures['orders']:.0f} orders, duplicates 0; longest without a stop {bare:.1f} s"


@fault(
    30,
    "websockets fall silent",
    "connected, and nothing is told; then all are closed",
    "asked instead; connected again",
)
def silent_streams(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.start()
        trial.wait_for(lambda: trial.exchange.streams()["subscribed"] > 0, "a stream")
        trial.exchange.switch(streams_silent=True)
        orders = len(trial.view().orders)
        took = trial.trade_until(lambda: len(trial.view().orders) >= orders + 3, "an entry, a stop and more")
        accepted = trial.exchange.streams()["accepted"]
        trial.exchange.drop_streams()
        again = trial.wait_for(lambda: trial.exchange.streams()["accepted"] > accepted, "another stream", 60)
        trial.finish()
        return f"three orders in {took:.1f} s of silence; connected again after {again:.1f} s"


@fault(31, "no name can be resolved", "a network namespace without a network", "waits, does not crash")
def no_names(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        folder = trial.story.folder
        sections = configuration(trial.exchange.port, "spot", ONE)
        del sections["broker"]["base_url"]
        (folder / "ratchet.toml").write_text(toml(sections))
        command = ["unshare", "-n", sys.executable, "-m", "daemon.cli.main", "run", "-c", str(folder / "ratchet.toml")]
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "STATE_DIRECTORY": str(folder / "state"), **SECRETS}
        with (folder / "names.log").open("w") as log:
            process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
            try:
                pause(8.0)
                status = process.poll()
            finally:
                process.kill()
                process.wait()
        said = (folder / "names.log").read_text()
        demand(status is None, f"it ended with {status}: {said[-500:]}")
        demand("venue_awaited" in said, said[-500:])
        return f"alive after 8 s, asked {said.count('venue_awaited')} times, with growing pauses"


@fault(35, "the machine sleeps", "SIGSTOP for 6 bars", "no burst of orders for what was slept through")
def slept(bench: Bench) -> str:
    with bench.story() as trial:
        trial.start()
        trial.trade(2.0)
        trial.daemon.signal(signal.SIGSTOP)
        for _ in range(60):
            trial.story.market.move()
            pause(0.1)
        trial.daemon.signal(signal.SIGCONT)
        trial.trade(3.0)
        late = trial.count("SELECT count(*) FROM decisions WHERE decided_at - bar_opened_at > 3000000")
        demand(late == 0, f"{late} decisions on bars that were slept through")
        trial.finish()
        return "decisions on bars slept through 0"


@fault(
    37, "candles doubled, missing, no numbers, of tomorrow", "each for 5 s", "one decision a bar, none on what is none"
)
def broken_candles(bench: Bench) -> str:
    with bench.story() as trial:
        trial.start()
        for kind in CANDLES:
            number = trial.exchange.add_fault(kind, path="klines", times=None)
            trial.trade(5.0)
            trial.exchange.clear_fault(number)
            demand(trial.daemon.lives, f"{kind} ended the daemon: {trial.daemon.said[-500:]}")
        early = trial.count("SELECT count(*) FROM decisions WHERE decided_at < bar_opened_at + 1000000")
        twice = trial.rows("SELECT 1 FROM decisions GROUP BY instrument, bar_opened_at HAVING count(*) > 1")
        demand(early == 0 and not twice, f"{early} decisions before a close, {len(twice)} bars decided on twice")
        scans = trial.scans()
        trial.trade_until(lambda: trial.scans() > scans + 1, "scans again")
        trial.finish()
        return f"bad decisions 0 of {trial.count('SELECT count(*) FROM decisions')}"


@fault(38, "a wick of a hundred times the price", "in the last closed candle", "no order at or for it")
def wick(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.trade(1.0)
        number = trial.exchange.add_fault("candles_wick", path="klines", times=None)
        before = len(trial.posts())
        trial.trade(5.0)
        trial.exchange.clear_fault(number)
        demand(trial.daemon.lives, f"it ended the daemon: {trial.daemon.said[-500:]}")
        absurd = trial.count(ABSURD)
        demand(absurd == 0, f"{absurd} orders at absurd prices")
        trial.finish()
        return f"orders at absurd prices 0, sends meanwhile {len(trial.posts()) - before}"


@fault(
    32,
    "our clock is wrong by seconds",
    "the exchange's clock goes 5 s ahead of ours and back",
    "no entries, nothing is done again",
)
def clock_jumps(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.start()
        trial.trade(2.0)
        trial.exchange.switch(skew_ms=5_000)
        trial.trade_until(lambda: "skew" in trial.holds(), "a hold", 75)
        trial.exchange.switch(skew_ms=0)
        trial.trade_until(lambda: "skew" not in trial.holds(), "no hold any more", 75)
        found = trial.finish()
        return (
            f"replays 0 of {found.figures['orders']:.0f} orders (seen from the exchange; our own clock was not moved)"
        )
