"""Every code under which sizing and the gate refuse, so that each can be counted from its first time on."""

from __future__ import annotations

from domain.holds import HoldCause

_BREAKERS = ("drawdown", "weekly_loss", "daily_loss", "consecutive_losses", "cooldown")

REASONS: tuple[str, ...] = (
    "no_equity",
    "stop_on_wrong_side",
    "no_open_risk_left",
    "no_exposure_left",
    "below_minimum_quantity",
    "below_minimum_notional",
    "not_whole_lots",
    "session_closed",
    "session_unknown",
    "stale_quote",
    "spread_too_wide",
    "unknown_order",
    "already_open",
    "duplicate_decision",
    "not_shortable",
    "price_collar",
    "risk_understated",
    "risk_per_trade",
    "reward_too_small",
    "order_value",
    "order_quantity",
    "max_positions",
    "open_risk",
    "gross_exposure",
    "currency_exposure",
    "margin",
    "correlated",
    "correlation_unknown",
    "messages_per_minute",
    "messages_per_day",
    "repeated_execution",
    "cannot_answer",
    *(f"hold_{cause}" for cause in HoldCause),
    *(f"breaker_{breaker}" for breaker in _BREAKERS),
)
