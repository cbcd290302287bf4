"""Grades, and the one number that sums a model up, with the formula that makes it.

score = 0.20 accuracy + 0.20 success + 0.30 ranking + 0.15 calibration + 0.15 stability, each in [0, 1]:

- accuracy: the share of signals on the side of the threshold that their forecast was on;
- success: the share of winners among the signals that pass;
- ranking: 2 AUC - 1, 0 where the AUC is below 1/2 (Gini's coefficient);
- calibration: 1 - ECE / 0.25, 0 from an expected calibration error of 0.25 on;
- stability: see `learning.report.measured.stability`.

The weights are a choice, not a finding. Ranking weighs most, for it alone owes nothing to the share of winners: where
80% of all signals win, taking them all has an accuracy and a success of 80% and knows nothing. For the same reason a
model whose log-loss is not below the base rate's gets no better grade than "needs improvement", whatever it scores.
Nothing is decided by a grade: what decides is net expected value on unseen signals.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.errors import InvalidInput

FORMULA = (
    "0.20 accuracy + 0.20 success + 0.30 (2 AUC - 1) + 0.15 (1 - ECE / 0.25) + 0.15 stability, each held to 0..1; "
    "at best 'needs improvement' where the log-loss is not below the base rate's"
)
WORST_ECE = 0.25
_EXCELLENT, _GOOD, _FAIR = 0.80, 0.70, 0.60


class Grade(StrEnum):
    EXCELLENT = "excellent"
    """Above 80%."""
    GOOD = "good"
    """From 70% to 80%, both included."""
    FAIR = "fair"
    """From 60% to below 70%."""
    NEEDS_IMPROVEMENT = "needs improvement"
    """Below 60%."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """One part of the combined score: its `value` in [0, 1], None where it is not defined, and its `weight`."""

    name: str
    weight: float
    value: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Combined:
    """The combined score in [0, 1] and its grade; both None where a component is not defined, and `why` says which.

    `why` also says when the grade was held down because the log-loss is not below the base rate's.
    """

    score: float | None
    grade: Grade | None
    components: tuple[Component, ...]
    formula: str = FORMULA
    why: str = ""


def grade_of(share: float) -> Grade:
    """The grade of a share in [0, 1]; raises `InvalidInput` for any other number."""
    if not 0 <= share <= 1:
        raise InvalidInput(f"a share of {share} has no grade; it must lie in [0, 1]")
    if share > _EXCELLENT:
        return Grade.EXCELLENT
    if share >= _GOOD:
        return Grade.GOOD
    return Grade.FAIR if share >= _FAIR else Grade.NEEDS_IMPROVEMENT


def combined_score(
    *,
    accuracy: float | None,
    success: float | None,
    auc: float | None,
    ece: float | None,
    stability: float | None,
    beats_base_rate: bool | None,
) -> Combined:
    """The combined score by the formula above; all arguments in [0, 1], None where one is not defined.

    `beats_base_rate` is whether the log-loss is below the base rate's. Raises `InvalidInput` for a share outside
    [0, 1].
    """
    given = {"accuracy": accuracy, "success": success, "auc": auc, "ece": ece, "stability": stability}
    for name, value in given.items():
        if value is not None and not 0 <= value <= 1:
            raise InvalidInput(f"{name} is {value}; it must lie in [0, 1]")
    components = (
        Component(name="accuracy", weight=0.20, value=accuracy),
        Component(name="success", weight=0.20, value=success),
        Component(name="ranking", weight=0.30, value=None if auc is None else max(0.0, 2 * auc - 1)),
        Component(name="calibration", weight=0.15, value=None if ece is None else max(0.0, 1 - ece / WORST_ECE)),
        Component(name="stability", weight=0.15, value=stability),
    )
    lacking = [each.name for each in components if each.value is None]
    if lacking or beats_base_rate is None:
        why = f"no combined score: {', '.join(lacking) or 'log-loss'} cannot be told"
        return Combined(score=None, grade=None, components=components, why=why)
    # Weights sum to 1 only up to rounding: at full marks the sum must not come out above 1.
    score = min(1.0, round(sum(each.weight * (each.value or 0.0) for each in components), 12))
    grade = grade_of(score)
    if beats_base_rate or grade is Grade.NEEDS_IMPROVEMENT:
        return Combined(score=score, grade=grade, components=components)
    return Combined(
        score=score,
        grade=Grade.NEEDS_IMPROVEMENT,
        components=components,
        why=f"would be {grade}, but its log-loss is not below the base rate's",
    )
