"""River's adaptive random forest (Gomes et al. 2017): ten Hoeffding trees, each replaced when its errors drift.

Its trees are river's own objects, and no pickle is ever loaded here, so its state holds everything but the trees:
after `take` the rows it had learned have to be folded again, in the same order (`refold_one`, then `refolded`; a
check sum of all rows tells whether they are the same). The draws come from its seed, so the trees grow as they did.
Folding costs what learning did: 1.3 to 1.8 ms of processor time a row over 1,440 rows of 69 features
(`python -m bench online` measures it).

Votes of naive Bayes leaves are far too sure of themselves; `Calibration` makes a probability of their log-odds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple
from zlib import crc32

from domain.errors import Impossible, InvalidInput
from learning.learners.base_rate import BaseRate, finite, logit, sigmoid
from learning.learners.calibration import Calibration
from learning.learners.contract import SaidBefore
from learning.learners.inputs import RunningScale, Usable
from learning.learners.settings import OnlineSettings

TREES = 10
_DRAWS = 6.0
"""How often a tree sees a row on average (Poisson); a row's weight multiplies it."""
_MOST_DRAWS = 60.0
"""River's way to draw needs exp(-rate) to be above 0."""
_EDGE = 1e-3
"""Votes are kept this far from 0 and 1 before their log-odds are taken."""


class _Rows(NamedTuple):
    """How many rows the trees met, and a check sum of all of them in their order."""

    learned: int
    check_sum: int


_NO_ROWS = _Rows(0, 0)


class ForestLearner:
    """Trees that only their own rows can bring back."""

    name = "forest"

    def __init__(self, settings: OnlineSettings) -> None:
        self.base = BaseRate()
        self._settings = settings
        self._calibration = Calibration()
        self._scale, self._trees = self._nothing_learned()
        self._met = _NO_ROWS
        self._awaited: tuple[_Rows, dict[str, Any]] | None = None

    def predict_one(self, features: Usable) -> float | None:
        """The calibrated probability of a winner."""
        above = self._calibration.above(self._score(self._scale.standardised(features)))
        return sigmoid(self.base.log_odds + above)

    def learn_one(self, features: Usable, label: int, weight: float, said: SaidBefore | None = None) -> None:
        """Show the row to every tree; the vote before it joins the scores that the calibration knows."""
        if self._awaited is not None:
            raise Impossible("the forest was to learn before its rows were folded again")
        if said is not None:
            self._calibration.learn(said, label, weight)
        self.base.add(label, weight)
        scaled = self._scale.learn(features)
        self._calibration.met(self._score(scaled))
        self._grow(features, scaled, label, weight)

    def refold_one(self, features: Usable, label: int, weight: float) -> None:
        """Show the trees a row that they had learned."""
        self._grow(features, self._scale.learn(features), label, weight)

    def refolded(self) -> None:
        """End the folding; raises `InvalidInput` when these were not the rows that the state had learned."""
        if self._awaited is None:
            return
        rows, _ = self._awaited
        if rows == self._met:
            self._awaited = None
            return
        folded, self._met = self._met.learned, _NO_ROWS
        self._scale, self._trees = self._nothing_learned()
        raise InvalidInput(f"the forest learned {rows.learned} rows; the {folded} that were folded are not the same")

    def weights(self) -> Mapping[str, float]:
        """None: trees have no such thing."""
        return {}

    def state(self) -> dict[str, Any]:
        rows, scale = (self._met, self._scale.state()) if self._awaited is None else self._awaited
        return {"weight_sums": self.base.state(), "rows": list(rows), **scale, **self._calibration.state()}

    def take(self, state: Mapping[str, Any]) -> None:
        total, winners = finite(state["weight_sums"])
        self.base = BaseRate(total, winners)
        self._calibration.take(state)
        kept = RunningScale(self._settings)
        kept.take(state)
        self._scale, self._trees = self._nothing_learned()
        self._met = _NO_ROWS
        count, check_sum = map(int, state["rows"])
        self._awaited = (_Rows(count, check_sum), kept.state()) if count else None

    def _nothing_learned(self) -> tuple[RunningScale, Any]:
        # River takes most of a second to import: only who asks for its learners pays.
        forest = import_module("river.forest").ARFClassifier
        return RunningScale(self._settings), forest(n_models=TREES, seed=self._settings.seed)

    def _grow(self, features: Usable, scaled: dict[str, float], label: int, weight: float) -> None:
        self._trees.lambda_value = min(_DRAWS * weight, _MOST_DRAWS)
        self._trees.learn_one(scaled, label)
        told = repr((sorted((name, float(value)) for name, value in features.items()), label, float(weight)))
        self._met = _Rows(self._met.learned + 1, crc32(told.encode(), self._met.check_sum))

    def _score(self, scaled: dict[str, float]) -> float:
        """The log-odds of the trees' vote; 0 while they have nothing to vote with."""
        if not self._met.learned:
            return 0.0  # asked now, river would plant its trees for the features of this question
        votes = self._trees.predict_proba_one(scaled)
        total = sum(votes.values())
        if not (total > 0 and math.isfinite(total)):
            return 0.0
        return logit(min(max(votes.get(1, 0.0) / total, _EDGE), 1.0 - _EDGE))
