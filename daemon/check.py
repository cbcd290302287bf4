"""What is looked at before the daemon may run: each row is fine, refused, or a note."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from daemon.check_row import CheckRow
from daemon.config import Config, digest_of
from daemon.paths import AccountPaths, account_paths, make_private, secrets_folder, state_root
from daemon.secrets import API_TOKEN_NAME, read_secret
from domain.errors import JournalLocked, RatchetError

LEAST_FREE_BYTES: Final = 500 * 1024 * 1024
EARLIEST_SANE_S: Final = 1_767_225_600
"""2026-01-01 UTC: a clock before the product was made is wrong."""
LATEST_SANE_S: Final = 4_102_444_800
"""2100-01-01 UTC."""
LARGEST_DRIFT_S: Final = 0.5
SQLITE_WITHOUT_WAL_RESET: Final = (3, 51, 3)
OPTIONAL_PROGRAMS: Final = (("prometheus", "scrapes the metrics"), ("promtool", "checks the alert rules"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a check may look at."""

    config: Config
    environ: Mapping[str, str]
    state: Path
    paths: AccountPaths


def run_checks(config: Config, *, environ: Mapping[str, str], state: Path | None = None) -> list[CheckRow]:
    """Everything that can be known before the start; a check that fails by itself is a refusal, never a silence."""
    root = state_root(environ, state)
    paths = account_paths(root, config.account.kind, config.account.name)
    surroundings = Surroundings(config=config, environ=environ, state=root, paths=paths)
    rows: list[CheckRow] = []
    for name, look in _CHECKS:
        try:
            rows.extend(look(surroundings))
        except (RatchetError, OSError) as fault:
            rows.append(CheckRow(name, False, str(fault)))
    return rows


def _configuration(around: Surroundings) -> Iterator[CheckRow]:
    account = around.config.account
    yield CheckRow("configuration", True, f"digest {digest_of(around.config)}")
    money = f", starts with {account.starting_cash}" if account.kind == "paper" else ""
    yield CheckRow("account", True, f"{account.name}, {account.kind}{money}")


def _demo_proof(around: Surroundings) -> Iterator[CheckRow]:
    if around.config.broker.kind == "paper":
        proof = "the paper broker is embedded: it has no connection, so no real money can be reached"
        yield CheckRow("demo proof", True, proof)
        return
    from daemon.check_venue import venue_rows  # noqa: PLC0415 - brings the venues' library

    yield from venue_rows(around.config, around.environ)


def _secrets(around: Surroundings) -> Iterator[CheckRow]:
    token = read_secret(API_TOKEN_NAME, environ=around.environ, folder=secrets_folder(around.state))
    detail = "not there yet; made at the first start" if token is None else f"from {token.origin}"
    yield CheckRow("API token", True, detail)


def _state_folder(around: Surroundings) -> Iterator[CheckRow]:
    make_private(around.state)
    writable = os.access(around.state, os.W_OK | os.X_OK)
    yield CheckRow("state folder", writable, str(around.state) if writable else f"{around.state} cannot be written")
    mode = around.state.stat().st_mode & 0o777
    if mode & 0o077:
        yield CheckRow("state privacy", None, f"others may look into it (mode {mode:04o}): chmod 700 {around.state}")
    free = shutil.disk_usage(around.state).free
    detail = f"{free / 1024**2:,.0f} MiB free, at least {LEAST_FREE_BYTES / 1024**2:,.0f} MiB wanted"
    yield CheckRow("free disk", free >= LEAST_FREE_BYTES, detail)


def _journal(around: Surroundings) -> Iterator[CheckRow]:
    from journal import Journal  # noqa: PLC0415 - brings the database library

    url = around.config.journal.url
    path = around.paths.journal if url is None else Path(unquote(url.removeprefix("sqlite:///")))
    if not path.exists():
        yield CheckRow("journal", True, f"{path}: not there yet; made at the first start")
        return
    try:
        with Journal.open(path, read_only=True) as journal:
            yield CheckRow("journal", True, f"{path}: schema known, {journal.sequence} commits")
    except JournalLocked as lock:
        yield CheckRow("journal", None, str(lock))


def _data(around: Surroundings) -> Iterator[CheckRow]:
    feed, sentiment = around.config.feed, around.config.sentiment
    if feed.kind == "recorded" and feed.path is not None:
        readable = feed.path.is_dir() and os.access(feed.path, os.R_OK | os.X_OK)
        yield CheckRow("candles", readable, str(feed.path) if readable else f"{feed.path} is no readable folder")
    elif feed.kind == "venue":
        yield CheckRow("candles", True, f"{feed.timeframe} of {around.config.broker.venue}, read without a key")
    else:
        yield CheckRow("candles", True, "the simulated market")
    for name, file in (("headlines", sentiment.headlines), ("calendar", sentiment.calendar)):
        if file is not None:
            readable = file.is_file() and os.access(file, os.R_OK)
            yield CheckRow(name, readable, str(file) if readable else f"{file} is no readable file")


def _strategies(around: Surroundings) -> Iterator[CheckRow]:
    folder = around.config.signals.strategies
    if folder is None:
        return
    from signals.strategies import STRATEGIES, load_strategies  # noqa: PLC0415 - brings numpy

    own = [strategy.name for strategy in load_strategies(folder)[len(STRATEGIES) :]]
    yield CheckRow("strategies", True, f"{folder}: {', '.join(own) or 'none'} beside the shipped ones")


def _clock(_around: Surroundings) -> Iterator[CheckRow]:
    wall_ns, steady_ns = time.time_ns(), time.monotonic_ns()
    time.sleep(0.02)
    drift_s = abs((time.time_ns() - wall_ns) - (time.monotonic_ns() - steady_ns)) / 1e9
    sane = EARLIEST_SANE_S <= wall_ns // 10**9 <= LATEST_SANE_S
    told = time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(wall_ns // 10**9))
    yield CheckRow("clock", sane, told if sane else f"it says {told}, which cannot be: set the clock")
    detail = f"the wall clock moved {drift_s * 1000:.1f} ms against the steady one within 20 ms"
    yield CheckRow("clock is steady", drift_s <= LARGEST_DRIFT_S, detail)


def _database(_around: Surroundings) -> Iterator[CheckRow]:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < SQLITE_WITHOUT_WAL_RESET:
        note = "before 3.51.3 two writers could damage a write-ahead log: only the daemon writes, under its lock"
        yield CheckRow("SQLite", None, f"{version}: {note}")
    else:
        yield CheckRow("SQLite", True, version)


def _programs(_around: Surroundings) -> Iterator[CheckRow]:
    for name, use in OPTIONAL_PROGRAMS:
        place = shutil.which(name)
        yield CheckRow(name, None if place is None else True, place or f"not installed; it {use}, and is optional")


_CHECKS: tuple[tuple[str, Callable[[Surroundings], Iterator[CheckRow]]], ...] = (
    ("configuration", _configuration),
    ("demo proof", _demo_proof),
    ("API token", _secrets),
    ("state folder", _state_folder),
    ("journal", _journal),
    ("candles", _data),
    ("strategies", _strategies),
    ("clock", _clock),
    ("SQLite", _database),
    ("programs", _programs),
)
