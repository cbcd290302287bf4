"""Verbs that command a running daemon; each is recorded there with who and why."""

from __future__ import annotations

import typer

from daemon.cli.options import AccountName, AsJson, InstrumentName, StateDirectory, Who, Why


def register(app: typer.Typer) -> None:
    """Add the commanding verbs."""
    for verb in (pause, resume, flatten, halt):
        app.command(rich_help_panel="Commands to a running daemon")(verb)
    account = typer.Typer(name="account", no_args_is_help=True, help="Begin a venue's account anew after it was reset.")
    account.command()(rebase)
    app.add_typer(account, rich_help_panel="Commands to a running daemon")


def pause(
    why: Why, who: Who = None, account: AccountName = None, state: StateDirectory = None, json_: AsJson = False
) -> None:
    """Open no new positions until resumed; exits go on."""
    _command("pause", {}, why, who, account, state, json_)


def resume(
    why: Why, who: Who = None, account: AccountName = None, state: StateDirectory = None, json_: AsJson = False
) -> None:
    """Clear the holds that only a person may clear, a drawdown stop among them."""
    _command("resume", {}, why, who, account, state, json_)


def flatten(
    why: Why,
    instrument: InstrumentName = None,
    who: Who = None,
    account: AccountName = None,
    state: StateDirectory = None,
    json_: AsJson = False,
) -> None:
    """Close all positions, or the one in an instrument."""
    _command("flatten", {} if instrument is None else {"instrument": instrument}, why, who, account, state, json_)


def halt(
    why: Why, who: Who = None, account: AccountName = None, state: StateDirectory = None, json_: AsJson = False
) -> None:
    """Send nothing more; protective orders stay at the venue."""
    _command("halt", {}, why, who, account, state, json_)


def rebase(
    why: Why, who: Who = None, account: AccountName = None, state: StateDirectory = None, json_: AsJson = False
) -> None:
    """Start a new ledger from what the venue holds now; only after its account was reset, as testnets are at times."""
    _command("account/rebase", {}, why, who, account, state, json_)


def _command(
    verb: str,
    extra: dict[str, str],
    why: str,
    who: str | None,
    account: AccountName,
    state: StateDirectory,
    json_: bool,
) -> None:
    from daemon.cli.client import command, user_name  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.output import in_words, print_facts, print_json  # noqa: PLC0415
    from daemon.cli.target import Target, running_daemon  # noqa: PLC0415

    if not why.strip():
        raise typer.BadParameter("say why in a few words; it is recorded", param_hint="--why")
    paths, address = running_daemon(Target(account=account, state=state))
    answer = command(address, verb, {"who": who or user_name(), "why": why.strip(), **extra})
    if json_:
        print_json(answer)
    else:
        facts = [(name, in_words(value)) for name, value in answer.items()]
        print_facts([(verb, f"taken by the daemon of {paths.folder.name} (process {address.pid})"), *facts])
