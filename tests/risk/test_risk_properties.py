"""For any inputs: no size and no sequence of approved orders exceeds a limit; tighter never allows more."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from risk_builders import D, judged, pair, proposal, share, sizing_inputs, snapshot

from domain.instruments import Instrument
from domain.orders import Approval, Side
from risk.breakers import OrderSent, step
from risk.limits import ALLOWED, Limits
from risk.room import room
from risk.sizing import SizingInputs, size
from risk.snapshot import Exposure, Proposal, Snapshot

INSTRUMENTS = (
    pair("EUR", "USD"),
    pair("GBP", "USD"),
    pair("USD", "JPY"),
    pair("EUR", "GBP"),
    pair("BTC", "USD", lot=D("0.00001"), min_quantity=D("0.00001"), max_leverage=D(1), min_notional=D(10)),
    pair("XAU", "USD", lot=D("0.01"), min_quantity=D("0.01"), max_leverage=D(20), shortable=False),
    share("TCS", "INR", max_leverage=D(2)),
    share("AAPL", "USD", lot=D(1), fee_rate=D("0.001")),
)
sides = st.sampled_from(Side)
instruments = st.sampled_from(INSTRUMENTS)
rates = st.sampled_from([D(1), D("0.0066"), D("1.25"), 1 / D(150), D("150.37")])


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """The defaults with up to six of them drawn anew."""
    names = draw(st.lists(st.sampled_from(sorted(ALLOWED)), max_size=6, unique=True))
    return changed_limits(draw, Limits(), names)


def changed_limits(draw: st.DrawFn, start: Limits, names: list[str]) -> Limits:
    values = {name: getattr(start, name) for name in ALLOWED}
    for name in names:
        values[name] = draw(st.sampled_from(choices(name)))
    values["risk_per_trade_min"] = min(values["risk_per_trade_min"], values["risk_per_trade_max"])
    values["bet_scale_min"] = min(values["bet_scale_min"], values["bet_scale_max"])
    return Limits(**values)


def choices(name: str) -> list[Any]:
    """A few allowed values around the default, in ascending order."""
    default, allowed = getattr(Limits(), name), ALLOWED[name]
    if default is None:
        return [D(1), D(1000), D(100000), None]
    scaled = [default * factor for factor in (D("0.1"), D("0.5"), D("0.9"), D(1), D(2), D(5))]
    cut = sorted({min(max(value, allowed.low), allowed.high) for value in scaled})
    if isinstance(default, int):
        return sorted({max(int(value), int(allowed.low)) for value in cut})
    return [value for value in cut if value > 0]


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


def tightened(start: Limits, name: str, data: st.DataObject) -> Limits:
    value = data.draw(st.sampled_from(choices(name)))
    now = getattr(start, name)
    if now is None:
        assume(value is not None)
    elif value is None or (value >= now if ALLOWED[name].greater_is_looser else value <= now):
        assume(False)
    together = {name: value}
    if name == "risk_per_trade_max":
        together["risk_per_trade_min"] = min(start.risk_per_trade_min, value)
    if name == "bet_scale_max":
        together["bet_scale_min"] = min(start.bet_scale_min, value)
    later = replace(start, **together)
    assert later.loosened_from(start) == ()
    return later


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """An order of a drawn size; many are too large, so that the gate has something to deny."""
    side = draw(sides)
    entry = D(draw(st.integers(90, 110)))
    instrument: Instrument = draw(instruments)
    lots = draw(st.integers(1, 400))
    value = D(draw(st.sampled_from([1000, 10000, 60000])))
    quantity = max(instrument.quantity(value / entry), instrument.lot) * lots / 20
    quantity = max(instrument.quantity(quantity), instrument.lot)
    distance = entry * D(draw(st.sampled_from(["0.002", "0.01", "0.05"])))
    fx_rate = draw(st.sampled_from([D(1), D("0.0125")]))
    return {
        "instrument": instrument,
        "side": side,
        "entry_price": entry,
        "stop_price": entry - side.sign * distance,
        "target_price": entry + side.sign * 3 * distance,
        "mid": entry,
        "half_spread": D(0),
        "fx_rate": fx_rate,
        "quantity": quantity,
        "risk_amount": quantity * distance * fx_rate,
        "correlation": draw(st.sampled_from([-0.9, 0.0, 0.5, 0.85])),
        "settled": draw(st.sampled_from(["filled", "in_flight", "unknown"])),
    }


def as_proposal(order: dict[str, Any], number: int, at: Snapshot) -> Proposal:
    wanted = {name: value for name, value in order.items() if name not in ("correlation", "settled")}
    correlations = dict.fromkeys(at.open_instruments, order["correlation"])
    return proposal(decision_id=f"decision-{number}", correlations=correlations, **wanted)


def as_exposure(wanted: Proposal, settled: str) -> Exposure:
    return Exposure(
        instrument=wanted.instrument,
        side=wanted.side,
        quantity=wanted.quantity,
        price=wanted.entry_price,
        fx_rate=wanted.fx_rate,
        risk=wanted.risk_amount,
        unknown=settled == "unknown",
        in_flight=settled == "in_flight",
    )


def assert_within_limits(at: Snapshot) -> None:
    """Computed apart from the rules, in exact fractions, all orders counted as if they filled."""
    bounds, equity = at.limits, Fraction(at.equity)
    tolerance = Fraction(1, 10**15)
    gross, margin, risk = Fraction(0), Fraction(0), Fraction(0)
    net: dict[str, Fraction] = defaultdict(Fraction)
    for each in at.exposures:
        value = Fraction(each.quantity) * Fraction(each.price) * Fraction(each.fx_rate)
        gross += value
        margin += value / Fraction(each.instrument.max_leverage)
        risk += Fraction(each.risk)
        assert value <= Fraction(bounds.max_order_value) * equity
        assert Fraction(each.risk) <= Fraction(bounds.risk_per_trade_max) * equity
        assert each.side is Side.BUY or each.instrument.shortable
        if each.instrument.asset_class == "equity":
            net[each.instrument.quote] += each.side.sign * value
        else:
            net[each.instrument.base] += each.side.sign * value
            net[each.instrument.quote] -= each.side.sign * value
    symbols = [each.instrument.symbol for each in at.exposures]
    assert len(symbols) == len(set(symbols)) <= bounds.max_positions
    assert risk <= Fraction(bounds.max_open_risk) * equity + tolerance
    assert gross <= Fraction(bounds.max_gross_exposure) * equity + tolerance
    assert margin <= Fraction(bounds.max_margin_use) * equity + tolerance
    if not any(each.instrument.symbol == "AAPL" for each in at.exposures):  # at home a share is no currency bet
        assert all(
            abs(value) <= Fraction(bounds.max_per_currency_exposure) * equity + tolerance for value in net.values()
        )


@settings(max_examples=150)
@given(st.lists(orders(), min_size=1, max_size=12), limits())
def test_no_sequence_of_approved_orders_breaks_a_limit(wanted: list[dict[str, Any]], bounds: Limits) -> None:
    at = snapshot(limits=bounds)
    for number, order in enumerate(wanted):
        asked = as_proposal(order, number, at)
        at = replace(at, now=at.now + timedelta(seconds=7))
        if isinstance(judged(asked, at), Approval):
            sent = OrderSent(
                at=at.now, instrument=asked.instrument.symbol, side=asked.side, decision_id=asked.decision_id
            )
            state, _ = step(at.state, sent, bounds)
            at = replace(at, exposures=(*at.exposures, as_exposure(asked, order["settled"])), state=state)
        assert_within_limits(at)


@settings(max_examples=150)
@given(st.lists(orders(), min_size=1, max_size=6), limits(), st.sampled_from(sorted(ALLOWED)), st.data())
def test_tightening_any_limit_never_approves_more(
    wanted: list[dict[str, Any]], bounds: Limits, name: str, data: st.DataObject
) -> None:
    *opened, last = wanted
    at = snapshot(limits=bounds)
    for number, order in enumerate(opened):
        at = replace(at, exposures=(*at.exposures, as_exposure(as_proposal(order, number, at), order["settled"])))
    asked = as_proposal(last, 99, at)
    tighter = replace(at, limits=tightened(bounds, name, data))
    if isinstance(judged(asked, tighter), Approval):
        assert isinstance(judged(asked, at), Approval)


@settings(max_examples=150)
@given(st.lists(orders(), max_size=5), orders(), limits())
def test_what_sizing_gives_within_its_room_passes_the_gates_money_rules(
    opened: list[dict[str, Any]], last: dict[str, Any], bounds: Limits
) -> None:
    at = snapshot(limits=bounds)
    for number, order in enumerate(opened):
        asked = as_proposal(order, number, at)
        if isinstance(judged(asked, at), Approval):
            at = replace(at, exposures=(*at.exposures, as_exposure(asked, order["settled"])))
    instrument, side = last["instrument"], last["side"]
    sizing = size(
        sizing_inputs(
            equity=at.equity,
            instrument=instrument,
            side=side,
            entry_price=float(last["entry_price"]),
            stop_price=float(last["stop_price"]),
            slippage=0.0005,
            fx_rate=last["fx_rate"],
            open_risk=at.open_risk,
            limits=bounds,
            room=room(at, instrument, side),
        )
    )
    assume(sizing.quantity > 0)
    asked = replace(as_proposal(last, 99, at), quantity=sizing.quantity, risk_amount=sizing.risk_amount)
    verdict = judged(asked, at)
    money_rules = {
        "well_formed",
        "fat_finger",
        "order_value",
        "order_quantity",
        "open_risk",
        "gross_exposure",
        "currency_exposure",
        "margin",
    }
    assert isinstance(verdict, Approval) or verdict.rule not in money_rules
