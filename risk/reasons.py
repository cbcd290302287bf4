"""Every code under which sizing and the gate refuse, so that each can be counted from its first time on."""

from __future__ import annotations

from domain.holds import HoldCause

SIZING_REASONS: tuple[str, ...] = (
    "no_equity",
    "stop_on_wrong_side",
    "hold",
    "drawdown",
    "social",
    "no_open_risk_left",
    "no_exposure_left",
    "below_minimum_quantity",
    "below_minimum_notional",
)
"""Why a size came out as nothing."""

_BREAKERS = (
    "emergency",
    "drawdown",
    "repeated_execution",
    "weekly_loss",
    "daily_loss",
    "consecutive_losses",
    "execution_quality",
    "cooldown",
)

DENIAL_REASONS: tuple[str, ...] = (
    "session_closed",
    "session_unknown",
    "stale_quote",
    "spread_too_wide",
    "unknown_order",
    "already_open",
    "duplicate_decision",
    "not_shortable",
    "below_minimum_quantity",
    "below_minimum_notional",
    "not_whole_lots",
    "price_collar",
    "price_collar_over_time",
    "fx_rate",
    "not_permitted",
    "no_hedge",
    "fifo",
    "leverage_cap",
    "margin_close_out",
    "stop_on_wrong_side",
    "risk_understated",
    "risk_per_trade",
    "reward_too_small",
    "order_value",
    "order_quantity",
    "no_equity",
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
"""Why the gate said no."""

REASONS: tuple[str, ...] = tuple(dict.fromkeys((*SIZING_REASONS, *DENIAL_REASONS)))
