"""Whether this account may open anything here at all."""

from __future__ import annotations

from domain.holds import Effect, strongest
from domain.orders import Side
from risk.denial import Denial
from risk.figures import figure
from risk.snapshot import Proposal, Snapshot


class EquityAboveZero:
    """Every other limit is a multiple of equity."""

    name = "equity"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        if snapshot.equity > 0:
            return None
        told = f"{proposal.instrument.symbol}: the account's equity is {figure(snapshot.equity)}"
        return Denial(rule=self.name, reason="no_equity", detail=told, numbers={"equity": figure(snapshot.equity)})


class HoldInForce:
    """The strongest hold decides; SAFE only shrinks sizes."""

    name = "hold"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        hold = strongest(snapshot.holds, snapshot.now, proposal.instrument.symbol)
        if hold is None or hold.effect is Effect.SAFE:
            return None
        return Denial(
            rule=self.name,
            reason=f"hold_{hold.cause}",
            detail=f"{hold.effect.label} since {hold.since.isoformat()}: {hold.detail}",
            numbers={"hold_id": hold.hold_id},
        )


class BreakerOpen:
    """The breakers' own memory, asked beside the holds: a lost hold does not reopen a breaker."""

    name = "breaker"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        state, now = snapshot.state, snapshot.now
        if state.drawdown_latched:
            return self._open("drawdown", "the drawdown breaker waits for a recorded resume")
        if state.week_lost and now.date() < state.week_ends:
            return self._open("weekly_loss", "this week's loss limit was reached")
        if state.day_lost and now.date() <= state.day:
            return self._open("daily_loss", "this day's loss limit was reached")
        if state.losses_until is not None and now < state.losses_until:
            return self._open("consecutive_losses", f"rests until {state.losses_until.isoformat()} after losses")
        until = state.cooldowns.get(proposal.instrument.symbol)
        if until is not None and now < until:
            return self._open("cooldown", f"{proposal.instrument.symbol} rests until {until.isoformat()}")
        return None

    def _open(self, reason: str, detail: str) -> Denial:
        return Denial(rule=self.name, reason=f"breaker_{reason}", detail=detail)


class ShortAllowed:
    """A sale that opens a position needs an account and an instrument that can be short."""

    name = "short"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        if proposal.side is Side.BUY or (snapshot.account_can_short and proposal.instrument.shortable):
            return None
        who = "this account" if not snapshot.account_can_short else proposal.instrument.symbol
        return Denial(rule=self.name, reason="not_shortable", detail=f"{who} cannot be sold short")
