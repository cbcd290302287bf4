"""The verbs about learning: samples, training, verdicts, the models there are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli import learn_cycle, learn_reports
from daemon.cli.learn_output import configured, print_training, teller
from daemon.cli.options import AccountName, AsJson, ConfigFiles, JournalPath, Limit, Settings, StateDirectory, Who, Why

if TYPE_CHECKING:
    from learning.training.settings import TrainingSettings

PANEL = "Learning"

Samples = Annotated[
    Path | None, typer.Option("--samples", metavar="FILE", help="A sample file. [default: the account's own samples]")
]
Names = Annotated[str | None, typer.Option(metavar="A,B,...")]


def register(app: typer.Typer) -> None:
    """Add the verbs about learning."""
    group = typer.Typer(help="Samples, training, verdicts and models.", no_args_is_help=True)
    group.callback()(_group)
    for verb in (train, models, history, rollback, export):
        group.command()(verb)
    learn_cycle.register_cycle(group)
    learn_reports.register_reports(group)
    app.add_typer(group, name="learn", rich_help_panel=PANEL)


def _group() -> None:
    """Samples, training, verdicts and models."""


def train(
    samples: Samples = None,
    config: ConfigFiles = None,
    set_: Settings = None,
    families: Annotated[
        str | None, typer.Option("--families", metavar="A,B,...", help="Model families to try.")
    ] = None,
    ensembles: Annotated[
        str | None, typer.Option("--ensembles", metavar="A,B,...|none", help="How they are joined, as further trials.")
    ] = None,
    budget: Annotated[int | None, typer.Option("--budget", min=1, max=200, help="The most trials.")] = None,
    min_samples: Annotated[
        int | None, typer.Option("--min-samples", min=50, help="The least number of resolved samples.")
    ] = None,
    window_days: Annotated[
        int | None, typer.Option("--window-days", min=1, help="Only samples of so many days before the newest.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="What everything random is drawn from.")] = None,
    who: Who = None,
    state: StateDirectory = None,
    json_: AsJson = False,
) -> None:
    """Train a model now, judge it on signals that no model has seen, and deploy it if it is better."""
    from daemon.cli.client import user_name  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.output import print_json  # noqa: PLC0415
    from daemon.clock import LiveClock  # noqa: PLC0415
    from daemon.learn.train import TrainOptions  # noqa: PLC0415
    from daemon.learn.train import train as trained  # noqa: PLC0415

    def change(settings: TrainingSettings) -> TrainingSettings:
        changes: dict[str, Any] = {
            "budget": budget,
            "minimum_samples": min_samples,
            "window_days": window_days,
            "seed": seed,
            "families": None if families is None else _names(families),
            "ensembles": None if ensembles is None else () if ensembles == "none" else _names(ensembles),
        }
        return replace(settings, **{name: value for name, value in changes.items() if value is not None})

    options = TrainOptions(
        config=configured(config, set_), samples=samples, state=state, change=change, by=who or user_name()
    )
    answer = trained(options, LiveClock().now(), dict(os.environ), teller(quiet=json_))
    answer.pop("record", None)
    if json_:
        print_json(answer)
    else:
        print_training(answer)


def models(
    account: AccountName = None, state: StateDirectory = None, journal: JournalPath = None, json_: AsJson = False
) -> None:
    """The models there are, and who speaks."""
    from daemon.cli.output import Column, print_json, print_table  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415
    from daemon.learn.show import models_of  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (_, open_journal):
        found = models_of(open_journal.read)
    if json_:
        print_json({"models": found})
        return
    columns = [
        Column("model"),
        Column("place"),
        Column("trained on", number=True),
        Column("until"),
        Column("threshold"),
    ]
    rows = (
        (each["model"], each["place"], f"{each['samples']:,}", each["trained_until"][:16], f"{each['threshold']:.3f}")
        for each in found
    )
    print_table("models", columns, rows)


def history(
    limit: Limit = 20,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """Trainings and what came of them, deployments and rollbacks, the newest first."""
    from daemon.cli.output import Column, print_json, print_table  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415
    from daemon.learn.show import history_of  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (_, open_journal):
        found = history_of(open_journal.read, limit)
    if json_:
        print_json({"history": found})
        return
    columns = [Column("at (UTC)"), Column("what"), Column("model"), Column("why")]
    rows = ((each["at"][:16], each["what"], each["model"] or "-", each["reason"]) for each in found)
    print_table("history", columns, rows)


def rollback(
    why: Why,
    who: Who = None,
    config: ConfigFiles = None,
    set_: Settings = None,
    state: StateDirectory = None,
    json_: AsJson = False,
) -> None:
    """Let the champion before this one speak again, or nobody where there was none."""
    from daemon.cli.client import command, user_name  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.output import print_facts, print_json  # noqa: PLC0415
    from daemon.clock import LiveClock  # noqa: PLC0415
    from daemon.learn.account import learning_paths  # noqa: PLC0415
    from daemon.learn.rollback import rolled_back  # noqa: PLC0415
    from daemon.paths import DaemonAddress  # noqa: PLC0415
    from signals.features import SCHEMA_HASH  # noqa: PLC0415

    loaded, by = configured(config, set_), who or user_name()
    address = DaemonAddress.read(learning_paths(loaded, os.environ, state, SCHEMA_HASH).daemon)
    if address is not None and address.alive:
        done = command(address, "learn/rollback", {"who": by, "why": why.strip()})
    else:
        done = rolled_back(loaded, dict(os.environ), state, who=by, why=why.strip(), at=LiveClock().now())
    if json_:
        print_json(done)
    else:
        print_facts([(name, str(value)) for name, value in done.items()])


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The Parquet file to write.")],
    config: ConfigFiles = None,
    set_: Settings = None,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """Write the account's samples, with those collected from backtests, to a Parquet file."""
    from daemon.cli.output import print_facts, print_json  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415
    from daemon.learn.show import exported  # noqa: PLC0415

    loaded = configured(config, set_)
    with opened(Target(journal=journal, account=account, state=state)) as (path, open_journal):
        done = exported(open_journal.read, path.parent, loaded, file)
    if json_:
        print_json(done)
    else:
        print_facts([(name, str(value)) for name, value in done.items()])


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
