"""From a decision and how it ended to a labelled sample; and the share of winners that merely pays the costs."""

from __future__ import annotations

import math

from domain.decisions import Decision, Outcome, OutcomeKind, Sample, SampleSource
from domain.errors import InvalidInput

SAMPLE_WEIGHT = 1.0


def sample_of(decision: Decision, outcome: Outcome) -> Sample:
    """The sample of one resolved decision, with the features that were frozen when it was taken.

    The label is 1 when net R > 0, whatever the side. Every sample weighs 1. Weighing by |R| would teach a share of
    profit instead of a chance of profit (at reward/risk 3 winners would count three times), and the break-even
    probability would no longer be the number to hold it against. Raises `InvalidInput` when the two do not belong
    together.
    """
    if outcome.decision_id != decision.decision_id or outcome.instrument != decision.instrument:
        raise InvalidInput(
            f"outcome {outcome.outcome_id} belongs to decision {outcome.decision_id} on {outcome.instrument}, "
            f"not to {decision.decision_id} on {decision.instrument}"
        )
    if outcome.side is not decision.signal.side:
        raise InvalidInput(f"outcome {outcome.outcome_id} is a {outcome.side}, its decision a {decision.signal.side}")
    strategies = decision.signal.strategies
    return Sample(
        decision_id=decision.decision_id,
        decided_at=decision.decided_at,
        resolved_at=outcome.closed_at,
        instrument=decision.instrument,
        side=outcome.side,
        strategy=strategies[0] if strategies else "",
        features=decision.features,
        r_net=outcome.r_net,
        label=int(outcome.won),
        weight=SAMPLE_WEIGHT,
        source=SampleSource.REAL if outcome.kind is OutcomeKind.REAL else SampleSource.SHADOW,
    )


def break_even(*, reward_risk: float, cost_r: float) -> float:
    """The chance of reaching the target at which a trade earns nothing: p* = (1 + cost) / (1 + reward/risk).

    A win brings `reward_risk` R, a loss takes 1 R, either costs `cost_r` R; from p x reward - (1 - p) = cost.
    Values of 1 and above mean that no chance pays. Raises `InvalidInput` for a reward of 0 or below, or a
    negative cost.
    """
    if not (reward_risk > 0 and cost_r >= 0 and math.isfinite(reward_risk + cost_r)):
        raise InvalidInput(f"reward/risk {reward_risk} must be above 0 and the cost of {cost_r} R not below 0")
    return (1 + cost_r) / (1 + reward_risk)
