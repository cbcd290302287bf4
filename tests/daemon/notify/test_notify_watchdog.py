"""The watchdog is fed by progress only: it stops when scans stop, and resumes when they do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.notify import Notifier, Watchdog
from domain.errors import InvalidInput


class Stopwatch:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Manager:
    """systemd's end of the socket."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setblocking(False)

    def heard(self) -> int:
        """How many times it was fed since it was last asked."""
        count = 0
        while True:
            try:
                assert self._socket.recv(64) == b"WATCHDOG=1"
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def test_feeding_stops_when_scans_stop_progressing_and_resumes_after(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    clock = Stopwatch()
    dog = Watchdog(monotonic=clock, feed=Notifier(manager.address).alive)
    dog.due("scan", 3600 + 120)
    for _ in range(60):
        clock.seconds += 60
        dog.beat()
        assert manager.heard() == 1
    clock.seconds += 119
    assert dog.beat()
    assert manager.heard() == 1
    clock.seconds += 2
    for _ in range(5):
        clock.seconds += 60
        assert not dog.beat()
    assert manager.heard() == 0
    assert dog.overdue() == ("scan",)
    dog.progress("scan")
    dog.due("scan", 3600)
    assert dog.beat()
    assert manager.heard() == 1
    assert caplog.messages == ["watchdog_starved", "watchdog_fed_again"]


def test_a_timer_alone_never_feeds(manager: Manager) -> None:
    dog = Watchdog(monotonic=Stopwatch(), feed=Notifier(manager.address).alive)
    assert not dog.beat()
    assert manager.heard() == 0


def test_one_overdue_job_starves_though_the_others_progress(manager: Manager) -> None:
    clock = Stopwatch()
    dog = Watchdog(monotonic=clock, feed=Notifier(manager.address).alive)
    dog.due("scan", 10)
    dog.due("reconcile", 20)
    clock.seconds += 15
    dog.progress("reconcile")
    dog.due("reconcile", 100)
    assert not dog.beat()
    assert dog.overdue() == ("scan",)


def test_a_deadline_that_is_owed_cannot_be_put_off() -> None:
    clock = Stopwatch()
    dog = Watchdog(monotonic=clock, feed=lambda: None)
    dog.due("scan", 10)
    clock.seconds += 8
    dog.due("scan", 10)
    clock.seconds += 3
    assert dog.overdue() == ("scan",)


@pytest.mark.parametrize("deadline", [0.0, -1.0, float("nan")])
def test_a_deadline_that_does_not_lie_ahead_is_refused(deadline: float) -> None:
    with pytest.raises(InvalidInput, match="must lie ahead"):
        Watchdog(monotonic=Stopwatch(), feed=lambda: None).due("scan", deadline)


@given(
    events=st.lists(
        st.tuples(st.sampled_from(["due", "progress", "wait"]), st.sampled_from("abc"), st.integers(1, 50)),
        max_size=60,
    )
)
def test_it_feeds_exactly_while_something_is_announced_and_nothing_is_owed(events: list[tuple[str, str, int]]) -> None:
    clock, fed = Stopwatch(), []
    dog = Watchdog(monotonic=clock, feed=lambda: fed.append(clock.seconds))
    owed: dict[str, float] = {}
    for kind, job, number in events:
        if kind == "due":
            dog.due(job, number)
            owed[job] = min(owed.get(job, clock.seconds + number), clock.seconds + number)
        elif kind == "progress":
            dog.progress(job)
            owed.pop(job, None)
        else:
            clock.seconds += number
        count = len(fed)
        expected = bool(owed) and all(deadline >= clock.seconds for deadline in owed.values())
        assert dog.beat() is expected
        assert len(fed) - count == int(expected)


async def test_the_service_beats_until_it_is_cancelled() -> None:
    fed = asyncio.Event()
    dog = Watchdog(monotonic=Stopwatch(), feed=fed.set)
    dog.due("scan", 10)
    task = asyncio.create_task(dog.run(timedelta(milliseconds=5)))
    async with asyncio.timeout(5):
        await fed.wait()
        fed.clear()
        await fed.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
