"""Faults 39 to 42, 45 and 51 to 54: the machine that the daemon runs on, and what is asked of the daemon there."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import subprocess
from contextlib import closing, suppress
from urllib.parse import urlsplit

from fault_runs.bench import HELD, ONE, Bench, Trial, demand, file_limit, open_files
from fault_runs.catalogue import fault
from fault_runs.daemons import Daemon
from fault_runs.kill_harness import ROUTES
from fault_runs.wall import now_ms, seconds_since

PIPE_BYTES = 4096


@fault(39, "the journal is locked", "another process holds it for 6 s", "sends stop; continues afterwards")
def locked(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.start()
        trial.trade(2.0)
        with closing(sqlite3.connect(trial.story.journal, isolation_level=None, timeout=5)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            sent = len(trial.posts())
            trial.story.trade_for(6.0, trial.daemon)
            during = len(trial.posts()) - sent
            holder.execute("ROLLBACK")
        demand(during <= 1, f"{during} orders were sent while nothing could be recorded")
        ended = not trial.daemon.lives
        found = trial.finish()
        return f"sends {during}; {'ended, and ' if ended else ''}continued with {found.figures['orders']:.0f} orders"


@fault(40, "the disk of the state is full", "a file system of 3 MB, filled up", "ends or halts, nothing lost")
def disk_full(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        state = trial.story.folder / "state"
        state.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(state)], check=False)
        demand(mounted.returncode == 0, "mounting needs root")
        try:
            trial.start()
            trial.trade_until(lambda: trial.rests() == 1, "a stop")
            filler = state / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            trial.story.trade_for(8.0, trial.daemon)
            status = None if trial.daemon.lives else trial.daemon.status
            filler.unlink()
            found = trial.finish()
            done = "went on" if status is None else f"ended with {status}"
            return f"{done}; after a restart lost 0 of {found.figures['orders']:.0f} orders"
        finally:
            trial.end()
            subprocess.run(["umount", str(state)], check=True)


@fault(41, "the disk of the log is full", "every line of the log fails with ENOSPC", "trading goes on")
def log_full(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        log = trial.story.folder / "life-1.log"
        log.symlink_to("/dev/full")
        trial.start()
        took = trial.trade_until(lambda: len(trial.posts()) >= 3, "three orders")
        demand(trial.daemon.lives, "the daemon ended")
        log.unlink()
        trial.finish()
        return f"three orders in {took:.1f} s"


@fault(42, "the journal is damaged", "its first page is overwritten", "refused with 78 in one sentence", quick=True)
def damaged(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.start()
        trial.trade(1.5)
        trial.daemon.stop()
        with trial.story.journal.open("r+b") as file:
            file.write(b"\xff" * 4096)
        sent = len(trial.posts())
        daemon = trial.story.daemon()
        status = daemon.wait()
        demand(status == 78 and daemon.ready_ms is None, f"it ended with {status}")
        demand("Traceback" not in daemon.said, daemon.said[-800:])
        demand(len(trial.posts()) == sent, "something was sent")
        return f"exit {status}, sends 0"


@fault(45, "SIGTERM in the middle of an order", "while its answer is held for 3 s", "ends within 20 s", quick=True)
def terminated(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.start()
        trial.exchange.add_fault("delay_after", method="POST", path=ROUTES, times=1, ms=3_000)
        trial.trade_until(trial.posts, "an order")
        took = trial.daemon.stop()
        demand(took <= 20.0, f"it took {took:.1f} s")
        demand(trial.daemon.status == 0, f"it ended with {trial.daemon.status}")
        trial.finish()
        return f"exit 0 after {took:.1f} s"


@fault(51, "a scraper that reads slowly", "the page is asked for and not read, 20 times", "no effect")
def slow_scraper(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.start()
        address = urlsplit(trial.daemon.logged("metrics_served")[0]["url"])
        assert address.hostname is not None
        sockets = [socket.create_connection((address.hostname, address.port or 80), timeout=5) for _ in range(20)]
        try:
            for each in sockets:
                each.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            scans, began = trial.scans(), now_ms()
            trial.trade(5.0)
            done = trial.scans() - scans
        finally:
            for each in sockets:
                each.close()
        seconds = seconds_since(began)
        demand(done >= int(seconds) - 1, f"{done} scans in {seconds:.1f} s")
        trial.finish()
        return f"{done} scans in {seconds:.0f} s of one-second bars"


@fault(52, "the pipe of the log is blocked", "nobody reads it, it holds 4 KB", "trading goes on")
def log_blocked(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes={"logs": {"format": "json", "level": "debug"}}) as trial:
        log = trial.story.folder / "life-1.log"
        os.mkfifo(log)
        held = os.open(log, os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.fcntl(held, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            with suppress(BlockingIOError):
                while True:
                    os.write(held, b"x" * 512)
            daemon = trial.story.daemon()
            trial.watch(daemon)
            ready = trial.wait_for_quietly(daemon.is_ready, 15.0)
            demand(ready, "not ready while its log is blocked")
            sent = len(trial.posts())
            trial.story.trade_for(6.0, daemon)
            demand(len(trial.posts()) > sent, "nothing is sent while the log is blocked")
        finally:
            os.close(held)
            log.unlink()
        trial.finish()
        return f"{len(trial.posts()) - sent} orders while the pipe was full"


@fault(
    53,
    "no more files can be opened",
    "the limit is set to what is open, for 6 s",
    "no crash by surprise; goes on afterwards",
)
def no_files(bench: Bench) -> str:
    with bench.story(symbols=ONE, changes=HELD) as trial:
        trial.start()
        trial.trade_until(lambda: trial.rests() == 1, "a stop")
        before = file_limit(trial.daemon.pid, open_files(trial.daemon.pid))
        trial.story.trade_for(6.0, trial.daemon)
        lives = trial.daemon.lives
        if lives:
            file_limit(trial.daemon.pid, before[0])
            trial.trade(2.0)
        demand(trial.rests() == 1 or not trial.held(), "the position lost its stop")
        demand("Traceback" not in trial.daemon.said, trial.daemon.said[-800:])
        trial.finish()
        return f"{'lived on' if lives else f'ended with {trial.daemon.status}'}; the stop rested all the time"


@fault(54, "two daemons on one account", "a second one is started", "it refuses", quick=True)
def two_daemons(bench: Bench) -> str:
    with bench.story(symbols=ONE) as trial:
        trial.start()
        trial.trade(1.0)
        second = _second(trial)
        status = second.wait()
        demand(status not in (0, None) and second.ready_ms is None, f"the second ended with {status}")
        demand("Traceback" not in second.said, second.said[-800:])
        demand(trial.daemon.lives, "the first ended")
        trial.finish()
        return f"the second ends with {status}; sends of it 0"


def _second(trial: Trial) -> Daemon:
    folder = trial.story.folder / "second"
    folder.mkdir()
    (folder / "ratchet.toml").write_text((trial.story.folder / "ratchet.toml").read_text())
    state = {"STATE_DIRECTORY": str(trial.story.folder / "state")}
    return Daemon(trial.story.nursery, folder, 1, environ=state)
