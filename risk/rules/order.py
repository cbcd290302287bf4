"""Whether the order itself is sane: its size, its prices, what it can win against what it can lose."""

from __future__ import annotations

from decimal import Decimal

from risk.denial import Denial, exceeded
from risk.figures import figure
from risk.snapshot import Proposal, Snapshot

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
    """An absolute cap in base units, where one is configured."""

    name = "order_quantity"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        allowed = snapshot.limits.max_order_quantity
        if allowed is None:
            return None
        return exceeded(self, "order_quantity", "the order's quantity", proposal.quantity, allowed)


class PriceCollar:
    """The entry price must lie near the newest mid price."""

    name = "price_collar"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        away = abs(proposal.entry_price - proposal.mid) / proposal.mid
        what = f"the distance of the entry {figure(proposal.entry_price)} from the mid {figure(proposal.mid)}"
        return exceeded(self, "price_collar", what, away, snapshot.limits.price_collar)


class FatFinger:
    """What the order loses at its stop, computed anew from the order alone: a slipped digit in quantity, stop or
    currency rate shows here, whatever sizing said."""

    name = "fat_finger"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        computed = proposal.price_risk
        if computed <= 0:
            told = f"a {proposal.side} at {figure(proposal.entry_price)} cannot stop at {figure(proposal.stop_price)}"
            return Denial(rule=self.name, reason="stop_on_wrong_side", detail=told)
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
            numbers={"value": figure(ratio), "needed": figure(snapshot.limits.min_reward_risk)},
        )
