"""The summary as a page in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from backtest.statistics import Interval
from daemon.summary import Summary


def render(summary: Summary, console: Console) -> None:
    """Print the page: what was decided and why not traded, outcomes, learning, holds, equity, where the journal is."""
    console.print()
    console.rule(f"[bold]{summary.title}[/bold]")
    _facts(summary, console)
    _decisions(summary, console)
    _trades(summary, console)
    _learning(summary, console)
    _holds(summary, console)
    _edge(summary, console)
    for note in summary.notes:
        console.print(f"[dim]note: {note}[/dim]")
    console.print(f"journal    {summary.journal}", soft_wrap=True)
    console.print("look closer with: ratchet status | trades | decisions | outcomes | holds | verify", soft_wrap=True)


def _facts(summary: Summary, console: Console) -> None:
    ended = "" if summary.finished else "  [yellow](stopped before the end)[/yellow]"
    console.print(
        f"period     {_day(summary.first_at)} to {_day(summary.last_at)}, {summary.bars:,} bars of "
        f"{summary.instruments} instruments in {summary.elapsed_s:.1f} s ({summary.bars_per_s:,.0f} bars/s){ended}"
    )
    change = summary.equity_end - summary.equity_start
    ratio = float(change / summary.equity_start) if summary.equity_start else 0.0
    console.print(
        f"equity     {summary.equity_start:,.2f} to {summary.equity_end:,.2f} {summary.currency} ({ratio:+.2%}), "
        f"largest drawdown {_percent(summary.max_drawdown, 2)}, {summary.open_positions} positions still open"
    )


def _decisions(summary: Summary, console: Console) -> None:
    table = Table(title="Decisions: what became of every proposal", title_justify="left", box=None, pad_edge=False)
    table.add_column("outcome")
    table.add_column("reason")
    table.add_column("count", justify="right")
    for name, count in summary.decisions.items():
        outcome, _, reason = name.partition(":")
        table.add_row(outcome, reason, f"{count:,}")
    console.print()
    console.print(table)
    silent = ", ".join(f"{name} {count:,}" for name, count in summary.silent.items())
    console.print(f"[dim]bars on which nothing was proposed: {silent or 'none'}[/dim]")


def _trades(summary: Summary, console: Console) -> None:
    numbers, statistics = summary.counts, summary.statistics
    trades = statistics.trades
    console.print()
    console.print(
        f"trades     {numbers['trades_closed']:,} closed, {numbers['orders']:,} orders, {numbers['fills']:,} fills, "
        f"{numbers['outcomes']:,} outcomes (shadows included), {numbers['samples']:,} samples"
    )
    console.print(
        f"           won {_percent(trades.win_rate)}, expectancy {_signed(trades.expectancy_r)} R"
        f"{_interval(statistics.expectancy_interval)}, profit factor {_plain(trades.profit_factor)}, "
        f"Sharpe {_plain(statistics.equity.sharpe)}"
    )
    console.print(
        f"           shadows {_signed(summary.shadow_r)} R on average; a real trade less its own shadow "
        f"{_signed(summary.real_less_shadow_r)} R"
    )


def _learning(summary: Summary, console: Console) -> None:
    model = summary.model
    line = model.overall
    console.print(
        f"learning   {model.updates:,} online updates of {model.model}; log-loss of what it said at decision time "
        f"{_plain(line.log_loss)} against {_plain(line.base_rate_log_loss)} for the base rate, AUC {_plain(line.auc)}"
    )
    if summary.champion is not None:
        told = f"{summary.champion} speaks; {summary.sized_by_model} trades were sized by what a model said"
    elif model.may_speak:
        told = "nothing is deployed: it is heard, not followed"
    else:
        told = f"it passes signals through unchanged: {model.why_silent}"
    console.print(f"           {told}")
    if summary.trainings:
        console.print(f"           {summary.trainings} trainings; the last: {summary.last_training}")


def _holds(summary: Summary, console: Console) -> None:
    holds = ", ".join(f"{cause} {count}" for cause, count in summary.holds.items())
    console.print(
        f"holds      {holds or 'none'}; resumed {summary.resumed_by_simulated_operator} times by the simulated operator"
    )
    if summary.incidents:
        incidents = ", ".join(f"{kind} {count}" for kind, count in summary.incidents.items())
        console.print(f"[red]incidents  {incidents}[/red]")


def _edge(summary: Summary, console: Console) -> None:
    """The demo's own honesty: what the same market gives when nothing is planted in it."""
    without = summary.extra.get("without_edge")
    if without is None:
        return
    console.print(
        f"edge       planted {summary.extra['edge']:g}; the same run with nothing planted: "
        f"{without['trades_closed']} trades, expectancy {_signed(without['expectancy_r'])} R, "
        f"shadows {_signed(without['shadow_mean_r'])} R, equity {without['equity_change']} {summary.currency}, "
        f"log-loss {_plain(without['log_loss'])} against {_plain(without['base_rate_log_loss'])}, "
        f"AUC {_plain(without['auc'])}"
    )


def _day(text: str | None) -> str:
    return "-" if text is None else text[:16].replace("T", " ")


def _percent(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}%}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" (95% interval {interval.low:+.3f} to {interval.high:+.3f})"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
