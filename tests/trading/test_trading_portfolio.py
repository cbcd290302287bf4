"""Portfolio weights in trading: from known returns only, equal until there are enough, durable, and seen in sizes."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from trading_rig import START, Candle, Rig

from journal.batch import Batch
from risk.portfolio import Method
from trading.portfolio import PORTFOLIO_KEY, Portfolio, PortfolioSettings, PortfolioWeights

CALM, WILD = "CALMUSD", "WILDUSD"
BARS = 60


def walk(step: float, seed: int, bars: int = BARS) -> list[Candle]:
    """Closes that move by about `step` a bar."""
    closes = 100 * np.cumprod(1 + step * np.random.default_rng(seed).standard_normal(bars))
    return [Candle(close, close * 1.001, close * 0.999, close) for close in (round(float(each), 2) for each in closes)]


async def told(begin, bars: int, **portfolio) -> Rig:
    """Two instruments, one of them with four times the other's volatility, after so many bars."""
    rig = await begin({CALM: walk(0.001, 1), WILD: walk(0.004, 2)}, portfolio={"fewest_bars": 20, **portfolio})
    await rig.step(bars)
    return rig


def refreshed(rig: Rig) -> PortfolioWeights:
    return rig.trading.portfolio.refresh(rig.session.view, rig.clock.now(), Batch())


async def test_until_there_is_enough_history_every_instrument_weighs_the_same(begin):
    rig = await told(begin, 15, method="inverse_volatility")
    found = refreshed(rig)
    assert (found.method, dict(found.weights)) == ("equal", {})
    assert found.reason == "fewer than two instruments have enough history"
    assert rig.trading.portfolio.scale(CALM) == 1


async def test_equal_risk_scales_nothing_because_sizing_divides_by_the_stops_distance_already(begin):
    rig = await told(begin, 50, method="inverse_volatility")
    found = refreshed(rig)
    portfolio = rig.trading.portfolio
    assert found.method == "inverse_volatility"
    assert found.weights[CALM] > 3 * found.weights[WILD]
    assert (portfolio.scale(CALM), portfolio.scale(WILD), portfolio.scale("UNKNOWN")) == (1, 1, 1)


async def test_of_two_that_move_together_and_one_that_does_not_the_loner_gets_more_risk(begin):
    shared = walk(0.004, 2)
    twin = [Candle(2 * each.open, 2 * each.high, 2 * each.low, 2 * each.close) for each in shared]
    rig = await begin(
        {CALM: walk(0.004, 1), WILD: shared, "TWINUSD": twin}, portfolio={"fewest_bars": 20, "method": "risk_parity"}
    )
    await rig.step(50)
    refreshed(rig)
    portfolio = rig.trading.portfolio
    assert portfolio.scale(CALM) > 1
    assert portfolio.scale(WILD) < 1
    assert portfolio.scale("TWINUSD") < 1


async def test_weights_know_nothing_of_bars_that_have_not_closed(begin):
    early = await told(begin, 40, method="min_variance")
    early_weights = refreshed(early).weights
    other = {CALM: walk(0.001, 1)[:45] + walk(0.05, 9), WILD: walk(0.004, 2)[:45] + walk(0.05, 8)}
    rig = await begin(other, portfolio={"fewest_bars": 20, "method": "min_variance"})
    await rig.step(40)
    assert refreshed(rig).weights == early_weights


async def test_an_instrument_that_ended_long_ago_takes_nobodys_weights_away(begin):
    gone = [*walk(0.001, 3, bars=30)]
    rig = await begin(
        {CALM: walk(0.001, 1, bars=400), WILD: walk(0.004, 2, bars=400), "GONEUSD": gone},
        portfolio={"fewest_bars": 20, "method": "inverse_volatility"},
    )
    await rig.step(300)
    assert set(refreshed(rig).weights) == {CALM, WILD}


async def test_weights_survive_a_restart(begin):
    rig = await told(begin, 50, method="hrp")
    batch = Batch()
    found = rig.trading.portfolio.refresh(rig.session.view, rig.clock.now(), batch)
    await rig.writer.commit(batch)
    assert rig.journal.read.state(PORTFOLIO_KEY) == found.to_json()
    await rig.reopen()
    assert rig.trading.portfolio.current == found


async def test_a_small_change_leaves_the_weights_as_they_are(begin):
    rig = await told(begin, 50, method="inverse_volatility", no_trade_band=0.2)
    first = refreshed(rig)
    await rig.step(3)
    assert refreshed(rig).weights == first.weights


def test_a_weight_of_nothing_is_a_scale_of_nothing_and_sizing_keeps_it_within_limits():
    portfolio = Portfolio(PortfolioSettings(method=Method.MAX_SHARPE))
    weights, alike = {CALM: 1.0, WILD: 0.0}, {CALM: 0.5, WILD: 0.5}
    known = PortfolioWeights(at=START, method="max_sharpe", weights=weights, at_equal_risk=alike)
    portfolio.restore(known.to_json())
    assert (portfolio.scale(CALM), portfolio.scale(WILD)) == (Decimal(2), Decimal(0))


async def test_common_returns_are_those_between_bars_that_all_have(begin):
    rig = await told(begin, 30)
    view = rig.session.view
    returns = view.common_returns([CALM, WILD], 10)
    assert returns.shape == (10, 2)
    closes = view.bars(CALM).series.close[: view.closed[CALM] + 1]
    assert returns[:, 0] == pytest.approx(closes[-10:] / closes[-11:-1] - 1)
    assert view.common_returns([CALM], 10_000).shape == (view.closed[CALM], 1)
