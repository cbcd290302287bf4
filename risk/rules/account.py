"""What the account's own rules forbid: instruments, leverage, a margin too near to its close-out, hedges, FIFO breaks.

All are refused here, before a venue would refuse them, with the name of the rule and of where it is written.
"""

from __future__ import annotations

from domain.instruments import Instrument
from domain.numbers import ZERO
from domain.orders import Side
from risk.accounts import CLOSE_OUT_SOURCES, LEVERAGE_SOURCES, OFFSET_SOURCES
from risk.denial import Denial, exceeded
from risk.figures import figure, percent
from risk.room import PAIRS
from risk.snapshot import Exposure, Proposal, Snapshot


class Permission:
    """Classes and instruments that this account may trade."""

    name = "permission"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        account, instrument = snapshot.account, proposal.instrument
        if instrument.symbol in account.forbidden_instruments:
            return self._no(f"{instrument.symbol} is forbidden on this account", instrument)
        if account.permitted_instruments is not None and instrument.symbol not in account.permitted_instruments:
            return self._no(f"{instrument.symbol} is not among the instruments this account may trade", instrument)
        classes = account.permitted_classes
        if classes is not None and instrument.asset_class not in classes:
            told = (
                f"{instrument.symbol} is {instrument.asset_class}; this account may trade {', '.join(sorted(classes))}"
            )
            return self._no(f"{told} ({account.jurisdiction})", instrument)
        return None

    def _no(self, told: str, instrument: Instrument) -> Denial:
        numbers = {"symbol": instrument.symbol, "class": instrument.asset_class.value}
        return Denial(rule=self.name, reason="not_permitted", detail=told, numbers=numbers)


class NoHedge:
    """No position against another one in the same two currencies, whichever way round their pair is written."""

    name = "no_hedge"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        if not snapshot.account.no_hedge:
            return None
        for exposure in snapshot.exposures:
            direction = same_market(proposal.instrument, exposure.instrument)
            if direction * proposal.side.sign * exposure.side.sign < 0:
                return self._no(proposal, exposure, OFFSET_SOURCES[snapshot.account.jurisdiction])
        return None

    def _no(self, proposal: Proposal, exposure: Exposure, source: str) -> Denial:
        held = f"{exposure.side} {figure(exposure.quantity)} {exposure.instrument.symbol}"
        return Denial(
            rule=self.name,
            reason="no_hedge",
            detail=f"{source}: a {proposal.side} of {proposal.instrument.symbol} would be opposed to {held}",
            numbers={"held": held, "quantity": figure(proposal.quantity)},
        )


class FirstInFirstOut:
    """On a FIFO account one lot a market: then every exit is of the oldest lot, and of all of it.

    A second lot would carry a stop of its own, and the younger lot's stop may be hit first.
    """

    name = "fifo"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        if not snapshot.account.fifo:
            return None
        older = [each for each in snapshot.exposures if same_market(proposal.instrument, each.instrument)]
        if not older:
            return None
        held = ", ".join(f"{figure(each.quantity)} {each.instrument.symbol}" for each in older)
        return Denial(
            rule=self.name,
            reason="fifo",
            detail=f"{OFFSET_SOURCES[snapshot.account.jurisdiction]}: {held} would have to be closed before this lot",
            numbers={"held": held, "quantity": figure(proposal.quantity)},
        )


class LeverageCap:
    """The initial margin of everything, at the leverage the account's rules allow, against the equity."""

    name = "leverage_cap"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        account = snapshot.account
        if not account.leverage_caps:
            return None
        leverage = account.leverage_of(proposal.instrument)
        total = snapshot.margin_used + proposal.notional / leverage
        row = account.row_of(proposal.instrument)
        what = (
            f"{LEVERAGE_SOURCES[account.jurisdiction]} ({row}, at most {figure(leverage)}:1): "
            f"the initial margin in {snapshot.currency}"
        )
        return exceeded(self, "leverage_cap", what, total, snapshot.equity, leverage=figure(leverage))


class MarginCloseOut:
    """Even with every stop hit, equity must stay above the share of the margin at which positions are closed."""

    name = "margin_close_out"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        account = snapshot.account
        required = snapshot.margin_used + proposal.notional / account.leverage_of(proposal.instrument)
        if account.margin_after_entry is not None:
            what = f"{percent(account.margin_after_entry)} of the margin in {snapshot.currency} after this entry"
            needed = account.margin_after_entry * required
            denied = exceeded(self, "margin_close_out", what, needed, snapshot.equity, margin=figure(required))
            if denied is not None:
                return denied
        if account.margin_close_out is None:
            return None
        left = snapshot.equity_without_profit - snapshot.open_risk - max(proposal.risk_amount, proposal.price_risk)
        what = (
            f"{CLOSE_OUT_SOURCES[account.jurisdiction]}: {percent(account.margin_close_out)} of the margin in "
            f"{snapshot.currency}, against the equity with every stop hit,"
        )
        needed = account.margin_close_out * required
        return exceeded(self, "margin_close_out", what, needed, max(left, ZERO), margin=figure(required))


def same_market(one: Instrument, other: Instrument) -> int:
    """1 for one symbol or the same pair of currencies, -1 for that pair the other way round, 0 for two markets."""
    if one.symbol == other.symbol:
        return Side.BUY.sign
    if one.asset_class not in PAIRS or one.asset_class is not other.asset_class:
        return 0
    if (one.base, one.quote) == (other.base, other.quote):
        return Side.BUY.sign
    return Side.SELL.sign if (one.base, one.quote) == (other.quote, other.base) else 0
