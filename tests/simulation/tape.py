"""The market of one seed: hourly bars of four instruments, and the trades inside each of them.

A random walk whose volatility changes between calm and storm, with trends strong enough that the ensemble proposes
trades, and with gaps between bars. Bars are what their trades say, so nobody sees a price that was not traded.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from simulation.candles import Candles
from simulation.seeded_loop import stream

from domain.bars import BarSeries
from domain.clock import to_epoch
from domain.instruments import Instrument, Timeframe
from market.feed import BarRef, FeedReport, Moment
from market.headlines import Headlines
from market.series_feed import SeriesFeed

HOUR = timedelta(hours=1)
HOUR_S = 3600.0
START = datetime.fromisoformat("2025-03-03T00:00:00+00:00")
"""When the first bar that is traded opens, whatever the seed."""

WARM_UP = 300
"""Bars before that, from which indicators begin."""

FIRST_PRICES: Mapping[str, float] = {"BTCUSDT": 60_000.0, "ETHUSDT": 3_000.0, "SOLUSDT": 150.0, "XRPUSDT": 0.6}
CALM, STORM = 0.006, 0.02
"""Standard deviations of an hour's return."""
TREND = 0.35
"""An hour's drift while a trend lasts, in standard deviations."""
FARTHEST = 0.5
"""A trend that has carried a price so far away, as a logarithm, turns."""
GAP_CHANCE = 0.01
SPREAD = 0.0002
"""The spread, as a fraction of the first price."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One trade of the market outside, `at` seconds after `START`."""

    at: float
    symbol: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Tape:
    """`ticks` in order of time; `rows` open, high, low and close of every bar, those of the warm-up first."""

    ticks: Sequence[Tick]
    rows: Mapping[str, Sequence[tuple[float, float, float, float]]]
    spreads: Mapping[str, Decimal]
    bars: int

    def first_price(self, symbol: str) -> Decimal:
        return next(tick.price for tick in self.ticks if tick.symbol == symbol)

    def series(self, symbol: str) -> BarSeries:
        rows = np.array(self.rows[symbol], dtype=np.float64)
        first = to_epoch(START) - WARM_UP * 3600
        count = rows.shape[0]
        return BarSeries(
            symbol=symbol,
            timeframe=Timeframe.H1,
            source="a seed",
            opened=first + 3600 * np.arange(count, dtype=np.int64),
            open=rows[:, 0].copy(),
            high=rows[:, 1].copy(),
            low=rows[:, 2].copy(),
            close=rows[:, 3].copy(),
            volume=np.full(count, 1e6),
            half_spread=np.full(count, float(self.spreads[symbol]) / 2),
        )


class LiveTape(SeriesFeed):
    """The bars of a tape as a live feed tells them: no bar is the last, and what was no candle is left out."""

    candles: Candles

    def is_last(self, ref: BarRef) -> bool:
        return False

    def take(self) -> Moment:
        moment = super().take()
        return replace(moment, closed=tuple(ref for ref in moment.closed if self.candles.is_told(ref, moment.at)))


def feed_of(history: Mapping[str, BarSeries], candles: Candles, instruments: Mapping[str, Instrument]) -> LiveTape:
    """A feed that begins with the bar that closes an hour after `START`."""
    feed = LiveTape(
        name="a seed's market",
        timeframe=Timeframe.H1,
        instruments=instruments,
        series={symbol: history[symbol] for symbol in instruments},
        report=FeedReport(notes=(), rejected={}),
        headlines=Headlines(()),
    )
    feed.candles = candles
    feed.seek(START)
    return feed


def make_tape(seed: int, *, bars: int, ticks: Mapping[str, Decimal]) -> Tape:
    """The market of `seed`; `ticks` are the price steps of the instruments wanted."""
    made, rows, spreads = [], {}, {}
    for symbol, step in ticks.items():
        spreads[symbol] = max(2 * step, _rounded(FIRST_PRICES[symbol] * SPREAD, 2 * step))
        rows[symbol], trades = _walk(stream(seed, f"market {symbol}"), symbol, bars, step)
        made += trades
    made.sort(key=lambda tick: (tick.at, tick.symbol))
    return Tape(ticks=made, rows=rows, spreads=spreads, bars=bars)


def _walk(
    random_: random.Random, symbol: str, bars: int, step: Decimal
) -> tuple[list[tuple[float, float, float, float]], list[Tick]]:
    """Rows of every bar, and the trades of those that are traded."""
    price, volatility, drift, left = FIRST_PRICES[symbol], CALM, 0.0, 0
    rows: list[tuple[float, float, float, float]] = []
    trades: list[Tick] = []
    for index in range(-WARM_UP, bars):
        if left == 0:
            left = random_.randint(8, 40)
            drift = random_.choice((-TREND, 0.0, TREND))
            if drift * math.log(price / FIRST_PRICES[symbol]) > FARTHEST * abs(drift):
                drift = -drift
            volatility = random_.choice((CALM, CALM, STORM))
        left -= 1
        if random_.random() < GAP_CHANCE:
            price *= math.exp(random_.gauss(0.0, 3 * volatility))
        prices = _path(random_, price, volatility, drift, step)
        price = prices[-1]
        rows.append((prices[0], max(prices), min(prices), prices[-1]))
        if index >= 0:
            path = [Decimal(str(each)).quantize(step) for each in prices]
            times = sorted(random_.uniform(1.0, HOUR_S - 1.0) for _ in path)
            trades += [Tick(round(index * HOUR_S + at, 3), symbol, each) for at, each in zip(times, path, strict=True)]
    return rows, trades


def _path(random_: random.Random, price: float, volatility: float, drift: float, step: Decimal) -> list[float]:
    """Five to eight prices of one bar, rounded to the step, which is a power of ten."""
    count = random_.randint(5, 8)
    small = volatility / math.sqrt(count)
    found = [price]
    for _ in range(count - 1):
        found.append(found[-1] * math.exp(random_.gauss(drift * volatility / count, small)))
    least, digits = float(step * 10), -step.normalize().as_tuple().exponent
    return [max(least, round(each, digits)) for each in found]


def _rounded(value: float, step: Decimal) -> Decimal:
    return (Decimal(str(value)) / step).to_integral_value() * step
