"""The walk-forward of weights: what it earns, what it pays, what it may know, and how sure a difference is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backtest.portfolio_walk import Market, Plan, Walk, compare, figures_of, pooled, walk
from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.recorded import load_folder
from market.registry import Registry
from market.simulated import SimulatedFeed
from risk.portfolio import Method

Floats = NDArray[np.float64]
DAY = 86_400


def market(returns: Floats, costs: float = 0.001) -> Market:
    periods, count = returns.shape
    return Market(
        name="made",
        instruments=tuple(f"A{place}" for place in range(count)),
        returns=returns,
        closed=np.arange(1, periods + 1, dtype=np.int64) * DAY,
        costs=np.full(count, costs),
        left_out=(),
    )


def made_returns(periods: int = 200, count: int = 3, seed: int = 1) -> Floats:
    draw = np.random.default_rng(seed)
    return np.asarray(draw.normal(0.0005, 0.01, size=(periods, count)) * np.linspace(0.5, 2.0, count))


EQUAL = Plan(method=Method.EQUAL, window=20, step=10)


def test_equal_weights_that_are_restored_every_period_earn_the_mean_less_what_restoring_costs() -> None:
    returns = made_returns(60, 2)
    walked = walk(market(returns, costs=0.002), replace(EQUAL, step=1))
    held, expected, turnover = np.zeros(2), [], 0.0
    for row in returns[20:]:
        change = np.abs(0.5 - held).sum()
        turnover += change
        expected.append((1 - 0.002 * change) * (1 + row.mean()) - 1)
        held = 0.5 * (1 + row) / (1 + row.mean())
    assert walked.daily == pytest.approx(expected)
    assert walked.turnover == pytest.approx(turnover / (39 * DAY / (365.25 * DAY)))
    assert walked.refits == 40


def test_weights_drift_between_refits_and_that_costs_nothing() -> None:
    returns = made_returns(60, 2)
    walked = walk(market(returns), replace(EQUAL, step=1_000))
    bought = 0.5 * np.cumprod(1 + returns[20:], axis=0).sum(axis=1) * 0.999
    assert np.cumprod(1 + walked.daily) == pytest.approx(bought)
    assert walked.refits == 1


@pytest.mark.parametrize("method", list(Method))
def test_what_comes_later_changes_nothing_before_it(method: Method) -> None:
    returns = made_returns()
    changed = returns.copy()
    changed[150:] = made_returns(seed=9)[150:]
    plan = Plan(method=method, window=30, step=7)
    before, after = (walk(market(each), plan).daily for each in (returns, changed))
    assert before[:120].tolist() == after[:120].tolist()
    assert before[120:].tolist() != after[120:].tolist()


def test_a_method_that_is_told_the_cost_and_one_with_a_band_trade_less() -> None:
    made = market(made_returns(400, 5), costs=0.002)
    plan = Plan(method=Method.MIN_VARIANCE, window=40, step=10)
    plain = walk(made, plan).turnover
    assert walk(made, replace(plan, costs_known=True)).turnover < plain
    assert walk(made, replace(plan, no_trade_band=0.1)).turnover < plain


def test_bars_of_one_day_are_one_return() -> None:
    returns = made_returns(24 * 40, 2)
    hourly = replace(market(returns, costs=0.0), closed=np.arange(1, 24 * 40 + 1, dtype=np.int64) * 3_600)
    walked = walk(hourly, Plan(method=Method.EQUAL, window=48, step=24))
    assert walked.daily.size == 38
    assert walked.daily[0] == pytest.approx(np.prod(1 + returns[48:72], axis=0).mean() - 1)


def test_fallbacks_are_counted() -> None:
    falling = made_returns() - 0.01
    walked = walk(market(falling), replace(EQUAL, method=Method.MAX_SHARPE))
    assert walked.fallbacks == walked.refits == 18


def test_too_little_data_is_refused() -> None:
    with pytest.raises(InvalidInput, match="29 days after the first window"):
        walk(market(made_returns(49)), EQUAL)
    with pytest.raises(InvalidInput, match="weights need two"):
        market(made_returns(60, 1))
    with pytest.raises(InvalidInput, match="at least 2 and 1"):
        Plan(method=Method.EQUAL, window=1, step=1)


def walk_of(daily: Floats) -> Walk:
    return Walk(plan=EQUAL, daily=daily, days=252.0, turnover=0.0, refits=1, fallbacks=0, largest_weight=1.0)


def test_figures_are_annualised_and_the_drawdown_is_from_the_peak() -> None:
    found = figures_of(np.array([0.1, -0.5, 0.2, 0.1]), 4.0)
    assert found.sharpe == pytest.approx(-0.025 / np.std([0.1, -0.5, 0.2, 0.1], ddof=1) * 2)
    assert found.drawdown == pytest.approx(0.5)
    with pytest.raises(InvalidInput, match="never change"):
        figures_of(np.full(5, 0.25), 252.0)


def test_a_calmer_copy_is_calmer_for_certain_and_no_better() -> None:
    draw = np.random.default_rng(3)
    daily = draw.normal(0.0005, 0.01, 800)
    calmer = walk_of(daily / 2)
    (found,) = compare([calmer], walk_of(daily), resamples=300)
    assert found.sharpe.value == pytest.approx(0.0, abs=1e-12)
    assert found.volatility.value == pytest.approx(np.log(0.5))
    assert found.volatility.certain
    assert found.drawdown.certain
    assert found.drawdown.value < 0


def test_bands_hold_the_truth_about_as_often_as_they_say() -> None:
    held = 0
    for seed in range(60):
        draw = np.random.default_rng(seed)
        common = draw.normal(0.0004, 0.01, 400)
        ours, theirs = (walk_of(common + draw.normal(0, 0.004, 400)) for _ in range(2))
        (found,) = compare([ours], theirs, seed=seed, resamples=200)
        held += found.sharpe.low <= 0 <= found.sharpe.high
    assert 50 <= held <= 60


def test_the_same_seed_gives_the_same_bands_and_other_days_are_refused() -> None:
    draw = np.random.default_rng(5)
    ours, theirs = walk_of(draw.normal(0, 0.01, 100)), walk_of(draw.normal(0, 0.01, 100))
    first, again = (compare([ours], theirs, resamples=100)[0] for _ in range(2))
    assert first.drawn.tobytes() == again.drawn.tobytes()
    with pytest.raises(InvalidInput, match="different days"):
        compare([walk_of(np.zeros(5))], theirs)


def test_several_markets_together_are_surer_than_one() -> None:
    draw = np.random.default_rng(5)
    each = [
        compare([walk_of(draw.normal(0.001, 0.01, 300))], walk_of(draw.normal(0.001, 0.01, 300)), seed=seed)[0]
        for seed in range(4)
    ]
    sharpe, _, _ = pooled(each)
    assert sharpe.value == pytest.approx(np.mean([one.sharpe.value for one in each]))
    assert sharpe.high - sharpe.low < min(one.sharpe.high - one.sharpe.low for one in each)


def test_a_feed_becomes_a_market_of_the_bars_that_its_instruments_share() -> None:
    feed = SimulatedFeed(3, instruments=4, bars=200, start=datetime(2024, 1, 1, tzinfo=UTC))
    made = Market.of(feed)
    assert made.returns.shape == (199, len(made.instruments))
    first = feed.series(made.instruments[0])
    assert made.returns[:, 0] == pytest.approx(first.close[1:] / first.close[:-1] - 1)
    assert made.closed.tolist() == first.closed[1:].tolist()
    fee = float(feed.instruments[made.instruments[0]].fee_rate)
    assert made.costs[0] == pytest.approx(fee + np.median(first.half_spread / first.close))


def test_an_instrument_of_another_time_is_left_out(market_data: Path) -> None:
    made = Market.of(load_folder(market_data / "equity_us", Timeframe.D1, registry=Registry.shipped()))
    assert made.left_out == ("GOOG",)
    assert made.returns.shape == (1258, 15)
