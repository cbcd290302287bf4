"""systemd hears us over a real datagram socket, and its silence never disturbs us."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.notify import Notifier, watchdog_timeout
from domain.errors import ConfigurationRefused


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The service manager's end: its address as in the environment, and the socket it listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(5)
        if request.param == "path":
            address = str(tmp_path / "notify")
            listener.bind(address)
        else:
            address = f"@ratchet-test-{os.getpid()}-{tmp_path.name}"
            listener.bind("\0" + address[1:])
        yield address, listener


def test_each_message_arrives_as_the_protocol_wants_it(manager: tuple[str, socket.socket]) -> None:
    address, listener = manager
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    assert notifier.listened_to
    notifier.ready("reconciled,\nscanning 6 instruments")
    notifier.status("drawdown\n 3%")
    notifier.alive()
    notifier.stopping("SIGTERM")
    received = [listener.recv(4096).decode() for _ in range(4)]
    assert received == [
        "READY=1\nSTATUS=reconciled, scanning 6 instruments",
        "STATUS=drawdown 3%",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=SIGTERM",
    ]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_a_service_manager_nothing_is_sent_and_nothing_fails(environ: dict[str, str]) -> None:
    notifier = Notifier.from_environment(environ)
    assert not notifier.listened_to
    notifier.ready("on a terminal")


@pytest.mark.parametrize("address", ["relative/path", "vsock:2:1234", "@"])
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationRefused, match="NOTIFY_SOCKET"):
        Notifier(address)


def test_a_deaf_manager_is_logged_once_and_so_is_its_return(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    address = tmp_path / "notify"
    notifier = Notifier(str(address))
    notifier.alive()
    notifier.alive()
    assert caplog.messages == ["notify_failed"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        notifier.alive()
        notifier.alive()
    assert caplog.messages == ["notify_failed", "notify_works_again"]


def test_a_manager_that_does_not_read_never_blocks_the_sender(manager: tuple[str, socket.socket]) -> None:
    address, _ = manager
    notifier = Notifier(address)
    for _ in range(5000):  # far more than the socket's queue takes
        notifier.alive()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, timedelta(seconds=60)),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "42"}, timedelta(seconds=60)),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "43"}, None),
    ],
)
def test_the_watchdogs_timeout_is_read_when_it_is_meant_for_us(
    environ: dict[str, str], expected: timedelta | None
) -> None:
    assert watchdog_timeout(environ, pid=42) == expected


@pytest.mark.parametrize("given", ["0", "-5", "soon", "1.5"])
def test_a_watchdog_timeout_that_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationRefused, match="WATCHDOG_USEC"):
        watchdog_timeout({"WATCHDOG_USEC": given}, pid=42)
