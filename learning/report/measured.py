"""Figures with their intervals. Labels overlap, so whole blocks of neighbouring decisions are drawn anew."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from domain.errors import InvalidInput
from learning.judgement.blocks import MINIMUM_BLOCKS, count_of
from learning.judgement.bootstrap import paired_gain
from learning.judgement.columns import Column, Ints, column_of
from learning.judgement.interval import Interval

STRETCHES = 5
RESAMPLES = 2_000
LEVEL = 0.95
_LARGE = 500.0
"""From here on a non-central chi-square is as good as normal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A figure, None where it is not defined, and its interval, None where no honest one can be given."""

    value: float | None
    interval: Interval | None = None


NOT_DEFINED = Measured(value=None)


def share(part: Column, whole: Column, blocks: Ints, *, seed: int, level: float = LEVEL) -> Measured:
    """sum(part) / sum(whole), 0 <= part <= whole row by row, with its interval by resampling blocks.

    The share is what a policy that weighs each row by its whole earns a trade where a row pays part / whole, so the
    interval is `paired_gain`'s, held to [0, 1]. No value where the whole is 0; no interval under `MINIMUM_BLOCKS`
    blocks, or at a share of 0 or 1, of which no resample differs. Raises `InvalidInput` for columns that do not fit
    each other or the blocks.
    """
    parts = column_of("part", part)
    wholes = column_of("whole", whole, len(parts))
    if len(parts) and bool(((parts < 0) | (parts > wholes)).any()):
        raise InvalidInput("a part must lie between 0 and its whole")
    total = float(wholes.sum())
    if not total > 0:
        return NOT_DEFINED
    point = float(parts.sum()) / total
    if count_of(blocks, len(parts)) < MINIMUM_BLOCKS or not 0 < point < 1:
        return Measured(value=point)
    pays = np.divide(parts, wholes, out=np.full(len(parts), point), where=wholes > 0)
    gain = paired_gain(
        pays, wholes, np.zeros(len(parts)), blocks, alpha=1 - level, level=level, resamples=RESAMPLES, seed=seed
    )
    low, high = max(gain.interval.low, 0.0), min(gain.interval.high, 1.0)
    return Measured(value=point, interval=Interval(low=low, high=high, level=level))


def stability(hits: Column, blocks: Ints, *, level: float = LEVEL) -> Measured:
    """How even the accuracy was: 1 less its standard deviation over its mean, in five stretches one after the other.

    `hits` is 1 where the forecast was on the right side, rows in order of decision; stretches hold about equally many.
    Chance alone makes stretches differ, so the figure lies below 1 also where nothing changed; its interval knows:
    the sum of squared differences over what chance gives is non-central chi-square with four degrees of freedom, which
    is inverted for what lies beyond chance (Steiger and Fouladi 1997). What chance gives is measured between blocks.
    Held to [0, 1]. No value under five rows or where nothing hit; no interval under `MINIMUM_BLOCKS` blocks.
    """
    found = column_of("hits", hits)
    if len(found) < STRETCHES or not found.sum() > 0:
        return NOT_DEFINED
    rows = np.array_split(found, STRETCHES)
    means = np.array([part.mean() for part in rows])
    centre = float(means.mean())
    point = max(0.0, 1 - float(means.std(ddof=1)) / centre)
    count = count_of(blocks, len(found))
    if count < MINIMUM_BLOCKS:
        return Measured(value=point)
    left = np.concatenate([part - part.mean() for part in rows])
    sums = np.bincount(blocks, left, count)
    own = float(sums @ sums)
    variance = max(float(left @ left), own, own + 2 * float(sums[:-1] @ sums[1:])) * count / (count - STRETCHES)
    if not variance > 0:
        return Measured(value=point)
    chance = STRETCHES * variance / len(found) ** 2
    found_over = float(((means - centre) ** 2).sum()) / chance
    ends = [
        max(0.0, 1 - math.sqrt(beyond * chance / (STRETCHES - 1)) / centre) for beyond in _beyond(found_over, level)
    ]
    return Measured(value=point, interval=Interval(low=ends[1], high=ends[0], level=level))


def degradation(now: Measured, then: Measured) -> Measured:
    """1 - now / then: the share of a figure that was lost, below 0 where it has grown.

    Both were measured on different signals. The interval joins theirs on the scale of logarithms by the method of
    variance estimates recovery (Zou and Donner 2008). No value where either is not defined or not above 0; no
    interval where either has none.
    """
    if now.value is None or then.value is None or not (now.value > 0 and then.value > 0):
        return NOT_DEFINED
    point = 1 - now.value / then.value
    mine, theirs = now.interval, then.interval
    if mine is None or theirs is None or not (mine.low > 0 and theirs.low > 0):
        return Measured(value=point)
    gone = math.log(now.value / then.value)
    fell = math.hypot(math.log(now.value / mine.low), math.log(theirs.high / then.value))
    rose = math.hypot(math.log(mine.high / now.value), math.log(then.value / theirs.low))
    level = min(mine.level, theirs.level)
    return Measured(
        value=point, interval=Interval(low=1 - math.exp(gone + rose), high=1 - math.exp(gone - fell), level=level)
    )


def _beyond(found: float, level: float) -> tuple[float, float]:
    """The interval of the non-centrality that a chi-square figure with four degrees of freedom shows.

    A figure below what chance gives on average counts as that average for the upper end: less is luck, not evenness.
    """
    from scipy.special import chdtr, chndtrinc, ndtri  # noqa: PLC0415 - slow to import, nothing is judged in a scan

    free, outer = STRETCHES - 1, (1 + level) / 2
    if found > _LARGE:
        reach = float(ndtri(outer)) * 2 * math.sqrt(found)
        return max(0.0, found - free - reach), found - free + reach
    low = float(chndtrinc(found, free, outer)) if chdtr(free, found) > outer else 0.0
    return low, float(chndtrinc(max(found, float(free)), free, 1 - outer))
