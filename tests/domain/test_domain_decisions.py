"""Signals, decisions, outcomes and samples: each rule refuses what breaks it, in one sentence."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from domain_builders import (
    HOUR,
    NAIVE,
    NOW,
    a_decision,
    a_feature_vector,
    a_sample,
    a_sentiment,
    a_signal,
    an_ml_view,
    an_outcome,
)
from hypothesis import given
from hypothesis import strategies as st

from domain.decisions import DecisionStatus, MlClass, Vote
from domain.errors import InvalidRecord
from domain.orders import Side

BOTH = "a known one has both, an unknown one has neither"


def refused(build: Any, changes: dict[str, Any]) -> str:
    with pytest.raises(InvalidRecord) as error:
        build(**changes)
    return str(error.value)


# -- votes and signals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.0, -0.1, 1.0001, math.nan])
def test_a_vote_has_a_confidence_above_nought_and_at_most_one(confidence: float) -> None:
    with pytest.raises(InvalidRecord, match=r"trend: a confidence of .* is not in \(0, 1\]"):
        Vote(strategy="trend", side=Side.BUY, confidence=confidence, reason="")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"bar_opened_at": NAIVE}, "bar_opened_at"),
        ({"technical_score": 1.1}, "a technical score of 1.1 is not in [0, 1]"),
        ({"technical_score": math.nan}, "a technical score of nan is not in [0, 1]"),
        ({"stop_price": 1.10}, "EURUSD: a buy at 1.1 with stop 1.1 and target 1.13"),
        ({"stop_price": 1.12}, "EURUSD: a buy at 1.1 with stop 1.12 and target 1.13"),
        ({"target_price": 1.10}, "EURUSD: a buy at 1.1 with stop 1.09 and target 1.1"),
        ({"target_price": math.nan}, "EURUSD: a buy at 1.1 with stop 1.09 and target nan"),
        ({"side": Side.SELL}, "EURUSD: a sell at 1.1 with stop 1.09 and target 1.13"),
        ({"stop_price": 0.0}, "EURUSD: stop, target and at least one vote are needed"),
        ({"votes": ()}, "EURUSD: stop, target and at least one vote are needed"),
        (
            {"side": Side.SELL, "stop_price": 1.2, "target_price": -0.1},
            "EURUSD: stop, target and at least one vote are needed",
        ),
    ],
)
def test_a_signal_that_makes_no_sense_is_refused(changes: dict[str, Any], told: str) -> None:
    assert told in refused(a_signal, changes)


@given(st.sampled_from(Side), st.floats(1.0, 1e4), st.floats(0.001, 0.5), st.floats(0.001, 0.5))
def test_a_short_signal_is_a_long_one_in_the_mirror(side: Side, entry: float, risk: float, reward: float) -> None:
    stop, target = entry * (1 - side.sign * risk), entry * (1 + side.sign * reward)
    signal = a_signal(side=side, entry_price=entry, stop_price=stop, target_price=target)
    assert signal.risk_per_unit == abs(entry - stop) > 0
    refused(a_signal, {"side": side.opposite, "entry_price": entry, "stop_price": stop, "target_price": target})


def test_only_the_strategies_on_the_proposed_side_are_named_strongest_first() -> None:
    votes = tuple(
        Vote(strategy=name, side=side, confidence=confidence, reason="")
        for name, side, confidence in (
            ("b", Side.BUY, 0.5),
            ("loud", Side.SELL, 1.0),
            ("strong", Side.BUY, 0.9),
            ("a", Side.BUY, 0.5),
        )
    )
    assert a_signal(votes=votes).strategies == ("strong", "a", "b")


# -- what a decision is made on -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"score": 1.1}, "score is 1.1; it must lie in [-1, 1] or be missing"),
        ({"score": math.nan}, "score is nan; it must lie in [-1, 1] or be missing"),
        ({"social_score": -1.1}, "social_score is -1.1; it must lie in [-1, 1] or be missing"),
        ({"confidence": 1.1}, "sentiment confidence 1.1 or count 3 is out of range"),
        ({"count": -1}, "sentiment confidence 0.5 or count -1 is out of range"),
    ],
)
def test_a_sentiment_out_of_range_is_refused(changes: dict[str, Any], told: str) -> None:
    assert refused(a_sentiment, changes) == told


def test_no_news_is_a_missing_score() -> None:
    assert a_sentiment(score=None, count=0, age_s=None, confidence=0.0).score is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_feature_is_a_finite_number_or_missing(value: float) -> None:
    assert (
        refused(a_feature_vector, {"rsi": value}) == f"feature rsi is {value}; a feature is a finite number or missing"
    )


def test_only_the_features_that_are_there_are_present() -> None:
    assert a_feature_vector(rsi=0.0, adx=None).present() == {"rsi": 0.0}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"verdict": MlClass.UNKNOWN}, "a verdict of unknown with probability 0.6 and confidence 0.2; " + BOTH),
        ({"probability": None}, "a verdict of profitable with probability None and confidence 0.2; " + BOTH),
        ({"confidence": None}, "a verdict of profitable with probability 0.6 and confidence None; " + BOTH),
        ({"probability": 1.7}, "a probability of 1.7 does not lie in [0, 1]"),
        ({"probability": math.nan}, "a probability of nan does not lie in [0, 1]"),
        ({"forecast": 0.0}, "a forecast or base rate of 0.0 does not lie in (0, 1)"),
        ({"forecast": 1.0}, "a forecast or base rate of 1.0 does not lie in (0, 1)"),
        ({"base_rate": math.nan}, "a forecast or base rate of nan does not lie in (0, 1)"),
    ],
)
def test_an_opinion_that_contradicts_itself_is_refused(changes: dict[str, Any], told: str) -> None:
    assert refused(an_ml_view, changes) == told


def test_an_unknown_opinion_has_no_probability_but_may_keep_what_it_would_have_said() -> None:
    view = an_ml_view(verdict=MlClass.UNKNOWN, probability=None, confidence=None, forecast=0.4)
    assert (view.probability, view.forecast) == (None, 0.4)


# -- decisions, outcomes, samples ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"decided_at": NOW - timedelta(seconds=1)}, "decision d1 was taken before its bar closed"),
        ({"decided_at": NAIVE}, "decided_at"),
        ({"bar_opened_at": NAIVE}, "bar_opened_at"),
        ({"quantity": Decimal(0)}, "decision d1 is ordered with a quantity of 0"),
        ({"status": DecisionStatus.DENIED}, "decision d1 is denied with a quantity of 10"),
        ({"status": DecisionStatus.FILTERED}, "decision d1 is filtered with a quantity of 10"),
    ],
)
def test_a_decision_that_could_not_be_taken_is_refused(changes: dict[str, Any], told: str) -> None:
    assert told in refused(a_decision, changes)


def test_a_decision_may_be_taken_the_moment_its_bar_closed() -> None:
    assert a_decision().decided_at == a_decision().bar_opened_at + HOUR


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"closed_at": NOW - timedelta(seconds=1)}, "outcome o1 closed before it opened"),
        ({"opened_at": NAIVE}, "opened_at"),
        ({"closed_at": NAIVE}, "closed_at"),
        *(
            ({name: math.nan}, "outcome o1 has figures that are not finite")
            for name in ("r_net", "return_net", "mfe_r", "mae_r")
        ),
        ({"mae_r": 0.1}, "outcome o1: excursions 0.1 and 3.0"),
        ({"mfe_r": -0.1}, "outcome o1: excursions -0.2 and -0.1"),
    ],
)
def test_an_outcome_that_could_not_be_is_refused(changes: dict[str, Any], told: str) -> None:
    assert told in refused(an_outcome, changes)


@pytest.mark.parametrize(("r_net", "won"), [(0.001, True), (0.0, False), (-0.001, False)])
def test_a_trade_is_won_when_it_earned_something_after_costs(r_net: float, won: bool) -> None:
    assert an_outcome(r_net=r_net).won is won


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"resolved_at": NOW - timedelta(seconds=1)}, "sample d1 was resolved before it was decided"),
        ({"decided_at": NAIVE}, "decided_at"),
        ({"resolved_at": NAIVE}, "resolved_at"),
        ({"label": 0}, "sample d1: label 0 at 2.9 R"),
        ({"r_net": -1.0}, "sample d1: label 1 at -1.0 R"),
        ({"r_net": 0.0}, "sample d1: label 1 at 0.0 R"),
        ({"r_net": math.nan, "label": 0}, "sample d1: label 0 at nan R"),
        ({"weight": 0.0}, "sample d1: weight 0.0"),
        ({"weight": math.inf}, "sample d1: weight inf"),
        ({"weight": math.nan}, "sample d1: weight nan"),
    ],
)
def test_a_sample_that_contradicts_itself_is_refused(changes: dict[str, Any], told: str) -> None:
    assert told in refused(a_sample, changes)
