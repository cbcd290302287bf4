"""What the service tells systemd: ready, stopping, status, and that it makes progress.

The protocol is sd_notify(3): a datagram of `KEY=value` lines to the socket in $NOTIFY_SOCKET, a path or, with
a leading @, an abstract address.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from domain.errors import ConfigurationRefused, InvalidInput

NOTIFY_SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG_USEC: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"

_log = logging.getLogger(__name__)


class Notifier:
    """Tells the service manager how the service is; does nothing where there is none.

    A message that cannot be delivered never disturbs the service; that it failed, and that it works again, is
    logged once each.
    """

    def __init__(self, address: str | None) -> None:
        if address is not None and not (address.startswith(("/", "@")) and len(address) > 1):
            raise ConfigurationRefused(
                f"${NOTIFY_SOCKET} is {address!r}; it must be an absolute path, or @ and an abstract address"
            )
        self._address = None if address is None else "\0" + address[1:] if address.startswith("@") else address
        self._failing = False

    @staticmethod
    def from_environment(environ: Mapping[str, str]) -> Notifier:
        """The notifier for the socket in $NOTIFY_SOCKET; one that does nothing when that is not set."""
        return Notifier(environ.get(NOTIFY_SOCKET) or None)

    @property
    def listened_to(self) -> bool:
        """Whether there is a service manager to tell."""
        return self._address is not None

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def waiting(self, status: str, within: timedelta) -> None:
        """Not ready yet, and for a reason: the service manager gives the start `within` more from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={within // timedelta(microseconds=1)}\nSTATUS={_one_line(status)}")

    def stopping(self, status: str) -> None:
        self._send(f"STOPPING=1\nSTATUS={_one_line(status)}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_one_line(text)}")

    def alive(self) -> None:
        """Feed the watchdog; only `Watchdog` calls this."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(message.encode(), self._address)
        except OSError as fault:
            if not self._failing:
                _log.warning("notify_failed", extra={"reason": str(fault)})
            self._failing = True
            return
        if self._failing:
            _log.info("notify_works_again")
        self._failing = False


def _one_line(text: str) -> str:
    return " ".join(text.split())


def watchdog_timeout(environ: Mapping[str, str], pid: int) -> timedelta | None:
    """How long systemd waits for a sign of progress before it restarts us; None when it does not watch us.

    $WATCHDOG_PID, when set, says which process is meant. Raises `ConfigurationRefused` for values that are no
    whole numbers above 0.
    """
    given = environ.get(WATCHDOG_USEC)
    if not given:
        return None
    meant = environ.get(WATCHDOG_PID)
    if meant and meant != str(pid):
        return None
    if not given.isdecimal() or int(given) == 0:
        raise ConfigurationRefused(f"${WATCHDOG_USEC} is {given!r}; it must be a whole number of microseconds above 0")
    return timedelta(microseconds=int(given))


class Watchdog:
    """Feeds systemd's watchdog while the jobs make progress: while no job is past a deadline it was given.

    `due(job, deadline_s)` says that the job must show progress within so many seconds from now; `progress(job)`
    says it did. Whoever runs a job announces its next run before it waits for it, so that a schedule that has
    died is noticed like a job that hangs; an idle calendar, whose next deadline lies ahead, is progress. A timer
    alone never feeds: without a single announced job nothing is known, and nothing is fed.
    """

    def __init__(self, *, monotonic: Callable[[], float], feed: Callable[[], None]) -> None:
        self._monotonic = monotonic
        self._feed = feed
        self._deadlines: dict[str, float] = {}
        self._starving = False

    def due(self, job: str, deadline_s: float) -> None:
        """`job` must make progress within `deadline_s` seconds; a deadline it still owes cannot be put off."""
        if not deadline_s > 0:
            raise InvalidInput(f"the deadline of {job} is {deadline_s} s from now; it must lie ahead")
        deadline = self._monotonic() + deadline_s
        self._deadlines[job] = min(deadline, self._deadlines.get(job, deadline))

    def progress(self, job: str) -> None:
        """`job` did what it had to; it owes nothing until it is due again."""
        self._deadlines.pop(job, None)

    def overdue(self) -> tuple[str, ...]:
        """Jobs past their deadline, the longest overdue first."""
        now = self._monotonic()
        late = [(deadline, job) for job, deadline in self._deadlines.items() if deadline < now]
        return tuple(job for _, job in sorted(late))

    def beat(self) -> bool:
        """Feed unless a job is overdue or nothing is announced; gives back whether it fed. Logs each change once."""
        late = self.overdue()
        healthy = bool(self._deadlines) and not late
        if healthy:
            self._feed()
        if late and not self._starving:
            _log.error("watchdog_starved", extra={"overdue": ", ".join(late)})
        elif healthy and self._starving:
            _log.warning("watchdog_fed_again")
        self._starving = bool(late) or (self._starving and not healthy)
        return healthy

    async def run(self, every: timedelta) -> None:
        """Beat for ever; `every` should be a third of systemd's timeout or less."""
        while True:
            self.beat()
            await asyncio.sleep(every.total_seconds())
