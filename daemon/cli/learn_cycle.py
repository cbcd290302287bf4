"""The verbs of the learning cycle: samples from backtests, how learning stands, a training when one is called for."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.learn_output import configured, print_training, teller
from daemon.cli.options import AccountName, AsJson, ConfigFiles, JournalPath, Settings, StateDirectory, Who
from daemon.cli.running import (
    AssetClassOption,
    Calendar,
    Currency,
    External,
    Headlines,
    Instruments,
    MaxBars,
    TimeframeOption,
)
from daemon.cli.stress import TIMES

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.cycles import Account
    from daemon.paths import DaemonAddress
    from domain.instruments import Timeframe

A_PERSON = "a person asked"
LONGEST_WHY = 500
"""Characters of a reason that the daemon takes."""

Time = Annotated[datetime | None, typer.Option(metavar="TIME", formats=TIMES, help="UTC.")]
WhyOptional = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it is recorded.", show_default=A_PERSON)]


def register_cycle(group: typer.Typer) -> None:
    """Add these verbs to those about learning."""
    for verb in (accumulate, status, retrain, cycle):
        group.command()(verb)


def accumulate(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Recorded candles.")],
    timeframe: TimeframeOption = None,
    instruments: Instruments = None,
    asset_class: AssetClassOption = None,
    currency: Currency = None,
    start: Time = None,
    end: Time = None,
    max_bars: MaxBars = None,
    calendar: Calendar = None,
    headlines: Headlines = None,
    external: External = None,
    config: ConfigFiles = None,
    set_: Settings = None,
    state: StateDirectory = None,
    json_: AsJson = False,
) -> None:
    """Collect samples from a backtest over recorded candles, for the trainings of the configured account."""
    from daemon.cli.output import print_json  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.learn.accumulate import accumulate as accumulated  # noqa: PLC0415
    from daemon.options import ReplayOptions  # noqa: PLC0415

    loaded = configured(config, set_)
    options = ReplayOptions(
        folder=data,
        timeframe=_timeframe(timeframe) or loaded.feed.timeframe,
        config=loaded,
        currency=currency,
        series=loaded.feed.series,
        asset_class=asset_class or loaded.feed.asset_class,
        instruments=_names(instruments) or loaded.feed.instruments,
        start=_utc(start),
        end=_utc(end),
        max_bars=max_bars,
        calendar=calendar or loaded.sentiment.calendar,
        headlines=headlines or loaded.sentiment.headlines,
        external=external,
        seed=loaded.feed.seed,
        state=state,
        quiet=json_ or not sys.stderr.isatty(),
    )
    _prepare(loaded)
    done = accumulated(options, dict(os.environ))
    if json_:
        print_json(done)
    else:
        _print_accumulated(done)


def status(
    config: ConfigFiles = None,
    set_: Settings = None,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """Who speaks, what there is to learn from, what came of the last training, and when the next one is."""
    from daemon.cli.output import print_facts, print_json  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.target import Target, daemon_beside, opened  # noqa: PLC0415
    from daemon.clock import LiveClock  # noqa: PLC0415
    from daemon.learn.status import status_of  # noqa: PLC0415

    loaded = configured(config, set_)
    if config and account is None and journal is None:
        account = _account(loaded, state).folder.name
    with opened(Target(journal=journal, account=account, state=state)) as (path, open_journal):
        found = status_of(open_journal.read, _account(loaded, state, path.parent), LiveClock().now())
    daemon = daemon_beside(path)
    standing = {
        "account": path.parent.name,
        "journal": path,
        "daemon": None if daemon is None else {"pid": daemon.pid, "started_at": daemon.started_at},
        **found,
    }
    if json_:
        print_json(standing)
    else:
        print_facts(_status_lines(standing))


def retrain(
    force: Annotated[bool, typer.Option("--force", help="Also when next to nothing is new.")] = False,
    why: WhyOptional = A_PERSON,
    who: Who = None,
    config: ConfigFiles = None,
    set_: Settings = None,
    state: StateDirectory = None,
    json_: AsJson = False,
) -> None:
    """Train on what has come in: the running daemon does it, or this command where none runs."""
    from daemon.cli.client import user_name  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.output import print_json  # noqa: PLC0415
    from daemon.clock import LiveClock  # noqa: PLC0415
    from daemon.learn.account import opened_account  # noqa: PLC0415
    from daemon.learn.ask import shortage, train_now  # noqa: PLC0415
    from domain.errors import Refused  # noqa: PLC0415

    loaded, by, cause = configured(config, set_), who or user_name(), why.strip() or A_PERSON
    daemon = _daemon(loaded, state)
    if daemon is not None:
        show = print_json if json_ else _print_pairs
        show(_ask(daemon, by, cause, force=force))
        return
    with opened_account(loaded, os.environ, state) as opened:
        short = "" if force else shortage(opened.journal.read, opened.account)
        if short:
            raise Refused(short)
        answer = train_now(opened, cause=cause, by=by, now=LiveClock().now(), told=teller(quiet=json_))
    if json_:
        print_json(answer)
    else:
        print_training(answer)


def cycle(
    who: Who = None,
    config: ConfigFiles = None,
    set_: Settings = None,
    state: StateDirectory = None,
    json_: AsJson = False,
) -> None:
    """One learning cycle: look over the samples, see what calls for a training, and train if something does."""
    from daemon.cli.client import user_name  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.cli.output import print_json  # noqa: PLC0415

    loaded, by = configured(config, set_), who or user_name()
    daemon = _daemon(loaded, state)
    if daemon is None:
        done = _cycle_here(loaded, state, by, quiet=json_)
    else:
        done = _cycle_asked(loaded, state, by, daemon, quiet=json_)
    if json_:
        print_json(done)


# -- the parts ------------------------------------------------------------------------------------------------


def _cycle_here(loaded: Config, state: Path | None, by: str, *, quiet: bool) -> dict[str, Any]:
    """A cycle of an account whose daemon does not run."""
    from daemon.clock import LiveClock  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.learn.account import opened_account  # noqa: PLC0415
    from daemon.learn.ask import decide, train_now  # noqa: PLC0415

    now = LiveClock().now()
    with opened_account(loaded, os.environ, state) as opened:
        decided = decide(opened.journal.read, opened.account, now)
        found = {**decided.document(), "training": None}
        if not quiet:
            _print_decided(found)
        if not decided.trains:
            return found
        training = train_now(opened, cause=decided.told, by=by, now=now, told=teller(quiet=quiet))
    if not quiet:
        print_training(training)
    return {**found, "training": training}


def _cycle_asked(loaded: Config, state: Path | None, by: str, daemon: DaemonAddress, *, quiet: bool) -> dict[str, Any]:
    """A cycle of an account whose daemon runs: looked at here, trained there."""
    from daemon.clock import LiveClock  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.learn.ask import decide  # noqa: PLC0415
    from daemon.paths import JOURNAL  # noqa: PLC0415
    from journal.journal import Journal  # noqa: PLC0415

    account = _account(loaded, state)
    with (
        Journal.open(loaded.journal.url or account.folder / JOURNAL, read_only=True) as journal,
        journal.read.snapshot(),
    ):
        decided = decide(journal.read, account, LiveClock().now())
    found = {**decided.document(), "training": None}
    if not quiet:
        _print_decided(found)
    if not decided.trains:
        return found
    asked = _ask(daemon, by, decided.told[:LONGEST_WHY], force=False)
    if not quiet:
        _print_pairs(asked)
    return {**found, "training": asked}


def _ask(daemon: DaemonAddress, by: str, why: str, *, force: bool) -> dict[str, Any]:
    from daemon.cli.client import command  # noqa: PLC0415 - other verbs do not pay for it

    return command(daemon, "learn/retrain", {"who": by, "why": why, "force": str(force).lower()})


def _daemon(loaded: Config, state: Path | None) -> DaemonAddress | None:
    """The daemon that runs on the configured account now; None when none does."""
    from daemon.learn.account import learning_paths  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.paths import DaemonAddress  # noqa: PLC0415
    from signals.features import SCHEMA_HASH  # noqa: PLC0415

    address = DaemonAddress.read(learning_paths(loaded, os.environ, state, SCHEMA_HASH).daemon)
    return address if address is not None and address.alive else None


def _account(loaded: Config, state: Path | None, folder: Path | None = None) -> Account:
    """The configured account, or the one in `folder`."""
    from daemon.cycles import Account  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.learn.account import learning_paths  # noqa: PLC0415
    from signals.features import SCHEMA_HASH  # noqa: PLC0415

    place = folder or learning_paths(loaded, os.environ, state, SCHEMA_HASH).folder
    return Account(folder=place, config=loaded, schema=SCHEMA_HASH, bar=loaded.feed.timeframe.span)


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


# -- for people -----------------------------------------------------------------------------------------------


def _print_accumulated(done: Mapping[str, Any]) -> None:
    from daemon.cli.output import Column, figure, percent, print_facts, print_table  # noqa: PLC0415 - as above

    winners = f"{done['winners']:,} winners, {percent(done['win_rate'], 1)}"
    print_facts(
        [
            ("account", done["account"]),
            ("samples", f"{done['samples']:,} ({winners})"),
            ("mean R", figure(done["mean_r"], 3, signed=True)),
            ("decided", f"{done['from'][:16]} to {done['to'][:16]}"),
            ("file", done["file"] if done["new"] else f"{done['file']} (these samples were there already)"),
            *(("note", note) for note in done["notes"]),
        ]
    )
    columns = [Column("instrument"), Column("samples", number=True)]
    print_table("samples by instrument", columns, ((name, f"{n:,}") for name, n in done["instruments"].items()))


def _print_decided(found: Mapping[str, Any]) -> None:
    from daemon.cli.output import print_facts  # noqa: PLC0415 - as above

    print_facts(
        [
            ("samples", f"{found['samples']:,} in the window, {found['new']:,} new"),
            ("quality", _quality_told(found["quality"])),
            *(("calls for it", each["reason"]) for each in found["triggers"]),
            ("decided", found["decided"]),
        ]
    )


def _print_pairs(answer: Mapping[str, Any]) -> None:
    from daemon.cli.output import in_words, print_facts  # noqa: PLC0415 - as above

    print_facts((name, in_words(value)) for name, value in answer.items())


def _quality_told(quality: Mapping[str, Any]) -> str:
    from daemon.cli.output import percent  # noqa: PLC0415 - as above

    if quality["ok"]:
        classes = f"{quality['winners']:,} winners, {quality['losers']:,} losers"
        return f"good enough: {classes}, {percent(quality['missing'], 1)} missing"
    return "; ".join(quality["faults"])


def _status_lines(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from daemon.cli.output import NOTHING  # noqa: PLC0415 - as above

    daemon, samples, training = found["daemon"], found["samples"], found["last_training"]
    yield "account", found["account"]
    yield "daemon", "not running" if daemon is None else f"process {daemon['pid']}, since {daemon['started_at']}"
    yield "champion", _champion(found)
    yield "challenger", found["challenger"] or NOTHING
    if found["champion"] is not None:
        yield "rollback to", found["previous"] or "unfiltered trading"
    yield (
        "samples",
        f"{samples['in_window']:,} to learn from: {samples['own']:,} own, {samples['collected']:,} collected",
    )
    yield "new", f"{samples['new']:,} since the last training"
    yield "quality", _quality_told(found["quality"])
    yield "last training", NOTHING if training is None else f"{_minute(training['at'])}: {training['told']}"
    if found["under_way"] is not None:
        yield "under way", f"{found['under_way']['cause']}, asked for {_minute(found['under_way']['at'])}"
    yield "next", _minute(found["next_retraining"]) if found["next_retraining"] else "no retraining is scheduled"
    verdict = found["last_verdict"]
    yield "last verdict", NOTHING if verdict is None else f"{_minute(verdict['at'])}: {verdict['told']}"
    yield "next verdict", f"from {_minute(found['next_verdict_from'])}" if found["next_verdict_from"] else "any time"
    for hold in found["holds"]:
        yield "hold", f"{hold['effect']} since {_minute(hold['since'])} until {hold['until']}: {hold['detail']}"
    for finding in found["drift"]:
        yield "drift", f"{_minute(finding['at'])} {finding['detector']} on {finding['stream']}: {finding['told']}"
    if not found["drift"]:
        yield "drift", "none found in 30 days"


def _champion(found: Mapping[str, Any]) -> str:
    since = "" if found["since"] is None else f" since {_minute(found['since'])}"
    if found["champion"] is None:
        return f"nobody: unfiltered trading{since}"
    if found["valid_until"] is None:
        return f"{found['champion']}{since}"
    ending = "expired" if found["expired"] else "valid until"
    return f"{found['champion']}{since}, {ending} {_minute(found['valid_until'])}"


def _minute(at: str) -> str:
    return f"{at[:10]} {at[11:16]}Z"
