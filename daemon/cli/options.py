"""Options that several verbs share, so that they are spelled and explained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
StateDirectory = Annotated[
    Path | None,
    typer.Option(
        "--state", metavar="DIR", help="State directory. [default: $STATE_DIRECTORY or ~/.local/state/ratchet]"
    ),
]
AccountName = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="Account name, or the name of its folder in the state directory."),
]
JournalPath = Annotated[Path | None, typer.Option("--journal", metavar="PATH", help="A journal file to read.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="At most so many rows, newest first.")]
InstrumentName = Annotated[
    str | None, typer.Option("--instrument", "-i", metavar="SYMBOL", help="Only this instrument.")
]
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", metavar="FILE", help="Configuration file; may be repeated, later files win."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override one configuration value; may be repeated."),
]
Who = Annotated[str | None, typer.Option("--who", metavar="NAME", help="Who commands. [default: the user]")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it is recorded.")]
