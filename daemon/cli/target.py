"""Which journal, or which running daemon, a verb speaks about."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.paths import JOURNAL, AccountPaths, DaemonAddress, journals, state_root
from domain.errors import InvalidInput, NotAvailable

if TYPE_CHECKING:
    from journal import Journal

START_HINT = "run `ratchet demo` or `ratchet run` first"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """How the user named what is meant; all None means the most recently written."""

    journal: Path | None = None
    account: str | None = None
    state: Path | None = None

    @property
    def root(self) -> Path:
        return state_root(os.environ, self.state)


def journal_path(target: Target) -> Path:
    """The journal meant; raises `InvalidInput` when there is none or the name fits several."""
    if target.journal is not None:
        path = target.journal / JOURNAL if target.journal.is_dir() else target.journal
        if not path.is_file():
            raise InvalidInput(f"there is no journal at {path}")
        return path.absolute()
    found = journals(target.root)
    if target.account is not None:
        found = tuple(path for path in found if _named(path.parent, target.account))
        _demand_one(target, tuple(path.parent for path in found), f"journal under {target.root}")
    if not found:
        raise InvalidInput(f"there is no journal under {target.root} yet: {START_HINT}")
    return found[0]


@contextmanager
def opened(target: Target) -> Iterator[tuple[Path, Journal]]:
    """The journal meant, open for reading one state of it, whoever writes meanwhile."""
    path = journal_path(target)
    from journal import Journal as OpenJournal  # noqa: PLC0415 - verbs that read no journal do not pay for it

    with OpenJournal.open(path, read_only=True) as journal, journal.read.snapshot():
        yield path, journal


def running_daemon(target: Target) -> tuple[AccountPaths, DaemonAddress]:
    """The one running daemon meant; raises `NotAvailable` when none runs, `InvalidInput` when several may be meant."""
    running = [
        (paths, address)
        for paths in (AccountPaths(folder=file.parent) for file in sorted(target.root.glob("*/daemon.json")))
        if (address := DaemonAddress.read(paths.daemon)) is not None and address.alive
    ]
    if target.account is not None:
        running = [(paths, address) for paths, address in running if _named(paths.folder, target.account)]
    if not running:
        meant = "" if target.account is None else f" for account {target.account}"
        raise NotAvailable(f"no daemon runs{meant} under {target.root}: start one with `ratchet run -c FILE`")
    _demand_one(target, tuple(paths.folder for paths, _ in running), "running daemon", always=True)
    return running[0]


def daemon_beside(journal: Path) -> DaemonAddress | None:
    """The daemon that runs on the account of `journal` now; None when none does."""
    address = DaemonAddress.read(AccountPaths(folder=journal.parent).daemon)
    return address if address is not None and address.alive else None


def _named(folder: Path, account: str) -> bool:
    return folder.name == account or folder.name.partition("-")[2] == account


def _demand_one(target: Target, folders: Sequence[Path], what: str, *, always: bool = False) -> None:
    if target.account is not None and not folders:
        raise InvalidInput(f"there is no {what} for account {target.account}")
    if (always or target.account is not None) and len(folders) > 1:
        names = ", ".join(folder.name for folder in folders)
        raise InvalidInput(f"more than one {what} may be meant ({names}): choose one with --account")
