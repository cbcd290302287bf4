"""Whether samples are good enough to train on: enough of each class, not too lopsided, not too full of holes.

A training that fails this gate does not begin; its sentences say what is short and what is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.errors import InvalidInput
from learning.table import Mask, SampleTable

MOSTLY_MISSING = 0.5
"""A feature missing in a larger share of the rows is not used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QualitySettings:
    """What samples must have.

    `minimum_per_class` winners and as many losers. `largest_imbalance` is the larger class over the smaller: at
    reward/risk 3 a filter that breaks even wins 27% of the time, which is 2.7 to 1. `largest_missing` is the share of
    missing values among the features that are used. Below `minimum_samples` nothing is ever trained.
    """

    minimum_per_class: int = 50
    largest_imbalance: float = 3.0
    largest_missing: float = 0.10
    minimum_samples: int = 100

    def __post_init__(self) -> None:
        if self.minimum_per_class < 1 or self.minimum_samples < 1:
            raise InvalidInput(
                f"minimum_per_class {self.minimum_per_class} and minimum_samples {self.minimum_samples} "
                "must be 1 or more"
            )
        if not self.largest_imbalance >= 1:
            raise InvalidInput(f"largest_imbalance is {self.largest_imbalance}; it must be 1 or more")
        if not 0 <= self.largest_missing <= 1:
            raise InvalidInput(f"largest_missing is {self.largest_missing}; it must lie in [0, 1]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """What was found. `imbalance` is the larger class over the smaller, infinite where one is empty.

    `missing` is the share of missing values among the features that are used; `features_dropped` are the others, in
    the table's order: constant, or missing in more than half of the rows. `faults` says in a sentence each what
    forbids training.
    """

    samples: int
    winners: int
    losers: int
    imbalance: float
    missing: float
    features_used: tuple[str, ...]
    features_dropped: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether these samples may be trained on."""
        return not self.faults


def quality_of(table: SampleTable, settings: QualitySettings, *, minimum_samples: int) -> Quality:
    """The quality of these samples for a training that asks for `minimum_samples` of them.

    The larger of `minimum_samples` and the settings' own is demanded. The missing share counts only features that are
    used: a feature group that is off is missing in every row (sentiment where nobody reads news), says nothing about
    the rest, and would fail every table by its mere presence; no model sees it. Constant features are dropped for the
    same reason: they cannot be learned from. Whether a feature is used is told by the rows of `table`, so give it the
    rows that are trained on, not the ones of the verdict.
    """
    samples, winners = len(table), int(table.label.sum())
    losers = samples - winners
    smaller, larger = sorted((winners, losers))
    imbalance = larger / smaller if smaller else float("inf")
    used, missing = _used(table)
    names = tuple(name for name, keep in zip(table.names, used, strict=True) if keep)
    dropped = tuple(name for name, keep in zip(table.names, used, strict=True) if not keep)
    faults = [
        *_too_few(samples, max(minimum_samples, settings.minimum_samples), "samples"),
        *_too_few(winners, settings.minimum_per_class, "winners"),
        *_too_few(losers, settings.minimum_per_class, "losers"),
    ]
    if smaller and imbalance > settings.largest_imbalance:
        faults.append(
            f"winners and losers are {winners} to {losers}, an imbalance of {imbalance:.2f}; "
            f"{settings.largest_imbalance:g} is allowed"
        )
    if not names:
        faults.append(
            f"none of the {len(table.names)} features can be used: each is constant or missing in more than half of "
            "the rows"
        )
    if missing > settings.largest_missing:
        faults.append(
            f"{missing:.1%} of the values of the features in use are missing; {settings.largest_missing:.1%} is allowed"
        )
    return Quality(
        samples=samples,
        winners=winners,
        losers=losers,
        imbalance=imbalance,
        missing=missing,
        features_used=names,
        features_dropped=dropped,
        faults=tuple(faults),
    )


def _too_few(count: int, needed: int, what: str) -> list[str]:
    return [f"there are {count} {what}; {needed} are needed"] if count < needed else []


def _used(table: SampleTable) -> tuple[Mask, float]:
    """Which features are used, and the share of missing values among them (0 where none is)."""
    if not len(table):
        return np.zeros(len(table.names), dtype=np.bool_), 0.0
    holes = np.isnan(table.features).mean(axis=0)
    # fmin and fmax pass over NaN and stay NaN, silently, where a whole column is missing: then nothing is larger.
    varies = np.fmax.reduce(table.features, axis=0) > np.fmin.reduce(table.features, axis=0)
    used: Mask = varies & (holes <= MOSTLY_MISSING)
    return used, float(holes[used].mean()) if used.any() else 0.0
