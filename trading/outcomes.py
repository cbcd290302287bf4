"""A closed trade becomes an outcome: what it earned in multiples of what was risked, and why it ended."""

from __future__ import annotations

from decimal import Decimal

from domain.decisions import ExitCause, Outcome, OutcomeKind, SentimentView
from domain.errors import Impossible
from domain.identity import digest
from domain.numbers import decimal_of, significant, step_nearest
from domain.orders import Leg
from trading.bars import Bars
from trading.trades import Trade


def sentiment_state(view: SentimentView | None) -> str:
    """The sentiment a decision was taken in, as one word: none, bullish, bearish or calm."""
    if view is None or view.score is None:
        return "none"
    if view.score > 0.1:
        return "bullish"
    return "bearish" if view.score < -0.1 else "calm"


def exit_cause(trade: Trade, tick: Decimal) -> ExitCause:
    """Why a trade ended, from the order whose fill ended it; a stop that lies off its planned tick was moved."""
    if trade.position is not None and not trade.position.exited:
        return ExitCause.DUST
    if trade.closing_leg is Leg.TARGET:
        return ExitCause.TARGET
    if trade.closing_leg is Leg.CLOSE:
        return ExitCause(trade.closing_reason)
    if trade.closing_leg is not Leg.STOP:
        raise Impossible(f"trade {trade.trade_id} closed by a fill of leg {trade.closing_leg}")
    planned = step_nearest(decimal_of(trade.decision.signal.stop_price), tick)
    return ExitCause.STOP if trade.stop_price in (None, planned) else ExitCause.TRAILING_STOP


def real_outcome(trade: Trade, bars: Bars) -> Outcome:
    """The outcome of a trade whose position is closed.

    R = (realized - fees + swap) / (planned risk per unit x quantity entered x entry rate), all in account currency.
    Excursions use whole bars after the entry, and of the bar it ended in only the price it ended at.
    """
    position, decision = trade.position, trade.decision
    if position is None or position.is_open or trade.entry_fx is None:
        raise Impossible(f"trade {trade.trade_id} is not closed")
    signal = decision.signal
    # The venue's clock may step back, and be behind ours: nothing ends before it began.
    closed_at = max(position.updated_at, position.opened_at, decision.decided_at)
    risked = signal.risk_per_unit * float(position.entered * trade.entry_fx)
    profit = position.realized - position.fees + trade.swap
    # What was never sold lies in the account at what it cost.
    entry, exit_ = float(position.entry_price), float(position.exit_price or position.entry_price)
    best, worst = bars.excursion(position.opened_at, closed_at, position.side, entry, exit_)
    costs = float(position.fees - trade.swap)
    return Outcome(
        outcome_id=digest("outcome", decision.decision_id, OutcomeKind.REAL),
        decision_id=decision.decision_id,
        kind=OutcomeKind.REAL,
        instrument=decision.instrument,
        timeframe=decision.timeframe,
        side=position.side,
        opened_at=position.opened_at,
        closed_at=closed_at,
        entry_price=significant(entry),
        exit_price=significant(exit_),
        quantity=position.entered,
        r_net=significant(float(profit) / risked),
        return_net=significant(float(profit) / (entry * float(position.entered * trade.entry_fx))),
        mfe_r=significant(max(0.0, (best - entry) * position.side.sign / signal.risk_per_unit)),
        mae_r=significant(min(0.0, (worst - entry) * position.side.sign / signal.risk_per_unit)),
        bars_held=bars.count_between(position.opened_at, closed_at),
        exit_cause=exit_cause(trade, bars.tick),
        costs_r=significant(costs / risked),
        profit=profit,
        strategies=signal.strategies,
        sentiment_state=sentiment_state(decision.sentiment),
        model=decision.ml.model,
    )
