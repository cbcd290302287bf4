"""What the configuration means for the parts: settings that depend on the length of a bar."""

from __future__ import annotations

import math

import pytest

from daemon.config import load
from daemon.settings import scan_settings_of, signals_of
from domain.instruments import Timeframe


@pytest.mark.parametrize(
    ("timeframe", "flags", "bars"),
    [
        (Timeframe.H1, [], 240),
        (Timeframe.H1, ["signals.time_exit_bars=none"], 720),
        (Timeframe.H1, ["signals.max_holding_days=5"], 120),
        (Timeframe.D1, [], 30),
        (Timeframe.D1, ["signals.time_exit_bars=10"], 10),
        (Timeframe.D1, ["signals.max_holding_days=0.5"], 1),
    ],
)
def test_no_trade_outlasts_the_days_it_may_be_held(timeframe: Timeframe, flags: list[str], bars: int) -> None:
    config = load(environ={}, flags=flags).config
    assert signals_of(config, timeframe).time_exit_bars == bars


def test_the_volatility_bound_grows_with_the_root_of_the_bars_length() -> None:
    config = load(environ={}, flags=[]).config
    bounds = [signals_of(config, timeframe).reversal_volatility_bound for timeframe in (Timeframe.M15, Timeframe.H1)]
    assert bounds == [0.003, pytest.approx(0.003 * math.sqrt(4))]


def test_an_entry_on_daily_bars_waits_over_a_long_weekend() -> None:
    config = load(environ={}, flags=[]).config
    assert scan_settings_of(config, Timeframe.H1).entry_valid.total_seconds() == 2 * 3600
    assert scan_settings_of(config, Timeframe.D1).entry_valid.days == 5
