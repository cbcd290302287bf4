"""The real command in a process of its own, and reading what it left behind. Nothing here is the product's code."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from journal import Journal
from journal.verify import verify

RATCHET = Path(sys.executable).with_name("ratchet")
WITHIN_S = 30.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.01, 0.1


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run of the command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        assert self.status == 0, self.err
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def sentence(self) -> str:
        """The one sentence with which it failed; there is no traceback, and nothing else but logs."""
        return the_sentence(self.err)


def the_sentence(err: str) -> str:
    assert "Traceback" not in err, err
    told = [line for line in err.splitlines() if line.startswith("ratchet: ")]
    assert len(told) == 1, err
    return told[0].removeprefix("ratchet: ")


def environment(state: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a process started by a test sees: a state folder and a home of its own, and none of our variables."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(state.parent), "STATE_DIRECTORY": str(state), **(extra or {})}


def started(
    *arguments: str, state: Path, extra: Mapping[str, str] | None = None, out: Path | None = None
) -> subprocess.Popen[str]:
    """The command, running; its output goes to the files `out`.out and `out`.err, else to pipes."""
    command, environ = [str(RATCHET), *arguments], environment(state, extra)
    if out is None:
        return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with out.with_suffix(".out").open("w") as stdout, out.with_suffix(".err").open("w") as stderr:
        return subprocess.Popen(command, env=environ, stdout=stdout, stderr=stderr, text=True)


@contextmanager
def running(*arguments: str, state: Path, extra: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """The command with pipes, while inside; whatever a test does, nothing is left running."""
    process = started(*arguments, state=state, extra=extra)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str], within_s: float = 120.0) -> Ended:
    """Wait for a process with pipes, and take in what it said."""
    out, err = process.communicate(timeout=within_s)
    return Ended(process.returncode, out, err)


def ratchet(*arguments: str, state: Path, extra: Mapping[str, str] | None = None) -> Ended:
    """Run the command to its end."""
    with running(*arguments, state=state, extra=extra) as process:
        return ended(process)


def side_by_side(*calls: tuple[Path, tuple[str, ...]]) -> list[Ended]:
    """Run the command several times at once, each with its own state folder and arguments."""
    with ExitStack() as stack:
        processes = [stack.enter_context(running(*arguments, state=state)) for state, arguments in calls]
        return [ended(process) for process in processes]


def until(holds: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """Ask again and again until `holds`; the pauses grow from a hundredth to a tenth of a second."""
    pause, wait, deadline = threading.Event(), FIRST_WAIT_S, time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        pause.wait(wait)
        wait = min(2 * wait, LONGEST_WAIT_S)


@contextmanager
def reading(journal: Path) -> Iterator[sqlite3.Connection]:
    """A journal, read beside whoever writes it."""
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


def rows(journal: Path, statement: str, *values: object) -> list[sqlite3.Row]:
    """What a statement finds; nothing while the journal's tables are not all made yet."""
    if not journal.exists():
        return []
    with reading(journal) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return []
        if not connection.execute("SELECT 1 FROM alembic_version").fetchone():
            return []
        return connection.execute(statement, values).fetchall()


def count(journal: Path, statement: str, *values: object) -> int:
    """The first number of the first row; 0 without a journal."""
    found = rows(journal, statement, *values)
    return int(found[0][0]) if found else 0


def verified(journal: Path) -> dict[str, str]:
    """Every identity of the journal holds; gives back its digests. What `ratchet verify` does, without a process."""
    with Journal.open(journal, read_only=True) as opened:
        found = verify(opened)
    assert found.ok, [check for check in found.checks if not check.ok]
    facts = {"decisions", "orders", "fills", "outcomes", "samples", "predictions", "model_events"}
    assert set(found.digest) == facts
    return dict(found.digest)


def verified_by_command(journal: Path, state: Path) -> dict[str, str]:
    """As `verified`, by the command itself, which tells the same."""
    document = ratchet("verify", "--journal", str(journal), "--json", state=state).document
    assert document["ok"] is True
    assert document["digest"] == verified(journal)
    return dict(document["digest"])
