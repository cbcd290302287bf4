"""Whether this account may open anything here at all."""

from __future__ import annotations

from domain.holds import Effect, strongest
from domain.orders import Side
from risk.denial import Denial
from risk.figures import figure
from risk.snapshot import Proposal, Snapshot

_BY_LATCH = {
    "emergency": "emergency",
    "margin": "emergency",
    "drawdown": "drawdown",
    "repeated_execution": "repeated_execution",
}
"""Latches of the risk state, and the reasons they are counted under."""


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
            numbers={"hold_id": hold.hold_id, "since": hold.since.isoformat()},
        )


class BreakerOpen:
    """The breakers' own memory, asked beside the holds: a lost hold does not reopen a breaker."""

    name = "breaker"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        state, now, equity = snapshot.state, snapshot.now, figure(snapshot.equity)
        for name in state.latched:
            told = f"the {name} breaker waits for a recorded resume"
            return self._open(_BY_LATCH[name], told, equity=equity, peak=figure(state.peak))
        if state.week_lost and now.date() < state.week_ends:
            start = figure(state.week_start_equity)
            return self._open("weekly_loss", "this week's loss limit was reached", equity=equity, start=start)
        if state.day_lost and now.date() <= state.day:
            start = figure(state.day_start_equity)
            return self._open("daily_loss", "this day's loss limit was reached", equity=equity, start=start)
        symbol = proposal.instrument.symbol
        rests = (
            ("consecutive_losses", "the account rests after losses", state.losses_until),
            ("execution_quality", "the account rests after rejections or slippage", state.quality_until),
            ("cooldown", f"{symbol} rests", state.cooldowns.get(symbol)),
        )
        for reason, told, until in rests:
            if until is not None and now < until:
                return self._open(reason, f"{told} until {until.isoformat()}", until=until.isoformat())
        return None

    def _open(self, reason: str, detail: str, **numbers: str) -> Denial:
        return Denial(rule=self.name, reason=f"breaker_{reason}", detail=detail, numbers=numbers)


class ShortAllowed:
    """A sale that opens a position needs an account and an instrument that can be short."""

    name = "short"

    def check(self, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
        if proposal.side is Side.BUY or (snapshot.account_can_short and proposal.instrument.shortable):
            return None
        who = "this account" if not snapshot.account_can_short else proposal.instrument.symbol
        numbers = {
            "account_can_short": str(snapshot.account_can_short),
            "shortable": str(proposal.instrument.shortable),
        }
        return Denial(rule=self.name, reason="not_shortable", detail=f"{who} cannot be sold short", numbers=numbers)
