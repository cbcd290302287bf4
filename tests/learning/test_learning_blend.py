"""How probabilities enter scores, samples and break-even."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decisions import (
    Decision,
    DecisionStatus,
    ExitCause,
    FeatureVector,
    MlClass,
    MlView,
    Outcome,
    OutcomeKind,
    SampleSource,
    Signal,
    Vote,
)
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from domain.orders import Side
from learning.blend import PROBABILITY_BELOW_THRESHOLD, SCORE_BELOW_MINIMUM, Mode, accepts, blend
from learning.samples import break_even, sample_of

OPENED = datetime(2024, 1, 1, tzinfo=UTC)
UNKNOWN = MlView(
    verdict=MlClass.UNKNOWN, probability=None, confidence=None, threshold=0.5, model="m", seen=3, why="3 of 100 labels"
)


def said(probability: float, threshold: float = 0.5) -> MlView:
    verdict = MlClass.PROFITABLE if probability >= threshold else MlClass.UNPROFITABLE
    return MlView(
        verdict=verdict,
        probability=probability,
        confidence=2 * abs(probability - 0.5),
        threshold=threshold,
        model="m",
        seen=200,
    )


def decision(side: Side = Side.BUY) -> Decision:
    sign = side.sign
    signal = Signal(
        instrument="EURUSD",
        timeframe=Timeframe.H1,
        bar_opened_at=OPENED,
        side=side,
        technical_score=0.7,
        agreement=1.0,
        votes=(
            Vote(strategy="trend", side=side, confidence=0.5, reason="up"),
            Vote(strategy="breakout", side=side, confidence=0.9, reason="out"),
        ),
        entry_price=1.10,
        stop_price=1.10 - sign * 0.01,
        target_price=1.10 + sign * 0.03,
        atr=0.005,
        bars_since_signal=0,
    )
    return Decision(
        decision_id="d1",
        account="demo",
        instrument="EURUSD",
        timeframe=Timeframe.H1,
        bar_opened_at=OPENED,
        decided_at=OPENED + timedelta(hours=1),
        signal=signal,
        features=FeatureVector(schema="s1", values={"rsi": 55.0, "volume": None}),
        sentiment=None,
        ml=UNKNOWN,
        score=0.7,
        status=DecisionStatus.FILTERED,
        reason="score_below_minimum",
        quantity=Decimal(0),
        risk_amount=Decimal(0),
        strategy_hash="h",
    )


def outcome(r_net: float, *, kind: OutcomeKind = OutcomeKind.SHADOW, side: Side = Side.BUY) -> Outcome:
    return Outcome(
        outcome_id="o1",
        decision_id="d1",
        kind=kind,
        instrument="EURUSD",
        timeframe=Timeframe.H1,
        side=side,
        opened_at=OPENED + timedelta(hours=1),
        closed_at=OPENED + timedelta(hours=9),
        entry_price=1.1,
        exit_price=1.1,
        quantity=Decimal(1),
        r_net=r_net,
        return_net=r_net / 100,
        mfe_r=max(r_net, 0.0),
        mae_r=min(r_net, 0.0),
        bars_held=8,
        exit_cause=ExitCause.TIME,
        costs_r=0.1,
        profit=None,
        strategies=("breakout", "trend"),
        sentiment_state="none",
        model="m",
    )


def test_score_enhancement_mixes_seven_to_three() -> None:
    assert blend(0.8, said(0.4), Mode.SCORE_ENHANCEMENT) == pytest.approx(0.68)
    assert blend(0.8, said(0.4), Mode.SCORE_ENHANCEMENT, technical_weight=0.6) == pytest.approx(0.64)


@pytest.mark.parametrize("mode", list(Mode))
def test_an_unknown_opinion_changes_no_score_and_no_verdict(mode: Mode) -> None:
    assert blend(0.612345, UNKNOWN, mode) == 0.612345
    assert accepts(0.6, UNKNOWN, mode, minimum_score=0.5) is None
    assert accepts(0.4, UNKNOWN, mode, minimum_score=0.5) == SCORE_BELOW_MINIMUM


def test_filter_keeps_the_score_and_refuses_below_the_threshold() -> None:
    assert blend(0.8, said(0.1), Mode.FILTER) == 0.8
    assert accepts(0.8, said(0.49), Mode.FILTER, minimum_score=0.5) == PROBABILITY_BELOW_THRESHOLD
    assert accepts(0.8, said(0.50), Mode.FILTER, minimum_score=0.5) is None
    assert accepts(0.4, said(0.90), Mode.FILTER, minimum_score=0.5) == SCORE_BELOW_MINIMUM


def test_replace_asks_the_threshold_alone() -> None:
    view = said(0.35, threshold=0.3)
    assert blend(0.8, view, Mode.REPLACE) == 0.35
    assert accepts(0.35, view, Mode.REPLACE, minimum_score=0.5) is None
    assert accepts(0.25, said(0.25, threshold=0.3), Mode.REPLACE, minimum_score=0.1) == PROBABILITY_BELOW_THRESHOLD


def test_off_and_enhancement_ask_the_minimum_score_alone() -> None:
    for mode in (Mode.OFF, Mode.SCORE_ENHANCEMENT):
        assert accepts(0.6, said(0.1), mode, minimum_score=0.5) is None
        assert accepts(0.4, said(0.9), mode, minimum_score=0.5) == SCORE_BELOW_MINIMUM
    assert blend(0.8, said(0.1), Mode.OFF) == 0.8


SHARES = st.integers(0, 10**6).map(lambda millionths: millionths / 10**6)


@given(technical=SHARES, probability=SHARES, weight=SHARES)
def test_a_blended_score_lies_between_its_parts_at_six_digits(
    technical: float, probability: float, weight: float
) -> None:
    score = blend(technical, said(probability), Mode.SCORE_ENHANCEMENT, technical_weight=weight)
    assert min(technical, probability) - 1e-5 <= score <= max(technical, probability) + 1e-5
    assert score == float(f"{score:.5e}")


def test_scores_outside_zero_to_one_are_refused() -> None:
    for technical, weight in ((1.2, 0.7), (float("nan"), 0.7), (0.5, 1.5)):
        with pytest.raises(InvalidInput):
            blend(technical, said(0.5), Mode.OFF, technical_weight=weight)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize(("r_net", "label"), [(2.9, 1), (0.0001, 1), (0.0, 0), (-1.05, 0)])
def test_the_label_is_net_profit_on_either_side(side: Side, r_net: float, label: int) -> None:
    made = sample_of(decision(side), outcome(r_net, side=side))
    assert made.label == label
    assert made.r_net == r_net
    assert made.weight == 1.0
    assert made.side is side


def test_a_sample_carries_the_frozen_features_and_the_strongest_strategy() -> None:
    taken = decision()
    made = sample_of(taken, outcome(1.0, kind=OutcomeKind.REAL))
    assert made.features is taken.features
    assert made.strategy == "breakout"
    assert made.source is SampleSource.REAL
    assert made.resolved_at == OPENED + timedelta(hours=9)
    assert sample_of(taken, outcome(1.0)).source is SampleSource.SHADOW


def test_an_outcome_of_another_side_makes_no_sample() -> None:
    with pytest.raises(InvalidInput, match="sell"):
        sample_of(decision(Side.BUY), outcome(1.0, side=Side.SELL))


@pytest.mark.parametrize(
    ("reward_risk", "cost_r", "chance"), [(1.0, 0.1, 0.55), (1.5, 0.1, 0.44), (0.2, 0.05, 0.875), (3.0, 0.08, 0.27)]
)
def test_break_even_matches_the_hand_calculation(reward_risk: float, cost_r: float, chance: float) -> None:
    assert break_even(reward_risk=reward_risk, cost_r=cost_r) == pytest.approx(chance)


@given(reward_risk=st.floats(0.1, 10), cost_r=st.floats(0, 1))
def test_at_break_even_a_trade_earns_nothing(reward_risk: float, cost_r: float) -> None:
    chance = break_even(reward_risk=reward_risk, cost_r=cost_r)
    assert chance * reward_risk - (1 - chance) - cost_r == pytest.approx(0, abs=1e-9)


def test_break_even_refuses_nonsense() -> None:
    for reward_risk, cost_r in ((0.0, 0.1), (1.0, -0.1), (float("inf"), 0.0)):
        with pytest.raises(InvalidInput):
            break_even(reward_risk=reward_risk, cost_r=cost_r)


def test_the_value_of_following_break_even_is_never_below_taking_everything() -> None:
    """With honest probabilities the cut at p* loses no expected value, whatever the odds."""
    draw = np.random.default_rng(1)
    chance = break_even(reward_risk=1.5, cost_r=0.1)
    taken = everything = 0.0
    for _ in range(5000):
        p = float(draw.beta(4, 5))
        value = p * 1.5 - (1 - p) - 0.1
        everything += value
        taken += value if p >= chance else 0.0
    assert taken > everything
    assert taken > 0
