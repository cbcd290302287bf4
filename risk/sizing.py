"""How much to trade: a fraction of equity at risk, scaled by what is known, within every limit, rounded down.

The fraction multiplies, in this order:

base         `risk_per_trade` of equity, cut to the allowed range
drawdown     clip((D - dd) / D, floor, 1), exposure shrinking with the distance to the stop line D
             (Grossman & Zhou 1993; the floor because with costs the pure rule never trades again)
hold         the scale of the SAFE holds in force
probability  the bet size 2 Phi(z) - 1 of Lopez de Prado (2018, ch. 10), z = (p - p*) / sqrt(p (1 - p)), taken
             against the break-even p* instead of one half. 0 or less gives `bet_scale_min`, `bet_full_edge` or
             more `bet_scale_max`, between them a straight line. An unknown probability gives 1: no opinion
social       social sentiment against the trade takes off up to `social_cut`; for the trade it adds nothing
volatility   a forecast above the typical shrinks by their ratio, down to `volatility_floor`; below adds nothing
portfolio    the instrument's portfolio weight over that of equal risk, within the limits for it

The product is cut to the upper end of the base's range again. What a unit loses at its stop includes the whole
spread, slippage and fees of both executions, in account currency.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Context, Decimal

from domain.errors import InvalidRecord
from domain.holds import Effect, Hold, HoldCause
from domain.instruments import Instrument
from domain.numbers import ZERO, decimal_of
from domain.orders import Side
from risk.figures import figure
from risk.limits import Limits

ONE = Decimal(1)
_MONEY_STEP = Decimal("0.00000001")
# Divisions round against the trade, so that no rounding ever adds to a quantity.
_DOWN = Context(prec=28, rounding=ROUND_DOWN)
_UP = Context(prec=28, rounding=ROUND_UP)


@dataclass(frozen=True, kw_only=True, slots=True)
class SizingInputs:
    """What a size is made of. Money in account currency, prices mid in quote currency.

    `slippage` is a fraction of the price; `fx_rate` units of account currency for one of quote currency;
    `probability` of a net profit, None when unknown; `break_even` the probability at which net expectation is 0
    (above 1 when costs eat every win); `social_score` in [-1, 1]; `volatility_ratio` forecast over typical;
    `drawdown` at least 0; `hold_scale` in [0, 1] from `hold_scale()`; `portfolio_scale` the instrument's weight over
    that of equal risk, at least 0; `open_risk` already at risk; `room` the notional that the portfolio limits leave
    (`risk.room.room`), None to leave that to the gate.
    """

    equity: Decimal
    instrument: Instrument
    side: Side
    entry_price: float
    stop_price: float
    half_spread: float
    slippage: float
    fx_rate: Decimal
    probability: float | None
    break_even: float
    social_score: float | None
    volatility_ratio: float | None
    drawdown: float
    hold_scale: Decimal
    open_risk: Decimal
    limits: Limits
    portfolio_scale: Decimal = ONE
    room: Decimal | None = None

    def __post_init__(self) -> None:
        faults = [
            f"{name} {value}"
            for name, value, valid in (
                ("equity", self.equity, self.equity.is_finite()),
                ("entry_price", self.entry_price, 0 < self.entry_price < math.inf),
                ("stop_price", self.stop_price, 0 < self.stop_price < math.inf),
                ("half_spread", self.half_spread, 0 <= self.half_spread < math.inf),
                ("slippage", self.slippage, 0 <= self.slippage < 0.1),
                ("fx_rate", self.fx_rate, self.fx_rate.is_finite() and self.fx_rate > 0),
                ("probability", self.probability, self.probability is None or 0 <= self.probability <= 1),
                ("break_even", self.break_even, 0 <= self.break_even < math.inf),
                ("social_score", self.social_score, self.social_score is None or -1 <= self.social_score <= 1),
                ("drawdown", self.drawdown, 0 <= self.drawdown < math.inf),
                ("hold_scale", self.hold_scale, self.hold_scale.is_finite() and 0 <= self.hold_scale <= 1),
                (
                    "portfolio_scale",
                    self.portfolio_scale,
                    self.portfolio_scale.is_finite() and self.portfolio_scale >= 0,
                ),
                ("open_risk", self.open_risk, self.open_risk.is_finite() and self.open_risk >= 0),
            )
            if not valid
        ]
        if self.volatility_ratio is not None and not 0 < self.volatility_ratio < math.inf:
            faults.append(f"volatility_ratio {self.volatility_ratio}")
        if self.room is not None and not (self.room.is_finite() and self.room >= 0):
            faults.append(f"room {self.room}")
        if faults:
            raise InvalidRecord(f"{self.instrument.symbol}: no size can be made of {', '.join(faults)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizing:
    """How much, and how that came about. `risk_amount` is the account currency lost at the stop, costs included.

    `factors` tells the steps by name in order. `reason` says why when the quantity is 0: no_equity,
    stop_on_wrong_side, the name of the scale that is 0 (drawdown, hold, social), no_open_risk_left,
    no_exposure_left, below_minimum_quantity, below_minimum_notional.
    """

    quantity: Decimal
    risk_amount: Decimal
    factors: Mapping[str, str]
    reason: str | None


def hold_scale(holds: Iterable[Hold], now: datetime, instrument: str, limits: Limits) -> Decimal:
    """The smallest scale that the holds in force ask for: 1 without any, 0 where one forbids entries."""
    scale = ONE
    for hold in holds:
        if not (hold.in_force(now) and hold.covers(instrument)):
            continue
        if hold.effect is not Effect.SAFE:
            return ZERO
        scale = min(scale, limits.drift_scale if hold.cause is HoldCause.MODEL else limits.safe_scale)
    return scale


def size(inputs: SizingInputs) -> Sizing:
    """The quantity for one entry: a whole number of lots that exceeds no limit, or 0 with the reason."""
    scales = _scales(inputs)
    fraction = min(math.prod(scales.values(), start=ONE), inputs.limits.risk_per_trade_max)
    factors = {name: figure(value) for name, value in scales.items()}
    factors["equity"] = figure(inputs.equity)
    factors["risk_fraction"] = figure(fraction)
    refused = _refused(inputs, scales)
    if refused is not None:
        return Sizing(quantity=ZERO, risk_amount=ZERO, factors=factors, reason=refused)
    loss = _loss_per_unit(inputs)
    caps = _caps(inputs, fraction, loss)
    capped_by = min(caps, key=lambda name: caps[name])
    lot = inputs.instrument.lot
    quantity = _DOWN.multiply(_DOWN.divide(caps[capped_by], lot).to_integral_value(ROUND_DOWN), lot)
    factors["loss_per_unit"] = figure(loss)
    factors.update((f"cap_{name}", figure(allowed)) for name, allowed in caps.items())
    factors["capped_by"] = capped_by
    factors["quantity"] = figure(quantity)
    too_small = _too_small(inputs, quantity)
    if too_small is not None:
        return Sizing(quantity=ZERO, risk_amount=ZERO, factors=factors, reason=too_small)
    risk_amount = _DOWN.multiply(quantity, loss).quantize(_MONEY_STEP, ROUND_DOWN)
    return Sizing(quantity=quantity, risk_amount=risk_amount, factors=factors, reason=None)


def _scales(inputs: SizingInputs) -> dict[str, Decimal]:
    limits = inputs.limits
    return {
        "base": min(max(limits.risk_per_trade, limits.risk_per_trade_min), limits.risk_per_trade_max),
        "drawdown": _drawdown_scale(inputs.drawdown, limits),
        "hold": inputs.hold_scale,
        "probability": _probability_scale(inputs.probability, inputs.break_even, limits),
        "social": _social_scale(inputs.side, inputs.social_score, limits),
        "volatility": _volatility_scale(inputs.volatility_ratio, limits),
        "portfolio": min(max(inputs.portfolio_scale, limits.portfolio_scale_min), limits.portfolio_scale_max),
    }


def _drawdown_scale(drawdown: float, limits: Limits) -> Decimal:
    left = (limits.max_drawdown - _six_decimals(drawdown)) / limits.max_drawdown
    return min(max(left, limits.drawdown_floor), ONE)


def _probability_scale(probability: float | None, break_even: float, limits: Limits) -> Decimal:
    if probability is None:
        return min(ONE, limits.bet_scale_max)
    share = min(max(bet_size(probability, break_even) / float(limits.bet_full_edge), 0.0), 1.0)
    return limits.bet_scale_min + (limits.bet_scale_max - limits.bet_scale_min) * _six_decimals(share)


def bet_size(probability: float, break_even: float) -> float:
    """2 Phi(z) - 1 with z = (p - p*) / sqrt(p (1 - p)), in [-1, 1]; its sign is that of the expectation."""
    edge = probability - break_even
    spread = math.sqrt(probability * (1 - probability))
    if spread == 0.0:
        return math.copysign(1.0, edge) if edge else 0.0
    return math.erf(edge / spread / math.sqrt(2))


def _social_scale(side: Side, social_score: float | None, limits: Limits) -> Decimal:
    if social_score is None or side.sign * social_score >= 0:
        return ONE
    return ONE - limits.social_cut * _six_decimals(abs(social_score))


def _volatility_scale(ratio: float | None, limits: Limits) -> Decimal:
    if ratio is None or ratio <= 1:
        return ONE
    return max(_six_decimals(1 / ratio), limits.volatility_floor)


def _six_decimals(value: float) -> Decimal:
    """A score as money may be multiplied by it: without the last bits of two machines' arithmetic."""
    return decimal_of(round(value, 6))


def _refused(inputs: SizingInputs, scales: Mapping[str, Decimal]) -> str | None:
    nothing_left = next((name for name, scale in scales.items() if scale == 0), None)
    if inputs.equity <= 0:
        return "no_equity"
    if inputs.side.sign * (inputs.entry_price - inputs.stop_price) <= 0:
        return "stop_on_wrong_side"
    if nothing_left is not None:
        return nothing_left
    if inputs.open_risk >= inputs.limits.max_open_risk * inputs.equity:
        return "no_open_risk_left"
    if inputs.room is not None and inputs.room == 0:
        return "no_exposure_left"
    return None


def _loss_per_unit(inputs: SizingInputs) -> Decimal:
    """Account currency lost by one base unit at its stop: distance, whole spread, slippage and fees both ways."""
    entry, stop = decimal_of(inputs.entry_price), decimal_of(inputs.stop_price)
    rate = decimal_of(inputs.slippage) + inputs.instrument.fee_rate
    quoted = abs(entry - stop) + 2 * decimal_of(inputs.half_spread) + rate * (entry + stop)
    return _UP.multiply(quoted, inputs.fx_rate)


def _value_per_unit(inputs: SizingInputs) -> Decimal:
    """Account currency that one base unit takes up when bought at the worst expected price, with its fee."""
    rate = decimal_of(inputs.slippage) + inputs.instrument.fee_rate
    price = decimal_of(inputs.entry_price)
    return _UP.multiply(price + decimal_of(inputs.half_spread) + rate * price, inputs.fx_rate)


def _caps(inputs: SizingInputs, fraction: Decimal, loss: Decimal) -> dict[str, Decimal]:
    """The quantity that each limit allows on its own, in base units."""
    limits, equity = inputs.limits, inputs.equity
    value = _value_per_unit(inputs)
    caps = {
        "risk": _DOWN.divide(fraction * equity, loss),
        "open_risk": _DOWN.divide(limits.max_open_risk * equity - inputs.open_risk, loss),
        "order_value": _DOWN.divide(limits.max_order_value * equity, value),
        "margin": _DOWN.divide(limits.max_margin_use * inputs.instrument.max_leverage * equity, value),
    }
    if inputs.room is not None:
        caps["room"] = _DOWN.divide(inputs.room, value)
    if limits.max_order_quantity is not None:
        caps["order_quantity"] = limits.max_order_quantity
    return caps


def _too_small(inputs: SizingInputs, quantity: Decimal) -> str | None:
    if quantity < inputs.instrument.min_quantity:
        return "below_minimum_quantity"
    if quantity * decimal_of(inputs.entry_price) < inputs.instrument.min_notional:
        return "below_minimum_notional"
    return None
