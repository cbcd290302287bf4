"""How the simulated market moves: factors, volatility regimes, jumps, drift episodes, and bars out of small steps.

Only additions, multiplications, divisions and square roots are used on the way to a price, and prices are rounded to
their tick, so that every machine draws the same market from the same seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.bars import BarSeries, Floats, Ints
from domain.instruments import Timeframe
from market.simulated_roster import SimulatedName

STEPS_PER_BAR = 12
_DAY = 86_400
REGIMES = (0.7, 1.0, 2.0)
"""Volatility of the calm, the usual and the stormy regime, as multiples of an instrument's own."""
_STAY = (0.985, 0.98, 0.95)
_UP = 0.5  # leaving the usual regime, a coin decides between calm and storm
_JUMPS_PER_BAR = 0.002
_JUMP_BARS = 4.0  # a jump is drawn with this many bars' standard deviation
_DRIFT_AT_FULL_EDGE = 0.4  # of a bar's standard deviation, for each bar of an episode
_EPISODE_BARS = (24, 72)
_QUIET_BARS = (48, 168)
_EVENT_VOLATILITY = 2.0


def stream(seed: int, *purpose: int) -> np.random.Generator:
    """A stream of random numbers of its own for each purpose, so that one more instrument changes no other."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *purpose])))


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of bars, first included and last excluded, in which the price drifts in `direction` (+1 or -1)."""

    first: int
    last: int
    direction: int


def regimes(random: np.random.Generator, bars: int) -> Floats:
    """The volatility multiple of each bar: a Markov chain over `REGIMES` that all instruments share."""
    draws = random.random((bars, 2))
    state, result = 1, np.empty(bars)
    for index in range(bars):
        if draws[index, 0] > _STAY[state]:
            state = 1 if state != 1 else (2 if draws[index, 1] < _UP else 0)
        result[index] = REGIMES[state]
    return result


def episodes(random: np.random.Generator, bars: int) -> tuple[Episode, ...]:
    """Drift episodes with quiet stretches between them, up to the horizon."""
    found: list[Episode] = []
    at = int(random.integers(_QUIET_BARS[0] // 2, _QUIET_BARS[0]))
    while at < bars:
        length = int(random.integers(*_EPISODE_BARS, endpoint=True))
        direction = 1 if random.random() < 0.5 else -1
        pause = int(random.integers(*_QUIET_BARS, endpoint=True))
        found.append(Episode(at, min(at + length, bars), direction))
        at += length + pause
    return tuple(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What all instruments share: bar open times, volatility by bar, and standard normal steps of the factors."""

    timeframe: Timeframe
    opened: Ints
    volatility: Floats
    market: Floats
    groups: dict[str, Floats]


def make_world(seed: int, timeframe: Timeframe, opened: Ints, event_bars: Ints, groups: tuple[str, ...]) -> World:
    """The shared part of the market; volatility doubles in the bars that follow a high-impact event."""
    bars = opened.shape[0]
    volatility = regimes(stream(seed, 1), bars)
    volatility[event_bars] *= _EVENT_VOLATILITY
    return World(
        timeframe=timeframe,
        opened=opened,
        volatility=volatility,
        market=stream(seed, 2).standard_normal((bars, STEPS_PER_BAR)),
        groups={
            name: stream(seed, 3, number).standard_normal((bars, STEPS_PER_BAR)) for number, name in enumerate(groups)
        },
    )


def make_series(
    world: World, name: SimulatedName, seed: int, number: int, drifts: tuple[Episode, ...], edge: float
) -> BarSeries:
    """The bars of one instrument over the whole horizon, round the clock."""
    path = _path(world, name, seed, number, drifts, edge)
    tick = 10.0**-name.digits
    points = np.maximum(np.round(path, name.digits), 10 * tick)
    open_, close = points[:, 0].copy(), points[:, -1].copy()
    activity = stream(seed, 5, number).random(world.opened.shape[0]) + 0.5
    spread = float(name.instrument.spread_bps) / 20_000 * np.where(world.volatility >= REGIMES[2], 2.0, 1.0)
    return BarSeries(
        symbol=name.instrument.symbol,
        timeframe=world.timeframe,
        source="simulated",
        opened=world.opened,
        open=open_,
        high=points.max(axis=1),
        low=points.min(axis=1),
        close=close,
        volume=np.rint(activity * world.volatility * 1e6 / name.start_price),
        half_spread=open_ * spread,
    )


def _path(
    world: World, name: SimulatedName, seed: int, number: int, drifts: tuple[Episode, ...], edge: float
) -> Floats:
    """Prices after each small step, bars by steps: the product of 1 + return over all steps."""
    bars = world.opened.shape[0]
    bar_volatility = name.daily_volatility * math.sqrt(world.timeframe.seconds / _DAY)
    own = stream(seed, 4, number)
    noise = own.standard_normal((bars, STEPS_PER_BAR))
    group = world.groups[name.instrument.asset_class.value]
    mixed = (
        math.sqrt(name.market) * world.market
        + math.sqrt(name.group) * group
        + math.sqrt(1 - name.market - name.group) * noise
    )
    returns = mixed * (bar_volatility / math.sqrt(STEPS_PER_BAR)) * world.volatility[:, None]
    for episode in drifts:
        drift = edge * _DRIFT_AT_FULL_EDGE * bar_volatility * episode.direction
        returns[episode.first : episode.last] += drift / STEPS_PER_BAR
    returns[:, 0] += _jumps(seed, number, bars) * bar_volatility
    # No step may take more than half of the price away, so a price stays a price.
    growth = np.maximum(1 + returns, 0.5)
    prices = name.start_price * np.cumprod(growth.ravel()).reshape(bars, STEPS_PER_BAR)
    return np.asarray(prices, dtype=np.float64)


def _jumps(seed: int, number: int, bars: int) -> Floats:
    happens = stream(seed, 6, number).random(bars) < _JUMPS_PER_BAR
    return np.where(happens, stream(seed, 9, number).standard_normal(bars) * _JUMP_BARS, 0.0)


def keep(series: BarSeries, rows: NDArray[np.bool_]) -> BarSeries:
    """The bars at `rows`: closing hours leave a gap over which the price has moved on."""
    return BarSeries(
        symbol=series.symbol,
        timeframe=series.timeframe,
        source=series.source,
        opened=series.opened[rows],
        open=series.open[rows],
        high=series.high[rows],
        low=series.low[rows],
        close=series.close[rows],
        volume=series.volume[rows],
        half_spread=series.half_spread[rows],
    )
