"""Which features a model leans on, and whether it leans on the same ones in every fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.errors import InvalidInput
from learning.families.loss import log_loss
from learning.portable.odds import probability_of
from learning.portable.parts import Part
from learning.table import Floats, Ints


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Importance:
    """For each of k features how many nats of log-loss the model loses without it.

    `mean` over the shuffles; 0 where the model does not look, below 0 where it does better without. `spread` is the
    standard deviation between shuffles.
    """

    mean: Floats
    spread: Floats


def permutation_importance(
    part: Part, X: Floats, y: Ints, w: Floats, *, seed: int, repeats: int = 5, blocks: int = 10
) -> Importance:
    """How much the weighted log-loss on these rows rises when one column is shuffled (Breiman 2001).

    Values change places within `blocks` contiguous blocks of rows only: what a feature's level told about the time,
    the same for a whole block, it goes on telling, and no row gets a value of another year. Ask on rows that the
    model was not trained on. `X` is n x k, `y` and `w` are n. Raises `InvalidInput` where there are fewer than two
    rows a block.
    """
    if X.ndim != 2 or y.shape != (len(X),) or w.shape != (len(X),) or repeats < 1 or blocks < 1:
        raise InvalidInput(
            f"features {X.shape}, labels {y.shape}, weights {w.shape}, {repeats} repeats, {blocks} blocks"
        )
    if len(X) < 2 * blocks:
        raise InvalidInput(f"{len(X)} rows are too few to shuffle within {blocks} blocks; two a block are needed")
    rng = np.random.default_rng(seed)
    parts_of_time = np.array_split(np.arange(len(X)), blocks)
    orders = [np.concatenate([rng.permutation(rows) for rows in parts_of_time]) for _ in range(repeats)]
    whole = log_loss(probability_of(part.log_odds(X)), y, w)
    rises = np.zeros((repeats, X.shape[1]))
    shuffled = X.copy()
    for column in range(X.shape[1]):
        for repeat, order in enumerate(orders):
            shuffled[:, column] = X[order, column]
            rises[repeat, column] = log_loss(probability_of(part.log_odds(shuffled)), y, w) - whole
        shuffled[:, column] = X[:, column]
    return Importance(mean=rises.mean(axis=0), spread=rises.std(axis=0))


def stability(importances: Floats) -> float | None:
    """How alike the features are ranked by several folds: the mean of all pairs' Spearman correlations, in [-1, 1].

    `importances` is folds x features. A fold in which all features are equally important ranks nothing and is left
    out; None where fewer than two folds remain.
    """
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to import: only reports of a training pay

    if importances.ndim != 2 or not bool(np.isfinite(importances).all()):
        raise InvalidInput(f"importances of shape {importances.shape} are not finite numbers, folds x features")
    telling = importances[np.ptp(importances, axis=1) > 0] if importances.shape[1] else importances[:0]
    if len(telling) < 2:
        return None
    correlations = np.corrcoef(rankdata(telling, axis=1))
    return float(correlations[np.triu_indices(len(telling), 1)].mean())
