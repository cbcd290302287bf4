"""The strategies: symmetric, honest about their confidence, replaceable by a user's own file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from signals_cases import series_of, table_of, walk

from domain.errors import InvalidInput
from domain.orders import Side
from signals import STRATEGIES, SignalSettings, SignalTable, load_strategies, strategy_code, strategy_hash
from signals.strategies import STRATEGY_CODES
from signals.strategies.base import Fired, crossed_above, crossed_below
from signals.table import _kept_valid

USERS_OWN = """
from typing import ClassVar

from signals.strategies.base import Columns, Fired, Strategy, crossed_above, crossed_below, fired
from signals.settings import SignalSettings


class Midline(Strategy):
    name: ClassVar[str] = "midline"
    long_reason: ClassVar[str] = "RSI above 50"
    short_reason: ClassVar[str] = "RSI below 50"

    def fire(self, columns: Columns, settings: SignalSettings) -> Fired:
        rsi = columns["rsi"]
        return fired(crossed_above(rsi, 50.0), crossed_below(rsi, 50.0), 0.6 + 0 * rsi, 0.6 + 0 * rsi)
"""


def test_a_mirrored_market_gets_mirrored_votes_from_every_strategy() -> None:
    """Prices reflected about a level so high that returns and clearances hardly notice the difference."""
    random = np.random.default_rng(12)
    level, step, bars = 90_000.0, 20.0, 4000
    close = level + np.cumsum(step * random.standard_normal(bars))
    close -= np.linspace(0, close[-1] - level, bars)
    open_ = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(open_, close) + step * random.random(bars)
    low = np.minimum(open_, close) - step * random.random(bars)
    settings = SignalSettings(slow_clearance=0.005)
    market = SignalTable.compute(series_of(close, high, low), None, settings)
    mirror = SignalTable.compute(series_of(2 * level - close, 2 * level - low, 2 * level - high), None, settings)
    for position, strategy in enumerate(STRATEGIES):
        sides, mirrored = market.sides[position], mirror.sides[position]
        spoken = (sides != 0) | (mirrored != 0)
        assert spoken.sum() > 50, strategy.name
        assert np.mean(sides[spoken] == -mirrored[spoken]) > 0.97, strategy.name
        both = (sides != 0) & (mirrored != 0)
        difference = np.abs(market.confidences[position][both] - mirror.confidences[position][both])
        assert np.median(difference) < 0.01, strategy.name


def test_long_trends_are_bought_and_falling_ones_sold() -> None:
    rise = walk(21, 800, volatility=0.004).close * np.exp(np.linspace(0, 2.0, 800))
    fall = walk(21, 800, volatility=0.004).close * np.exp(np.linspace(0, -2.0, 800))
    for close, sign in ((rise, 1), (fall, -1)):
        sides = dict(zip((s.name for s in STRATEGIES), table_of(series_of(close)).sides, strict=True))
        for name in ("trend", "breakout", "momentum", "ichimoku"):
            assert (sides[name] == sign).sum() > 5 * (sides[name] == -sign).sum(), name


def test_votes_are_sides_with_a_confidence_between_nothing_and_one_and_an_age() -> None:
    settings = SignalSettings()
    table = table_of(walk(13, 2000))
    spoken = table.sides != 0
    assert np.array_equal(spoken, np.isfinite(table.confidences))
    assert np.array_equal(spoken, table.ages >= 0)
    assert ((table.confidences[spoken] > 0) & (table.confidences[spoken] <= 1)).all()
    assert table.ages.max() == settings.signal_valid_bars - 1
    index = int(np.flatnonzero(table.speaks)[0])
    for vote in table.votes(index):
        position = [strategy.name for strategy in STRATEGIES].index(vote.strategy)
        assert vote.side.sign == table.sides[position, index]
        assert vote.confidence == table.confidences[position, index]
        assert vote.reason == STRATEGIES[position].reason(vote.side)


def test_an_event_fades_and_ends_and_a_newer_one_replaces_it() -> None:
    sides = np.array([0, 1, 0, 0, 0, 0, -1, 1, 0], dtype=np.int8)
    confidences = np.where(sides != 0, 0.8, np.nan)
    settings = SignalSettings(signal_valid_bars=3, confidence_decay=0.5)
    kept, faded, ages = _kept_valid(Fired(sides, confidences), settings)
    assert kept.tolist() == [0, 1, 1, 1, 0, 0, -1, 1, 1]
    assert ages.tolist() == [-1, 0, 1, 2, -1, -1, 0, 0, 1]
    assert np.array_equal(faded, [np.nan, 0.8, 0.4, 0.2, np.nan, np.nan, 0.8, 0.8, 0.4], equal_nan=True)


def test_a_cross_needs_both_bars() -> None:
    values = np.array([np.nan, 2.0, 0.0, 1.0, 2.0, np.nan, 3.0])
    assert crossed_above(values, 1.0).tolist() == [False, False, False, False, True, False, False]
    assert crossed_below(values, 1.0).tolist() == [False, False, True, False, False, False, False]


def test_stop_and_target_lie_on_the_right_sides_at_the_set_ratio() -> None:
    settings = SignalSettings(atr_stop=1.5, reward_risk=2.5)
    for strategy in STRATEGIES:
        assert strategy.barriers(Side.BUY, 100.0, 2.0, settings) == (97.0, 107.5)
        assert strategy.barriers(Side.SELL, 100.0, 2.0, settings) == (103.0, 92.5)


def test_codes_are_fixed_unique_and_cover_every_shipped_strategy() -> None:
    assert {strategy.name for strategy in STRATEGIES} == set(STRATEGY_CODES)
    assert len(set(STRATEGY_CODES.values())) == len(STRATEGY_CODES)
    assert strategy_code("supertrend") == 6
    assert strategy_code("midline") == strategy_code("midline") >= 100
    assert strategy_code("midline") != strategy_code("midlin")


def test_a_users_file_joins_the_shipped_strategies_and_votes(tmp_path: Path) -> None:
    (tmp_path / "midline.py").write_text(USERS_OWN)
    strategies = load_strategies(tmp_path)
    assert [strategy.name for strategy in strategies[:-1]] == [strategy.name for strategy in STRATEGIES]
    table = SignalTable.compute(walk(3, 600), None, SignalSettings(), strategies)
    assert (table.sides[-1] != 0).any()
    spoken = int(np.flatnonzero(table.sides[-1])[0])
    assert "midline" in [vote.strategy for vote in table.votes(spoken)]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1", "holds 0 strategies"),
        (USERS_OWN + "\n\nclass Other(Midline):\n    name = 'other'\n", "holds 2 strategies"),
        (USERS_OWN.replace("midline", "trend"), "names are unique"),
        ("def broken(:", "cannot be run"),
        ("import no_such_library_anywhere", "cannot be run"),
        (USERS_OWN.replace("def fire", "def burn"), "must define fire"),
        (USERS_OWN.replace("long_reason", "why_long"), "must define fire"),
    ],
)
def test_a_bad_strategy_file_is_refused_by_name(tmp_path: Path, source: str, told: str) -> None:
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(InvalidInput, match=told) as refused:
        load_strategies(tmp_path)
    assert "mine.py" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("fired(crossed_above(rsi, 50.0)[1:], crossed_below(rsi, 50.0)[1:], rsi[1:], rsi[1:])", "for 600 bars"),
        ("Fired(2 * crossed_above(rsi, 50.0), 0.6 + 0 * rsi)", "sides other than"),
    ],
)
def test_a_users_strategy_that_gives_nonsense_is_refused_by_name(tmp_path: Path, given: str, told: str) -> None:
    honest = "fired(crossed_above(rsi, 50.0), crossed_below(rsi, 50.0), 0.6 + 0 * rsi, 0.6 + 0 * rsi)"
    (tmp_path / "midline.py").write_text(USERS_OWN.replace(honest, given))
    with pytest.raises(InvalidInput, match=f"strategy midline: .*{told}"):
        SignalTable.compute(walk(3, 600), None, SignalSettings(), load_strategies(tmp_path))


def test_a_missing_strategy_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a folder"):
        load_strategies(tmp_path / "nowhere")


def test_the_strategy_hash_changes_with_a_setting_and_with_a_file(tmp_path: Path) -> None:
    settings = SignalSettings()
    shipped = strategy_hash(settings)
    assert shipped == strategy_hash(SignalSettings())
    assert shipped != strategy_hash(replace(settings, atr_stop=2.5))
    (tmp_path / "midline.py").write_text(USERS_OWN)
    first = strategy_hash(settings, load_strategies(tmp_path))
    (tmp_path / "midline.py").write_text(USERS_OWN.replace("0.6 +", "0.7 +"))
    assert len({shipped, first, strategy_hash(settings, load_strategies(tmp_path))}) == 3
