"""No look-ahead: what is known at a bar does not change when later bars come, whatever they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals_cases import BITCOIN, REAL, real_series, resampled, spoiled, table_of, walk

from domain.bars import BarSeries
from domain.decisions import FeatureInputs, Signal
from signals import (
    STRATEGIES,
    ExitPolicy,
    ExitView,
    SignalSettings,
    SignalTable,
    Strategy,
    combine,
    exit_step,
    features,
)
from signals.strategies.base import Columns, Fired

SETTINGS = SignalSettings(garch_refit_bars=250)
POLICY = ExitPolicy.from_settings(SignalSettings(exit_ma=20, time_exit_bars=40, reversal_volatility_bound=0.05))


def assert_same_start(part: SignalTable, whole: SignalTable) -> None:
    """Every column, side, confidence, age and flag of the shorter table equals the longer one's, bit for bit."""
    bars = len(part)
    assert list(part.columns) == list(whole.columns)
    for name in part.columns:
        same = np.array_equal(part.columns[name], whole.columns[name][:bars], equal_nan=True)
        assert same, f"column {name} changed when bars after {bars} became known"
    assert np.array_equal(part.matrix, whole.matrix[:, :bars], equal_nan=True)
    for position, strategy in enumerate(part.strategies):
        same = np.array_equal(part.sides[position], whole.sides[position, :bars])
        assert same, f"strategy {strategy.name} changed its mind when bars after {bars} became known"
    assert np.array_equal(part.confidences, whole.confidences[:, :bars], equal_nan=True)
    assert np.array_equal(part.ages, whole.ages[:, :bars])
    assert np.array_equal(part.speaks, whole.speaks[:bars])


def cuts_of(series: BarSeries) -> list[int]:
    size = len(series)
    return [1, 40, 151, 300, 501, 502, 750, 751, size // 2 + 3, size - 1]


@pytest.mark.parametrize(("name", "count"), REAL)
def test_a_table_of_fewer_real_bars_is_the_beginning_of_the_whole_table(
    market_data: Path, name: str, count: int
) -> None:
    series = real_series(market_data, name, count)
    higher = resampled(series, series.timeframe.higher)
    whole = SignalTable.compute(series, higher, SETTINGS)
    assert whole.speaks.any()
    for cut in cuts_of(series):
        head = series.head(cut)
        assert_same_start(SignalTable.compute(head, resampled(head, series.timeframe.higher), SETTINGS), whole)
        assert_same_start(SignalTable.compute(head, higher, SETTINGS), whole)


@pytest.mark.parametrize("filler", [float("nan"), 1e9, 1e-9, float("inf")])
@pytest.mark.parametrize(("name", "count"), REAL)
def test_a_spoiled_future_does_not_reach_the_past(market_data: Path, name: str, count: int, filler: float) -> None:
    series = real_series(market_data, name, count)
    higher = resampled(series, series.timeframe.higher)
    known = len(series) * 2 // 3
    head = series.head(known)
    honest = SignalTable.compute(head, higher, SETTINGS)
    poisoned_higher = None
    if higher is not None:
        closed = int(np.searchsorted(higher.closed, int(head.closed[-1]), side="right"))
        poisoned_higher = spoiled(higher, closed, filler)
    with np.errstate(all="ignore"):
        poisoned = SignalTable.compute(spoiled(series, known, filler), poisoned_higher, SETTINGS)
    assert_same_start(honest, poisoned)


@pytest.mark.parametrize(("name", "count"), REAL)
def test_proposals_exits_and_features_are_the_same_live_and_over_the_whole_history(
    market_data: Path, name: str, count: int
) -> None:
    series = real_series(market_data, name, count)
    whole = table_of(series, SETTINGS)
    speaking = np.flatnonzero(whole.speaks).tolist()
    proposals = 0
    for index in speaking[:: max(1, len(speaking) // 60)]:
        live = table_of(series.head(index + 1), SETTINGS)
        told = combine(live, index, {"trend": 1.5}, SETTINGS)
        assert told == combine(whole, index, {"trend": 1.5}, SETTINGS)
        assert live.row(index) == whole.row(index)
        assert exits_at(live, index) == exits_at(whole, index)
        if isinstance(told, Signal):
            proposals += 1
            assert vector(live, index, told) == vector(whole, index, told)
    assert proposals > 0


def exits_at(table: SignalTable, index: int) -> list[object]:
    """What the exits say of positions of both sides at this bar."""
    close = table.series.close.item(index)
    views = [
        ExitView(
            side=side,
            entry_price=close,
            initial_stop=close * (1 - 0.01 * side.sign),
            stop=close * (1 - 0.1 * side.sign),
            target=None,
            bars_held=3,
            best_price=close * (1 + 0.05 * side.sign),
        )
        for side in (vote.side for vote in table.votes(index))
    ]
    return [exit_step(view, table, index, POLICY) for view in views]


def vector(table: SignalTable, index: int, signal: Signal) -> dict[str, float]:
    inputs = FeatureInputs(
        decided_at=signal.bar_opened_at + timedelta(days=1),
        instrument=BITCOIN,
        signal=signal,
        row=table.row(index),
        spread=0.0002,
    )
    return features.build(inputs).present()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), bars=st.integers(160, 620), share=st.floats(0.01, 0.99), quiet=st.booleans())
def test_no_made_up_series_lets_the_future_in(seed: int, bars: int, share: float, quiet: bool) -> None:
    series = walk(seed, bars, volatility=1e-5 if quiet else 0.02)
    cut = max(1, int(bars * share))
    assert_same_start(table_of(series.head(cut), SETTINGS), table_of(series, SETTINGS))


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_every_strategy_speaks_on_its_own_and_knows_only_the_past(market_data: Path, strategy: Strategy) -> None:
    columns = table_of(real_series(market_data, "crypto/ETHUSDT-1h", 1500)).columns
    fired_of = fired_at([strategy], columns)
    for cut in (200, 777, 1499):
        earlier = fired_at([strategy], {name: column[:cut] for name, column in columns.items()})
        assert np.array_equal(earlier, fired_of[:, :cut])
    assert (fired_of > 0).any()
    assert (fired_of < 0).any()


def fired_at(strategies: Sequence[Strategy], columns: Columns) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.vstack([strategy.fire(columns, SETTINGS).sides for strategy in strategies])


class TomorrowsNewspaper(Strategy):
    """Buys before it rises: what the checks above must catch."""

    name: ClassVar[str] = "tomorrow"
    long_reason: ClassVar[str] = "it will rise"
    short_reason: ClassVar[str] = "it will fall"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        close = columns["close"]
        rises = np.concatenate((close[1:] > close[:-1], [False]))
        return Fired(np.where(rises, 1, -1).astype(np.int8), np.full(close.shape, 0.9))


def test_the_truncation_check_catches_a_strategy_that_reads_the_future() -> None:
    series = walk(5, 400)
    settings_ = SignalSettings()
    whole = SignalTable.compute(series, None, settings_, [TomorrowsNewspaper()])
    caught = 0
    for cut in range(200, 210):
        part = SignalTable.compute(series.head(cut), None, settings_, [TomorrowsNewspaper()])
        try:
            assert_same_start(part, whole)
        except AssertionError:
            caught += 1
    assert caught > 0
