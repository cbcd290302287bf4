"""Exits: each cause in its order, and a stop that only ever comes nearer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from signals_cases import SIDES, scripted, table_of, walk

from domain.decisions import ExitCause
from domain.orders import Side
from signals import Close, ExitPolicy, ExitView, Keep, MoveStop, SignalSettings, exit_step

POLICY = ExitPolicy.from_settings(SignalSettings())
NAN = float("nan")
LAST = 199

CALM = {
    "close": [100.0, 100.0],
    "atr": [1.0],
    "adx": [30.0],
    "volatility_forecast": [0.001],
    "supertrend_direction": [1.0, 1.0],
    "higher_side": [1.0, 1.0],
    "chandelier_long": [90.0],
    "chandelier_short": [110.0],
    "ma_20": [99.0, 99.0],
}


def view(side: Side = Side.BUY, **changes: float) -> ExitView:
    plain = ExitView(
        side=side,
        entry_price=100.0,
        initial_stop=100.0 - 2 * side.sign,
        stop=100.0 - 2 * side.sign,
        target=100.0 + 6 * side.sign,
        bars_held=5,
        best_price=100.0,
    )
    return replace(plain, **changes)


def step(
    position: ExitView, columns: dict[str, list[float]] | None = None, policy: ExitPolicy = POLICY, **flags: bool
) -> Keep | MoveStop | Close:
    return exit_step(position, scripted({}, columns=CALM | (columns or {})), LAST, policy, **flags)


def test_a_position_without_a_reason_is_kept() -> None:
    assert step(view()) == Keep()
    assert step(view(Side.SELL), {"supertrend_direction": [-1.0, -1.0], "higher_side": [-1.0, -1.0]}) == Keep()


def test_news_and_the_weekend_close_when_told() -> None:
    assert step(view(), news_against=True) == Close(ExitCause.NEWS)
    assert step(view(), weekend_ahead=True) == Close(ExitCause.WEEKEND)
    assert step(view(), news_against=True, weekend_ahead=True) == Close(ExitCause.NEWS)


def test_time_closes_at_the_set_number_of_bars_and_never_when_off() -> None:
    assert step(view(bars_held=239)) == Keep()
    assert step(view(bars_held=240)) == Close(ExitCause.TIME)
    assert step(view(bars_held=10_000), policy=replace(POLICY, time_exit_bars=None)) == Keep()


def test_a_reversal_closes_when_both_timeframes_have_turned() -> None:
    turned = {"supertrend_direction": [1.0, -1.0], "higher_side": [-1.0, -1.0]}
    assert step(view(), turned) == Close(ExitCause.REVERSAL)
    assert step(view(), {"supertrend_direction": [-1.0, -1.0], "higher_side": [0.0, -1.0]}) == Close(ExitCause.REVERSAL)
    assert step(view(), {"supertrend_direction": [1.0, -1.0], "higher_side": [1.0, 1.0]}) == Keep()
    mirrored = {"supertrend_direction": [-1.0, 1.0], "higher_side": [1.0, 1.0]}
    assert step(view(Side.SELL), mirrored) == Close(ExitCause.REVERSAL)


def test_a_position_taken_against_both_timeframes_is_not_closed_for_that() -> None:
    against = {"supertrend_direction": [-1.0, -1.0], "higher_side": [-1.0, -1.0]}
    assert step(view(bars_held=1), against) == Keep()


def test_without_a_higher_timeframe_the_trend_regime_speaks_for_it() -> None:
    turned = {"supertrend_direction": [1.0, -1.0], "higher_side": [NAN, NAN]}
    assert step(view(), {**turned, "regime_trend": [-1.0, -1.0]}) == Close(ExitCause.REVERSAL)
    assert step(view(), {**turned, "regime_trend": [0.0, 0.0]}) == Keep()
    assert step(view(), {**turned, "regime_trend": [NAN, NAN]}) == Keep()


def test_a_high_volatility_forecast_weakens_and_at_the_bound_suppresses_a_reversal() -> None:
    turned = {"supertrend_direction": [1.0, -1.0], "higher_side": [-1.0, -1.0]}
    assert step(view(), {**turned, "volatility_forecast": [0.003]}) == Keep()
    assert step(view(), {**turned, "volatility_forecast": [0.02]}) == Keep()
    assert step(view(), {**turned, "volatility_forecast": [0.0024]}) == Keep()
    assert step(view(), {**turned, "volatility_forecast": [NAN]}) == Close(ExitCause.REVERSAL)
    assert step(view(), {**turned, "adx": [NAN]}) == Keep()


def test_a_high_volatility_forecast_never_keeps_the_stop_from_tightening() -> None:
    wild = {"volatility_forecast": [0.5], "chandelier_long": [99.0]}
    assert step(view(best_price=105.0), wild) == MoveStop(99.0)


def test_the_moving_average_exit_is_off_by_default_and_needs_a_cross() -> None:
    below = {"close": [100.0, 98.5], "ma_20": [99.0, 99.0]}
    with_average = replace(POLICY, exit_ma=20)
    assert step(view(), below) == Keep()
    assert step(view(), below, with_average) == Close(ExitCause.MOVING_AVERAGE)
    assert step(view(), {**below, "close": [98.0, 98.5]}, with_average) == Keep()
    assert step(view(), {**below, "ma_20": [NAN, NAN]}, with_average) == Keep()


def test_trailing_begins_once_the_trade_was_one_r_in_profit() -> None:
    line = {"chandelier_long": [99.5]}
    assert step(view(best_price=101.9), line) == Keep()
    assert step(view(best_price=102.0), line) == MoveStop(99.5)
    short = {"chandelier_short": [100.5], "supertrend_direction": [-1.0, -1.0], "higher_side": [-1.0, -1.0]}
    assert step(view(Side.SELL, best_price=98.0), short) == MoveStop(100.5)


def test_small_steps_do_not_amend_the_order_and_a_missing_line_does_nothing() -> None:
    assert step(view(best_price=105.0, stop=99.3), {"chandelier_long": [99.5]}) == Keep()
    assert step(view(best_price=105.0, stop=99.25), {"chandelier_long": [99.5]}) == MoveStop(99.5)
    assert step(view(best_price=105.0, stop=99.6), {"chandelier_long": [99.5]}) == Keep()
    assert step(view(best_price=105.0), {"chandelier_long": [NAN]}) == Keep()


def test_a_close_beyond_the_trailing_line_ends_the_trade() -> None:
    assert step(view(best_price=105.0), {"chandelier_long": [100.5]}) == Close(ExitCause.TRAILING_STOP)
    assert step(view(best_price=105.0, stop=101.0), {"chandelier_long": [100.5]}) == Keep()


def test_a_fill_beyond_its_own_stop_is_left_to_the_stop() -> None:
    assert step(view(entry_price=97.0, best_price=105.0), {"chandelier_long": [99.5]}) == Keep()


@given(
    side=SIDES,
    line=st.floats(1, 200),
    stop=st.floats(1, 200),
    best=st.floats(1, 200),
    close=st.floats(1, 200),
    atr=st.one_of(st.just(NAN), st.floats(0, 20)),
)
def test_a_moved_stop_is_always_nearer_to_the_market_and_still_before_it(
    side: Side, line: float, stop: float, best: float, close: float, atr: float
) -> None:
    assume((close - stop) * side.sign > 0)
    columns = {"close": [close], "atr": [atr], "chandelier_long": [line], "chandelier_short": [line]}
    changed = {name: column.copy() for name, column in SHARED.columns.items()}
    for name, values in columns.items():
        changed[name][-1:] = values
    told = exit_step(view(side, stop=stop, best_price=best), replace(SHARED, columns=changed), LAST, POLICY)
    if isinstance(told, MoveStop):
        assert (told.price - stop) * side.sign > 0
        assert (close - told.price) * side.sign > 0
        assert not (told.price - stop) * side.sign < 0.25 * atr


SHARED = scripted({}, columns=CALM)


@given(seed=st.integers(0, 50), side=SIDES, entered=st.integers(150, 300))
def test_along_a_whole_trade_the_stop_only_tightens(seed: int, side: Side, entered: int) -> None:
    table = WALKS[seed % len(WALKS)]
    series = table.series
    entry = series.close.item(entered)
    stop = initial = entry - side.sign * 2 * table.columns["atr"].item(entered)
    best, stops = entry, [initial]
    for index in range(entered + 1, len(table)):
        best = max(best, series.high.item(index)) if side is Side.BUY else min(best, series.low.item(index))
        told = exit_step(
            ExitView(
                side=side,
                entry_price=entry,
                initial_stop=initial,
                stop=stop,
                target=None,
                bars_held=index - entered,
                best_price=best,
            ),
            table,
            index,
            POLICY,
        )
        if isinstance(told, Close):
            break
        if isinstance(told, MoveStop):
            stop = told.price
            stops.append(stop)
    assert (np.diff(stops) * side.sign > 0).all()


WALKS = [table_of(walk(seed, 500, volatility=0.01)) for seed in range(4)]


@pytest.mark.parametrize("index", [0, 1, 5])
def test_the_first_bars_of_a_series_never_crash_an_exit(index: int) -> None:
    table = table_of(walk(1, 30))
    policy = replace(POLICY, exit_ma=20)
    assert exit_step(view(best_price=105.0), table, index, policy) == Keep()
