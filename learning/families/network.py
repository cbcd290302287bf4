"""A small neural network whose training stops where the newest rows say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from domain.errors import InvalidInput
from learning.families.family import Family, Setting
from learning.families.loss import log_loss
from learning.families.rows import Rows, one_thread, settled, training_rows, varied
from learning.portable.export import exported
from learning.portable.parts import Part
from learning.portable.preparation import Preparation
from learning.table import Floats, Ints

TAIL_SHARE = 0.15
_PATIENCE = 5
_BATCH = 200


class NeuralNetwork(Family):
    """Two hidden layers of rectifiers, trained by Adam.

    How many passes over the rows it takes is found on a contiguous tail: the newest 15% of the rows, left out of a
    first training that ends when their log-loss has not fallen for five passes. The network is then trained anew on
    all rows for as many passes as were best. scikit-learn's own early stopping holds back a shuffled split, which
    the neighbours of the rows in it give away; it is off.
    """

    name = "neural_network"
    _defaults: Mapping[str, Setting] = {
        "first_layer": 100,
        "second_layer": 50,
        "alpha": 1.0,
        "learning_rate": 0.001,
        "passes": 40,
    }

    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        choices = {"alpha": (0.1, 1.0, 10.0), "learning_rate": (0.0003, 0.001)}
        return varied(self._defaults, choices, budget, rng)

    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        chosen = settled(self.name, self._defaults, settings)
        if chosen["passes"] < 1:
            raise InvalidInput(f"{self.name}: passes is {chosen['passes']}; at least 1 is needed")
        rows = training_rows(self.name, X, y, w)
        with one_thread():
            passes = _best_passes(rows, chosen, seed)
            preparation = Preparation.fit(rows.X, rows.w)
            inputs, model = preparation.apply(rows.X), _network(chosen, seed, len(rows.y))
            for _ in range(passes):
                model.partial_fit(inputs, rows.y, sample_weight=rows.w, classes=np.array((0, 1)))
        return exported(model, preparation)


def _network(chosen: Mapping[str, Any], seed: int, count: int) -> Any:
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 - slow to import: only training pays

    return MLPClassifier(
        hidden_layer_sizes=(chosen["first_layer"], chosen["second_layer"]),
        alpha=chosen["alpha"],
        learning_rate_init=chosen["learning_rate"],
        batch_size=min(_BATCH, count),
        early_stopping=False,
        random_state=seed,
    )


def _best_passes(rows: Rows, chosen: Mapping[str, Any], seed: int) -> int:
    """The number of passes after which the newest rows, not trained on, were told best; 1 where they cannot tell."""
    tail = max(round(len(rows.y) * TAIL_SHARE), 1)
    early, late = rows.take(slice(0, -tail)), rows.take(slice(-tail, None))
    if not 0 < np.count_nonzero(early.y) < len(early.y):
        return 1
    preparation = Preparation.fit(early.X, early.w)
    inputs, unseen = preparation.apply(early.X), preparation.apply(late.X)
    model = _network(chosen, seed, len(early.y))
    best, lowest = 1, np.inf
    for done in range(1, chosen["passes"] + 1):
        model.partial_fit(inputs, early.y, sample_weight=early.w, classes=np.array((0, 1)))
        loss = log_loss(model.predict_proba(unseen)[:, 1], late.y, late.w)
        if loss < lowest:
            best, lowest = done, loss
        elif done - best >= _PATIENCE:
            break
    return best
