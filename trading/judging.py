"""From a signal that passed the filter to a quantity with leave to be sent: sizing, then the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.clock import from_epoch
from domain.costs import CostModel
from domain.decisions import DecisionStatus, MlView, SentimentView, Signal
from domain.errors import InvalidRecord, NoRate
from domain.holds import Effect, Hold
from domain.numbers import ZERO, decimal_of
from domain.orders import Approval, Side
from learning.samples import break_even
from risk.accounts import AccountRules
from risk.breakers import MarginMarked
from risk.gate import Denial, Gate
from risk.limits import Limits
from risk.margin import margin_mark
from risk.room import room
from risk.sizing import Sizing, SizingInputs, hold_scale, size
from risk.snapshot import Exposure, Proposal, Snapshot
from risk.state import RiskState
from trading.books import Books
from trading.exposure import Exposures
from trading.intents import LEAVE
from trading.portfolio import Portfolio
from trading.view import MarketView

COLLAR_BARS = 5
"""Closes before the one decided on whose median the entry may not lie too far from."""

JUDGED_REASONS = ("approved", "no_rate", "no_volatility", "nothing_to_trade")
"""Reasons of decisions that are named here; the others are named by filter, sizing and gate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The account as valued at this moment, in account currency."""

    equity: Decimal
    balance: Decimal
    risk: RiskState
    holds: tuple[Hold, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One signal to judge: the columns of its bar at `index`, what model and news say, and `effect`, the strongest
    that the holds in force have on its instrument. `exposures` are all there are, earlier entries of this scan too;
    `unknown_orders` the instruments with an order of any leg of which nobody knows whether the venue has it."""

    decision_id: str
    signal: Signal
    row: Mapping[str, float]
    index: int
    now: datetime
    account: Account
    exposures: Sequence[Exposure]
    unknown_orders: frozenset[str]
    ml: MlView
    sentiment: SentimentView | None
    effect: Effect | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A proposal after filter, sizing and gate: either an approval or the reason there is none, with its figures."""

    status: DecisionStatus
    reason: str
    numbers: Mapping[str, str]
    quantity: Decimal = ZERO
    risk_amount: Decimal = ZERO
    approval: Approval | None = None


class Judge:
    """Sizes proposals and puts them before the gate; keeps nothing from one to the next."""

    def __init__(
        self,
        *,
        view: MarketView,
        portfolio: Portfolio,
        costs: Mapping[str, CostModel],
        gate: Gate,
        limits: Limits,
        rules: AccountRules,
        reward_risk: float,
        stale_after: timedelta,
        can_short: bool,
    ) -> None:
        self._view = view
        self._portfolio = portfolio
        self._costs = costs
        self._gate = gate
        self._limits = limits
        self._rules = rules
        self._reward_risk = reward_risk
        self._stale_after = stale_after
        self._can_short = can_short
        self._exposures = Exposures(view)

    def judge(self, case: Case) -> Judged:
        """An approval of a size, or the first reason against it."""
        try:
            fx_rate = self._view.fx(case.signal.instrument, case.now)
        except NoRate as error:
            return _denied("no_rate", {"why": str(error)})
        ratio = case.row.get("volatility_ratio")
        if ratio is not None and not ratio > 0:
            return _denied("no_volatility", {"volatility_ratio": str(ratio)})
        snapshot = replace(self._snapshot(case.account, case.exposures, case.now), unknown_orders=case.unknown_orders)
        try:
            sizing = size(self._sizing_inputs(case, snapshot, fx_rate))
            if sizing.quantity <= 0:
                return _denied(sizing.reason or "nothing_to_trade", sizing.factors)
            proposal = self._proposal(case, sizing, fx_rate)
        except InvalidRecord as fault:
            return _denied("cannot_answer", {"why": str(fault)})
        verdict = self._gate.judge(proposal, snapshot, expires_at=case.now + LEAVE)
        if isinstance(verdict, Denial):
            return _denied(verdict.reason, {**sizing.factors, **verdict.numbers, "rule": verdict.rule})
        return Judged(
            status=DecisionStatus.ORDERED,
            reason="approved",
            quantity=sizing.quantity,
            risk_amount=sizing.risk_amount,
            numbers=sizing.factors,
            approval=verdict,
        )

    def margin(self, account: Account, books: Books, now: datetime) -> MarginMarked | None:
        """The margin as the breakers are to be told of it; None where the account's rules know no close-out."""
        if self._rules.margin_close_out is None:
            return None
        return margin_mark(self._snapshot(account, self._exposures.held(books, now), now))

    def _snapshot(self, account: Account, exposures: Sequence[Exposure], now: datetime) -> Snapshot:
        return Snapshot(
            now=now,
            currency=self._view.currency,
            equity=account.equity,
            balance=account.balance,
            exposures=tuple(exposures),
            holds=account.holds,
            state=account.risk,
            limits=self._limits,
            account_can_short=self._can_short,
            account=self._rules,
        )

    def _sizing_inputs(self, case: Case, snapshot: Snapshot, fx_rate: Decimal) -> SizingInputs:
        signal, symbol = case.signal, case.signal.instrument
        half_spread = self._view.bars(symbol).half_spread[case.index]
        costs = self._costs[symbol]
        cost_r = 2 * (half_spread + (costs.fee_rate + costs.slippage) * signal.entry_price) / signal.risk_per_unit
        safe = case.effect is Effect.SAFE
        instrument = self._view.instruments[symbol]
        return SizingInputs(
            equity=snapshot.equity,
            instrument=instrument,
            side=signal.side,
            entry_price=signal.entry_price,
            stop_price=float(self._stop(signal)),
            half_spread=half_spread,
            slippage=costs.slippage,
            fx_rate=fx_rate,
            probability=None if safe else case.ml.probability,
            break_even=break_even(reward_risk=self._reward_risk, cost_r=cost_r),
            social_score=case.sentiment.social_score if case.sentiment is not None else None,
            volatility_ratio=case.row.get("volatility_ratio"),
            drawdown=snapshot.state.drawdown(snapshot.equity),
            hold_scale=hold_scale(snapshot.holds, snapshot.now, symbol, self._limits) if safe else Decimal(1),
            portfolio_scale=self._portfolio.scale(symbol),
            open_risk=snapshot.open_risk,
            limits=self._limits,
            room=room(snapshot, instrument, signal.side),
        )

    def _stop(self, signal: Signal) -> Decimal:
        """Where the stop will rest, a whole number of ticks, or where it is wanted if that is farther from the entry:
        no rounding makes the risk less than it is."""
        wanted = decimal_of(signal.stop_price)
        resting = self._view.instruments[signal.instrument].price(wanted)
        return min(wanted, resting) if signal.side is Side.BUY else max(wanted, resting)

    def _proposal(self, case: Case, sizing: Sizing, fx_rate: Decimal) -> Proposal:
        signal, symbol, index = case.signal, case.signal.instrument, case.index
        bars = self._view.bars(symbol)
        closed_at = from_epoch(bars.opened[index] + bars.seconds)
        others = [each.instrument.symbol for each in case.exposures if each.instrument.symbol != symbol]
        return Proposal(
            decision_id=case.decision_id,
            instrument=self._view.instruments[symbol],
            side=signal.side,
            entry_price=decimal_of(signal.entry_price),
            stop_price=self._stop(signal),
            target_price=decimal_of(signal.target_price),
            mid=decimal_of(bars.close[index]),
            half_spread=decimal_of(bars.half_spread[index]),
            quote_age_s=(case.now - closed_at).total_seconds(),
            stale_after_s=self._stale_after.total_seconds(),
            market_open=self._view.takes_orders(symbol, case.now),
            fx_rate=fx_rate,
            quantity=sizing.quantity,
            risk_amount=sizing.risk_amount,
            correlations=self._view.correlations(symbol, others),
            recent_mids=tuple(decimal_of(close) for close in bars.close[max(0, index - COLLAR_BARS) : index]),
        )


def _denied(reason: str, numbers: Mapping[str, str]) -> Judged:
    return Judged(status=DecisionStatus.DENIED, reason=reason, numbers=numbers)
