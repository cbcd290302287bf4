"""`ratchet data`: candles of a venue into files, and what recorded files hold, before anything trades on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from daemon.cli.options import AsJson

Choice = TypeVar("Choice", bound=StrEnum)


def register(app: typer.Typer) -> None:
    """Add the verbs about data."""
    group = typer.Typer(help="Recorded market data.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(summary)
    group.command()(fetch)
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


def fetch(
    venue: Annotated[str, typer.Option("--venue", metavar="NAME", help="binance, bybit or okx.")],
    instruments: Annotated[str, typer.Option("--instruments", metavar="SYMBOL,...", help="Such as BTCUSDT,ETHUSDT.")],
    since: Annotated[datetime, typer.Option("--since", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="UTC.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for the files.")],
    until: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="UTC. [default: now]")
    ] = None,
    timeframe: Annotated[str, typer.Option("--timeframe", help="1m, 5m, 15m, 30m, 1h, 4h or 1d.")] = "1h",
    market: Annotated[str, typer.Option("--market", help="spot or linear.")] = "spot",
    base_url: Annotated[str | None, typer.Option("--base-url", help="Another host, for tests.")] = None,
    json_: AsJson = False,
) -> None:
    """Candles of a venue into files that `run --replay` plays; no key is needed. Started again it goes on."""
    from daemon.cli.output import Column, print_json, print_table  # noqa: PLC0415 - tables are not always wanted
    from daemon.fetching import Wanted  # noqa: PLC0415 - brings the venues' library
    from daemon.fetching import fetch as fetched  # noqa: PLC0415
    from domain.instruments import Timeframe  # noqa: PLC0415
    from venues.records import MarketKind  # noqa: PLC0415

    wanted = Wanted(
        venue=venue,
        market=_one_of(MarketKind, market, "--market"),
        symbols=tuple(name.strip() for name in instruments.split(",") if name.strip()),
        timeframe=_one_of(Timeframe, timeframe, "--timeframe"),
        since=since.replace(tzinfo=UTC),
        until=None if until is None else until.replace(tzinfo=UTC),
        folder=out,
        base_url=base_url,
    )
    files = fetched(wanted, _progress)
    if json_:
        print_json({"folder": out, "files": [asdict(each) for each in files]})
        return
    columns = [Column("instrument"), Column("bars", number=True), Column("new", number=True), Column("file")]
    rows = ((each.symbol, str(each.bars), str(each.new), each.path.name) for each in files)
    print_table(f"candles in {out}", columns, rows)


def _progress(symbol: str, done: int, total: int) -> None:
    typer.echo(f"{symbol}: {done:,} of {total:,} bars", err=True)


def _one_of(kind: type[Choice], text: str, option: str) -> Choice:
    try:
        return kind(text)
    except ValueError:
        allowed = ", ".join(str(each) for each in kind)
        raise typer.BadParameter(f"{text!r} is none of {allowed}", param_hint=option) from None


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    gaps = row["gaps"]
    missing = "-" if gaps is None else f"{gaps['count']} ({gaps['bars']} bars)"
    rejected = ", ".join(f"{kind} {count}" for kind, count in row["rejected"].items()) or "-"
    notes = "; ".join(note for note in (row["error"], *row["notes"]) if note) or "-"
    counts = (str(row["rows"]), str(row["bars"]))
    span = tuple("-" if row[end] is None else str(row[end])[:16].replace("T", " ") for end in ("start", "end"))
    return (str(row["file"]), str(row["class"]), str(row["timeframe"]), *counts, *span, missing, rejected, notes)
