"""Stress scenarios: what a market would have been, had something happened at one moment. Pure and reproducible.

Each takes the series of a market and gives them back changed from the moment on; nothing before it changes. The sizes
are declared here, with what each models. None foretells anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from domain.bars import BarSeries, Floats
from domain.clock import require_utc
from domain.errors import InvalidInput
from domain.holds import HoldCause
from market.stress_bars import bent, first_after, last_price, scaled, stretched, volatility_before, with_path, without

JUMP = 1.5
"""The factor of a price jump."""
GAP = 0.1
"""How far, as a share of the price, a gap opens against what is held."""
SPREAD = 5.0
CRASH = 0.2
"""How much of the price a flash crash takes."""
FLASH_BARS = 3
"""Bars in which it goes away, and again in which it comes back."""
LOST_HOURS = 12
LOST_BARS_AT_LEAST = 6
LOST_EQUITY = 0.1
LOST_EQUITY_WITH_COSTS = 1.1
"""The loss is aimed this much beyond `LOST_EQUITY`: rates of currencies move with prices too."""
LARGEST_MOVE = 0.9
"""No price falls by more than this share."""
BLEED = 0.35
"""The drift of a slow bleed: standard deviations of a bar's return, each bar."""
LOOK_BACK_BARS = 500
FEWEST_COMMON_BARS = 20

Market = Mapping[str, BarSeries]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """Where a scenario strikes. `exposure` is what is held at that moment: signed notional as a share of equity by
    symbol, those without a position absent. `tradable` are the symbols that can be held, () for all. `seed` chooses
    where chance must (which feed is lost)."""

    at: datetime
    exposure: Mapping[str, float] = field(default_factory=dict)
    tradable: tuple[str, ...] = ()
    seed: int = 7

    def __post_init__(self) -> None:
        require_utc(self.at, "at")

    @property
    def gross(self) -> float:
        return sum(abs(share) for share in self.exposure.values())

    def against(self, symbol: str) -> int:
        """The direction, +1 or -1, in which `symbol` must move to lose: against its own position, else against the
        account's; down when nothing is held."""
        held = self.exposure.get(symbol, 0.0) or sum(self.exposure.values())
        return 1 if held < 0 else -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One thing that happens to a market. `models` says what in the world it stands for, `must_fire` the hold that it
    has to bring about whatever else is so; None where that depends on what is held."""

    name: str
    models: str
    change: Callable[[Market, Ground], dict[str, BarSeries]]
    must_fire: HoldCause | None = None
    instruments: int = 1
    """How many instruments it needs to be what it is."""
    follows_positions: bool = False
    """Whether it goes on against what is held later too; `change` alone then does nothing (see `stress_bleed`)."""


def jump(market: Market, ground: Ground, factor: float) -> dict[str, BarSeries]:
    """Between two bars every price is multiplied by `factor`, and stays there."""
    return {symbol: scaled(bars, first_after(bars, ground.at), factor) for symbol, bars in market.items()}


def volatility(market: Market, ground: Ground, power: float) -> dict[str, BarSeries]:
    """Every log return from the moment on is multiplied by `power`."""
    return {symbol: stretched(bars, first_after(bars, ground.at), power) for symbol, bars in market.items()}


def gap(market: Market, ground: Ground, size: float = GAP) -> dict[str, BarSeries]:
    """The next bars open `size` of the price away, against each position, and go on from there."""
    return {
        symbol: scaled(bars, first_after(bars, ground.at), 1 + size * ground.against(symbol))
        for symbol, bars in market.items()
    }


def equity_loss(market: Market, ground: Ground, share: float = LOST_EQUITY) -> dict[str, BarSeries]:
    """A gap as large as it takes for the positions held to lose `share` of the account's equity within one bar.

    Raises `InvalidInput` when what is held cannot lose so much.
    """
    size = share * LOST_EQUITY_WITH_COSTS / ground.gross if ground.gross else float("inf")
    if size > LARGEST_MOVE:
        raise InvalidInput(
            f"what is held at {ground.at.isoformat()} is {ground.gross:.1%} of equity and cannot lose {share:.0%} of "
            "it at once: choose a moment with more at stake with --at, or other instruments"
        )
    return gap(market, ground, size)


def correlation_one(market: Market, ground: Ground) -> dict[str, BarSeries]:
    """Every instrument follows one of them, each at its own volatility before the moment; the leader stays itself."""
    leader = leader_of(market, ground.at)
    led = market[leader]
    start = first_after(led, ground.at)
    spread = volatility_before(led, start, LOOK_BACK_BARS)
    changed = dict(market)
    for symbol, bars in market.items():
        first = first_after(bars, ground.at)
        own = volatility_before(bars, first, LOOK_BACK_BARS)
        if symbol == leader or first == len(bars):
            continue
        changed[symbol] = _following(bars, first, led, start, own / spread if own and spread else 1.0)
    return changed


def leader_of(market: Market, at: datetime) -> str:
    """The instrument whose returns before `at` are most correlated with the others' on average; the first of equals."""
    before = {symbol: bars.head(first_after(bars, at)).tail(LOOK_BACK_BARS) for symbol, bars in market.items()}
    means = {
        symbol: float(np.mean([_correlation(bars, other) for name, other in before.items() if name != symbol] or [0]))
        for symbol, bars in before.items()
    }
    return max(means, key=lambda symbol: round(means[symbol], 6))


def wider_spread(market: Market, ground: Ground, factor: float = SPREAD) -> dict[str, BarSeries]:
    """Half spreads from the moment on times `factor`; mid prices stay."""
    changed = {}
    for symbol, bars in market.items():
        half_spread = bars.half_spread.copy()
        half_spread[first_after(bars, ground.at) :] *= factor
        changed[symbol] = replace(bars, half_spread=half_spread)
    return changed


def flash(market: Market, ground: Ground, factor: float) -> dict[str, BarSeries]:
    """Every price goes to `factor` times itself within `FLASH_BARS` bars, and is back where it would have been in as
    many more."""
    away = np.linspace(0.0, np.log(factor), FLASH_BARS + 1)
    factors = np.exp(np.concatenate([away, away[-2::-1]]))
    changed = {}
    for symbol, bars in market.items():
        first = first_after(bars, ground.at)
        changed[symbol] = bent(bars, first, factors[: len(bars) - first + 1])
    return changed


def feed_loss_one(market: Market, ground: Ground) -> dict[str, BarSeries]:
    """One instrument's bars are missing for a while: what most is held of, else one that the seed draws."""
    names = sorted(ground.tradable or market)
    drawn = int(np.random.Generator(np.random.PCG64(ground.seed)).integers(len(names)))
    held = {symbol: abs(share) for symbol, share in ground.exposure.items() if symbol in market}
    lost = max(sorted(held), key=held.__getitem__) if held else names[drawn]
    return {symbol: _lost(bars, ground.at) if symbol == lost else bars for symbol, bars in market.items()}


def feed_loss_all(market: Market, ground: Ground) -> dict[str, BarSeries]:
    """Every instrument's bars are missing for a while."""
    return {symbol: _lost(bars, ground.at) for symbol, bars in market.items()}


def unchanged(market: Market, _ground: Ground) -> dict[str, BarSeries]:
    """The market as it was."""
    return dict(market)


def _lost(bars: BarSeries, at: datetime) -> BarSeries:
    missing = max(LOST_HOURS * 3600 // bars.timeframe.seconds, LOST_BARS_AT_LEAST)
    return without(bars, first_after(bars, at), missing)


def _following(bars: BarSeries, first: int, led: BarSeries, start: int, ratio: float) -> BarSeries:
    """`bars` on the leader's path; where the leader has no bar it stands still at its last close."""
    opened = bars.opened[first:]
    after = np.searchsorted(led.opened, opened, side="right")
    there = (after > start) & (led.opened[np.maximum(after - 1, 0)] == opened)
    anchor = last_price(led, start)
    still = np.where(after > start, led.close[np.maximum(after - 1, 0)], anchor)
    own = last_price(bars, first)

    def path(column: Floats) -> Floats:
        level = np.where(there, column[np.maximum(after - 1, 0)], still)
        return np.asarray(own * (level / anchor) ** ratio, dtype=np.float64)

    prices = (path(led.open), path(led.high), path(led.low), path(led.close))
    return with_path(bars, first, *prices)


def _correlation(bars: BarSeries, other: BarSeries) -> float:
    common, mine, theirs = np.intersect1d(bars.opened, other.opened, assume_unique=True, return_indices=True)
    if common.shape[0] < FEWEST_COMMON_BARS:
        return 0.0
    ours, others = (np.diff(np.log(series.close[rows])) for series, rows in ((bars, mine), (other, theirs)))
    if not (ours.std() and others.std()):
        return 0.0
    return float(np.corrcoef(ours, others)[0, 1])


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="price_jump_up",
        models="a revaluation, a squeeze or a wrong tick that turns out to be right: every price x1.5 between two bars",
        change=lambda market, ground: jump(market, ground, JUMP),
    ),
    Scenario(
        name="price_jump_down",
        models="a collapse without trades on the way: every price divided by 1.5 between two bars",
        change=lambda market, ground: jump(market, ground, 1 / JUMP),
    ),
    Scenario(
        name="volatility_1_5",
        models="a nervous market: every log return x1.5",
        change=lambda market, ground: volatility(market, ground, 1.5),
    ),
    Scenario(
        name="volatility_3",
        models="a panic that lasts: every log return x3",
        change=lambda market, ground: volatility(market, ground, 3.0),
    ),
    Scenario(
        name="gap",
        models="news over night: the next bars open 10% away, against each open position",
        change=gap,
    ),
    Scenario(
        name="correlation_one",
        models="diversification ends: every instrument follows one, at its own volatility",
        change=correlation_one,
        instruments=2,
    ),
    Scenario(name="spread_5", models="makers withdraw: spreads x5, mid prices unchanged", change=wider_spread),
    Scenario(
        name="flash_crash",
        models="the book is empty for a moment: -20% within 3 bars, and back within 3 more",
        change=lambda market, ground: flash(market, ground, 1 - CRASH),
    ),
    Scenario(
        name="flash_spike",
        models="the same on the other side of the book: +25% within 3 bars, and back within 3 more",
        change=lambda market, ground: flash(market, ground, 1 / (1 - CRASH)),
    ),
    Scenario(
        name="feed_loss_one",
        models="the candles of the instrument most is held of stay away for 12 hours (6 bars at least)",
        change=feed_loss_one,
        must_fire=HoldCause.STALE_DATA,
        instruments=2,
    ),
    Scenario(
        name="feed_loss_all",
        models="all candles stay away for 12 hours (6 bars at least), and come again",
        change=feed_loss_all,
        must_fire=HoldCause.DATA_QUALITY,
    ),
    Scenario(
        name="slow_bleed",
        models="every position is wrong: prices drift against what is held by 0.35 of a bar's deviation, bar for bar",
        change=unchanged,
        follows_positions=True,
    ),
    Scenario(
        name="equity_minus_10",
        models="the account loses 10% of its equity within one bar: a gap as large as that takes",
        change=equity_loss,
        must_fire=HoldCause.DRAWDOWN,
    ),
)


def scenarios_named(text: str) -> tuple[Scenario, ...]:
    """`all`, or names with commas between them, in the order given; raises `InvalidInput` for a name there is not."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if names == ("all",):
        return SCENARIOS
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        meant = ", ".join(unknown) or "without a name"
        raise InvalidInput(f"there is no scenario {meant}; there are all, {', '.join(known)}")
    return tuple(known[name] for name in names)
