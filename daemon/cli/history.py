"""Verbs that list what happened: trades, decisions, outcomes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from daemon.cli.options import AccountName, AsJson, InstrumentName, JournalPath, Limit, StateDirectory

PANEL = "Reading the journal"
SHOWN = 8
"""How much of an id is shown: enough to name a decision with."""


class KindName(StrEnum):
    """Which outcomes: of real trades, or of the shadow that every decision has."""

    REAL = "real"
    SHADOW = "shadow"


def register(app: typer.Typer) -> None:
    """Add the verbs that list history."""
    for verb in (trades, decisions, outcomes):
        app.command(rich_help_panel=PANEL)(verb)


def trades(
    limit: Limit = 20,
    instrument: InstrumentName = None,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """Closed trades, newest first, net of costs."""
    _outcomes("trades", KindName.REAL, limit, instrument, account, state, journal, json_)


def outcomes(
    limit: Limit = 20,
    kind: Annotated[KindName | None, typer.Option("--kind", help="Only these.")] = None,
    instrument: InstrumentName = None,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """How decisions ended, really and as shadows, newest first."""
    _outcomes("outcomes", kind, limit, instrument, account, state, journal, json_)


def decisions(
    limit: Limit = 20,
    instrument: InstrumentName = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Only reasons with this text.")] = None,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """What was proposed and what became of it, newest first."""
    from daemon.cli.output import Column, figure, moment, print_json, print_table  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (path, read):
        # Reasons are searched as text, so all decisions are read and the limit is applied to what fits.
        found = read.read.decisions(instrument=instrument, limit=None if reason else limit, newest_first=True)
        chosen = [decision for decision in found if reason is None or reason in decision.reason][:limit]
    if json_:
        print_json({"journal": path, "decisions": chosen})
        return
    columns = [
        *(Column("id"), Column("bar (UTC)"), Column("instrument"), Column("side"), Column("technical", number=True)),
        *(Column("P(profit)", number=True), Column("score", number=True), Column("status"), Column("reason")),
    ]
    rows = (
        (
            *(made.decision_id[:SHOWN], moment(made.bar_opened_at), made.instrument, made.signal.side.value),
            *(
                figure(made.signal.technical_score),
                figure(made.ml.probability),
                figure(made.score),
                made.status.value,
                made.reason,
            ),
        )
        for made in chosen
    )
    print_table(f"decisions in {path}", columns, rows)


def _outcomes(
    title: str,
    kind: KindName | None,
    limit: int,
    instrument: InstrumentName,
    account: AccountName,
    state: StateDirectory,
    journal: JournalPath,
    json_: bool,
) -> None:
    from daemon.cli.output import Column, amount, figure, moment, price, print_json, print_table  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415
    from domain.decisions import OutcomeKind  # noqa: PLC0415

    wanted = None if kind is None else OutcomeKind(kind.value)
    with opened(Target(journal=journal, account=account, state=state)) as (path, read):
        found = read.read.outcomes(kind=wanted, limit=None if instrument else limit, newest_first=True)
        chosen = [ended for ended in found if instrument is None or ended.instrument == instrument][:limit]
    if json_:
        print_json({"journal": path, title: chosen})
        return
    columns = [
        *(Column("closed (UTC)"), Column("instrument"), Column("side"), Column("kind"), Column("entry", number=True)),
        *(Column("exit", number=True), Column("R net", number=True), Column("profit", number=True)),
        *(Column("bars", number=True), Column("exit cause"), Column("strategies")),
    ]
    rows = (
        (
            *(moment(ended.closed_at), ended.instrument, ended.side.value, ended.kind.value, price(ended.entry_price)),
            *(price(ended.exit_price), figure(ended.r_net, 2, signed=True), amount(ended.profit)),
            *(str(ended.bars_held), ended.exit_cause.value, ", ".join(ended.strategies)),
        )
        for ended in chosen
    )
    print_table(f"{title} in {path}", columns, rows)
