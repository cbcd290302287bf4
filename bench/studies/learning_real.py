"""`python -m bench.studies.learning_real --data NAME TIMEFRAME DIR [--data …]`: the learning loop on recorded candles.

DIR is a folder of candles, or a file of samples (`ratchet learn export`). A folder is replayed once by the whole daemon
with training off and the model's word ignored; the samples are all its decisions with their outcomes or shadows. Then
time goes through them again: every `--every` days the account's learning cycle is run on what was known by then
(search, fit, verdict with the year's error budget, conclusion), and the model of that cycle is asked about the
decisions until the next one, which neither it nor its cut-off has seen.

"newest" follows the newest model's cut-off, whether or not a verdict let it speak; "loop" follows whoever the loop had
deployed by then, all signals where nobody was. Gains are of net EV a trade over taking all signals, with 95% intervals
by blocks of neighbouring decisions.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench.studies.learning_market import (
    CycleAccount,
    auc_told,
    cycle_account,
    gain_told,
    known_at,
    microseconds,
)
from daemon.config import Config
from daemon.options import ReplayOptions
from daemon.replay import run_replay
from domain.clock import EPOCH
from domain.instruments import Timeframe
from journal.engine import Durability
from journal.journal import Journal
from learning.parquet import read_samples
from learning.registry.bundle import LoadedModel, load_bundle
from learning.table import Floats, SampleTable, table_of
from signals.features import SCHEMA_HASH


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """What was said of the decisions after the first training: by the newest model, and by whom the loop had deployed.

    `newest` (n,) is P(net R > 0); `takes` and `followed` are 1 where that one, or the loop, lets the signal through.
    """

    rows: SampleTable
    newest: Floats
    takes: Floats
    followed: Floats
    cycles: int
    trained: int
    tested: int
    deployments: tuple[str, ...]
    reasons: tuple[str, ...]


def config_of(window_days: int, timeframe: str) -> Config:
    """The defaults, but that samples of `window_days` are trained on, not of 90 days."""
    return Config.model_validate(
        {
            "feed": {"timeframe": timeframe},
            "learning": {"mode": "off"},
            "training": {"enabled": False, "window_days": min(window_days, 3_650), "retention_days": window_days},
        }
    )


def collected(folder: Path, timeframe: str, config: Config, state: Path, max_bars: int | None) -> SampleTable:
    """All samples of one replay."""
    options = ReplayOptions(
        folder=folder, timeframe=Timeframe(timeframe), config=config, max_bars=max_bars, state=state, quiet=True
    )
    summary = run_replay(options, {})
    with Journal.open(Path(summary.journal), durability=Durability.NORMAL) as journal:
        return table_of(journal.read.samples(), SCHEMA_HASH)


def walked(table: SampleTable, config: Config, folder: Path, *, every: timedelta, bar: timedelta) -> Walk:
    """Cycle after cycle on what was known, and what was said of what followed."""
    with cycle_account(folder, config, schema=table.schema, bar=bar) as account:
        return _walked(table, account, every)


def _walked(table: SampleTable, account: CycleAccount, every: timedelta) -> Walk:
    p, takes, followed = np.full(len(table), np.nan), np.ones(len(table)), np.ones(len(table))
    cycles, trained, tested = 0, 0, 0
    deployments, reasons = list[str](), list[str]()
    now, last = _at(table, 0) + every, _at(table, -1)
    newest: LoadedModel | None = None
    while now < last:
        known = known_at(table, now)
        if len(known):
            cycles += 1
            answer = account.cycle(known, now)
            reasons.append(str(answer["reason"]))
            tested += sum(each["spent"] > 0 for each in answer["verdicts"])
            if answer["record"] is not None:
                trained += 1
                newest = load_bundle(
                    account.models, answer["model"], sha256=answer["record"]["sha256"], schema=table.schema
                )
            if answer["deployed"]:
                deployments.append(f"{now.date()}: {answer['reason']}")
        rows = np.flatnonzero((table.decided_at > microseconds(now)) & (table.decided_at <= microseconds(now + every)))
        if newest is not None and len(rows):
            p[rows], takes[rows] = _said(newest, table.take(rows))
            champion = account.champion(table.schema)
            if champion is not None:
                followed[rows] = _said(champion, table.take(rows))[1]
        now += every
    spoken = np.flatnonzero(np.isfinite(p))
    return Walk(
        rows=table.take(spoken),
        newest=p[spoken],
        takes=takes[spoken],
        followed=followed[spoken],
        cycles=cycles,
        trained=trained,
        tested=tested,
        deployments=tuple(deployments),
        reasons=tuple(reasons),
    )


def _said(model: LoadedModel, rows: SampleTable) -> tuple[Floats, Floats]:
    p = model.probabilities(rows)
    return p, (p >= model.threshold).astype(np.float64)


def _at(table: SampleTable, row: int) -> datetime:
    return EPOCH + timedelta(microseconds=int(table.decided_at[row]))


def figures_of(name: str, table: SampleTable, walk: Walk, seconds: float) -> dict[str, Any]:
    """One class as plain values."""
    rows = walk.rows
    return {
        "name": name,
        "samples": len(table),
        "days": float((table.decided_at[-1] - table.decided_at[0]) / 86_400_000_000) if len(table) else 0.0,
        "mean_r": float(table.r_net.mean()) if len(table) else None,
        "base_rate": float(table.label.mean()) if len(table) else None,
        "cycles": walk.cycles,
        "trained": walk.trained,
        "tested_verdicts": walk.tested,
        "deployments": list(walk.deployments),
        "last_reason": walk.reasons[-1] if walk.reasons else None,
        "unseen": auc_told(walk.newest, rows.label, rows.decided_at, rows.resolved_at),
        "newest": gain_told(rows, walk.takes),
        "loop": gain_told(rows, walk.followed),
        "seconds": seconds,
    }


def told(found: dict[str, Any]) -> str:
    """One line of the table."""
    unseen, newest, loop = found["unseen"], found["newest"], found["loop"]
    return (
        f"| {found['name']} | {found['samples']} in {found['days']:.0f} days | {unseen['count']} "
        f"| {_number(unseen['auc'])} | {unseen['interval']} | {_number(newest['ev_unfiltered'])} "
        f"| {_number(newest['ev_filtered'])} ({newest['taken']}) | {_number(newest['gain'])} {newest['gain_ci']} "
        f"| {found['trained']} of {found['cycles']} | {found['tested_verdicts']} | {len(found['deployments'])} "
        f"| {_number(loop['ev_filtered'])} |"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def studied(
    name: str, timeframe: str, source: Path, *, every: timedelta, window_days: int, max_bars: int | None
) -> dict[str, Any]:
    """One class: replayed and collected, or read from a file of samples; then walked through."""
    begun = time.monotonic()
    config = config_of(window_days, timeframe)
    with tempfile.TemporaryDirectory(prefix="ratchet-study-") as state:
        if source.is_file():
            table = read_samples(source).table
        else:
            table = collected(source, timeframe, config, Path(state), max_bars)
        bar = Timeframe(timeframe).span
        walk = walked(table, config, Path(state) / "walk", every=every, bar=bar)
    return figures_of(f"{name} {timeframe}", table, walk, time.monotonic() - begun)


def _lines(options: argparse.Namespace) -> Iterator[str]:
    every = timedelta(days=options.every)
    yield (
        "| data | samples | unseen | AUC | 95% interval | net EV unfiltered | newest: net EV (taken) | its gain, 95% "
        "| trained | verdicts tested | deployed | loop: net EV |"
    )
    yield "|---" * 12 + "|"
    for name, timeframe, folder in options.data:
        found = studied(
            name, timeframe, Path(folder), every=every, window_days=options.window, max_bars=options.max_bars
        )
        yield told(found)
        settings = {"every": options.every, "window": options.window, "max_bars": options.max_bars}
        yield json.dumps({"study": "learning_real", **settings, **found})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.studies.learning_real", description=__doc__)
    parser.add_argument("--data", nargs=3, action="append", required=True, metavar=("NAME", "TIMEFRAME", "DIR"))
    parser.add_argument("--every", type=int, default=28, help="days from one cycle to the next (default 28)")
    parser.add_argument("--window", type=int, default=3_650, help="days of samples to train on (default 3650)")
    parser.add_argument("--max-bars", type=int, default=None, help="the most bars of each instrument")
    for line in _lines(parser.parse_args(arguments)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
