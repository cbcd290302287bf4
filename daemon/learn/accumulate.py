"""`ratchet learn accumulate`: recorded candles are played by the daemon's own replay, and its samples kept as such.

The replay has a state folder of its own, which is gone afterwards. Of the account only the folder of collected samples
is touched, by adding a file: whether its daemon runs meanwhile does not matter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from daemon.config import Config
from daemon.cycles import SAMPLES, decided_at
from daemon.learn.account import learning_paths
from daemon.options import ReplayOptions
from daemon.replay import run_replay
from domain.decisions import SampleSource
from domain.errors import InvalidInput, Refused
from journal.journal import Journal
from learning.accumulated import add
from learning.table import SampleTable, table_of
from signals.features import SCHEMA_HASH


def accumulate(options: ReplayOptions, environ: Mapping[str, str]) -> dict[str, Any]:
    """Keep the samples of one backtest with those of `options.config`'s account; what they are.

    `options.state` is the state folder of that account. The same backtest gives the same file again. Raises
    `InvalidInput` for candles that cannot be played or that gave no sample, `Refused` when it was stopped half-way.
    """
    with tempfile.TemporaryDirectory(prefix="ratchet-accumulate-") as folder:
        played = replace(options, config=_backtest(options.config), state=Path(folder))
        summary = run_replay(played, environ)
        if not summary.finished:
            raise Refused("the backtest was stopped before the last candle: no samples were kept")
        table = _samples_of(Path(summary.journal))
    if not len(table):
        raise InvalidInput(
            f"{options.folder.name} {options.timeframe} gave no samples: no decision on its {summary.bars:,} bars "
            "was resolved"
        )
    paths = learning_paths(options.config, environ, options.state, table.schema).create()
    folder_of_samples = paths.folder / SAMPLES
    known = set(folder_of_samples.glob("*"))
    file = add(folder_of_samples, table)
    return {
        **described(table),
        "account": paths.folder.name,
        "file": str(file),
        "new": file not in known,
        "notes": _notes(table, file),
    }


def described(table: SampleTable) -> dict[str, Any]:
    """How many samples, what they came to, of which instruments, and over what time; at least one is needed."""
    instruments, counts = np.unique(table.instrument, return_counts=True)
    winners = int(table.label.sum())
    return {
        "samples": len(table),
        "winners": winners,
        "win_rate": winners / len(table),
        "mean_r": float(table.r_net.mean()),
        "instruments": {str(name): int(count) for name, count in zip(instruments, counts, strict=True)},
        "features": len(table.names),
        "from": decided_at(table, 0).isoformat(),
        "to": decided_at(table, -1).isoformat(),
    }


def _backtest(config: Config) -> Config:
    """The same daemon, without trainings of its own, and with a journal of its own."""
    return config.model_copy(
        update={
            "training": config.training.model_copy(update={"enabled": False}),
            "journal": config.journal.model_copy(update={"url": None}),
        }
    )


def _samples_of(journal: Path) -> SampleTable:
    """Every sample of a replay's journal, marked as what it is: nobody traded on it."""
    with Journal.open(journal, read_only=True) as opened:
        samples = opened.read.samples()
    schema = samples[0].features.schema if samples else SCHEMA_HASH
    table = table_of(samples, schema)
    return replace(table, source=np.full(len(table), SampleSource.BACKTEST.value))


def _notes(table: SampleTable, file: Path) -> list[str]:
    if table.schema == SCHEMA_HASH:
        return []
    return [
        "the external columns make these another set of features than the account's own; "
        f"train on them with `ratchet learn train --samples {file}`"
    ]
