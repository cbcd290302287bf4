"""`ratchet data summary`: what recorded files hold, before anything trades on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the verbs about data."""
    group = typer.Typer(help="Recorded market data.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(summary)
    app.add_typer(group, name="data", rich_help_panel="Looking things up")


def _group() -> None:
    """Recorded market data."""


def summary(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of candle files.")],
    asset_class: Annotated[
        str | None, typer.Option("--class", help="crypto, forex, metal or equity, where the symbols do not tell.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Files, spans, gaps and faults of a folder of candles."""
    from daemon.cli.output import Column, print_json, print_table  # noqa: PLC0415 - tables are not always wanted
    from market.registry import Registry  # noqa: PLC0415 - brings pandas
    from market.summary import summarise  # noqa: PLC0415

    rows = summarise(folder, registry=Registry.shipped(), class_hint=asset_class)
    if json_:
        print_json({"folder": folder, "files": rows})
        return
    columns = [
        *(Column("file"), Column("class"), Column("tf"), Column("rows", number=True), Column("bars", number=True)),
        *(Column("start"), Column("end"), Column("gaps", number=True), Column("rejected"), Column("notes")),
    ]
    print_table(f"candles in {folder}", columns, (_cells(row) for row in rows))


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    gaps = row["gaps"]
    missing = "-" if gaps is None else f"{gaps['count']} ({gaps['bars']} bars)"
    rejected = ", ".join(f"{kind} {count}" for kind, count in row["rejected"].items()) or "-"
    notes = "; ".join(note for note in (row["error"], *row["notes"]) if note) or "-"
    counts = (str(row["rows"]), str(row["bars"]))
    span = tuple("-" if row[end] is None else str(row[end])[:16].replace("T", " ") for end in ("start", "end"))
    return (str(row["file"]), str(row["class"]), str(row["timeframe"]), *counts, *span, missing, rejected, notes)
