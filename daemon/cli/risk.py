"""`ratchet risk explain`: how a size came about."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import AccountName, AsJson, ConfigFiles, JournalPath, Settings, StateDirectory, Who, Why

if TYPE_CHECKING:
    from daemon.explaining import Explanation
    from domain.decisions import Decision
    from journal.reader import Reader

NEWEST = "last"


def register(app: typer.Typer) -> None:
    """Add the verbs about risk."""
    group = typer.Typer(help="Sizes and limits.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(explain)
    group.command()(accept)
    app.add_typer(group, name="risk", rich_help_panel="Looking things up")


def _group() -> None:
    """Sizes and limits."""


def explain(
    decision: Annotated[
        str,
        typer.Argument(
            metavar="DECISION", help="The id of a decision, its first characters, or `last` for the newest one."
        ),
    ],
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """How the size of a decision came about, factor by factor, and what the gate said."""
    from daemon.cli.output import print_json  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415
    from daemon.explaining import explain as explained  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (path, open_journal):
        found = explained(_named(open_journal.read, decision, str(path)))
    if json_:
        print_json(found)
    else:
        _print(found)


def accept(
    why: Why,
    config: ConfigFiles = None,
    set_: Settings = None,
    who: Who = None,
    state: StateDirectory = None,
    json_: AsJson = False,
) -> None:
    """Record that the looser limits of a configuration are wanted; the daemon of the account must be stopped."""
    from daemon.cli.client import user_name  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.output import print_facts, print_json  # noqa: PLC0415 - as above
    from daemon.clock import LiveClock  # noqa: PLC0415 - as above
    from daemon.config import load  # noqa: PLC0415 - as above
    from daemon.loosening import accept as accepted  # noqa: PLC0415 - as above
    from daemon.paths import account_paths, state_root  # noqa: PLC0415 - as above
    from daemon.wiring import open_journal  # noqa: PLC0415 - as above

    if not config:
        raise typer.BadParameter("give the configuration that the account is to run with", param_hint="--config")
    loaded = load(config, environ=os.environ, flags=set_ or []).config
    paths = account_paths(state_root(os.environ, state), loaded.account.kind, loaded.account.name).create()
    with open_journal(loaded, paths, live=True) as journal:
        loosened = accepted(journal, loaded, who=who or user_name(), why=why.strip(), at=LiveClock().now())
    if json_:
        print_json({"account": paths.folder.name, "accepted": loosened})
    else:
        print_facts([("account", paths.folder.name), *(loosened.items())])


def _named(read: Reader, wanted: str, path: str) -> Decision:
    from domain.errors import InvalidInput  # noqa: PLC0415 - other verbs do not pay for it

    found = read.decisions(limit=1, newest_first=True) if wanted == NEWEST else read.decisions_named(wanted, limit=2)
    if not found:
        raise InvalidInput(f"no decision in {path} is named {wanted}; ratchet decisions --json lists their ids")
    if len(found) > 1:
        raise InvalidInput(f"several decisions in {path} begin with {wanted}: give more of the id")
    return found[0]


def _print(found: Explanation) -> None:
    from daemon.cli.output import Column, decimal_text, print_facts, print_table  # noqa: PLC0415 - as above

    print_facts(
        [
            ("decision", found.decision_id),
            ("proposal", f"{found.side} {found.instrument}, decided at {found.decided_at}"),
            ("verdict", found.verdict),
            ("quantity", decimal_text(found.quantity)),
            ("risk", decimal_text(found.risk_amount)),
            *(found.others.items()),
        ]
    )
    if found.steps:
        columns = [Column("factor"), Column("value", number=True), Column("product", number=True), Column("meaning")]
        rows = ((each.name, each.value, each.running or "", each.meaning) for each in found.steps)
        print_table("how the size came about", columns, rows)
