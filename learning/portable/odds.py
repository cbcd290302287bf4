"""Between probabilities and log-odds, both kept where no sum of them can overflow."""

from __future__ import annotations

import math

import numpy as np

from learning.table import Floats

NEAREST = 1e-6
"""No probability comes nearer to 0 or 1: a forest whose leaves are all of one class would claim certainty."""
FARTHEST = math.log((1.0 - NEAREST) / NEAREST)
"""The same bound as log-odds, 13.8: what every part's log-odds are drawn in to."""


def bounded(log_odds: Floats) -> Floats:
    """The log-odds, drawn in to the bound; NaN stays NaN."""
    drawn: Floats = np.clip(log_odds, -FARTHEST, FARTHEST)
    return drawn


def probability_of(log_odds: Floats) -> Floats:
    """1 / (1 + exp(-log-odds)), not nearer to 0 or 1 than `NEAREST`."""
    probability: Floats = np.clip(1.0 / (1.0 + np.exp(-bounded(log_odds))), NEAREST, 1.0 - NEAREST)
    return probability


def log_odds_of(probability: Floats) -> Floats:
    """log(p / (1 - p)) of probabilities in [0, 1], within the bound."""
    kept = np.clip(probability, NEAREST, 1.0 - NEAREST)
    log_odds: Floats = np.log(kept / (1.0 - kept))
    return log_odds
