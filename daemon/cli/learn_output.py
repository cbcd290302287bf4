"""What the verbs about learning share: the configuration, progress, and a training's answer for people."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daemon.config import Config
    from learning.training.job import Progress


def configured(files: list[Path] | None, flags: list[str] | None) -> Config:
    """The configuration of a verb's flags."""
    from daemon.config import load  # noqa: PLC0415 - other verbs do not pay for it

    return load(files or [], environ=os.environ, flags=flags or []).config


def teller(*, quiet: bool) -> Progress:
    """Progress as lines on stderr."""

    def told(step: str, done: int, of: int) -> None:
        sys.stderr.write(f"{step} ({done} of {of})\n" if of > 1 else f"{step}\n")
        sys.stderr.flush()

    return (lambda *_: None) if quiet else told


def print_training(answer: dict[str, Any]) -> None:
    """A training's figures and candidates; nothing is shown of what was not found out."""
    from daemon.cli.output import Column, figure, print_facts, print_table  # noqa: PLC0415 - as above

    print_facts(
        [
            ("samples", f"{answer['samples']:,}"),
            ("trials", str(answer["trials"])),
            ("model", answer["model"] or "none"),
            ("AUC", _with_interval(answer["auc"], answer["auc_ci"], 3)),
            ("Brier", figure(answer["brier"], 4)),
            ("threshold", figure(answer["threshold"], 3)),
            ("R a trade, filtered", figure(answer["ev_filtered"], 3, signed=True)),
            ("R a trade, unfiltered", figure(answer["ev_unfiltered"], 3, signed=True)),
            ("gain", _with_interval(answer["ev_gain"], answer["ev_gain_ci"], 3)),
            ("deployed", "yes" if answer["deployed"] else "no"),
            ("why", answer["reason"]),
            *(("note", note) for note in answer["notes"]),
        ]
    )
    columns = [Column("candidate"), Column("log-loss", number=True), Column("R a signal", number=True)]
    rows = (
        (each["candidate"], f"{each['log_loss']:.4f}", f"{each['ev_per_signal']:+.3f}") for each in answer["candidates"]
    )
    print_table("candidates, out of fold", columns, rows)


def _with_interval(value: float | None, interval: list[float] | None, digits: int) -> str:
    from daemon.cli.output import figure  # noqa: PLC0415 - as above

    if interval is None or value is None:
        return figure(value, digits)
    low, high = (figure(each, digits) for each in interval)
    return f"{figure(value, digits)} ({low} to {high})"
