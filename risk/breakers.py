"""The breakers: one event in, the next state and the holds that start with it out.

A hold is returned when its threshold is crossed and not again while it lasts. Drawdown, emergency, margin and repeated
execution latch: only `Resumed`, a recorded command, opens them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from domain.numbers import ZERO
from risk.equity_breakers import Stepped, equity_marked, margin_marked, trade_closed
from risk.events import (
    CashMoved,
    EquityMarked,
    Event,
    Filled,
    MarginMarked,
    OrderRejected,
    OrderSent,
    Resumed,
    TradeClosed,
)
from risk.limits import Limits
from risk.order_breakers import filled, order_rejected, order_sent
from risk.state import RiskState, monday_of

__all__ = [
    "CashMoved",
    "EquityMarked",
    "Event",
    "Filled",
    "MarginMarked",
    "OrderRejected",
    "OrderSent",
    "Resumed",
    "TradeClosed",
    "step",
]


def step(state: RiskState, event: Event, limits: Limits) -> Stepped:
    """The state after `event`, and the holds that start now. The same object comes back when nothing changed."""
    match event:
        case EquityMarked():
            return equity_marked(state, event, limits)
        case MarginMarked():
            return margin_marked(state, event)
        case OrderSent():
            return order_sent(state, event, limits)
        case TradeClosed():
            return trade_closed(state, event, limits)
        case OrderRejected():
            return order_rejected(state, event, limits)
        case Filled():
            return filled(state, event, limits)
        case CashMoved():
            return replace(state, pending_cash=state.pending_cash + event.amount), ()
        case Resumed():
            return _resumed(state, event), ()
        case _:
            assert_never(event)


def _resumed(state: RiskState, event: Resumed) -> RiskState:
    """Nothing that came before counts any more, but what was sent stays known: it may not be sent a second time."""
    today = max(event.at.date(), state.day)
    return replace(
        state,
        peak=event.equity,
        day=today,
        day_start_equity=event.equity,
        week=monday_of(today),
        week_start_equity=event.equity,
        pending_cash=ZERO,
        drawdown_latched=False,
        emergency_latched=False,
        margin_latched=False,
        throttled=False,
        day_lost=False,
        week_lost=False,
        consecutive_losses=0,
        losses_until=None,
        cooldowns={},
        refusals=(),
        excess_slippages=(),
        quality_until=None,
        rebased_at=event.at,
    )
