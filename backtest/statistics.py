"""What a history of closed trades and equity amounts to; what is not defined is None, never 0 or infinite.

Trade figures are in R, multiples of the risk taken at entry, net of costs. Figures of the account come from returns
between equally spaced equity points and are annualised by the market's own calendar.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from domain.decisions import Outcome, OutcomeKind
from domain.errors import InvalidInput
from domain.instruments import AssetClass
from domain.records import EquityPoint

Floats = NDArray[np.float64]

TRADING_DAYS_A_YEAR: Mapping[AssetClass, int] = MappingProxyType(
    {
        AssetClass.EQUITY: 252,
        AssetClass.INDEX: 252,
        AssetClass.FOREX: 260,
        AssetClass.METAL: 260,
        AssetClass.CRYPTO: 365,
    }
)
FEWEST_TRADES_FOR_INTERVAL = 10
FEWEST_RETURNS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A two-sided confidence interval, both ends in the unit of what it is for; `level` is its coverage."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TradeFigures:
    """One group of trades. `profit_factor` is gains over losses in R, None without a loss.

    `average_win_r` and `average_loss_r` are None where there is no win or loss; a trade wins when its net R is
    above 0. `expectancy_r` is the mean net R, `total_r` their sum.
    """

    trades: int
    win_rate: float | None
    expectancy_r: float | None
    median_r: float | None
    total_r: float
    profit_factor: float | None
    average_win_r: float | None
    average_loss_r: float | None
    best_r: float | None
    worst_r: float | None
    mean_holding: timedelta | None
    mean_bars_held: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EquityFigures:
    """The account over time. Ratios are annualised; `annual_return` is compound; all are None where undefined.

    `max_drawdown` is the largest 1 - equity/peak, `exposure` the share of points with an open position.
    Sharpe is mean return over its standard deviation, Sortino over the root mean square of the returns below 0,
    Calmar the annual return over the largest drawdown; none takes off an interest rate.
    """

    points: int
    total_return: float | None
    annual_return: float | None
    annual_volatility: float | None
    max_drawdown: float | None
    longest_drawdown: timedelta | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    exposure: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """All trades, the account, and the trades by agreeing strategy, by exit cause and by instrument.

    A trade on which several strategies agreed stands under each of them. `expectancy_interval` is a block-bootstrap
    interval of the mean net R, None below ten trades.
    """

    trades: TradeFigures
    equity: EquityFigures
    expectancy_interval: Interval | None
    by_strategy: Mapping[str, TradeFigures]
    by_exit_cause: Mapping[str, TradeFigures]
    by_instrument: Mapping[str, TradeFigures]


def summarise(
    outcomes: Sequence[Outcome],
    equity: Sequence[EquityPoint],
    *,
    periods_per_year: float,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = 2_000,
) -> Statistics:
    """The figures of a run: real outcomes count (shadows are left out), equity points in order of time.

    `periods_per_year` is how many of the equity points' steps make a year; see `periods_per_year_of`. Raises
    `InvalidInput` for points out of order or a nonsensical setting.
    """
    if not periods_per_year > 0:
        raise InvalidInput(f"periods_per_year is {periods_per_year}; it must be above 0")
    real = sorted(
        (outcome for outcome in outcomes if outcome.kind is OutcomeKind.REAL),
        key=lambda outcome: (outcome.closed_at, outcome.outcome_id),
    )
    results = np.array([outcome.r_net for outcome in real], dtype=np.float64)
    return Statistics(
        trades=trade_figures(real),
        equity=equity_figures(equity, periods_per_year=periods_per_year),
        expectancy_interval=block_bootstrap_mean(results, seed=seed, level=level, resamples=resamples),
        by_strategy=_grouped(real, lambda outcome: outcome.strategies),
        by_exit_cause=_grouped(real, lambda outcome: (outcome.exit_cause.value,)),
        by_instrument=_grouped(real, lambda outcome: (outcome.instrument,)),
    )


def periods_per_year_of(asset_class: AssetClass, step: timedelta) -> float:
    """How many steps make a year on that market: its trading days, times the steps of its trading day.

    A day has 24 hours of trading on crypto, forex and metals, 6.5 on stock exchanges; a step of a day or more counts
    as days. Raises `InvalidInput` for a step of 0 or below.
    """
    if step <= timedelta(0):
        raise InvalidInput(f"a step of {step} makes no year")
    days = TRADING_DAYS_A_YEAR[asset_class]
    if step >= timedelta(days=1):
        return days / (step / timedelta(days=1))
    hours = 6.5 if asset_class in (AssetClass.EQUITY, AssetClass.INDEX) else 24.0
    return days * max(1.0, hours / (step / timedelta(hours=1)))


def trade_figures(outcomes: Sequence[Outcome]) -> TradeFigures:
    """The figures of one group of trades, in the order given."""
    results = np.array([outcome.r_net for outcome in outcomes], dtype=np.float64)
    wins, losses = results[results > 0], results[results < 0]
    count = results.shape[0]
    return TradeFigures(
        trades=count,
        win_rate=wins.shape[0] / count if count else None,
        expectancy_r=_mean(results),
        median_r=float(np.median(results)) if count else None,
        total_r=math.fsum(results),
        profit_factor=_ratio(math.fsum(wins), -math.fsum(losses)),
        average_win_r=_mean(wins),
        average_loss_r=_mean(losses),
        best_r=float(results.max()) if count else None,
        worst_r=float(results.min()) if count else None,
        mean_holding=_mean_holding(outcomes),
        mean_bars_held=_mean(np.array([outcome.bars_held for outcome in outcomes], dtype=np.float64)),
    )


def equity_figures(points: Sequence[EquityPoint], *, periods_per_year: float) -> EquityFigures:
    """The figures of the account; equity that reaches 0 leaves returns undefined from there on, so ratios are None."""
    times = [point.at for point in points]
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise InvalidInput("equity points must be in order of time, each time once")
    equity = np.array([float(point.equity) for point in points], dtype=np.float64)
    whole = bool(equity.shape[0] > 1 and np.all(equity > 0))
    returns = equity[1:] / equity[:-1] - 1.0 if whole else np.empty(0)
    total = float(equity[-1] / equity[0] - 1.0) if equity.shape[0] > 1 and equity[0] > 0 else None
    drawdown = max_drawdown(equity)
    annual = _annual_return(total, returns.shape[0], periods_per_year)
    return EquityFigures(
        points=len(points),
        total_return=total,
        annual_return=annual,
        annual_volatility=_scaled(_deviation(returns), math.sqrt(periods_per_year)),
        max_drawdown=drawdown,
        longest_drawdown=_longest_drawdown(times, equity),
        sharpe=sharpe(returns, periods_per_year=periods_per_year),
        sortino=sortino(returns, periods_per_year=periods_per_year),
        calmar=None if annual is None or drawdown is None else _ratio(annual, drawdown),
        exposure=sum(point.open_positions > 0 for point in points) / len(points) if points else None,
    )


def sharpe(returns: Floats, *, periods_per_year: float) -> float | None:
    """Annualised mean over standard deviation (n - 1); None below two returns or without any variation."""
    deviation = _deviation(returns)
    if deviation is None or deviation == 0.0:
        return None
    return float(np.mean(returns)) / deviation * math.sqrt(periods_per_year)


def sortino(returns: Floats, *, periods_per_year: float) -> float | None:
    """Annualised mean over sqrt(mean(min(r, 0)^2)); None below two returns or without a return below 0."""
    if returns.shape[0] < FEWEST_RETURNS:
        return None
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(np.mean(returns)) / downside * math.sqrt(periods_per_year) if downside > 0 else None


def max_drawdown(equity: Floats) -> float | None:
    """The largest 1 - equity/peak so far; None without a point or while the peak is not above 0."""
    if not equity.shape[0] or equity[0] <= 0:
        return None
    return float(np.max(1.0 - equity / np.maximum.accumulate(equity)))


def block_bootstrap_mean(
    values: Floats, *, seed: int, level: float = 0.95, resamples: int = 2_000, block: int | None = None
) -> Interval | None:
    """Percentile interval of the mean by the circular block bootstrap (Politis and Romano 1992).

    Blocks of neighbours keep what trades that overlap have in common; their length is n^(1/3) rounded up unless
    given. None below ten values. The same values and seed give the same interval. Raises `InvalidInput` for a
    level outside (0, 1), fewer than 100 resamples, or a block that does not fit.
    """
    count = values.shape[0]
    if not 0 < level < 1 or resamples < 100:
        raise InvalidInput(f"a level of {level} must lie in (0, 1), and {resamples} resamples must be at least 100")
    if count < FEWEST_TRADES_FOR_INTERVAL:
        return None
    length = math.ceil(count ** (1 / 3)) if block is None else block
    if not 1 <= length <= count:
        raise InvalidInput(f"a block of {length} does not fit {count} values")
    draw = np.random.default_rng(seed)
    blocks = math.ceil(count / length)
    means = np.empty(resamples)
    offsets = np.arange(length)
    for place in range(resamples):
        starts = draw.integers(0, count, size=blocks)
        chosen = (starts[:, None] + offsets).ravel()[:count] % count
        means[place] = values[chosen].mean()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high), level=level)


def _grouped(outcomes: Sequence[Outcome], keys: Callable[[Outcome], tuple[str, ...]]) -> Mapping[str, TradeFigures]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        for key in keys(outcome):
            groups.setdefault(key, []).append(outcome)
    return {key: trade_figures(groups[key]) for key in sorted(groups)}


def _mean(values: Floats) -> float | None:
    return math.fsum(values) / values.shape[0] if values.shape[0] else None


def _mean_holding(outcomes: Sequence[Outcome]) -> timedelta | None:
    if not outcomes:
        return None
    return sum((outcome.closed_at - outcome.opened_at for outcome in outcomes), timedelta(0)) / len(outcomes)


def _deviation(returns: Floats) -> float | None:
    if returns.shape[0] < FEWEST_RETURNS:
        return None
    # Equal returns differ in their last bits only; without this they would have a Sharpe ratio of 10^15.
    if float(np.ptp(returns)) <= 1e-12 * float(np.max(np.abs(returns))):
        return 0.0
    return float(np.std(returns, ddof=1))


def _ratio(above: float, below: float) -> float | None:
    """None where the divisor is 0, or so near that the ratio is no number any more."""
    if below == 0.0:
        return None
    ratio = above / below
    return ratio if math.isfinite(ratio) else None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _annual_return(total: float | None, steps: int, periods_per_year: float) -> float | None:
    """Compound growth a year; None when nothing is left, or when the run is so short that it overflows."""
    if total is None or steps == 0 or total <= -1.0:
        return None
    exponent = math.log1p(total) * periods_per_year / steps
    return math.expm1(exponent) if exponent < 700 else None


def _longest_drawdown(times: Sequence[datetime], equity: Floats) -> timedelta | None:
    """The longest time from a peak until it was passed or reached again, or until the end."""
    if not times:
        return None
    peak, since, longest, below = equity[0], times[0], timedelta(0), False
    for at, value in zip(times, equity, strict=True):
        if value < peak or below:
            longest = max(longest, at - since)
        below = bool(value < peak)
        if not below:
            peak, since = value, at
    return longest
