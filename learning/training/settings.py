"""What a training may do, and the numbers it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta

from domain.errors import InvalidInput

DEFAULT_FAMILIES = ("logistic", "histogram_boosting")
DEFAULT_ENSEMBLES = ("voting",)
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSettings:
    """At most `budget` parameter sets and ensembles are tried, one of each at least: every trial counts against the
    verdict, so the default search is small. With fewer than `small_below` samples only the first family is tried: there
    is too little to tell families apart by, and a flexible one fits noise.

    The last `verdict_share` of the samples is the untouched window. Before it, candidates are compared by combinatorial
    purged cross-validation over `splits` groups, two of them held out at a time. `lag_s` is how much later than its end
    a label may have become known, `embargo_s` how long after a held-out stretch nothing is learned; None takes the
    95th percentile of how long labels take. Samples older than `window_days` are left out (None: none are), older ones
    count for less by `half_life_days`. `minimum_per_class`, `largest_imbalance` and `largest_missing` are what samples
    must have, see `learning.quality`. `balanced` weighs winners and losers alike; probabilities are recalibrated.
    `threshold` fixes the cut-off; None sets it by net expected value.
    """

    families: tuple[str, ...] = DEFAULT_FAMILIES
    ensembles: tuple[str, ...] = DEFAULT_ENSEMBLES
    budget: int = 3
    small_below: int = 1_000
    splits: int = 5
    verdict_share: float = 0.2
    lag_s: int = 0
    embargo_s: int | None = None
    minimum_samples: int = 500
    minimum_resolved: int = 200
    minimum_taken: int = 30
    minimum_per_class: int = 50
    largest_imbalance: float = 3.0
    largest_missing: float = 0.1
    window_days: int | None = None
    half_life_days: int | None = None
    balanced: bool = True
    threshold: float | None = None
    resamples: int = 4_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.families:
            raise InvalidInput("a training needs at least one model family")
        if not (1 <= self.budget <= 100 and 3 <= self.splits <= 12):
            raise InvalidInput(f"budget is {self.budget}, splits {self.splits}; allowed are 1 to 100 and 3 to 12")
        if self.small_below < 0:
            raise InvalidInput(f"small_below is {self.small_below}; it may not be negative")
        if not 0.05 <= self.verdict_share <= 0.5:
            raise InvalidInput(f"verdict_share is {self.verdict_share}; it must lie in [0.05, 0.5]")
        if self.minimum_samples < 50 or self.minimum_resolved < 1 or self.minimum_taken < 1:
            raise InvalidInput("minimum_samples must be at least 50, minimum_resolved and minimum_taken at least 1")
        if self.lag_s < 0 or (self.embargo_s is not None and self.embargo_s < 0):
            raise InvalidInput("lag_s and embargo_s may not be negative")
        for name in ("window_days", "half_life_days"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidInput(f"{name} is {value}; it must be at least 1")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise InvalidInput(f"threshold is {self.threshold}; it must lie in (0, 1)")
        if self.resamples < 200 or self.seed < 0:
            raise InvalidInput("resamples must be at least 200 and seed not negative")

    @property
    def lag(self) -> timedelta:
        return timedelta(seconds=self.lag_s)

    @property
    def window(self) -> timedelta | None:
        return None if self.window_days is None else self.window_days * DAY

    @property
    def half_life(self) -> timedelta | None:
        return None if self.half_life_days is None else self.half_life_days * DAY

    def document(self) -> dict[str, object]:
        """As plain JSON values."""
        return {**asdict(self), "families": list(self.families), "ensembles": list(self.ensembles)}

    @classmethod
    def read(cls, document: Mapping[str, object]) -> TrainingSettings:
        """The settings `document` was taken from; raises `InvalidInput` for anything else."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(document) - known)
        if unknown:
            raise InvalidInput(f"training settings do not know {', '.join(unknown)}")
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
        return cls(**values)  # type: ignore[arg-type]  # each value is checked at birth
