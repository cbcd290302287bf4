"""What the order adds to what is already open, orders that may still fill included."""

from __future__ import annotations

from decimal import Decimal

from domain.numbers import ZERO
from risk.accounts import Holding
from risk.denial import Denial, exceeded
from risk.figures import figure
from risk.room import currency_legs, directed_exposure
from risk.snapshot import Exposure, Proposal, Snapshot


class UnknownOrder:
    """An order of which nobody knows whether the venue has it blocks new risk on its instrument."""

    name = "unknown_order"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        symbol = proposal.instrument.symbol
        unknown = [each for each in snapshot.exposures if each.unknown and each.instrument.symbol == symbol]
        if not unknown and symbol not in snapshot.unknown_orders:
            return None
        told = f"an earlier order in {symbol} is unknown: the venue may or may not have it"
        numbers = {"unknown": ", ".join(_told(each) for each in unknown) or "an order that closes"}
        return Denial(rule=self.name, reason="unknown_order", detail=told, numbers=numbers)


class OnePosition:
    """One position per instrument, netted; an order in flight counts as one."""

    name = "one_position"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        symbol = proposal.instrument.symbol
        held = [each for each in snapshot.exposures if each.instrument.symbol == symbol]
        if not held:
            return None
        told = f"{symbol} already has a position or an order in flight"
        if any(each.side is not proposal.side for each in held):
            netted = snapshot.account.holding is Holding.NETTING
            told += f"; an entry against it would {'reduce it' if netted else 'lie beside it'}"
        numbers = {"held": ", ".join(_told(each) for each in held), "quantity": figure(proposal.quantity)}
        return Denial(rule=self.name, reason="already_open", detail=told, numbers=numbers)


class PositionCount:
    """How many instruments may be open at once."""

    name = "max_positions"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        count = Decimal(len(snapshot.open_instruments | {proposal.instrument.symbol}))
        return exceeded(self, "max_positions", "the open positions", count, Decimal(snapshot.limits.max_positions))


class OpenRisk:
    """What is lost if every stop is hit at once."""

    name = "open_risk"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        total = snapshot.open_risk + max(proposal.risk_amount, proposal.price_risk)
        allowed = snapshot.limits.max_open_risk * snapshot.equity
        return exceeded(self, "open_risk", f"the total open risk in {snapshot.currency}", total, allowed)


class GrossExposure:
    """All notionals, long and short added up."""

    name = "gross_exposure"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        total = snapshot.gross_exposure + proposal.notional
        allowed = snapshot.limits.max_gross_exposure * snapshot.equity
        return exceeded(self, "gross_exposure", f"the gross exposure in {snapshot.currency}", total, allowed)


class CurrencyExposure:
    """The net bet on or against each currency of the order."""

    name = "currency_exposure"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        allowed = snapshot.limits.max_per_currency_exposure * snapshot.equity
        for currency, sign in currency_legs(proposal.instrument, proposal.side, snapshot.currency):
            taken = directed_exposure(snapshot.exposures, currency, sign, snapshot.currency)
            what = f"the exposure {'to' if sign > 0 else 'against'} {currency} in {snapshot.currency}"
            total = taken + proposal.notional
            denied = exceeded(self, "currency_exposure", what, total, allowed, currency=currency, taken=figure(taken))
            if denied is not None:
                return denied
        return None


class Margin:
    """The margin that all positions bind at the most leverage their instruments allow."""

    name = "margin"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        total = snapshot.margin_used + proposal.notional / snapshot.account.leverage_of(proposal.instrument)
        allowed = snapshot.limits.max_margin_use * snapshot.equity
        return exceeded(self, "margin", f"the margin in {snapshot.currency}", total, allowed)


class Correlation:
    """A position that moves with an open one in the same net direction is the same bet twice.

    A correlation that could not be computed (None) denies: two instruments without enough common history may be
    one bet. One that was not given at all cannot be answered, which denies as well.
    """

    name = "correlation"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        allowed = snapshot.limits.max_correlation
        for exposure in snapshot.exposures:
            other = exposure.instrument.symbol
            if other == proposal.instrument.symbol:
                continue
            coefficient = proposal.correlations[other]
            if coefficient is None:
                told = f"{proposal.instrument.symbol} and {other} have too little common history to compare"
                return Denial(rule=self.name, reason="correlation_unknown", detail=told, numbers={"with": other})
            together = Decimal(str(coefficient)) * proposal.side.sign * exposure.side.sign
            what = f"the correlation with {other}"
            denied = exceeded(self, "correlated", what, max(together, ZERO), allowed, **{"with": other})
            if denied is not None:
                return denied
        return None


def _told(exposure: Exposure) -> str:
    return f"{exposure.side} {figure(exposure.quantity)} at {figure(exposure.price)}"
