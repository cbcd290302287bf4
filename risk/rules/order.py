"""Whether the order itself is sane: its size, its prices, what it can win against what it can lose."""

from __future__ import annotations

from decimal import Decimal

from domain.errors import InvalidRecord
from domain.numbers import ZERO
from risk.denial import Denial, exceeded
from risk.figures import figure
from risk.room import PAIRS
from risk.snapshot import Proposal, Snapshot

ONE = Decimal(1)
LEAST_MIDS = 3
"""Of three mids one may be wrong and the median is still a right one."""

# The sized risk is kept at eight decimals; a difference in the ninth is no wrong order.
_ROUNDING = Decimal("0.00000001")
_ROUNDING_RATE = Decimal("1.000001")


class WellFormed:
    """A whole number of lots, of at least the venue's minimum quantity and notional."""

    name = "well_formed"

    def check(self, proposal: Proposal, _snapshot: Snapshot) -> Denial | None:
        instrument, quantity = proposal.instrument, proposal.quantity
        if quantity % instrument.lot != 0:
            return self._no("not_whole_lots", proposal, f"is not a whole number of lots of {figure(instrument.lot)}")
        if quantity < instrument.min_quantity:
            return self._no("below_minimum_quantity", proposal, f"is less than {figure(instrument.min_quantity)}")
        if quantity * proposal.entry_price < instrument.min_notional:
            told = f"is worth less than {figure(instrument.min_notional)} {instrument.quote}"
            return self._no("below_minimum_notional", proposal, told)
        return None

    def _no(self, reason: str, proposal: Proposal, told: str) -> Denial:
        detail = f"a quantity of {figure(proposal.quantity)} {proposal.instrument.symbol} {told}"
        return Denial(rule=self.name, reason=reason, detail=detail, numbers={"quantity": figure(proposal.quantity)})


class OrderValue:
    """The order's notional against equity."""

    name = "order_value"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        allowed = snapshot.limits.max_order_value * snapshot.equity
        what = f"the order's value in {snapshot.currency}"
        return exceeded(self, "order_value", what, proposal.notional, allowed)


class OrderQuantity:
    """Absolute caps in base units, of the limits and of the account for this instrument, where there are any."""

    name = "order_quantity"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        own = snapshot.account.max_quantities.get(proposal.instrument.symbol)
        caps = [cap for cap in (snapshot.limits.max_order_quantity, own) if cap is not None]
        if not caps:
            return None
        return exceeded(self, "order_quantity", "the order's quantity", proposal.quantity, min(caps))


class PriceCollar:
    """The entry price must lie near the newest mid price; how near may differ by the instrument's class."""

    name = "price_collar"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        away = abs(proposal.entry_price - proposal.mid) / proposal.mid
        entry, mid = figure(proposal.entry_price), figure(proposal.mid)
        what = f"the distance of the entry {entry} from the mid {mid}"
        collar = snapshot.limits.price_collar
        allowed = min(collar, snapshot.account.price_collars.get(proposal.instrument.asset_class, collar))
        return exceeded(self, "price_collar", what, away, allowed, entry=entry, mid=mid)


class PriceCollarOverTime:
    """The entry price must lie near the median of the mids before it: one wrong price moves the newest mid, and then
    the entry with it, but not the median of several. A history too short for a median cannot be answered from."""

    name = "price_collar_over_time"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        if len(proposal.recent_mids) < LEAST_MIDS:
            raise InvalidRecord(f"{len(proposal.recent_mids)} mids are no history; at least {LEAST_MIDS} are needed")
        ordered = sorted(proposal.recent_mids)
        reference = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        away = abs(proposal.entry_price - reference) / reference
        entry, middle = figure(proposal.entry_price), figure(reference)
        what = (
            f"the distance of the entry {entry} from the median {middle} of the {len(proposal.recent_mids)} last mids"
        )
        allowed = snapshot.limits.price_collar_over_time
        return exceeded(self, "price_collar_over_time", what, away, allowed, entry=entry, median=middle)


class RateOfExchange:
    """The currency rate must agree with what can be known of it without asking: 1 where the quote currency is the
    account's, the inverse of the price where the base currency is, and that of what is open in the same quote
    currency. A rate cut short, of another day or the wrong way round shows here."""

    name = "fx_rate"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        instrument, rate = proposal.instrument, proposal.fx_rate
        if instrument.quote == snapshot.currency:
            return self._disagree(rate, ONE, ZERO, f"{instrument.quote} is the account's currency")
        tolerance = snapshot.limits.price_collar
        if instrument.asset_class in PAIRS and instrument.base == snapshot.currency:
            implied = ONE / proposal.mid
            denied = self._disagree(rate, implied, tolerance, f"{instrument.symbol} is at {figure(proposal.mid)}")
            if denied is not None:
                return denied
        for exposure in snapshot.exposures:
            if exposure.instrument.quote == instrument.quote:
                why = f"{exposure.instrument.symbol} is valued at {figure(exposure.fx_rate)}"
                denied = self._disagree(rate, exposure.fx_rate, tolerance, why)
                if denied is not None:
                    return denied
        return None

    def _disagree(self, rate: Decimal, expected: Decimal, tolerance: Decimal, why: str) -> Denial | None:
        what = f"the rate {figure(rate)} against {figure(expected)} ({why}): its distance"
        away = abs(rate - expected) / expected
        return exceeded(self, "fx_rate", what, away, tolerance, rate=figure(rate), expected=figure(expected))


class FatFinger:
    """What the order loses at its stop, computed anew from the order alone: a slipped digit in quantity, stop or
    currency rate shows here, whatever sizing said."""

    name = "fat_finger"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        computed = proposal.price_risk
        if computed <= 0:
            told = f"a {proposal.side} at {figure(proposal.entry_price)} cannot stop at {figure(proposal.stop_price)}"
            numbers = {"entry": figure(proposal.entry_price), "stop": figure(proposal.stop_price)}
            return Denial(rule=self.name, reason="stop_on_wrong_side", detail=told, numbers=numbers)
        said = proposal.risk_amount * _ROUNDING_RATE + _ROUNDING
        understated = exceeded(self, "risk_understated", "the loss at the stop", computed, said)
        if understated is not None:
            return understated
        allowed = snapshot.limits.risk_per_trade_max * snapshot.equity
        return exceeded(self, "risk_per_trade", "the risk of this trade", max(computed, proposal.risk_amount), allowed)


class MinimumReward:
    """The reward at the target over the risk at the stop, each after its costs."""

    name = "minimum_reward"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        if proposal.target_price is None:
            return None
        per_quantity = proposal.quantity * proposal.fx_rate
        gain = proposal.side.sign * (proposal.target_price - proposal.entry_price) * per_quantity
        costs = proposal.risk_amount - proposal.price_risk
        ratio = (gain - costs) / max(proposal.risk_amount, proposal.price_risk)
        if ratio >= snapshot.limits.min_reward_risk:
            return None
        return Denial(
            rule=self.name,
            reason="reward_too_small",
            detail=f"the target pays {figure(ratio)} of the risk; {figure(snapshot.limits.min_reward_risk)} is needed",
            numbers={
                "value": figure(ratio),
                "needed": figure(snapshot.limits.min_reward_risk),
                "target": figure(proposal.target_price),
                "risk": figure(max(proposal.risk_amount, proposal.price_risk)),
            },
        )
