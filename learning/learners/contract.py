"""What every online learner can do, and what it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from learning.learners.base_rate import BaseRate
from learning.learners.inputs import Usable
from learning.learners.settings import OnlineSettings


class SaidBefore(NamedTuple):
    """What the learner itself forecast at the decision, and the base rate of that moment; both in (0, 1)."""

    forecast: float
    base_rate: float


class OnlineLearner(Protocol):
    """P(winner) from one row, learned one row at a time; the same calls give the same bits.

    It is shown only inputs that are there and not absurd (`usable`). Having learned nothing it says the base rate.
    """

    name: str
    base: BaseRate

    def __init__(self, settings: OnlineSettings) -> None: ...

    def predict_one(self, features: Usable) -> float | None:
        """The probability as it comes, in [0, 1]; None when it is not a number. Changes nothing."""

    def learn_one(self, features: Usable, label: int, weight: float, said: SaidBefore | None = None) -> None:
        """Learn one row that has at least one usable input.

        `label` is 0 or 1, `weight` is above 0. `said` moves the calibration of a learner that has one: a score is
        calibrated by what was said at the decision (docs/adr/0006), and nothing is calibrated without it.
        """

    def weights(self) -> Mapping[str, float]:
        """Log-odds per standard deviation by feature; empty where a model has no such thing."""

    def state(self) -> dict[str, Any]:
        """Everything as values that JSON keeps exactly, copied: learning on leaves it as it is."""

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; raises KeyError, TypeError or ValueError when it is not such a state."""


@runtime_checkable
class Folded(Protocol):
    """A learner that `take` cannot bring back whole: the rows it had learned must then be folded again, in order."""

    def refold_one(self, features: Usable, label: int, weight: float) -> None:
        """Learn one row again, leaving alone what `take` brought back."""

    def refolded(self) -> None:
        """End the folding; raises `InvalidInput` when what was folded is not what the state had learned."""
