"""The logistic regression of one variable, by Newton steps: what calibration and its measurement rest on."""

from __future__ import annotations

import math

import numpy as np

from learning.judgement.columns import Floats

LARGEST_SLOPE = 1e4
_STEPS = 100
_CONVERGED = 1e-12
_SMALLEST_STEP = 1e-10


def logistic(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    found: Floats = np.exp(-np.logaddexp(0.0, -x))
    return found


def fitted_line(x: Floats, targets: Floats, weights: Floats) -> tuple[float, float]:
    """Slope and intercept of `targets` in [0, 1], not all 0 nor all 1, on an x that varies.

    Newton steps, halved until the loss falls (Lin, Lin and Weng 2007). A slope that would grow without end, because x
    separates the targets, is held at `LARGEST_SLOPE`.
    """
    centre, spread = float(np.average(x, weights=weights)), float(x.std())
    design = np.stack([(x - centre) / spread, np.ones(len(x))], axis=1)
    share = float(np.average(targets, weights=weights))
    found = np.array([0.0, math.log(share / (1 - share))])
    loss = _loss(design @ found, targets, weights)
    for _ in range(_STEPS):
        said = logistic(design @ found)
        gradient = design.T @ (weights * (said - targets))
        bend = (design * (weights * said * (1 - said))[:, None]).T @ design
        step = np.linalg.solve(bend + _CONVERGED * weights.sum() * np.eye(2), gradient)
        found, fallen = _stepped(design, targets, weights, found, step, loss)
        loss -= fallen
        if fallen <= _CONVERGED * abs(loss):
            break
    slope = min(max(float(found[0]) / spread, -LARGEST_SLOPE), LARGEST_SLOPE)
    return slope, float(found[1]) - slope * centre


def _stepped(
    design: Floats, targets: Floats, weights: Floats, found: Floats, step: Floats, loss: float
) -> tuple[Floats, float]:
    """The longest of step, half of it, a quarter ... that lowers the loss, and by how much; none when none does."""
    size = 1.0
    while size > _SMALLEST_STEP:
        moved = found - size * step
        fallen = loss - _loss(design @ moved, targets, weights)
        if fallen > 0:
            return moved, fallen
        size /= 2
    return found, 0.0


def _loss(odds: Floats, targets: Floats, weights: Floats) -> float:
    return float(weights @ (np.logaddexp(0.0, odds) - targets * odds))
