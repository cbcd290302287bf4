"""Every target that people name, beside what was measured and how far chance goes in it. None of them blocks anything.

An honest AUC on costed trades is .52 to .58, so most of these are seldom met. They are shown as asked for; what decides
on deployment is net expected value on unseen signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import InvalidInput
from learning.judgement.interval import Interval
from learning.report.measured import NOT_DEFINED, Measured


class Reached(StrEnum):
    """Whether a target is met, going by the whole interval and not by its middle."""

    MET = "met"
    NOT_MET = "not met"
    CANNOT_BE_TOLD = "cannot be told"


class Kind(StrEnum):
    TARGET = "target"
    FLOOR = "floor"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What is asked of the figure `figure`: at least `asked`, or less than it where `below`."""

    name: str
    figure: str
    kind: Kind
    asked: float
    below: bool = False


TARGETS = (
    Target(name="accuracy", figure="accuracy", kind=Kind.TARGET, asked=0.75),
    Target(name="success rate", figure="precision", kind=Kind.TARGET, asked=0.65),
    Target(name="AUC", figure="auc", kind=Kind.TARGET, asked=0.80),
    Target(name="stability", figure="stability", kind=Kind.TARGET, asked=0.80),
    Target(name="degradation", figure="degradation", kind=Kind.TARGET, asked=0.05, below=True),
    Target(name="precision", figure="precision", kind=Kind.FLOOR, asked=0.60),
    Target(name="recall", figure="recall", kind=Kind.FLOOR, asked=0.40),
    Target(name="F1", figure="f1", kind=Kind.FLOOR, asked=0.50),
    Target(name="AUC", figure="auc", kind=Kind.FLOOR, asked=0.65),
)
"""The success rate is the share of winners among what passes: the precision under another name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetLine:
    """A target and what was measured: `value` None and `interval` None where there is nothing to say."""

    name: str
    kind: Kind
    asked: float
    below: bool
    value: float | None
    interval: Interval | None
    reached: Reached


def targets(figures: Mapping[str, Measured], asked: tuple[Target, ...] = TARGETS) -> tuple[TargetLine, ...]:
    """Each target beside the figure of its name; one that is not among them is not defined.

    Met where the whole interval lies on the right side, not met where all of it lies on the other, else it cannot be
    told. Raises `InvalidInput` for a figure that no target asks for.
    """
    unknown = sorted(set(figures) - {each.figure for each in asked})
    if unknown:
        raise InvalidInput(f"no target asks for {', '.join(unknown)}")
    return tuple(_line(target, figures.get(target.figure, NOT_DEFINED)) for target in asked)


def _line(target: Target, measured: Measured) -> TargetLine:
    return TargetLine(
        name=target.name,
        kind=target.kind,
        asked=target.asked,
        below=target.below,
        value=measured.value,
        interval=measured.interval,
        reached=_reached(target, measured.interval),
    )


def _reached(target: Target, interval: Interval | None) -> Reached:
    if interval is None:
        return Reached.CANNOT_BE_TOLD
    if target.below:
        met, missed = interval.high < target.asked, interval.low >= target.asked
    else:
        met, missed = interval.low >= target.asked, interval.high < target.asked
    return Reached.MET if met else Reached.NOT_MET if missed else Reached.CANNOT_BE_TOLD
