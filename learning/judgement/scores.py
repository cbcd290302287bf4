"""How well probabilities fit what came: log-loss, Brier, calibration, and the counts at a cut-off.

All are weighted where weights are given. Where a figure is not defined it is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.errors import InvalidInput
from learning.judgement.columns import Column, Floats, scored_columns
from learning.judgement.logistic import fitted_line

LOG_CLIP = 1e-6
"""Log-loss and log-odds take p within [LOG_CLIP, 1 - LOG_CLIP]: one wrong 0 would make every mean infinite."""
MOST_BINS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class ReliabilityBin:
    """Samples whose p lies in [low, high]: how many, their weight, what was said of them and what came."""

    low: float
    high: float
    samples: int
    weight: float
    mean_p: float
    share_won: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationLine:
    """Labels regressed on the log-odds of p (Cox 1958): 1 and 0 when calibrated, a slope below 1 is overconfident."""

    slope: float
    intercept: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Classified:
    """Figures of "takes p >= threshold". `taken` counts rows, `coverage` is their share of all weight.

    `precision` is None where nothing is taken, `recall` where nothing won, `f1` where neither is above 0 or defined.
    """

    threshold: float
    taken: int
    coverage: float
    precision: float | None
    recall: float | None
    f1: float | None
    accuracy: float


def log_odds(p: Floats) -> Floats:
    """log(p / (1 - p)) of p within the clip."""
    inside = np.clip(p, LOG_CLIP, 1 - LOG_CLIP)
    found: Floats = np.log(inside) - np.log1p(-inside)
    return found


def log_losses(p: Column, y: Column) -> Floats:
    """The negative log-likelihood of each label in nats, (n,), p clipped by `LOG_CLIP`; raises `InvalidInput` for
    unfit columns.
    """
    scores, labels, _ = scored_columns(p, y, None)
    inside = np.clip(scores, LOG_CLIP, 1 - LOG_CLIP)
    found: Floats = -np.where(labels == 1, np.log(inside), np.log1p(-inside))
    return found


def log_loss(p: Column, y: Column, w: Column | None = None) -> float:
    """The mean of `log_losses`; raises `InvalidInput` for unfit columns."""
    _, _, weights = scored_columns(p, y, w)
    return _mean(log_losses(p, y), weights)


def brier(p: Column, y: Column, w: Column | None = None) -> float:
    """Mean squared error of p (Brier 1950); raises `InvalidInput` for unfit columns."""
    scores, labels, weights = scored_columns(p, y, w)
    return _mean((scores - labels) ** 2, weights)


def base_rate(y: Column, w: Column | None = None) -> float:
    """The share of winners; raises `InvalidInput` for unfit columns."""
    _, labels, weights = scored_columns(np.zeros(len(y)), y, w)
    return _mean(labels, weights)


def reliability(p: Column, y: Column, w: Column | None = None, *, bins: int = MOST_BINS) -> tuple[ReliabilityBin, ...]:
    """Bins of about equally many samples, in the order of p, fewer where equal p would be torn apart.

    Every sample is in exactly one bin, also at p = 0 and p = 1. Bins without weight are left out. Raises
    `InvalidInput` for unfit columns or fewer than one bin.
    """
    scores, labels, weights = scored_columns(p, y, w)
    if bins < 1:
        raise InvalidInput(f"{bins} bins; there must be at least 1")
    ordered = np.sort(scores)
    edges = np.unique(ordered[[len(ordered) * place // bins for place in range(1, bins)]])
    places = np.searchsorted(edges, scores, side="right")
    found = []
    for place in np.unique(places):
        members = places == place
        weight = float(weights[members].sum())
        if weight > 0:
            found.append(
                ReliabilityBin(
                    low=float(scores[members].min()),
                    high=float(scores[members].max()),
                    samples=int(members.sum()),
                    weight=weight,
                    mean_p=_mean(scores[members], weights[members]),
                    share_won=_mean(labels[members], weights[members]),
                )
            )
    return tuple(found)


def ece(p: Column, y: Column, w: Column | None = None, *, bins: int = MOST_BINS) -> float:
    """Expected calibration error (Naeini et al. 2015) over the bins of `reliability`: the mean gap between what was
    said and what came, in probability. It is above 0 by chance alone, by about sqrt(bins / samples) / 3.
    """
    rows = reliability(p, y, w, bins=bins)
    total = sum(row.weight for row in rows)
    return sum(row.weight * abs(row.mean_p - row.share_won) for row in rows) / total


def calibration_line(p: Column, y: Column, w: Column | None = None) -> CalibrationLine | None:
    """Slope and intercept of calibration; None where one class is missing or every p is the same."""
    scores, labels, weights = scored_columns(p, y, w)
    odds = log_odds(scores)
    if not 0 < _mean(labels, weights) < 1 or odds.min() == odds.max():
        return None
    slope, intercept = fitted_line(odds, labels, weights)
    return CalibrationLine(slope=slope, intercept=intercept)


def classified(p: Column, y: Column, *, threshold: float, w: Column | None = None) -> Classified:
    """The counts of a cut-off; raises `InvalidInput` for unfit columns or a threshold outside [0, 1]."""
    scores, labels, weights = scored_columns(p, y, w)
    if not 0 <= threshold <= 1:
        raise InvalidInput(f"a threshold of {threshold} does not lie in [0, 1]")
    takes = scores >= threshold
    said, won, hit = float(weights @ takes), float(weights @ labels), float(weights @ (takes * labels))
    total = float(weights.sum())
    return Classified(
        threshold=threshold,
        taken=int(takes.sum()),
        coverage=said / total,
        precision=hit / said if said else None,
        recall=hit / won if won else None,
        f1=2 * hit / (said + won) if said + won else None,
        accuracy=_mean(takes == (labels == 1), weights),
    )


def _mean(values: Column, weights: Floats) -> float:
    return float(np.asarray(values, dtype=np.float64) @ weights) / float(weights.sum())
