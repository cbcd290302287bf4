"""Whether the market is in a state to enter it: open, quoted lately, at a bearable spread."""

from __future__ import annotations

from risk.denial import Denial, exceeded
from risk.figures import figure
from risk.snapshot import Proposal, Snapshot


class SessionOpen:
    """A session that nobody knows is not open."""

    name = "session"

    def check(self, proposal: Proposal, _snapshot: Snapshot) -> Denial | None:
        if proposal.market_open is True:
            return None
        known = proposal.market_open is not None
        told = f"the market of {proposal.instrument.symbol} is {'closed' if known else 'not known to be open'}"
        numbers = {"market_open": str(proposal.market_open), "calendar": proposal.instrument.calendar}
        reason = "session_closed" if known else "session_unknown"
        return Denial(rule=self.name, reason=reason, detail=told, numbers=numbers)


class QuoteFresh:
    """The price must be young; one from the future is as bad as an old one."""

    name = "stale_quote"

    def check(self, proposal: Proposal, _snapshot: Snapshot) -> Denial | None:
        age, allowed = proposal.quote_age_s, proposal.stale_after_s
        # Written so that an age that is not a number denies.
        if 0 <= age <= allowed:
            return None
        return Denial(
            rule=self.name,
            reason="stale_quote",
            detail=f"the quote of {proposal.instrument.symbol} is {age:g} s old; 0 to {allowed:g} s is allowed",
            numbers={"age_s": f"{age:g}", "allowed_s": f"{allowed:g}"},
        )


class SpreadNarrow:
    """The full spread in pips, against what the instrument allows."""

    name = "spread"

    def check(self, proposal: Proposal, _snapshot: Snapshot) -> Denial | None:
        instrument = proposal.instrument
        pips = 2 * proposal.half_spread / instrument.pip
        what = f"the spread of {instrument.symbol} in pips"
        half = figure(proposal.half_spread)
        return exceeded(self, "spread_too_wide", what, pips, instrument.max_spread_pips, half_spread=half)
