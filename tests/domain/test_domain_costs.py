"""Costs, by hand: half the spread, slippage, fees, swap; always against us, on either side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.costs import CostModel, market_price, net_r, slipped
from domain.errors import InvalidRecord
from domain.orders import Side

PRICES = st.floats(min_value=0.01, max_value=1e5)
RATES = st.floats(min_value=0.0, max_value=0.01)


@pytest.mark.parametrize(
    ("side", "entry", "exit_", "risk", "fee", "swap", "expected"),
    [
        (Side.BUY, 100.0, 106.0, 2.0, 0.0, 0.0, 3.0),
        (Side.BUY, 100.0, 98.0, 2.0, 0.0, 0.0, -1.0),
        (Side.SELL, 100.0, 94.0, 2.0, 0.0, 0.0, 3.0),
        (Side.SELL, 100.0, 102.0, 2.0, 0.0, 0.0, -1.0),
        (Side.BUY, 100.0, 106.0, 2.0, 0.001, 0.0, (6.0 - 0.206) / 2.0),
        (Side.SELL, 100.0, 94.0, 2.0, 0.001, 0.0, (6.0 - 0.194) / 2.0),
        (Side.BUY, 100.0, 106.0, 2.0, 0.001, 0.5, (6.0 - 0.206 - 0.5) / 2.0),
        (Side.SELL, 100.0, 100.0, 2.0, 0.0, -0.5, 0.25),
    ],
)
def test_net_r_by_hand(
    side: Side, entry: float, exit_: float, risk: float, fee: float, swap: float, expected: float
) -> None:
    found = net_r(side, entry=entry, exit_=exit_, risk_per_unit=risk, fee_rate=fee, swap_per_unit=swap)
    assert found == pytest.approx(expected)


@given(PRICES, PRICES, st.floats(min_value=1e-3, max_value=1e3))
def test_without_costs_what_a_long_wins_a_short_loses(entry: float, exit_: float, risk: float) -> None:
    long = net_r(Side.BUY, entry=entry, exit_=exit_, risk_per_unit=risk, fee_rate=0.0)
    assert net_r(Side.SELL, entry=entry, exit_=exit_, risk_per_unit=risk, fee_rate=0.0) == -long


@given(PRICES, PRICES, st.floats(min_value=1e-3, max_value=1e3), RATES, st.sampled_from(Side))
def test_fees_only_ever_take_away(entry: float, exit_: float, risk: float, fee: float, side: Side) -> None:
    def earned(rate: float) -> float:
        return net_r(side, entry=entry, exit_=exit_, risk_per_unit=risk, fee_rate=rate)

    assert earned(fee) <= earned(0.0)
    both_sides = earned(fee) + net_r(side.opposite, entry=entry, exit_=exit_, risk_per_unit=risk, fee_rate=fee)
    assert both_sides == pytest.approx(-2 * fee * (entry + exit_) / risk, abs=1e-6 * (entry + exit_) / risk)


@pytest.mark.parametrize("risk", [0.0, -1.0])
def test_without_risk_there_is_no_r(risk: float) -> None:
    with pytest.raises(InvalidRecord, match="gives no R multiple"):
        net_r(Side.BUY, entry=1.0, exit_=2.0, risk_per_unit=risk, fee_rate=0.0)


@pytest.mark.parametrize(
    ("side", "expected"), [(Side.BUY, (100.0 + 0.05) * 1.001), (Side.SELL, (100.0 - 0.05) * 0.999)]
)
def test_a_market_order_pays_half_the_spread_and_slips_against_itself(side: Side, expected: float) -> None:
    assert market_price(side, 100.0, 0.05, 0.001) == pytest.approx(expected)


@pytest.mark.parametrize(("closing", "expected"), [(Side.SELL, 97.902), (Side.BUY, 98.098)])
def test_a_touched_stop_slips_against_who_closes(closing: Side, expected: float) -> None:
    assert slipped(closing, 98.0, 0.001) == pytest.approx(expected)


@given(PRICES, RATES, RATES)
def test_going_in_and_out_at_one_moment_never_earns(mid: float, spread: float, slippage: float) -> None:
    half = mid * spread
    bought, sold = market_price(Side.BUY, mid, half, slippage), market_price(Side.SELL, mid, half, slippage)
    assert sold <= mid <= bought
    assert slipped(Side.SELL, mid, slippage) <= mid <= slipped(Side.BUY, mid, slippage)


@pytest.mark.parametrize(
    ("fee", "slippage"), [(-0.001, 0.0), (0.0, -0.001), (0.1, 0.0), (0.0, 10.0), (float("nan"), 0)]
)
def test_costs_that_are_no_small_fractions_are_refused(fee: float, slippage: float) -> None:
    with pytest.raises(InvalidRecord, match="not fractions below"):
        CostModel(fee_rate=fee, slippage=slippage)
