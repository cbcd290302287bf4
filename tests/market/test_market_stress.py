"""Stress scenarios as pure changes of bars: what they change, what they leave alone, and that bars stay possible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import BarSeries
from domain.clock import from_epoch, to_epoch
from domain.errors import InvalidInput, InvalidRecord
from domain.holds import HoldCause
from domain.instruments import Timeframe
from market.series_feed import SeriesFeed
from market.simulated import SimulatedFeed
from market.stress import (
    CRASH,
    FLASH_BARS,
    GAP,
    LOST_EQUITY,
    SCENARIOS,
    Ground,
    Scenario,
    leader_of,
    scenarios_named,
)
from market.stress_bars import first_after
from market.stress_bleed import BleedingFeed

START = datetime(2024, 1, 1, tzinfo=UTC)
NAMED = {scenario.name: scenario for scenario in SCENARIOS}
LOSING = {"feed_loss_one", "feed_loss_all"}
COLUMNS = ("open", "high", "low", "close", "volume", "half_spread")


def random_walk(symbol: str, hours: list[int], seed: int, start: float) -> BarSeries:
    """Bars that open at these hours, with jumps between them, some volumes missing."""
    chance, size = np.random.default_rng(seed), len(hours)
    open_ = start * np.exp(np.cumsum(chance.normal(0, 0.02, size)))
    close = open_ * np.exp(chance.normal(0, 0.02, size))
    volume = np.where(chance.random(size) < 0.2, np.nan, chance.random(size) * 100)
    return BarSeries(
        symbol=symbol,
        timeframe=Timeframe.H1,
        source="test",
        opened=to_epoch(START) + np.array(hours, dtype=np.int64) * 3600,
        open=open_,
        high=np.maximum(open_, close) * (1 + np.abs(chance.normal(0, 0.005, size))),
        low=np.minimum(open_, close) * (1 - np.abs(chance.normal(0, 0.005, size))),
        close=close,
        volume=volume,
        half_spread=open_ * chance.random(size) * 0.001,
    )


@st.composite
def markets(draw: st.DrawFn) -> tuple[dict[str, BarSeries], Ground]:
    """One to three instruments with gaps of their own, a moment anywhere, and something held or nothing."""
    market = {}
    for symbol in ("AAA", "BBB", "CCC")[: draw(st.integers(1, 3))]:
        hours = sorted(draw(st.sets(st.integers(0, 90), min_size=2, max_size=60)))
        market[symbol] = random_walk(symbol, hours, draw(st.integers(0, 10_000)), draw(st.floats(1e-4, 1e5)))
    shares = st.one_of(st.floats(0.2, 2.0), st.floats(-2.0, -0.2))
    exposure = draw(st.dictionaries(st.sampled_from(sorted(market)), shares, min_size=1))
    hour = draw(st.integers(-2, 95))
    return market, Ground(at=START + timedelta(hours=hour), exposure=exposure, seed=draw(st.integers(0, 99)))


def long_market(count: int = 3, hours: int = 400) -> dict[str, BarSeries]:
    return {f"S{number}": random_walk(f"S{number}", list(range(hours)), number, 100.0) for number in range(count)}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@settings(deadline=None, max_examples=60)
@given(case=markets())
def test_every_bar_stays_possible_and_nothing_before_the_moment_changes(
    scenario: Scenario, case: tuple[dict[str, BarSeries], Ground]
) -> None:
    market, ground = case
    changed = scenario.change(market, ground)
    assert list(changed) == list(market)
    for symbol, before in market.items():
        after = changed[symbol]
        first = first_after(before, ground.at)
        assert np.array_equal(after.opened[:first], before.opened[:first])
        for column in COLUMNS:
            assert np.array_equal(getattr(after, column)[:first], getattr(before, column)[:first], equal_nan=True)
        for index in range(len(after)):
            after.bar(index)  # a bar that cannot be raises InvalidRecord
        if scenario.name in LOSING:
            kept = np.isin(before.opened, after.opened)
            assert np.array_equal(after.opened, before.opened[kept])
            assert np.array_equal(after.close, before.close[kept])
        else:
            assert np.array_equal(after.opened, before.opened)
            assert np.array_equal(after.volume, before.volume, equal_nan=True)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_same_scenario_on_the_same_ground_gives_the_same_bars(scenario: Scenario) -> None:
    ground = Ground(at=START + timedelta(hours=200), exposure={"S1": -0.6, "S0": 0.4}, seed=5)
    one, two = (scenario.change(long_market(), ground) for _ in range(2))
    for symbol in one:
        for column in ("opened", *COLUMNS):
            assert getattr(one[symbol], column).tobytes() == getattr(two[symbol], column).tobytes()


def test_a_bar_that_cannot_be_would_be_noticed() -> None:
    bars = random_walk("AAA", [0, 1, 2], 1, 100.0)
    broken = BarSeries(
        symbol="AAA",
        timeframe=bars.timeframe,
        source="test",
        opened=bars.opened,
        **{name: getattr(bars, name) for name in COLUMNS if name != "high"},
        high=bars.low,
    )
    with pytest.raises(InvalidRecord):
        broken.bar(1)


MOMENT = 250
GROUND = Ground(at=START + timedelta(hours=MOMENT), exposure={"S0": 0.5, "S1": -0.25})


@pytest.mark.parametrize(("name", "factor"), [("price_jump_up", 1.5), ("price_jump_down", 1 / 1.5)])
def test_a_jump_moves_every_price_once_and_for_all(name: str, factor: float) -> None:
    market = long_market()
    changed = NAMED[name].change(market, GROUND)
    for symbol, bars in market.items():
        for column in ("open", "high", "low", "close", "half_spread"):
            ratio = getattr(changed[symbol], column)[MOMENT:] / getattr(bars, column)[MOMENT:]
            assert ratio == pytest.approx(factor)


@pytest.mark.parametrize(("name", "power"), [("volatility_1_5", 1.5), ("volatility_3", 3.0)])
def test_volatility_multiplies_every_log_return(name: str, power: float) -> None:
    market = long_market()
    changed = NAMED[name].change(market, GROUND)
    for symbol, bars in market.items():
        returns, stretched = (np.diff(np.log(series.close[MOMENT - 1 :])) for series in (bars, changed[symbol]))
        assert stretched == pytest.approx(power * returns, abs=1e-8)
        inside = [np.log(series.high / series.low)[MOMENT:] for series in (bars, changed[symbol])]
        assert inside[1] == pytest.approx(power * inside[0], abs=1e-8)


def test_a_gap_goes_against_each_position_and_elsewhere_against_the_account() -> None:
    market = long_market()
    changed = NAMED["gap"].change(market, GROUND)
    moved = {symbol: changed[symbol].open[MOMENT] / bars.open[MOMENT] - 1 for symbol, bars in market.items()}
    assert moved == pytest.approx({"S0": -GAP, "S1": GAP, "S2": -GAP})


def test_equity_falls_by_a_tenth_or_more_and_not_by_much_more() -> None:
    market = long_market()
    changed = NAMED["equity_minus_10"].change(market, GROUND)
    lost = sum(share * (1 - changed[s].open[MOMENT] / market[s].open[MOMENT]) for s, share in GROUND.exposure.items())
    assert LOST_EQUITY <= lost <= 1.2 * LOST_EQUITY


@pytest.mark.parametrize("exposure", [{}, {"S0": 0.1}])
def test_what_is_too_small_to_lose_a_tenth_is_told(exposure: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="cannot lose 10% of it at once: choose a moment with more at stake"):
        NAMED["equity_minus_10"].change(long_market(), Ground(at=GROUND.at, exposure=exposure))


def test_everything_follows_one_at_its_own_volatility() -> None:
    market = long_market()
    leader = leader_of(market, GROUND.at)
    changed = NAMED["correlation_one"].change(market, GROUND)
    returns = {symbol: np.diff(np.log(bars.close[MOMENT - 1 :])) for symbol, bars in changed.items()}
    before = {symbol: float(np.std(np.diff(np.log(bars.close[:MOMENT])), ddof=1)) for symbol, bars in market.items()}
    assert np.array_equal(changed[leader].close, market[leader].close)
    for symbol, own in returns.items():
        assert np.corrcoef(own, returns[leader])[0, 1] == pytest.approx(1.0)
        assert own == pytest.approx(returns[leader] * before[symbol] / before[leader], abs=1e-8)


def test_where_the_leader_has_no_bar_its_followers_stand_still() -> None:
    market = long_market(2)
    leader = leader_of(market, GROUND.at)
    follower = next(symbol for symbol in market if symbol != leader)
    market[leader] = NAMED["feed_loss_one"].change(market, Ground(at=GROUND.at, exposure={leader: 1.0}))[leader]
    changed = NAMED["correlation_one"].change(market, GROUND)[follower]
    silent = changed.close[MOMENT : MOMENT + 12]
    assert silent == pytest.approx(np.full(12, market[follower].close[MOMENT - 1]))
    assert changed.high[MOMENT + 5] == changed.low[MOMENT + 5]


def test_only_spreads_widen_when_makers_withdraw() -> None:
    market = long_market()
    for symbol, bars in NAMED["spread_5"].change(market, GROUND).items():
        assert bars.half_spread[MOMENT:] == pytest.approx(5 * market[symbol].half_spread[MOMENT:])
        assert np.array_equal(bars.close, market[symbol].close)


@pytest.mark.parametrize(("name", "factor"), [("flash_crash", 1 - CRASH), ("flash_spike", 1 / (1 - CRASH))])
def test_a_flash_goes_away_and_comes_back(name: str, factor: float) -> None:
    market = long_market()
    for symbol, bars in NAMED[name].change(market, GROUND).items():
        ratio = bars.close / market[symbol].close
        assert ratio[MOMENT + FLASH_BARS - 1] == pytest.approx(factor)
        assert np.abs(np.log(ratio)).max() == pytest.approx(abs(np.log(factor)))
        assert ratio[MOMENT + 2 * FLASH_BARS - 1 :] == pytest.approx(1.0)
        wicks = [each.high / np.maximum(each.open, each.close) for each in (bars, market[symbol])]
        assert wicks[0] == pytest.approx(wicks[1])


def test_a_lost_feed_lacks_half_a_day_of_the_instrument_most_is_held_of() -> None:
    market = long_market()
    lost = NAMED["feed_loss_one"].change(market, GROUND)
    assert {symbol: len(market[symbol]) - len(bars) for symbol, bars in lost.items()} == {"S0": 12, "S1": 0, "S2": 0}
    assert lost["S0"].opened[MOMENT] - lost["S0"].opened[MOMENT - 1] == 13 * 3600
    everything = NAMED["feed_loss_all"].change(market, GROUND)
    assert {len(bars) for bars in everything.values()} == {388}


def test_where_nothing_is_held_the_seed_draws_whose_feed_is_lost() -> None:
    market = long_market()
    lost = set()
    for seed in range(20):
        changed = NAMED["feed_loss_one"].change(market, Ground(at=GROUND.at, tradable=("S0", "S1"), seed=seed))
        lost |= {symbol for symbol, bars in changed.items() if len(bars) < 400}
    assert lost == {"S0", "S1"}


def test_scenarios_are_chosen_by_name_and_a_wrong_name_says_which_there_are() -> None:
    assert scenarios_named("all") == SCENARIOS
    assert [scenario.name for scenario in scenarios_named("gap, flash_crash,gap")] == ["gap", "flash_crash"]
    for text in ("gapp", "", "all,gap"):
        with pytest.raises(InvalidInput, match="there are all, price_jump_up, "):
            scenarios_named(text)
    assert NAMED["equity_minus_10"].must_fire is HoldCause.DRAWDOWN


# -- the market that goes against what is held --------------------------------------------------------------------


def bleeding(seed: int = 3) -> tuple[SimulatedFeed, BleedingFeed]:
    calm, again = (SimulatedFeed(seed, instruments=3, bars=300, start=START) for _ in range(2))
    return calm, BleedingFeed(again, START + timedelta(hours=150))


def told(feed: BleedingFeed | SeriesFeed) -> list[tuple[datetime, tuple[object, ...]]]:
    moments = []
    while feed.next_at() is not None:
        moment = feed.take()
        moments.append((moment.at, (*moment.closed, *moment.opened)))
    return moments


def test_a_bleed_tells_the_same_moments_and_drifts_against_what_is_held() -> None:
    calm, feed = bleeding()
    long, short, flat = calm.instruments
    feed.held = lambda: {long: 2.0, short: -0.1}
    assert told(feed) == told(calm)
    ends = {symbol: feed.series(symbol).close[-1] / calm.series(symbol).close[-1] for symbol in calm.instruments}
    assert ends[long] < 0.9
    assert ends[short] > 1.01
    assert ends[flat] == 1.0
    for symbol in calm.instruments:
        bars = feed.series(symbol)
        first = first_after(bars, START + timedelta(hours=150))
        assert np.array_equal(bars.close[:first], calm.series(symbol).close[:first])
        for index in range(len(bars)):
            bars.bar(index)


def test_a_bleed_changes_nothing_that_was_told_and_has_no_far_future_at_hand() -> None:
    _, feed = bleeding()
    symbol = next(iter(feed.instruments))
    known = np.empty(0)
    sides = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], size=1_000)
    while (at := feed.next_at()) is not None:
        held = {symbol: float(sides[len(known)])}
        feed.held = held.copy
        moment = feed.take()
        bars = feed.series(symbol)
        assert np.array_equal(bars.close[: len(known)], known)
        assert from_epoch(int(bars.opened[-1])) < max(at + timedelta(hours=4), START + timedelta(hours=150))
        assert all(ref.index < len(feed.series(ref.symbol)) for ref in (*moment.closed, *moment.opened))
        higher = feed.higher(symbol)
        assert higher is not None
        assert int(higher.closed[-1] if len(higher) else 0) <= int(bars.closed[-1])
        known = bars.close
    assert len(known) == len(bleeding()[0].series(symbol))


def test_without_positions_a_bleed_is_the_market_as_it_was() -> None:
    calm, feed = bleeding()
    told(feed)
    for symbol in calm.instruments:
        assert np.array_equal(feed.series(symbol).close, calm.series(symbol).close)
