"""The account that a learning verb works on: its journal, its folder, its features, and nobody else writing to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon.config import Config
from daemon.cycles import Account
from daemon.paths import AccountPaths, DaemonAddress, account_paths, state_root
from daemon.wiring import open_journal
from domain.errors import Refused
from journal.journal import Journal
from signals.features import SCHEMA_HASH


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAccount:
    """An account whose journal this process may write."""

    account: Account
    journal: Journal
    paths: AccountPaths


@contextmanager
def opened_account(
    config: Config, environ: Mapping[str, str], state: Path | None, *, schema: str = SCHEMA_HASH
) -> Iterator[OpenAccount]:
    """Open the configured account for writing, or the one that keeps models of other features apart.

    Raises `Refused` while its daemon runs: then the daemon is asked instead, for there is one writer.
    """
    paths = learning_paths(config, environ, state, schema).create()
    address = DaemonAddress.read(paths.daemon)
    if address is not None and address.alive:
        raise Refused(
            f"the daemon of {paths.folder.name} runs (process {address.pid}) and is the only one that writes its "
            "journal: ask it with `ratchet learn retrain`, or stop it first"
        )
    account = Account(folder=paths.folder, config=config, schema=schema, bar=config.feed.timeframe.span)
    with open_journal(config, paths, live=True) as journal:
        yield OpenAccount(account=account, journal=journal, paths=paths)


def learning_paths(config: Config, environ: Mapping[str, str], state: Path | None, schema: str) -> AccountPaths:
    """The account's files. Models of features that are not the daemon's own could not speak in it: they have a folder
    of their own, named by those features."""
    root = state_root(environ, state)
    if schema == SCHEMA_HASH:
        return account_paths(root, config.account.kind, config.account.name)
    named = "".join(letter for letter in schema.lower() if letter.isalnum())[-12:]
    return account_paths(root, "file", named)
