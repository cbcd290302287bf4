"""Learners that take one labelled row at a time, behind one contract; `learner_named` makes them by name."""

from __future__ import annotations

from learning.learners.contract import OnlineLearner
from learning.learners.forest import ForestLearner
from learning.learners.logistic import LogisticLearner
from learning.learners.neural import NeuralLearner
from learning.learners.passive_aggressive import PassiveAggressiveLearner
from learning.learners.settings import OnlineSettings

__all__ = ["OnlineLearner", "learner_named"]

_BY_NAME: dict[str, type[OnlineLearner]] = {
    "logistic": LogisticLearner,
    "passive_aggressive": PassiveAggressiveLearner,
    "neural": NeuralLearner,
    "forest": ForestLearner,
}


def learner_named(settings: OnlineSettings) -> OnlineLearner:
    """A learner of the kind that `settings.learner` names, which has learned nothing."""
    return _BY_NAME[settings.learner](settings)
