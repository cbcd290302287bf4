"""Figures of trades and of the account, against values worked out by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.statistics import (
    block_bootstrap_mean,
    equity_figures,
    max_drawdown,
    periods_per_year_of,
    sharpe,
    sortino,
    summarise,
    trade_figures,
)
from domain.decisions import ExitCause, Outcome, OutcomeKind
from domain.errors import InvalidInput
from domain.instruments import AssetClass, Timeframe
from domain.orders import Side
from domain.records import EquityPoint

START = datetime(2024, 1, 1, tzinfo=UTC)


def outcome(
    index: int,
    r_net: float,
    *,
    kind: OutcomeKind = OutcomeKind.REAL,
    cause: ExitCause = ExitCause.STOP,
    strategies: tuple[str, ...] = ("trend",),
    instrument: str = "EURUSD",
    hours: float = 2.0,
) -> Outcome:
    opened = START + timedelta(hours=index)
    return Outcome(
        outcome_id=f"o{index}{kind}",
        decision_id=f"d{index}",
        kind=kind,
        instrument=instrument,
        timeframe=Timeframe.H1,
        side=Side.BUY,
        opened_at=opened,
        closed_at=opened + timedelta(hours=hours),
        entry_price=1.0,
        exit_price=1.0,
        quantity=Decimal(1),
        r_net=r_net,
        return_net=0.0,
        mfe_r=max(r_net, 0.0),
        mae_r=min(r_net, 0.0),
        bars_held=int(hours),
        exit_cause=cause,
        costs_r=0.0,
        profit=None,
        strategies=strategies,
        sentiment_state="none",
        model="m",
    )


def curve(*values: float, open_positions: tuple[int, ...] | None = None) -> list[EquityPoint]:
    held = open_positions or (0,) * len(values)
    return [
        EquityPoint(
            at=START + timedelta(days=index),
            balance=Decimal(str(value)),
            floating=Decimal(0),
            equity=Decimal(str(value)),
            peak=Decimal(str(max(values[: index + 1]))),
            drawdown=0.0,
            exposure=Decimal(0),
            open_positions=held[index],
        )
        for index, value in enumerate(values)
    ]


def test_trade_figures_match_the_hand_calculation() -> None:
    figures = trade_figures([outcome(index, r) for index, r in enumerate((2.0, -1.0, -1.0, 3.0, 0.0))])
    assert figures.trades == 5
    assert figures.win_rate == pytest.approx(0.4)
    assert figures.expectancy_r == pytest.approx(0.6)
    assert figures.median_r == 0.0
    assert figures.total_r == pytest.approx(3.0)
    assert figures.profit_factor == pytest.approx(2.5)
    assert figures.average_win_r == pytest.approx(2.5)
    assert figures.average_loss_r == pytest.approx(-1.0)
    assert (figures.best_r, figures.worst_r) == (3.0, -1.0)
    assert figures.mean_holding == timedelta(hours=2)
    assert figures.mean_bars_held == 2.0


def test_what_no_trades_cannot_say_is_none() -> None:
    figures = trade_figures([])
    assert figures.trades == 0
    assert figures.total_r == 0.0
    for name in ("win_rate", "expectancy_r", "median_r", "profit_factor", "best_r", "worst_r", "mean_holding"):
        assert getattr(figures, name) is None


def test_without_a_loss_there_is_no_profit_factor_and_without_a_win_it_is_zero() -> None:
    assert trade_figures([outcome(0, 2.0)]).profit_factor is None
    assert trade_figures([outcome(0, 2.0)]).average_loss_r is None
    assert trade_figures([outcome(0, -2.0)]).profit_factor == 0.0


def test_sharpe_and_sortino_match_the_hand_calculation() -> None:
    returns = np.array([0.01, -0.02, 0.03, 0.00])
    mean = 0.02 / 4
    deviation = math.sqrt(((0.005) ** 2 + (-0.025) ** 2 + (0.025) ** 2 + (-0.005) ** 2) / 3)
    downside = math.sqrt(0.02**2 / 4)
    assert sharpe(returns, periods_per_year=252) == pytest.approx(mean / deviation * math.sqrt(252))
    assert sortino(returns, periods_per_year=252) == pytest.approx(mean / downside * math.sqrt(252))


def test_ratios_that_are_not_defined_are_none() -> None:
    assert sharpe(np.array([0.01]), periods_per_year=252) is None
    assert sharpe(np.array([0.01, 0.01, 0.01]), periods_per_year=252) is None
    assert sharpe(np.array([0.1 + 0.2, 0.3, 0.3]), periods_per_year=252) is None
    assert sortino(np.array([0.01, 0.02]), periods_per_year=252) is None


def test_drawdown_is_measured_from_the_running_peak() -> None:
    assert max_drawdown(np.array([100.0, 120.0, 90.0, 130.0, 117.0])) == pytest.approx(0.25)
    assert max_drawdown(np.array([100.0, 101.0])) == 0.0
    assert max_drawdown(np.array([])) is None


def test_equity_figures_match_the_hand_calculation() -> None:
    figures = equity_figures(curve(100, 110, 99, 121, open_positions=(0, 1, 1, 0)), periods_per_year=365)
    returns = [0.1, -0.1, 121 / 99 - 1]
    mean = sum(returns) / 3
    deviation = math.sqrt(sum((one - mean) ** 2 for one in returns) / 2)
    assert figures.points == 4
    assert figures.total_return == pytest.approx(0.21)
    assert figures.annual_return == pytest.approx(1.21 ** (365 / 3) - 1)
    assert figures.annual_volatility == pytest.approx(deviation * math.sqrt(365))
    assert figures.max_drawdown == pytest.approx(0.1)
    assert figures.longest_drawdown == timedelta(days=2)
    assert figures.sharpe == pytest.approx(mean / deviation * math.sqrt(365))
    assert figures.calmar == pytest.approx((1.21 ** (365 / 3) - 1) / 0.1)
    assert figures.exposure == 0.5


def test_a_curve_that_only_rises_has_no_drawdown_and_no_calmar() -> None:
    figures = equity_figures(curve(100, 101, 103), periods_per_year=252)
    assert figures.max_drawdown == 0.0
    assert figures.longest_drawdown == timedelta(0)
    assert figures.calmar is None
    assert figures.sortino is None


def test_a_drawdown_that_never_ends_lasts_until_the_last_point() -> None:
    assert equity_figures(curve(100, 90, 80, 95), periods_per_year=252).longest_drawdown == timedelta(days=3)


def test_an_account_that_is_ruined_has_a_drawdown_but_no_ratios() -> None:
    figures = equity_figures(curve(100, 50, 0), periods_per_year=252)
    assert figures.total_return == -1.0
    assert figures.max_drawdown == 1.0
    assert figures.sharpe is None
    assert figures.annual_return is None
    assert figures.calmar is None


def test_a_single_point_and_none_say_nothing() -> None:
    for points in ([], curve(100)):
        figures = equity_figures(points, periods_per_year=252)
        assert figures.total_return is None
        assert figures.sharpe is None
        assert figures.annual_return is None
    assert equity_figures([], periods_per_year=252).exposure is None


def test_points_out_of_order_are_refused() -> None:
    with pytest.raises(InvalidInput, match="in order of time"):
        equity_figures(curve(100, 101)[::-1], periods_per_year=252)


@pytest.mark.parametrize(
    ("kind", "step", "expected"),
    [
        (AssetClass.EQUITY, timedelta(days=1), 252),
        (AssetClass.CRYPTO, timedelta(days=1), 365),
        (AssetClass.FOREX, timedelta(days=1), 260),
        (AssetClass.FOREX, timedelta(hours=1), 260 * 24),
        (AssetClass.CRYPTO, timedelta(minutes=5), 365 * 288),
        (AssetClass.EQUITY, timedelta(hours=1), 252 * 6.5),
        (AssetClass.CRYPTO, timedelta(days=7), 365 / 7),
    ],
)
def test_each_market_has_its_own_year(kind: AssetClass, step: timedelta, expected: float) -> None:
    assert periods_per_year_of(kind, step) == pytest.approx(expected)


def test_a_year_needs_steps() -> None:
    with pytest.raises(InvalidInput):
        periods_per_year_of(AssetClass.FOREX, timedelta(0))
    with pytest.raises(InvalidInput):
        summarise([], [], periods_per_year=0)


def test_only_real_outcomes_count_and_tables_sort_them_by_kind() -> None:
    summary = summarise(
        [
            outcome(0, 3.0, cause=ExitCause.TARGET, strategies=("trend", "breakout")),
            outcome(0, -1.0, kind=OutcomeKind.SHADOW),
            outcome(1, -1.0, strategies=("breakout",), instrument="GBPUSD"),
            outcome(2, -1.0),
        ],
        curve(100, 103, 102, 101),
        periods_per_year=365,
    )
    assert summary.trades.trades == 3
    assert list(summary.by_strategy) == ["breakout", "trend"]
    assert {name: one.trades for name, one in summary.by_strategy.items()} == {"breakout": 2, "trend": 2}
    assert {name: one.total_r for name, one in summary.by_exit_cause.items()} == {"stop": -2.0, "target": 3.0}
    assert {name: one.trades for name, one in summary.by_instrument.items()} == {"EURUSD": 2, "GBPUSD": 1}
    assert summary.expectancy_interval is None


def test_the_interval_is_the_same_for_the_same_seed_and_holds_the_mean() -> None:
    values = np.random.default_rng(3).normal(0.1, 1.0, 200)
    first, again = (block_bootstrap_mean(values, seed=7) for _ in range(2))
    other = block_bootstrap_mean(values, seed=8)
    assert first == again
    assert first != other
    assert first is not None
    assert first.low < values.mean() < first.high
    assert first.high - first.low == pytest.approx(4 * 1.0 / math.sqrt(200), rel=0.3)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    draw = np.random.default_rng(5)
    covered = 0
    for number in range(120):
        interval = block_bootstrap_mean(draw.normal(0.0, 1.0, 60), seed=number, level=0.9, resamples=300)
        assert interval is not None
        covered += interval.low <= 0.0 <= interval.high
    assert 0.75 <= covered / 120 <= 0.98


def test_blocks_widen_the_interval_of_trades_that_hang_together() -> None:
    draw = np.random.default_rng(2)
    values = np.repeat(draw.normal(0.0, 1.0, 50), 6)
    blocked = block_bootstrap_mean(values, seed=1, block=12)
    single = block_bootstrap_mean(values, seed=1, block=1)
    assert blocked is not None
    assert single is not None
    assert blocked.high - blocked.low > 1.5 * (single.high - single.low)


def test_too_few_trades_give_no_interval_and_nonsense_is_refused() -> None:
    assert block_bootstrap_mean(np.ones(9), seed=0) is None
    for wrong in ({"level": 1.0}, {"resamples": 10}, {"block": 99}):
        with pytest.raises(InvalidInput):
            block_bootstrap_mean(np.ones(20), seed=0, **wrong)  # type: ignore[arg-type]  # what is wrong is what is tested


@given(
    results=st.lists(st.floats(-5, 20), max_size=40),
    values=st.lists(st.floats(1, 1e6), max_size=40),
)
def test_no_figure_is_ever_infinite_or_not_a_number(results: list[float], values: list[float]) -> None:
    summary = summarise(
        [outcome(index, r) for index, r in enumerate(results)],
        curve(*values),
        periods_per_year=252,
        resamples=100,
    )
    for group in (summary.trades, summary.equity, *summary.by_strategy.values()):
        for name in group.__slots__:
            value = getattr(group, name)
            if isinstance(value, float):
                assert math.isfinite(value), name
