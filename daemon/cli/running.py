"""Verbs that run the daemon: demo, run (live or a replay), check."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.options import AsJson, ConfigFiles, Settings, StateDirectory
from domain.errors import ConfigurationRefused

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.options import ReplayOptions
    from daemon.summary import Summary

PANEL = "Running"
REFUSED = 78


class OperatorName(StrEnum):
    """Who resumes after a latched hold: a declared simulation, or nobody."""

    SIMULATED = "simulated"
    NONE = "none"


def register(app: typer.Typer) -> None:
    """Add the verbs that run the daemon."""
    for verb in (demo, run, check):
        app.command(rich_help_panel=PANEL)(verb)


Instruments = Annotated[str | None, typer.Option("--instruments", metavar="A,B,...", help="Only these instruments.")]
MetricsPort = Annotated[int | None, typer.Option("--metrics-port", min=0, max=65535, help="Serve /metrics there.")]
ApiPort = Annotated[int | None, typer.Option("--api-port", min=0, max=65535, help="Serve the API there.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random.")]
Replay = Annotated[Path | None, typer.Option("--replay", metavar="DIR", help="Recorded candles instead of now.")]
TimeframeOption = Annotated[str | None, typer.Option("--timeframe", metavar="1m|...|1d", help="Length of a bar.")]
Speed = Annotated[str, typer.Option("--speed", metavar="max|N", help="Simulated seconds a second.")]
Currency = Annotated[str | None, typer.Option("--currency", help="Account currency.")]
Cash = Annotated[str | None, typer.Option("--cash", metavar="AMOUNT", help="Starting cash.")]
Series = Annotated[list[str] | None, typer.Option("--series", metavar="SYMBOL=SERIES", help="Which of several.")]
AssetClassOption = Annotated[str | None, typer.Option("--class", help="crypto, forex, metal or equity.")]
Start = Annotated[str | None, typer.Option("--start", metavar="TIME", help="First moment, UTC.")]
End = Annotated[str | None, typer.Option("--end", metavar="TIME", help="Last moment, UTC.")]
MaxBars = Annotated[int | None, typer.Option("--max-bars", min=1, help="At most so many of each.")]
Calendar = Annotated[Path | None, typer.Option("--calendar", metavar="FILE", help="Economic calendar.")]
Headlines = Annotated[Path | None, typer.Option("--headlines", metavar="FILE", help="Headlines.")]
External = Annotated[Path | None, typer.Option("--external", metavar="FILE", help="Point-in-time columns.")]
Operator = Annotated[OperatorName, typer.Option("--operator", help="Who resumes after a latched hold.")]


def demo(
    instruments: Annotated[
        int, typer.Option("--instruments", min=1, max=50, help="How many simulated instruments.")
    ] = 10,
    bars: Annotated[int, typer.Option("--bars", min=200, max=1_000_000, help="Bars of each.")] = 2_000,
    seed: Seed = None,
    edge: Annotated[float | None, typer.Option("--edge", min=0, max=1, help="Strength of the planted edge.")] = None,
    compare: Annotated[bool, typer.Option("--compare/--no-compare", help="Run it again with the edge at zero.")] = True,
    operator: Operator = OperatorName.SIMULATED,
    state: StateDirectory = None,
    metrics_port: MetricsPort = None,
    api_port: ApiPort = None,
    set_: Settings = None,
    json_: AsJson = False,
) -> None:
    """The whole daemon on the embedded simulated market: no account, no network."""
    from daemon.config import load  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.demo import run_demo  # noqa: PLC0415
    from daemon.options import DemoOptions  # noqa: PLC0415

    config = load(environ=os.environ, flags=set_ or []).config
    _prepare(config, quietly=True)
    options = DemoOptions(
        config=config,
        instruments=instruments,
        bars=bars,
        seed=config.feed.seed if seed is None else seed,
        edge=config.feed.edge if edge is None else edge,
        compare_edge_zero=compare,
        state=state,
        metrics_port=metrics_port,
        api_port=api_port,
        simulated_operator=operator is OperatorName.SIMULATED,
        quiet=json_ or not sys.stderr.isatty(),
    )
    _present(run_demo(options, dict(os.environ)), json_)


def run(
    context: typer.Context,
    config: ConfigFiles = None,
    replay: Replay = None,
    timeframe: TimeframeOption = None,
    speed: Speed = "max",
    currency: Currency = None,
    cash: Cash = None,
    series: Series = None,
    asset_class: AssetClassOption = None,
    instruments: Instruments = None,
    start: Start = None,
    end: End = None,
    max_bars: MaxBars = None,
    calendar: Calendar = None,
    headlines: Headlines = None,
    external: External = None,
    operator: Operator = OperatorName.SIMULATED,
    seed: Seed = None,
    state: StateDirectory = None,
    metrics_port: MetricsPort = None,
    api_port: ApiPort = None,
    set_: Settings = None,
    json_: AsJson = False,
) -> None:
    """The daemon: live with a configuration, or on recorded real candles with --replay."""
    from daemon.config import load  # noqa: PLC0415 - other verbs do not pay for it

    given = context.params
    if replay is not None:
        # A live feed's own settings do not matter here: the folder replaces it.
        loaded = load(config or [], environ=os.environ, flags=set_ or []).config
        _run_replay(_replay_options(given, loaded), json_)
        return
    if not config:
        raise typer.BadParameter("give a configuration, or candles with --replay DIR", param_hint="--config")
    flags = [*(set_ or []), *_live_flags(given)]
    raise typer.Exit(_run_live(load(config, environ=os.environ, flags=flags).config, state))


def _replay_options(given: Mapping[str, Any], config: Config) -> ReplayOptions:
    """What the flags of `run --replay` ask for; the configuration answers where they say nothing."""
    from daemon.options import ReplayOptions  # noqa: PLC0415 - other verbs do not pay for it

    return ReplayOptions(
        folder=given["replay"],
        timeframe=_timeframe(given["timeframe"] or config.feed.timeframe),
        config=config,
        speed=_speed(given["speed"]),
        currency=given["currency"],
        cash=_cash(given["cash"]),
        series=_series(given["series"] or []) or config.feed.series,
        asset_class=given["asset_class"] or config.feed.asset_class,
        instruments=_names(given["instruments"]) or config.feed.instruments,
        start=_moment(given["start"], "--start"),
        end=_moment(given["end"], "--end"),
        max_bars=given["max_bars"],
        calendar=given["calendar"] or config.sentiment.calendar,
        headlines=given["headlines"] or config.sentiment.headlines,
        external=given["external"],
        simulated_operator=given["operator"] is OperatorName.SIMULATED,
        seed=config.feed.seed if given["seed"] is None else given["seed"],
        state=given["state"],
        metrics_port=given["metrics_port"],
        api_port=given["api_port"],
        quiet=given["json_"] or not sys.stderr.isatty(),
    )


def check(
    config: ConfigFiles = None, set_: Settings = None, state: StateDirectory = None, json_: AsJson = False
) -> None:
    """What would keep the daemon from running safely: a table; exit 78 when anything is refused."""
    from daemon.check import run_checks  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.output import Column, print_json, print_table  # noqa: PLC0415
    from daemon.config import load  # noqa: PLC0415

    loaded = load(config or [], environ=os.environ, flags=set_ or [])
    rows = run_checks(loaded.config, environ=os.environ, state=state)
    refused = any(row.ok is False for row in rows)
    if json_:
        print_json({"ok": not refused, "checks": rows})
    else:
        marks = {True: "ok", False: "REFUSED", None: "note"}
        columns = [Column("check"), Column("result"), Column("detail")]
        print_table("checks", columns, ((row.name, marks[row.ok], row.detail) for row in rows))
    if refused:
        raise typer.Exit(REFUSED)


def _run_live(config: Config, state: Path | None) -> int:
    if config.operator.simulated:
        raise ConfigurationRefused("operator.simulated is true; a live run never has a simulated operator")
    from daemon.service import run_live  # noqa: PLC0415 - other verbs do not pay for it

    _prepare(config)
    given = {} if state is None else {"STATE_DIRECTORY": str(state.absolute())}
    return run_live(config, {**os.environ, **given})


def _run_replay(options: ReplayOptions, json_: bool) -> None:
    from daemon.replay import run_replay  # noqa: PLC0415 - other verbs do not pay for it

    _prepare(options.config, quietly=True)
    _present(run_replay(options, dict(os.environ)), json_)


def _present(summary: Summary, json_: bool) -> None:
    from daemon.cli.output import console, print_json  # noqa: PLC0415 - other verbs do not pay for it

    if json_:
        print_json(summary.to_json())
        return
    from daemon.summary_page import render  # noqa: PLC0415 - other verbs do not pay for it

    render(summary, console())


def _prepare(config: Config, *, quietly: bool = False) -> None:
    """What a long run needs of the process: the collector, which `main` switched off, and logs as configured.

    `quietly` keeps what a replay logs by the thousand out of the progress bar's way.
    """
    from daemon.logs import configure_logs  # noqa: PLC0415 - other verbs do not pay for it

    gc.freeze()  # modules stay until the end: walking them over and over costs a fifth of the start
    gc.enable()
    level = "warning" if quietly and config.logs.level == "info" else config.logs.level
    configure_logs(level=level, format_=config.logs.format, queued=not quietly)


def _live_flags(given: Mapping[str, Any]) -> list[str]:
    """The flags of a live run as configuration keys."""
    keys = {
        "feed.timeframe": "timeframe",
        "account.currency": "currency",
        "account.starting_cash": "cash",
        "feed.class": "asset_class",
        "feed.instruments": "instruments",
        "feed.seed": "seed",
        "metrics.port": "metrics_port",
        "api.port": "api_port",
    }
    return [f"{key}={given[name]}" for key, name in keys.items() if given[name] is not None]


def _timeframe(name: str) -> Any:
    from domain.instruments import Timeframe  # noqa: PLC0415 - brings numpy

    try:
        return Timeframe(name)
    except ValueError:
        allowed = ", ".join(timeframe.value for timeframe in Timeframe)
        raise typer.BadParameter(f"{name!r} is not one of {allowed}", param_hint="--timeframe") from None


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise typer.BadParameter(f"{text!r} is neither max nor a number above 0", param_hint="--speed")
    return speed


def _cash(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(0)
    if not (value.is_finite() and value > 0):
        raise typer.BadParameter(f"{text!r} is not an amount above 0", param_hint="--cash")
    return value


def _series(pairs: Sequence[str]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for pair in pairs:
        symbol, separator, name = pair.partition("=")
        if not (symbol and separator and name):
            raise typer.BadParameter(f"{pair!r} is not SYMBOL=SERIES", param_hint="--series")
        chosen[symbol] = name
    return chosen


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def _moment(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        if len(text) == len("2023-01-31"):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time such as 2023-01-31 or 2023-01-31T06:00Z", param_hint=option
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
