"""No byte of an order leaves before its intent is on the disk: shown from the system calls of a daemon that trades."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from exchange.process import RunningExchange
from fault_runs.daemons import ROOT, SECRETS, Notices
from fault_runs.durability import STRACE, WALS, orders_sent
from fault_runs.generous_exchange import GenerousExchange
from fault_runs.market_story import STARTS, Market, configuration, toml
from fault_runs.wall import pause, wait_until

AT_LEAST = 5
TRACE = """\
7 pwrite64(9</s/journal.sqlite-wal>, "..rt1..", 4096, 0) = 4096
7 fdatasync(9</s/journal.sqlite-wal> <unfinished ...>
8 sendto(5<socket:[1]>, "x", 1, 0, NULL, 0) = 1
7 <... fdatasync resumed>) = 0
8 pwrite64(3</s/venue.sqlite-wal>, "..rt1..", 4096, 0) = 4096
8 fdatasync(3</s/venue.sqlite-wal>) = 0
8 sendto(5<socket:[1]>, "newClientOrderId=rt1&", 20, 0, NULL, 0) = 20
"""


def trial(folder: Path, exchange: RunningExchange, market: Market) -> str:
    """What strace tells of a daemon that sent some orders."""
    (folder / "ratchet.toml").write_text(toml(configuration(exchange.port, "spot", tuple(STARTS))))
    trace, notices = folder / "trace", Notices(folder / "notify")
    command = [*STRACE, "-o", str(trace), sys.executable, "-m", "daemon.cli.main", "run"]
    environ = {
        **SECRETS,
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "STATE_DIRECTORY": str(folder / "state"),
        "NOTIFY_SOCKET": notices.address,
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, "-c", str(folder / "ratchet.toml")], env=environ, stdout=log, stderr=log)
        try:
            ready = wait_until(lambda: notices.has("READY=1") or process.poll() is not None, 60)
            assert ready, "it was never ready"
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            for _ in range(300):
                market.move()
                pause(0.05)
                if len(exchange.ledger()["accounts"]["main"]["orders"]) >= AT_LEAST + 1:
                    break
        finally:
            # A signal for the tracer is passed on to nobody: its end detaches, and the daemon ends with the group.
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for child in children:
                subprocess.run(["kill", f"-{signal.SIGTERM.value}", child], check=True)
            process.wait(timeout=30)
            notices.close()
    return trace.read_text(errors="replace")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace")
def test_every_order_is_on_the_disk_before_its_first_byte_is_sent(tmp_path: Path) -> None:
    with GenerousExchange(seed=5) as exchange:
        market = Market(exchange, 5)
        market.tell_past("1s")
        sent = orders_sent(trial(tmp_path, exchange, market))
    assert len(sent) >= AT_LEAST
    assert [order for order in sent if not all(order.flushed.values())] == []


def test_a_flush_that_returned_before_the_send_counts() -> None:
    (order,) = orders_sent(TRACE)
    assert order.client_id == "rt1"
    assert order.flushed == dict.fromkeys(WALS, True)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("7 <... fdatasync resumed>) = 0\n", ""),
        ("7 <... fdatasync resumed>) = 0\n", "7 <... fdatasync resumed>) = -1 EIO (Input/output error)\n"),
        ('7 pwrite64(9</s/journal.sqlite-wal>, "..rt1..", 4096, 0) = 4096\n', ""),
    ],
    ids=["it never returned", "it failed", "something else was written"],
)
def test_a_flush_that_proves_nothing_does_not_count(line: str, instead: str) -> None:
    (order,) = orders_sent(TRACE.replace(line, instead))
    assert order.flushed["journal.sqlite-wal"] is False


def test_a_flush_after_the_send_does_not_count() -> None:
    lines = TRACE.splitlines()
    (order,) = orders_sent("\n".join([lines[0], lines[-1], *lines[1:-1]]))
    assert order.flushed["journal.sqlite-wal"] is False
