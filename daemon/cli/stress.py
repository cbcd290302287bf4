"""The verb that stresses the daemon: a market as it was, and under each scenario."""

from __future__ import annotations

import gc
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import AsJson, ConfigFiles, Settings, StateDirectory
from daemon.cli.running import PANEL, AssetClassOption, Currency, Instruments, Seed, TimeframeOption
from domain.errors import Impossible

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.stress import StressSummary
    from daemon.stress_report import StressReport
    from domain.instruments import Timeframe

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z"]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(rich_help_panel=PANEL)(stress)


def stress(
    scenario: Annotated[
        str, typer.Option("--scenario", metavar="all|NAME[,NAME]", help="What happens to the market.")
    ] = "all",
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Recorded candles.")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="The simulated market (the default).")] = False,
    config: ConfigFiles = None,
    timeframe: TimeframeOption = None,
    instruments: Instruments = None,
    bars: Annotated[int, typer.Option("--bars", min=200, max=1_000_000, help="At most so many of each.")] = 1_500,
    start: Annotated[
        datetime | None, typer.Option("--start", metavar="TIME", formats=TIMES, help="First moment, UTC.")
    ] = None,
    asset_class: AssetClassOption = None,
    currency: Currency = None,
    at: Annotated[
        datetime | None,
        typer.Option("--at", metavar="TIME", formats=TIMES, help="When it happens, UTC. [default: when most is held]"),
    ] = None,
    seed: Seed = None,
    state: StateDirectory = None,
    set_: Settings = None,
    json_: AsJson = False,
) -> None:
    """The whole daemon under stress: what the breakers did, how fast, and the worst loss. Nobody resumes."""
    if data is not None and simulated:
        raise typer.BadParameter("give either --data DIR or --simulated", param_hint="--simulated")
    from daemon.config import load  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.stress import run_stress  # noqa: PLC0415
    from daemon.stress_market import StressOptions  # noqa: PLC0415
    from market.stress import scenarios_named  # noqa: PLC0415

    loaded = load(config or [], environ=os.environ, flags=set_ or []).config
    options = StressOptions(
        scenarios=scenarios_named(scenario),
        config=loaded,
        folder=data,
        timeframe=_timeframe(timeframe) or loaded.feed.timeframe,
        instruments=_names(instruments) or loaded.feed.instruments,
        bars=bars,
        start=_utc(start),
        asset_class=asset_class,
        currency=currency,
        at=_utc(at),
        seed=loaded.feed.seed if seed is None else seed,
        state=state,
        quiet=json_ or not sys.stderr.isatty(),
    )
    _prepare(loaded)
    _present(run_stress(options, dict(os.environ)), json_)


def _prepare(config: Config) -> None:
    """What a long run needs: the collector, which `main` switched off, and warnings only among the progress."""
    from daemon.logs import configure_logs  # noqa: PLC0415 - other verbs do not pay for it

    gc.freeze()
    gc.enable()
    level = "warning" if config.logs.level == "info" else config.logs.level
    configure_logs(level=level, format_=config.logs.format, queued=False)


def _timeframe(name: str | None) -> Timeframe | None:
    if name is None:
        return None
    from domain.instruments import Timeframe  # noqa: PLC0415 - brings numpy

    if name not in [timeframe.value for timeframe in Timeframe]:
        allowed = ", ".join(timeframe.value for timeframe in Timeframe)
        raise typer.BadParameter(f"{name!r} is not one of {allowed}", param_hint="--timeframe")
    return Timeframe(name)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def _utc(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _present(summary: StressSummary, json_: bool) -> None:
    from daemon.cli.output import print_json  # noqa: PLC0415 - other verbs do not pay for it

    if json_:
        print_json(summary.to_json())
    else:
        _tables(summary)
    if summary.faults:
        more = f" (and {len(summary.faults) - 1} more)" if len(summary.faults) > 1 else ""
        raise Impossible(f"the stress run broke a promise: {summary.faults[0]}{more}")


def _tables(summary: StressSummary) -> None:
    from daemon.cli.output import Column, amount, figure, moment, percent, print_facts, print_table  # noqa: PLC0415 - other verbs do not pay for it

    held = ", ".join(f"{symbol} {percent(share, 1)}" for symbol, share in summary.exposure.items()) or "nothing"
    print_facts(
        [
            ("market", f"{summary.source} {summary.timeframe.value}, {summary.bars:,} bars, seed {summary.seed}"),
            ("instruments", ", ".join(summary.instruments)),
            ("moment", f"{moment(summary.moment)}, held then as shares of equity: {held}"),
            *(("left out", sentence) for sentence in summary.left_out),
        ]
    )
    reports = (summary.baseline, *summary.reports)
    columns = [
        *(Column("scenario"), Column("worst loss", number=True), Column(summary.currency, number=True)),
        *(Column("drawdown", number=True), Column("worst R", number=True), Column("entries", number=True)),
        *(Column("orders", number=True), Column("fills", number=True), Column("bare", number=True)),
        *(Column("verify"), Column("holds that fired: bars after the moment (* latched)"), Column("denied after it")),
    ]
    rows = (
        (
            *(each.scenario, percent(each.worst_loss), amount(each.worst_loss_amount), percent(each.max_drawdown)),
            *(figure(each.worst_trade_r, 2, signed=True), str(each.entries), str(each.orders), str(each.fills)),
            *(str(each.positions_without_stop), "ok" if each.verify else "FAILED", _fired(each), _denied(each)),
        )
        for each in reports
    )
    print_table("stress", columns, rows)
    again = (
        (each.scenario, moment(each.resumed.at), each.resumed.why, ", ".join(each.resumed.held_at_end) or "nothing")
        for each in reports
    )
    columns = [Column("scenario"), Column("next entry (UTC)"), Column("why"), Column("held at the end by")]
    print_table("trading again", columns, again)


def _fired(report: StressReport) -> str:
    return ", ".join(f"{each.cause} {each.after_bars}{'*' if each.latched else ''}" for each in report.fired) or "none"


def _denied(report: StressReport) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in report.denied.items()) or "none"
