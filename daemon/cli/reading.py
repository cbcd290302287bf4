"""Verbs that say how the account stands now: status, positions, holds, equity, verify."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from daemon.cli.options import AccountName, AsJson, JournalPath, Limit, StateDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.paths import DaemonAddress
    from domain.holds import Hold
    from domain.records import EquityPoint, Scan
    from journal import Journal

PANEL = "Reading the journal"


def register(app: typer.Typer) -> None:
    """Add the verbs that read how things stand."""
    for verb in (status, positions, holds, equity, verify):
        app.command(rich_help_panel=PANEL)(verb)


def status(
    account: AccountName = None, state: StateDirectory = None, journal: JournalPath = None, json_: AsJson = False
) -> None:
    """How the account stands: equity, positions, holds in force, what was decided and why not."""
    from daemon.cli.output import print_facts, print_json  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, daemon_beside, opened  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (path, read):
        standing = _standing(path, read, daemon_beside(path))
    if json_:
        print_json(standing)
    else:
        print_facts(_status_lines(standing))


def positions(
    all_: bool = typer.Option(False, "--all", help="Closed ones too."),
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """Open positions: sums of fills, with what they cost so far."""
    from daemon.cli.output import Column, amount, decimal_text, moment, price, print_json, print_table  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (path, read):
        found = read.read.positions(open_only=not all_)
    if json_:
        print_json({"journal": path, "positions": found})
        return
    columns = [
        *(Column("instrument"), Column("side"), Column("quantity", number=True), Column("entry", number=True)),
        *(Column("realized", number=True), Column("fees", number=True), Column("opened (UTC)")),
    ]
    rows = (
        (
            *(held.instrument, held.side.value, decimal_text(held.quantity), price(held.entry_price)),
            *(amount(held.realized), amount(held.fees), moment(held.opened_at)),
        )
        for held in found
    )
    print_table(f"positions in {path}", columns, rows)


def holds(
    all_: bool = typer.Option(False, "--all", help="Cleared ones too."),
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """What keeps the account from trading, since when, and how it ends."""
    from daemon.cli.output import Column, moment, print_json, print_table  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (path, read):
        found = list(read.read.holds(uncleared_only=not all_))
        as_of = _as_of(read)
    if not all_:
        found = [hold for hold in found if as_of is None or hold.in_force(as_of)]
    if json_:
        print_json({"journal": path, "as_of": as_of, "holds": found})
        return
    columns = [Column(title) for title in ("cause", "effect", "scope", "since (UTC)", "ends", "detail")]
    rows = (
        (
            *(hold.cause.value, hold.effect.label, hold.scope or "all", moment(hold.since)),
            *(_ending(hold), hold.detail),
        )
        for hold in found
    )
    print_table(f"holds as of {moment(as_of)} in {path}", columns, rows)


def equity(
    limit: Limit = 20,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """The account's worth over time, newest first, in account currency."""
    from daemon.cli.output import Column, amount, moment, percent, print_json, print_table  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (path, read):
        points = read.read.equity(limit=limit, newest_first=True)
    if json_:
        print_json({"journal": path, "equity": points})
        return
    names = ("equity", "balance", "floating", "peak", "drawdown", "exposure", "open")
    rows = (
        (
            *(moment(point.at), amount(point.equity), amount(point.balance), amount(point.floating)),
            *(amount(point.peak), percent(point.drawdown), amount(point.exposure), str(point.open_positions)),
        )
        for point in points
    )
    print_table(f"equity in {path}", [Column("at (UTC)"), *(Column(name, number=True) for name in names)], rows)


def verify(
    account: AccountName = None, state: StateDirectory = None, journal: JournalPath = None, json_: AsJson = False
) -> None:
    """Check every identity of the journal (position = sum of fills, cash = ledger, ...) and print its digests."""
    from daemon.cli.output import Column, print_facts, print_json, print_table  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, opened  # noqa: PLC0415
    from journal.verify import verify as verify_journal  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (path, read):
        result = verify_journal(read)
    if json_:
        print_json({"journal": path, "ok": result.ok, "checks": result.checks, "digest": result.digest})
    else:
        rows = ((check.name, "ok" if check.ok else "BROKEN", check.detail) for check in result.checks)
        print_table(f"checks of {path}", [Column("check"), Column("result"), Column("detail")], rows)
        print_facts((f"digest of {name}", value) for name, value in dict(result.digest).items())
    if not result.ok:
        raise typer.Exit(1)


def _standing(path: Path, journal: Journal, daemon: DaemonAddress | None) -> dict[str, Any]:
    from learning.challenger import RETRAINING_KEY  # noqa: PLC0415 - other verbs do not pay for it

    read = journal.read
    points = list(read.equity(limit=1, newest_first=True))
    scan = read.last_scan()
    as_of = _latest(scan, points[0] if points else None)
    retrained = read.state(RETRAINING_KEY)
    return {
        "account": path.parent.name,
        "journal": path,
        "daemon": None if daemon is None else {"pid": daemon.pid, "api": daemon.api, "started_at": daemon.started_at},
        "as_of": as_of,
        "equity": points[0] if points else None,
        "positions": [held.instrument for held in read.positions(open_only=True)],
        "open_orders": len(list(read.orders(open_only=True))),
        "holds": [hold for hold in read.holds(uncleared_only=True) if as_of is None or hold.in_force(as_of)],
        "last_scan": scan,
        "counts": read.counts(),
        "reasons": read.reason_counts(),
        "bars_without_proposal": read.scan_reason_totals(),
        "drawdown_retraining": None if retrained is None else json.loads(retrained)[-1],
    }


def _status_lines(standing: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from daemon.cli.output import NOTHING, amount, moment, percent  # noqa: PLC0415 - other verbs do not pay for it

    daemon, point, scan = standing["daemon"], standing["equity"], standing["last_scan"]
    yield "account", standing["account"]
    yield "journal", str(standing["journal"])
    yield "daemon", "not running" if daemon is None else f"process {daemon['pid']}, since {daemon['started_at']}"
    yield "as of", moment(standing["as_of"])
    if point is not None:
        worth = f"{amount(point.equity)} (peak {amount(point.peak)}, drawdown {percent(point.drawdown)})"
        yield "equity", f"{worth}, exposure {amount(point.exposure)}"
    yield "positions", ", ".join(standing["positions"]) or NOTHING
    yield "open orders", str(standing["open_orders"])
    yield "holds", "; ".join(_grouped(standing["holds"])) or "none"
    if scan is not None:
        yield "last scan", f"{moment(scan.at)}, {scan.bars} bars of {scan.timeframe.value}, {scan.decisions} decisions"
    yield "journaled", ", ".join(f"{count} {name}" for name, count in standing["counts"].items() if count) or NOTHING
    yield "decided", _counted(standing["reasons"])
    yield "not proposed", _counted(standing["bars_without_proposal"])
    if standing["drawdown_retraining"] is not None:
        yield "retrained", _retrained(standing["drawdown_retraining"])


def _retrained(newest: Mapping[str, Any]) -> str:
    return str(newest.get("sentence") or f"{newest['cause']} of {newest['since']}: a challenger is to be trained")


def _grouped(holds: Sequence[Hold]) -> Iterator[str]:
    """Holds in words, those that differ only in their instrument together."""
    scopes: dict[tuple[str, str, str], list[str]] = {}
    for hold in holds:
        scopes.setdefault((hold.cause.value, hold.effect.label, _ending(hold)), []).append(hold.scope or "all")
    for (cause, effect, ending), names in scopes.items():
        where = names[0] if len(names) == 1 else f"{len(names)} instruments"
        yield f"{cause}: {effect} ({where}, {ending})"


def _counted(counts: Mapping[str, int]) -> str:
    from daemon.cli.output import NOTHING  # noqa: PLC0415 - other verbs do not pay for it

    return ", ".join(f"{name} {count}" for name, count in list(counts.items())[:12]) or NOTHING


def _as_of(journal: Journal) -> datetime | None:
    points = list(journal.read.equity(limit=1, newest_first=True))
    return _latest(journal.read.last_scan(), points[0] if points else None)


def _latest(scan: Scan | None, point: EquityPoint | None) -> datetime | None:
    """The journal's own present: a replay's lies in the past, and nothing is in force by today's clock there."""
    return max((fact.at for fact in (scan, point) if fact is not None), default=None)


def _ending(hold: Hold) -> str:
    from daemon.cli.output import moment  # noqa: PLC0415 - other verbs do not pay for it

    if hold.cleared_at is not None:
        by = " (simulated)" if hold.simulated else ""
        return f"cleared {moment(hold.cleared_at)} by {hold.cleared_by}{by}: {hold.cleared_why}"
    if hold.until is not None:
        return f"until {moment(hold.until)}"
    return "until a person resumes" if hold.latched else f"when {hold.condition}"
