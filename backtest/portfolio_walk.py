"""Which way of weighting instruments would have paid: refitted again and again on what was known, net of costs.

Every method holds its instruments long, fully invested, and is set against equal weights that are restored at the same
moments. Differences come with bands of a paired block bootstrap: all methods are drawn on the same days.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.bars import BarSeries
from domain.errors import InvalidInput
from domain.instruments import AssetClass, Instrument
from market.series_feed import SeriesFeed
from risk.portfolio import Method, solve

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ENOUGH_BARS = 0.95
"""An instrument that lacks more than one in twenty of the bars that most of them have is left out."""
FEWEST_INSTRUMENTS = 2
FEWEST_DAYS = 30
DAY_S = 86_400
YEAR_S = 365.25 * DAY_S
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Market:
    """Simple returns (T, N) of instruments on the bars they share, ending at `closed` (T,) in epoch seconds.

    `costs` (N,) are what trading a unit costs, fee and half spread, as a fraction. `left_out` lack too many bars.
    """

    name: str
    instruments: tuple[str, ...]
    returns: Floats
    closed: Ints
    costs: Floats
    left_out: tuple[str, ...]

    def __post_init__(self) -> None:
        periods, count = self.returns.shape
        if count < FEWEST_INSTRUMENTS:
            raise InvalidInput(f"{self.name} has {count} instruments with common bars; weights need two")
        if self.closed.shape != (periods,) or self.costs.shape != (count,) or len(self.instruments) != count:
            raise InvalidInput(f"{self.name}: returns, times, costs and instruments do not fit each other")

    @classmethod
    def of(cls, feed: SeriesFeed) -> Market:
        """The tradable instruments of a feed, on the bars that they share."""
        tradable = {
            symbol: feed.series(symbol)
            for symbol, instrument in feed.instruments.items()
            if instrument.asset_class is not AssetClass.INDEX
        }
        times, counts = np.unique(np.concatenate([bars.closed for bars in tradable.values()]), return_counts=True)
        usual = times[counts > len(tradable) / 2]
        kept = {
            symbol: bars
            for symbol, bars in tradable.items()
            if np.isin(usual, bars.closed).sum() >= ENOUGH_BARS * usual.size
        }
        shared = usual
        for bars in kept.values():
            shared = shared[np.isin(shared, bars.closed)]
        closes = [bars.close[np.isin(bars.closed, shared)] for bars in kept.values()]
        prices = np.stack(closes, axis=1) if kept else np.empty((0, 0))
        return cls(
            name=feed.name.removeprefix("recorded:"),
            instruments=tuple(kept),
            returns=prices[1:] / prices[:-1] - 1.0,
            closed=shared[1:],
            costs=np.array([_cost(feed.instruments[symbol], bars) for symbol, bars in kept.items()]),
            left_out=tuple(symbol for symbol in tradable if symbol not in kept),
        )


def _cost(instrument: Instrument, bars: BarSeries) -> float:
    return float(instrument.fee_rate) + float(np.median(bars.half_spread / bars.close))


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a method is walked: refitted every `step` periods on the last `window`.

    With `costs_known` it is told what trading costs, spread over the step; `no_trade_band` is that of the weights.
    """

    method: Method
    window: int
    step: int
    costs_known: bool = False
    no_trade_band: float = 0.0

    def __post_init__(self) -> None:
        if self.window < 2 or self.step < 1:
            raise InvalidInput(f"a window of {self.window} and a step of {self.step} must be at least 2 and 1")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Walk:
    """Net returns of the days after the first window, `days` how many of them make a year.

    `turnover` is sum |change of weight| a year, purchases from cash at the start included; `fallbacks` counts refits
    whose method had no answer; `largest_weight` is the mean over refits of the largest weight.
    """

    plan: Plan
    daily: Floats
    days: float
    turnover: float
    refits: int
    fallbacks: int
    largest_weight: float


def walk(market: Market, plan: Plan) -> Walk:
    """Trade at the close of each refit's last bar and let weights drift until the next. Raises `InvalidInput` when
    fewer than `FEWEST_DAYS` days follow the first window."""
    periods, count = market.returns.shape
    held, net = np.zeros(count), np.empty(max(periods - plan.window, 0))
    turnover, fallbacks, largest = 0.0, 0, list[float]()
    starts = range(plan.window, periods, plan.step)
    for start in starts:
        solution = solve(
            market.returns[start - plan.window : start],
            plan.method,
            previous=held if start > plan.window else None,
            turnover_cost=float(np.mean(market.costs)) / plan.step if plan.costs_known else 0.0,
            no_trade_band=plan.no_trade_band,
        )
        change = np.abs(solution.weights - held)
        turnover += float(change.sum())
        fallbacks += solution.fell_back
        largest.append(float(solution.weights.max()))
        ahead = market.returns[start : start + plan.step]
        values = np.cumprod(1.0 + ahead, axis=0) * solution.weights
        equity = np.concatenate([[1.0], values.sum(axis=1)])
        net[start - plan.window : start - plan.window + len(ahead)] = equity[1:] / equity[:-1] - 1.0
        net[start - plan.window] = (1.0 + net[start - plan.window]) * (1.0 - float(change @ market.costs)) - 1.0
        held = values[-1] / values[-1].sum()
    daily, days, years = _by_day(net, market.closed[plan.window :], market.name)
    return Walk(
        plan=plan,
        daily=daily,
        days=days,
        turnover=turnover / years,
        refits=len(starts),
        fallbacks=fallbacks,
        largest_weight=float(np.mean(largest)),
    )


def _by_day(net: Floats, closed: Ints, name: str) -> tuple[Floats, float, float]:
    """Returns compounded by UTC day, how many days a year there are, and the years in all."""
    day = (closed - 1) // DAY_S
    first = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
    if first.size < FEWEST_DAYS:
        raise InvalidInput(f"{name} has {first.size} days after the first window; at least {FEWEST_DAYS} are needed")
    daily = np.expm1(np.add.reduceat(np.log1p(net), first))
    years = float(closed[-1] - closed[0]) / YEAR_S
    return daily, first.size / years, years


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Annualised Sharpe ratio and volatility, and the largest 1 - equity/peak."""

    sharpe: float
    volatility: float
    drawdown: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A difference from the benchmark, and the interval that a block bootstrap puts around it."""

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Comparison:
    """A walk's figures, and how they differ from the benchmark's: Sharpe ratio and drawdown as differences,
    volatility as the logarithm of the ratio (below 0 is calmer). `drawn` (resamples, 3) are the bootstrap's.
    """

    figures: Figures
    sharpe: Difference
    volatility: Difference
    drawdown: Difference
    drawn: Floats


def figures_of(daily: Floats, days: float) -> Figures:
    """The figures of daily returns, `days` of which make a year."""
    deviation = float(daily.std(ddof=1))
    if deviation == 0:
        raise InvalidInput("returns that never change have no Sharpe ratio")
    return Figures(
        sharpe=float(daily.mean()) / deviation * math.sqrt(days),
        volatility=deviation * math.sqrt(days),
        drawdown=_drawdown(daily),
    )


def compare(
    walks: Sequence[Walk], benchmark: Walk, *, seed: int = 0, resamples: int = 2_000, block: int | None = None
) -> list[Comparison]:
    """Each walk against the benchmark on the same days.

    The bands are percentile intervals at `LEVEL` of a circular block bootstrap (Politis and Romano 1992) with blocks
    of n^(1/3) neighbouring days, rounded up and at least 5, unless given; a draw takes the same days for all. The
    same seed gives the same bands.
    """
    count = benchmark.daily.size
    if any(each.daily.size != count for each in walks):
        raise InvalidInput("walks over different days cannot be compared day by day")
    length = max(5, math.ceil(count ** (1 / 3))) if block is None else block
    draw = np.random.default_rng(seed)
    drawn = np.empty((len(walks), resamples, 3))
    for place in range(resamples):
        starts = draw.integers(0, count, size=math.ceil(count / length))
        chosen = (starts[:, None] + np.arange(length)).ravel()[:count] % count
        against = figures_of(benchmark.daily[chosen], benchmark.days)
        for number, each in enumerate(walks):
            drawn[number, place] = _change(figures_of(each.daily[chosen], each.days), against)
    against = figures_of(benchmark.daily, benchmark.days)
    return [
        _comparison(figures_of(each.daily, each.days), against, sample)
        for each, sample in zip(walks, drawn, strict=True)
    ]


def pooled(comparisons: Sequence[Comparison]) -> tuple[Difference, Difference, Difference]:
    """The mean differences over several markets, in the order of `Comparison`; each market is drawn on its own."""
    values = np.mean([(each.sharpe.value, each.volatility.value, each.drawdown.value) for each in comparisons], axis=0)
    drawn = np.mean([each.drawn for each in comparisons], axis=0)
    return (_difference(values, drawn, 0), _difference(values, drawn, 1), _difference(values, drawn, 2))


def _drawdown(daily: Floats) -> float:
    equity = np.concatenate([[1.0], np.cumprod(1.0 + daily)])
    return float(np.max(1.0 - equity / np.maximum.accumulate(equity)))


def _change(ours: Figures, theirs: Figures) -> Floats:
    calmer = math.log(ours.volatility / theirs.volatility)
    return np.array([ours.sharpe - theirs.sharpe, calmer, ours.drawdown - theirs.drawdown])


def _comparison(ours: Figures, theirs: Figures, drawn: Floats) -> Comparison:
    values = _change(ours, theirs)
    return Comparison(
        figures=ours,
        sharpe=_difference(values, drawn, 0),
        volatility=_difference(values, drawn, 1),
        drawdown=_difference(values, drawn, 2),
        drawn=drawn,
    )


def _difference(values: Floats, drawn: Floats, place: int) -> Difference:
    low, high = np.quantile(drawn[:, place], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(value=float(values[place]), low=float(low), high=float(high))
