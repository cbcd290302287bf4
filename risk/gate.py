"""The last hop before an intent: every rule must agree, and a rule that cannot answer has not agreed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from domain.errors import InvalidRecord, RatchetError
from domain.identity import digest
from domain.orders import Approval, Side
from risk.denial import Denial, Rule
from risk.figures import figure
from risk.limits import Limits
from risk.rules.account import FirstInFirstOut, LeverageCap, MarginCloseOut, NoHedge, Permission
from risk.rules.exposure import (
    Correlation,
    CurrencyExposure,
    GrossExposure,
    Margin,
    OnePosition,
    OpenRisk,
    PositionCount,
    UnknownOrder,
)
from risk.rules.market import QuoteFresh, SessionOpen, SpreadNarrow
from risk.rules.order import (
    FatFinger,
    MinimumReward,
    OrderQuantity,
    OrderValue,
    PriceCollar,
    PriceCollarOverTime,
    RateOfExchange,
    WellFormed,
)
from risk.rules.pace import DuplicateDecision, MessageBudget, RepeatedExecution
from risk.rules.permission import BreakerOpen, EquityAboveZero, HoldInForce, ShortAllowed
from risk.snapshot import NO_RULES, Proposal, Snapshot

__all__ = ["DEFAULT_RULES", "Denial", "Gate", "Rule", "approve_reduction"]

DEFAULT_RULES: tuple[Rule, ...] = (
    EquityAboveZero(),
    HoldInForce(),
    BreakerOpen(),
    Permission(),
    ShortAllowed(),
    SessionOpen(),
    QuoteFresh(),
    SpreadNarrow(),
    UnknownOrder(),
    NoHedge(),
    FirstInFirstOut(),
    OnePosition(),
    DuplicateDecision(),
    WellFormed(),
    PriceCollar(),
    PriceCollarOverTime(),
    RateOfExchange(),
    FatFinger(),
    MinimumReward(),
    OrderValue(),
    OrderQuantity(),
    PositionCount(),
    OpenRisk(),
    GrossExposure(),
    CurrencyExposure(),
    LeverageCap(),
    MarginCloseOut(),
    Margin(),
    Correlation(),
    MessageBudget(),
    RepeatedExecution(),
)
"""Asked in this order; the first no is the answer."""

# What a rule raises when it lacks what it needs: our own refusals, a figure that is not a number, a missing key, a
# value of the wrong kind. Listed rather than `Exception`, so that a broken program (a missing attribute, no memory)
# reaches the supervisor; then no approval exists either, and nothing is sent.
CANNOT_ANSWER = (RatchetError, ArithmeticError, LookupError, ValueError, TypeError)


class Gate:
    """Judges entries. There is no way around it and no rule can be skipped."""

    __slots__ = ("_names", "_rules")

    def __init__(self, rules: Sequence[Rule] = DEFAULT_RULES) -> None:
        self._rules = tuple(rules)
        self._names = tuple(rule.name for rule in self._rules)
        if not self._rules or len(set(self._names)) != len(self._names):
            raise InvalidRecord(f"a gate needs rules with different names, not {list(self._names)}")

    def judge(self, proposal: Proposal, snapshot: Snapshot, *, expires_at: datetime) -> Approval | Denial:
        """Leave to send `proposal`, valid until `expires_at`, or the first rule's no. `Denied` is ours."""
        for rule in self._rules:
            denial = _ask(rule, proposal, snapshot)
            if denial is not None:
                return denial
        return Approval(
            instrument=proposal.instrument.symbol,
            side=proposal.side,
            quantity=proposal.quantity,
            reduce_only=False,
            granted_at=snapshot.now,
            expires_at=expires_at,
            rules=self._names,
            limits_digest=_digest(snapshot),
        )


def _digest(snapshot: Snapshot) -> str:
    """A name for all figures that were held: the limits, and the account's rules where it has any."""
    if snapshot.account == NO_RULES:
        return snapshot.limits.digest()
    return digest("limits and account", snapshot.limits.digest(), snapshot.account.digest())


def _ask(rule: Rule, proposal: Proposal, snapshot: Snapshot) -> Denial | None:
    try:
        return rule.check(proposal, snapshot)
    except CANNOT_ANSWER as problem:
        told = f"rule {rule.name} could not answer: {type(problem).__name__} {problem}".rstrip()
        return Denial(rule=rule.name, reason="cannot_answer", detail=told, numbers=_seen(proposal, snapshot))


def _seen(proposal: Proposal, snapshot: Snapshot) -> dict[str, str]:
    """What lay before a rule that could not say what it found."""
    shown = {
        "quantity": proposal.quantity,
        "entry": proposal.entry_price,
        "stop": proposal.stop_price,
        "mid": proposal.mid,
        "fx_rate": proposal.fx_rate,
        "equity": snapshot.equity,
    }
    return {name: figure(value) for name, value in shown.items()}


def approve_reduction(
    *, instrument: str, side: Side, quantity: Decimal, now: datetime, expires_at: datetime, limits: Limits
) -> Approval:
    """Leave for an exit, a protective order or a cancel of up to `quantity`: reduce-only, until `expires_at`.

    No limit denies it, for an exit must stay possible; quantity, side and time are bound all the same. Raises
    `InvalidRecord` for a quantity that is not above 0 or an expiry that is not after `now`.
    """
    return Approval(
        instrument=instrument,
        side=side,
        quantity=quantity,
        reduce_only=True,
        granted_at=now,
        expires_at=expires_at,
        rules=("reduction",),
        limits_digest=limits.digest(),
    )
