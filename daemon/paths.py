"""Where state lies: one folder per account, paper and demo apart, all of it the owner's alone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from domain.errors import InvalidInput
from domain.identity import digest

STATE_DIRECTORY: Final = "STATE_DIRECTORY"
JOURNAL: Final = "journal.sqlite"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_KIND = re.compile(r"[a-z]{1,20}")


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountPaths:
    """The files of one account. Nothing is created until `create` is called."""

    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / JOURNAL

    @property
    def paper(self) -> Path:
        """The paper broker's own ledger."""
        return self.folder / "paper.sqlite"

    @property
    def daemon(self) -> Path:
        """Who runs on this account now, see `DaemonAddress`."""
        return self.folder / "daemon.json"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    def create(self) -> AccountPaths:
        """Make the folder, for the owner alone; raises `InvalidInput` when that cannot be done."""
        make_private(self.folder)
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class DaemonAddress:
    """Where a running daemon listens. `api` is `http://127.0.0.1:PORT`, None while it serves no API.

    `started_at` is an ISO time; `secrets` the folder in which the API's token lies.
    """

    pid: int
    api: str | None
    started_at: str
    secrets: str

    def write(self, path: Path) -> None:
        """Replace the file in one step, so that a reader never sees half of it."""
        draft = path.with_name(f".{path.name}.{self.pid}")
        draft.write_text(json.dumps(asdict(self)) + "\n")
        draft.chmod(0o600)
        draft.replace(path)

    @staticmethod
    def read(path: Path) -> DaemonAddress | None:
        """What stands in `path`; None when there is no such file. Raises `InvalidInput` when it is not ours."""
        try:
            content = json.loads(path.read_text())
            return DaemonAddress(**content)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, OSError) as fault:
            raise InvalidInput(f"{path} does not say where a daemon listens: {fault}") from fault

    @property
    def alive(self) -> bool:
        """Whether a process with this id exists."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def state_root(environ: Mapping[str, str], given: Path | None = None) -> Path:
    """The folder of all state: the one given, else $STATE_DIRECTORY, else ~/.local/state/ratchet."""
    if given is not None:
        return given.expanduser().absolute()
    # systemd separates several directories by colons; the first is the one we asked for.
    granted = environ.get(STATE_DIRECTORY, "").split(":")[0]
    if granted:
        return Path(granted).absolute()
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".local" / "state" / "ratchet"


def account_paths(state: Path, kind: str, name: str) -> AccountPaths:
    """The files of the account `name` of `kind` (paper, demo); raises `InvalidInput` for a name that is no name."""
    if not _NAME.fullmatch(name) or not _KIND.fullmatch(kind):
        raise InvalidInput(f"the account {kind} {name!r} cannot name a folder: 1 to 40 of a-z, 0-9, - and _ can")
    return AccountPaths(folder=state / f"{kind}-{name}")


def replay_paths(state: Path, *parts: object) -> AccountPaths:
    """The files of one replay, named by what it replays: the same parts always lie in the same folder."""
    return AccountPaths(folder=state / f"replay-{digest(*parts, length=12)}")


def demo_paths(state: Path, part: str = "demo") -> AccountPaths:
    """The files of the embedded demo; `part` tells its runs (with and without the planted edge) apart."""
    return AccountPaths(folder=state / part)


def secrets_folder(state: Path) -> Path:
    """Where owner-only secret files lie, the API's token among them."""
    return state / "secrets"


def journals(state: Path) -> tuple[Path, ...]:
    """All journals under the state directory, most recently written first."""
    found = [path for path in state.glob(f"*/{JOURNAL}") if path.is_file()]
    return tuple(sorted(found, key=lambda path: (-last_written_ns(path), str(path))))


def last_written_ns(journal: Path) -> int:
    """When a journal was last written, by its file or its write-ahead log; nanoseconds since 1970."""
    times = [journal.stat().st_mtime_ns]
    log = journal.with_name(journal.name + "-wal")
    if log.exists() and log.stat().st_size:
        times.append(log.stat().st_mtime_ns)
    return max(times)


def make_private(folder: Path) -> None:
    """Create `folder` and what is missing above it, for the owner alone; raises `InvalidInput` when it cannot be."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        for place in (*reversed(missing), folder):
            place.mkdir(mode=0o700, exist_ok=True)
    except OSError as fault:
        raise InvalidInput(f"the state folder {folder} cannot be made: {fault.strerror}") from fault
