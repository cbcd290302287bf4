"""The ratchet command, in a process of its own, that tells when its first bar was played and then stops.

The age of a process is the time since the kernel started it, so the interpreter's own start is counted.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

MARK = "first bar after "


def age_s() -> float:
    """Seconds since the kernel started this process; it counts them in hundredths."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def main() -> None:
    """Run the command line with the first call of `Session.on_opens` ending the first bar."""
    from daemon.cli.main import main as ratchet
    from trading.session import Session

    plain = Session.on_opens

    async def first(session: Session, moment: object) -> None:
        await plain(session, moment)  # type: ignore[arg-type]  # passed on as it came
        Session.on_opens = plain  # type: ignore[method-assign]
        sys.stderr.write(f"{MARK}{age_s():.4f}\n")
        os.kill(os.getpid(), signal.SIGTERM)

    Session.on_opens = first  # type: ignore[assignment,method-assign]  # only to see the first bar
    ratchet()


if __name__ == "__main__":
    main()
