"""The verbs that judge: how the model fares, what drifts, and everything about learning on one page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.learn_output import configured, print_training, teller
from daemon.cli.options import AccountName, AsJson, ConfigFiles, JournalPath, Settings, StateDirectory
from daemon.cli.output import NOTHING, Column, figure, percent, print_facts, print_json, print_table

if TYPE_CHECKING:
    from daemon.config import Config
    from daemon.cycles import Account
    from journal.reader import Reader

SHOWN_GROUPS = 4
SHOWN_FEATURES = 8
SHOWN_FINDINGS = 8
_MORE = "all of them with --json"

Train = Annotated[bool, typer.Option("--train", help="Train afterwards, as `ratchet learn train` does.")]


def register_reports(group: typer.Typer) -> None:
    """Add the verbs that judge to the group `learn`."""
    for verb in (evaluate, full, drift):
        group.command()(verb)


def evaluate(
    config: ConfigFiles = None,
    set_: Settings = None,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """How good the model is: its figures with their intervals, beside every target."""
    from daemon.learn.evaluate import evaluate as evaluated  # noqa: PLC0415 - other verbs do not pay for it

    with _opened(configured(config, set_), journal, account, state) as (read, opened, _):
        found = evaluated(read, opened)
    if json_:
        print_json(found)
    else:
        _print_evaluation(found)


def drift(
    config: ConfigFiles = None,
    set_: Settings = None,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    json_: AsJson = False,
) -> None:
    """What has changed: findings of the journal's last 30 days, features, and calibration."""
    from daemon.learn.evaluate import drift as drifted  # noqa: PLC0415 - other verbs do not pay for it

    with _opened(configured(config, set_), journal, account, state) as (read, opened, at):
        found = drifted(read, opened, at)
    if json_:
        print_json(found)
    else:
        _print_drift(found)


def full(
    config: ConfigFiles = None,
    set_: Settings = None,
    account: AccountName = None,
    state: StateDirectory = None,
    journal: JournalPath = None,
    train: Train = False,
    json_: AsJson = False,
) -> None:
    """Everything on one page: samples, evaluation, drift, and what a training now would have to work with."""
    from daemon.learn.evaluate import comprehensive  # noqa: PLC0415 - other verbs do not pay for it

    loaded = configured(config, set_)
    with _opened(loaded, journal, account, state) as (read, opened, at):
        found = comprehensive(read, opened, at)
    if train:
        found["trained"] = _trained(loaded, state, quiet=json_)
    if json_:
        print_json(found)
    else:
        _print_full(found)


# -- what they work on ----------------------------------------------------------------------------------------


@contextmanager
def _opened(
    config: Config, journal: Path | None, account: str | None, state: Path | None
) -> Iterator[tuple[Reader, Account, datetime]]:
    """The journal meant, the account it is of, and the moment it is at."""
    from daemon.cli.target import Target, opened  # noqa: PLC0415 - other verbs do not pay for it
    from daemon.clock import LiveClock  # noqa: PLC0415
    from daemon.cycles import Account  # noqa: PLC0415
    from daemon.learn.evaluate import newest_moment  # noqa: PLC0415
    from signals.features import SCHEMA_HASH  # noqa: PLC0415

    with opened(Target(journal=journal, account=account, state=state)) as (path, open_journal):
        read = open_journal.read
        of = Account(folder=path.parent, config=config, schema=SCHEMA_HASH, bar=config.feed.timeframe.span)
        yield read, of, newest_moment(read) or LiveClock().now()


def _trained(config: Config, state: Path | None, *, quiet: bool) -> dict[str, Any]:
    from daemon.cli.client import user_name  # noqa: PLC0415 - only this verb with --train pays for it
    from daemon.clock import LiveClock  # noqa: PLC0415
    from daemon.learn.train import TrainOptions, train  # noqa: PLC0415

    options = TrainOptions(config=config, samples=None, state=state, change=lambda settings: settings, by=user_name())
    answer = train(options, LiveClock().now(), dict(os.environ), teller(quiet=quiet))
    answer.pop("record", None)
    return answer


# -- as people read it ----------------------------------------------------------------------------------------


def _print_evaluation(found: Mapping[str, Any]) -> None:
    report = found["report"]
    print_facts([("model", found["model"]), ("", found["sentence"]), *_standing(report), *_figures(report)])
    if report["why"]:
        print_facts([("note", report["why"])])
    _print_targets(report)
    columns = [*(Column("by"), Column("group"), Column("signals", number=True), Column("won", number=True))]
    columns += [Column("mean R", number=True), Column("passed", number=True), Column("R passed", number=True)]
    rows = [_group_row(by, line) for by, lines in report["groups"].items() for line in lines[:SHOWN_GROUPS]]
    print_table(f"signals by group, the largest of each ({_MORE})", columns, rows)
    columns = [Column("by"), Column("tag"), Column("outcomes", number=True), Column("won", number=True)]
    columns += [Column("mean R", number=True), Column("traded", number=True), Column("profit", number=True)]
    rows = [_tag_row(by, line) for by, lines in found["attribution"].items() for line in lines[:SHOWN_GROUPS]]
    print_table(f"outcomes by what they are attributed to ({_MORE})", columns, rows)


def _print_full(found: Mapping[str, Any]) -> None:
    quality, report, training = found["quality"], found["evaluation"]["report"], found["training"]
    print_facts(
        [
            ("samples", f"{quality['samples']:,}, {quality['winners']:,} won and {quality['losers']:,} lost"),
            ("features", f"{len(quality['features_used'])} in use, {percent(quality['missing'], 1)} of values missing"),
            ("quality", "good enough to train on" if quality["ok"] else "; ".join(quality["faults"])),
            ("", ""),
            ("model", found["evaluation"]["model"]),
            ("", found["evaluation"]["sentence"]),
            *_standing(report),
            *_figures(report),
            *((("note", report["why"]),) if report["why"] else ()),
            ("", ""),
            *_drift_facts(found["drift"]),
            ("", ""),
            *_training_facts(training, found["trials"]),
        ]
    )
    _print_targets(report)
    if "trained" in found:
        print_training(found["trained"])


def _print_drift(found: Mapping[str, Any]) -> None:
    print_facts([("from", found["from"][:16]), ("until", found["until"][:16]), *_drift_facts(found)])
    columns = [Column("at (UTC)"), Column("detector"), Column("stream"), Column("what")]
    rows = (
        (each["at"][:16], each["detector"], each["stream"], each["told"]) for each in found["findings"][:SHOWN_FINDINGS]
    )
    print_table("findings", columns, rows)
    columns = [Column("feature"), Column("PSI", number=True), Column("chance reaches", number=True), Column("what")]
    tested = (
        (each["feature"], figure(each["psi"]), figure(each["critical"]), "drifted" if each["drifted"] else each["why"])
        for each in found["features"]["features"][:SHOWN_FEATURES]
    )
    print_table(f"features, the farthest first ({_MORE})", columns, tested)


def _print_targets(report: Mapping[str, Any]) -> None:
    columns = [
        Column("asked of"),
        Column("asked", number=True),
        Column("measured", number=True),
        Column("95% interval"),
    ]
    columns.append(Column("reached"))
    rows = [
        (
            f"{each['name']}{', floor' if each['kind'] == 'floor' else ''}",
            f"{'below' if each['below'] else 'at least'} {figure(each['asked'], 2)}",
            figure(each["value"]),
            _interval(each["interval"]),
            each["reached"],
        )
        for each in report["targets"]
    ]
    print_table("targets; none of them decides anything", columns, rows)


def _standing(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    combined, coverage = report["combined"], percent(report["coverage"], 1)
    if combined["score"] is None:
        score = combined["why"]
    else:
        score = f"{percent(combined['score'], 1)}, {combined['grade']}"
        score += f" ({combined['why']})" if combined["why"] else ""
    worth = f"worth {report['effective']:,.0f} independent ones in {report['blocks']} stretches"
    return [
        ("signals", f"{report['samples']:,}, {worth}"),
        ("passed", f"{report['taken']:,} ({coverage}), threshold {figure(report['threshold'])}"),
        ("score", score),
        ("score is", combined["formula"]),
    ]


def _figures(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Figures as lines; a dash where one is not defined."""
    auc, fits, value = report["figures"]["auc"], report["probabilities"] or {}, report["value"] or {}
    line = fits.get("line") or {}
    facts = [
        ("AUC", _measured(auc)),
        ("log-loss", f"{figure(fits.get('log_loss'), 4)} (base rate {figure(fits.get('base_rate_log_loss'), 4)})"),
        ("Brier", f"{figure(fits.get('brier'), 4)} (base rate {figure(fits.get('base_rate_brier'), 4)})"),
        ("calibration", f"ECE {figure(fits.get('ece'))}, slope {figure(line.get('slope'), 2)}"),
        ("accuracy", f"{_measured(report['figures']['accuracy'])}, always the same {figure(report['majority'])}"),
        ("R a trade, filtered", _measured(value.get("filtered"), signed=True)),
        ("R a trade, unfiltered", _measured(value.get("unfiltered"), signed=True)),
        ("gain", _measured(value.get("gain"), signed=True)),
    ]
    if report["importances"] is not None:
        named = list(report["importances"]["features"].items())[:5]
        facts.append(("leans on", ", ".join(f"{name} {figure(each, 4)}" for name, each in named) or NOTHING))
    return facts


def _drift_facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    features, calibration = found["features"], found["calibration"]
    if features["why"]:
        told = features["why"]
    else:
        told = f"{len(features['drifted'])} of {features['tested']} drifted: {', '.join(features['drifted']) or 'none'}"
    if calibration["why"]:
        fits = f"cannot be told: {calibration['why']}"
    else:
        fits = f"{figure(calibration['mean_forecast'])} said, {figure(calibration['win_rate'])} won: "
        fits += "drifted" if calibration["drifted"] else "within chance"
    return [("drift found", f"{len(found['findings'])} times"), ("features", told), ("calibration", fits)]


def _training_facts(training: Mapping[str, Any], trials: Mapping[str, Any]) -> list[tuple[str, str]]:
    have = f"{training['samples']:,} samples of {training['window_days']} days, {training['needed']:,} are needed"
    return [
        ("a training now", have if training["would_train"] else f"would not begin: {'; '.join(training['faults'])}"),
        ("new since the last", f"{training['new']:,}"),
        ("last training", (training["last_trained_at"] or "never")[:16]),
        ("it would try", f"{', '.join(training['families'])}; at most {training['trials']} trials"),
        ("its verdict's error", figure(training["verdict_error"], 4)),
        ("tried so far", f"{trials['trials']} models in {trials['trainings']} trainings"),
    ]


def _group_row(by: str, line: Mapping[str, Any]) -> Sequence[str]:
    first = (by, line["group"], f"{line['samples']:,}", percent(line["win_rate"], 1))
    earned = figure(line["mean_r"], signed=True), f"{line['taken']:,}", figure(line["ev_filtered"], signed=True)
    return (*first, *earned)


def _tag_row(by: str, line: Mapping[str, Any]) -> Sequence[str]:
    first = (by.replace("_", " "), line["tag"], f"{line['outcomes']:,}", percent(line["win_rate"], 1))
    return (*first, figure(line["mean_r"], signed=True), f"{line['real']:,}", line["profit"] or NOTHING)


def _measured(found: Mapping[str, Any] | None, *, signed: bool = False) -> str:
    if found is None or found["value"] is None:
        return NOTHING
    value = figure(found["value"], signed=signed)
    return value if found["interval"] is None else f"{value} ({_interval(found['interval'], signed=signed)})"


def _interval(ends: Iterable[float | None] | None, *, signed: bool = False) -> str:
    if ends is None:
        return NOTHING
    low, high = (figure(end, signed=signed) for end in ends)
    return f"{low} to {high}"
