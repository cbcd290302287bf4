"""The ensemble: who wins, what it scores, and why nothing is proposed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals_cases import real_series, scripted, table_of

from domain.decisions import Signal
from domain.numbers import significant
from domain.orders import Side
from signals import REASONS, STRATEGIES, SignalSettings, combine
from signals.ensemble import technical_score

SETTINGS = SignalSettings()
LAST = 199
NO_HIGHER = {"higher_adx": [float("nan")], "higher_side": [float("nan")]}


def proposal(votes: dict[str, tuple[int, float, int]], **weights: float) -> Signal | str:
    return combine(scripted(votes, columns=NO_HIGHER), LAST, weights, SETTINGS)


def test_two_agreeing_votes_make_a_proposal_with_stop_and_target() -> None:
    table = scripted({"trend": (1, 0.8, 0), "breakout": (1, 0.7, 2)}, columns=NO_HIGHER)
    told = combine(table, LAST, {}, SETTINGS)
    assert isinstance(told, Signal)
    close, atr = table.series.close[LAST], table.columns["atr"][LAST]
    assert (told.side, told.agreement, told.technical_score) == (Side.BUY, 1.0, 0.75)
    assert (told.entry_price, told.atr) == (close, atr)
    assert told.stop_price == pytest.approx(close - 2 * atr)
    assert told.target_price == pytest.approx(close + 6 * atr)
    assert told.bars_since_signal == 2
    assert told.strategies == ("trend", "breakout")


def test_shorts_are_proposed_alike() -> None:
    told = proposal({"momentum": (-1, 0.8, 0), "ichimoku": (-1, 0.9, 1)})
    assert isinstance(told, Signal)
    assert told.side is Side.SELL
    assert told.stop_price > told.entry_price > told.target_price
    assert told.strategies[0] == "ichimoku"


def test_a_dissenting_vote_stays_in_the_record_but_not_in_the_score() -> None:
    told = proposal({"trend": (1, 0.8, 0), "breakout": (1, 0.8, 0), "mean_reversion": (-1, 0.9, 2)})
    assert isinstance(told, Signal)
    assert told.agreement == significant(2 / 3)
    assert told.technical_score == 0.8
    assert told.bars_since_signal == 0
    assert {vote.strategy for vote in told.votes} == {"trend", "breakout", "mean_reversion"}
    assert told.strategies == ("breakout", "trend")


def test_nothing_is_proposed_for_each_of_the_named_reasons() -> None:
    two = {"trend": (1, 0.9, 0), "breakout": (1, 0.9, 0)}
    assert proposal({}) == "silent"
    assert proposal({"trend": (1, 0.9, 0)}) == "few_votes"
    assert proposal({**two, "momentum": (-1, 0.9, 0), "ichimoku": (-1, 0.9, 0)}) == "disagreement"
    assert proposal({"trend": (1, 0.6, 0), "breakout": (1, 0.6, 0)}) == "low_confidence"
    assert combine(scripted(two), 100, {}, SETTINGS) == "warmup"
    for atr in (float("nan"), 0.0, 1e-9):
        assert combine(scripted(two, columns=NO_HIGHER | {"atr": [atr]}), LAST, {}, SETTINGS) == "flat_volatility"
    short = {"trend": (-1, 0.9, 0), "breakout": (-1, 0.9, 0)}
    wild = scripted(short, columns=NO_HIGHER | {"atr": [1e6]})
    assert combine(wild, LAST, {}, SETTINGS) == "wild_volatility"


def test_weights_decide_who_wins_and_a_weight_of_nothing_silences() -> None:
    votes = {"trend": (1, 0.9, 0), "breakout": (1, 0.9, 0), "momentum": (-1, 0.7, 0), "ichimoku": (-1, 0.9, 0)}
    told = proposal(votes, momentum=3.0, ichimoku=1.0, trend=0.5, breakout=0.5)
    assert isinstance(told, Signal)
    assert (told.side, told.agreement) == (Side.SELL, 0.8)
    assert told.technical_score == significant((3 * 0.7 + 0.9) / 4)
    assert proposal(votes, trend=0.0, breakout=0.0, momentum=0.0, ichimoku=0.0) == "silent"
    assert proposal(votes, trend=0.0, momentum=0.0, ichimoku=0.0) == "few_votes"


def test_the_higher_timeframe_weighs_by_its_adx() -> None:
    table = scripted({}, columns={"adx": [20.0], "higher_adx": [30.0], "higher_side": [1.0]})
    wide = replace(SETTINGS, higher_weight_limit=1.0)
    for settings, weight in ((SETTINGS, 0.5), (wide, 0.6)):
        with_it = technical_score(table, LAST, Side.BUY, 0.7, settings)
        against = technical_score(table, LAST, Side.SELL, 0.7, settings)
        assert with_it == significant((1 - weight) * 0.7 + weight * (1 + 0.6) / 2)
        assert against == significant((1 - weight) * 0.7 + weight * (1 - 0.6) / 2)
    neutral = scripted({}, columns={"adx": [20.0], "higher_adx": [20.0], "higher_side": [0.0]})
    assert technical_score(neutral, LAST, Side.BUY, 0.7, SETTINGS) == 0.6


def test_without_a_higher_timeframe_or_adx_the_score_is_the_confidence() -> None:
    nan = float("nan")
    for columns in (NO_HIGHER, {"adx": [nan], "higher_adx": [30.0], "higher_side": [1.0]}):
        assert technical_score(scripted({}, columns=columns), LAST, Side.BUY, 0.7, SETTINGS) == 0.7


@given(
    votes=st.dictionaries(
        st.sampled_from([strategy.name for strategy in STRATEGIES]),
        st.tuples(st.sampled_from([1, -1]), st.floats(0.01, 1.0), st.integers(0, 2)),
    ),
    weights=st.dictionaries(st.sampled_from([strategy.name for strategy in STRATEGIES]), st.floats(0, 5)),
)
def test_a_proposal_always_has_enough_agreement_votes_and_score(
    votes: dict[str, tuple[int, float, int]], weights: dict[str, float]
) -> None:
    told = combine(SHARED.with_votes(votes), LAST, weights, SETTINGS)
    if isinstance(told, str):
        assert told in REASONS
        return
    agreeing = [vote for vote in told.votes if vote.side is told.side and weights.get(vote.strategy, 1.0) > 0]
    assert len(agreeing) >= SETTINGS.min_votes
    assert SETTINGS.agreement <= told.agreement <= 1
    assert SETTINGS.min_confidence <= told.technical_score <= 1
    assert significant(told.technical_score) == told.technical_score


class _Shared:
    """One table, many votes: computing it for every example would only be slow."""

    def __init__(self) -> None:
        self.base = scripted({})

    def with_votes(self, votes: dict[str, tuple[int, float, int]]):
        sides, ages = self.base.sides.copy(), self.base.ages.copy()
        confidences = self.base.confidences.copy()
        for position, strategy in enumerate(self.base.strategies):
            if strategy.name in votes:
                sides[position, -1], confidences[position, -1], ages[position, -1] = votes[strategy.name]
        return replace(self.base, sides=sides, confidences=confidences, ages=ages)


SHARED = _Shared()


@pytest.mark.parametrize(
    "name", ["crypto/BTCUSDT-1h", "crypto/XRPUSDT-1h", "forex/GBPUSD-1h", "forex/EURUSD-1h", "equity_us/AAPL-1d"]
)
def test_real_markets_get_proposals_on_a_few_bars_in_a_hundred_on_both_sides(market_data: Path, name: str) -> None:
    table = table_of(real_series(market_data, name, 5000))
    told = [combine(table, index, {}, SETTINGS) for index in np.flatnonzero(table.speaks).tolist()]
    signals = [signal for signal in told if isinstance(signal, Signal)]
    assert 0.02 <= len(signals) / len(table) <= 0.08
    longs = sum(signal.side is Side.BUY for signal in signals)
    assert 0.2 < longs / len(signals) < 0.8
