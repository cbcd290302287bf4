"""For any inputs: no size exceeds a limit; tighter limits never size more."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from risk_builders import D, sizing_inputs
from risk_portfolios import instruments, limits, rates, sides, tightened

from risk.limits import ALLOWED
from risk.sizing import SizingInputs, size


@st.composite
def inputs(draw: st.DrawFn) -> SizingInputs:
    side = draw(sides)
    entry = draw(st.floats(0.01, 5000.0))
    distance = draw(st.floats(1e-6, 0.5))
    return sizing_inputs(
        equity=D(draw(st.integers(1, 10**9))) / 100,
        instrument=draw(instruments),
        side=side,
        entry_price=entry,
        stop_price=entry * (1 - side.sign * distance),
        half_spread=draw(st.floats(0, 0.01)) * entry,
        slippage=draw(st.floats(0, 0.01)),
        fx_rate=draw(rates),
        probability=draw(st.none() | st.floats(0, 1)),
        break_even=draw(st.floats(0.01, 1.2)),
        social_score=draw(st.none() | st.floats(-1, 1)),
        volatility_ratio=draw(st.none() | st.floats(0.01, 100)),
        drawdown=draw(st.floats(0, 1.5)),
        hold_scale=draw(st.sampled_from([D(0), D("0.5"), D(1)])),
        open_risk=D(draw(st.integers(0, 10**6))) / 100,
        limits=draw(limits()),
        room=draw(st.none() | st.integers(0, 10**7).map(D)),
    )


def exact_loss(wanted: SizingInputs, quantity: D) -> Fraction:
    """What the quantity loses at its stop with all costs, in account currency, without any rounding."""
    entry, stop = Fraction(repr(wanted.entry_price)), Fraction(repr(wanted.stop_price))
    rate = Fraction(repr(wanted.slippage)) + Fraction(wanted.instrument.fee_rate)
    per_unit = abs(entry - stop) + 2 * Fraction(repr(wanted.half_spread)) + rate * (entry + stop)
    return per_unit * Fraction(quantity) * Fraction(wanted.fx_rate)


@settings(max_examples=400)
@given(inputs())
def test_no_size_exceeds_any_limit(wanted: SizingInputs) -> None:
    sizing = size(wanted)
    bounds, equity, quantity = wanted.limits, Fraction(wanted.equity), sizing.quantity
    assert (quantity == 0) == (sizing.reason is not None)
    loss = exact_loss(wanted, quantity)
    assert loss <= Fraction(bounds.risk_per_trade_max) * equity
    assert loss + Fraction(wanted.open_risk) <= Fraction(bounds.max_open_risk) * equity or quantity == 0
    assert 0 <= loss - Fraction(sizing.risk_amount) <= Fraction(1, 10**8)
    value = Fraction(quantity) * Fraction(repr(wanted.entry_price)) * Fraction(wanted.fx_rate)
    leverage = Fraction(wanted.instrument.max_leverage)
    assert value <= Fraction(bounds.max_order_value) * equity
    assert value <= Fraction(bounds.max_margin_use) * leverage * equity
    assert wanted.room is None or value <= Fraction(wanted.room)
    assert bounds.max_order_quantity is None or quantity <= bounds.max_order_quantity
    assert quantity % wanted.instrument.lot == 0
    assert quantity == 0 or quantity >= wanted.instrument.min_quantity
    assert quantity == 0 or wanted.hold_scale > 0


@settings(max_examples=300)
@given(inputs(), st.sampled_from(sorted(ALLOWED)), st.data())
def test_tightening_any_limit_never_sizes_more(wanted: SizingInputs, name: str, data: st.DataObject) -> None:
    tighter = tightened(wanted.limits, name, data)
    assert size(replace(wanted, limits=tighter)).quantity <= size(wanted).quantity


@given(inputs(), st.floats(0, 1), st.floats(0, 1))
def test_fills_no_worse_than_modelled_lose_no_more_than_was_sized(
    wanted: SizingInputs, at_entry: float, at_stop: float
) -> None:
    """Both fills slip by any part of what was expected: at the stop no more is lost than the risk said, to 1e-8."""
    sizing = size(wanted)
    sign, half, slippage = wanted.side.sign, Fraction(repr(wanted.half_spread)), Fraction(repr(wanted.slippage))
    entry, stop = Fraction(repr(wanted.entry_price)), Fraction(repr(wanted.stop_price))
    paid = entry + sign * (half + Fraction(at_entry) * slippage * entry)
    got = stop - sign * (half + Fraction(at_stop) * slippage * stop)
    fees = Fraction(wanted.instrument.fee_rate) * (entry + stop)
    lost = (sign * (paid - got) + fees) * Fraction(sizing.quantity) * Fraction(wanted.fx_rate)
    assert lost <= Fraction(sizing.risk_amount) + Fraction(1, 10**8)
