"""How an online learner learns, and when the filter around it may speak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import InvalidInput

LEARNERS = ("logistic", "passive_aggressive", "neural", "forest")
"""The names a learner may be asked for by."""


class ThresholdMode(StrEnum):
    DEFAULT = "default"
    CONSERVATIVE = "conservative"
    AGGRESSIVE = "aggressive"


THRESHOLDS: Mapping[ThresholdMode, float] = {
    ThresholdMode.DEFAULT: 0.50,
    ThresholdMode.CONSERVATIVE: 0.65,
    ThresholdMode.AGGRESSIVE: 0.35,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OnlineSettings:
    """How the online filter learns and when it may speak.

    It is silent until `minimum_labels` labels, `minimum_per_class` of each kind. The step size at label t is
    `learning_rate` / sqrt(t + 1); `l2` draws weights to 0. The default step is small: trades tell little and
    overlap, and on real candles larger steps fitted noise (docs/adr/0006 has the table). Standardised inputs are
    cut at `clip_sigmas`, raw ones beyond `largest_input` count as missing. Probabilities are kept
    `clip_probability` away from 0 and 1.
    `threshold` (for instance a break-even probability) replaces the mode's.
    `learner` is one of `LEARNERS`; `seed` is what the net and the forest draw from, the others draw nothing.
    """

    minimum_labels: int = 100
    minimum_per_class: int = 20
    learning_rate: float = 0.005
    l2: float = 0.05
    threshold_mode: ThresholdMode = ThresholdMode.DEFAULT
    threshold: float | None = None
    clip_probability: float = 0.01
    clip_sigmas: float = 4.0
    winsorise_sigmas: float = 8.0
    largest_input: float = 1e9
    learner: str = "logistic"
    seed: int = 1

    def __post_init__(self) -> None:
        if self.minimum_labels < 1 or self.minimum_per_class < 1:
            raise InvalidInput("the online filter needs at least 1 label, and 1 of each class, before it may speak")
        if not (0 < self.learning_rate <= 1 and 0 <= self.l2 <= 1):
            raise InvalidInput(f"learning rate {self.learning_rate} must lie in (0, 1] and l2 {self.l2} in [0, 1]")
        if not 0 < self.clip_probability < 0.5:
            raise InvalidInput(f"clip_probability is {self.clip_probability}; it must lie in (0, 0.5)")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise InvalidInput(f"threshold is {self.threshold}; it must lie in (0, 1)")
        if not (0 < self.clip_sigmas <= self.winsorise_sigmas and 0 < self.largest_input <= 1e12):
            raise InvalidInput("0 < clip_sigmas <= winsorise_sigmas and 0 < largest_input <= 1e12 are needed")
        if self.learner not in LEARNERS:
            raise InvalidInput(f"there is no online learner {self.learner!r}; there are {', '.join(LEARNERS)}")
        if self.seed < 0:
            raise InvalidInput(f"the online learner's seed is {self.seed}; it must not be below 0")

    @property
    def acting_threshold(self) -> float:
        return THRESHOLDS[self.threshold_mode] if self.threshold is None else self.threshold
