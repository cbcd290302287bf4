"""The tables that shape what is traded: signals, risk, learning. Ranges are what the product promises to stay in."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from daemon.config.fields import FilePath, Fraction, Section

LEAST_RISK: Final = Decimal("0.002")
MOST_RISK: Final = Decimal("0.01")
ExactFraction = Annotated[Decimal, Field(ge=0, le=1)]


class SignalsSection(Section):
    """Strategies, their ensemble, exits and volatility; what each means is told by `signals.settings`.

    Lengths are bars, clearances fractions of the price, volatilities per bar. `weights` are the strategies' fixed
    weights by name; a strategy without one has the weight that its own record gives it.
    """

    agreement: Fraction = 0.6
    min_votes: Annotated[int, Field(ge=1, le=50)] = 2
    min_confidence: Fraction = 0.65
    higher_weight_limit: Fraction = 0.5
    atr_stop: Annotated[float, Field(ge=0.5, le=10)] = 2.0
    reward_risk: Annotated[float, Field(ge=2.5, le=4)] = 3.0
    trend_ma: Literal[20, 50, 100] = 50
    fast_clearance: Annotated[float, Field(ge=0, le=0.02)] = 0.0
    slow_clearance: Annotated[float, Field(ge=0.005, le=0.025)] = 0.005
    adx_trend: Annotated[float, Field(ge=5, le=60)] = 20.0
    rsi_oversold: Annotated[float, Field(ge=5, le=45)] = 30.0
    rsi_overbought: Annotated[float, Field(ge=55, le=95)] = 70.0
    signal_valid_bars: Annotated[int, Field(ge=1, le=50)] = 3
    confidence_decay: Annotated[float, Field(ge=0.1, le=1)] = 0.9
    warmup_bars: Annotated[int, Field(ge=0, le=100_000)] = 150
    chandelier_bars: Annotated[int, Field(ge=2, le=500)] = 22
    chandelier_atr: Annotated[float, Field(ge=0.5, le=20)] = 3.0
    trailing_activation_r: Annotated[float, Field(ge=0, le=10)] = 1.0
    trailing_step_atr: Annotated[float, Field(ge=0, le=10)] = 0.25
    exit_ma: Literal[20, 50] | None = None
    time_exit_bars: Annotated[int, Field(ge=1, le=1_000_000)] | None = 240
    reversal_confidence: Fraction = 0.15
    reversal_volatility_bound: Fraction = 0.003
    ewma_decay: Annotated[float, Field(ge=0.5, le=0.999)] = 0.94
    garch_window_bars: Annotated[int, Field(ge=200, le=20_000)] = 1000
    garch_refit_bars: Annotated[int, Field(ge=50, le=100_000)] = 1000
    flat_weekends: bool = False
    """Close positions before their market closes for a weekend."""
    weights: dict[str, Annotated[float, Field(ge=0, le=100)]] = {}
    strategies: FilePath | None = None
    """A folder of strategies of one's own, one in each `*.py` file; they vote beside the shipped ones. Its code runs
    with the daemon's rights."""


class RiskSection(Section):
    """Limits; what each means is told by `risk.limits`. Fractions are of equity unless that says otherwise.

    The base risk of a trade stays within 0.2 and 1 percent of equity, whatever else is set.
    """

    risk_per_trade: Annotated[Decimal, Field(ge=LEAST_RISK, le=MOST_RISK)] = Decimal("0.005")
    risk_per_trade_min: Annotated[Decimal, Field(ge=LEAST_RISK, le=MOST_RISK)] = LEAST_RISK
    risk_per_trade_max: Annotated[Decimal, Field(ge=LEAST_RISK, le=MOST_RISK)] = MOST_RISK
    bet_scale_min: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    bet_scale_max: Annotated[Decimal, Field(gt=0, le=3)] = Decimal("1.5")
    bet_full_edge: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.2")
    social_cut: ExactFraction = Decimal("0.5")
    volatility_floor: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    safe_scale: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    drift_scale: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    drawdown_floor: ExactFraction = Decimal("0.1")

    max_open_risk: Annotated[Decimal, Field(gt=0, le=Decimal("0.5"))] = Decimal("0.02")
    max_positions: Annotated[int, Field(ge=1, le=1_000)] = 8
    max_gross_exposure: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(3)
    max_per_currency_exposure: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(2)
    max_margin_use: Annotated[Decimal, Field(gt=0, le=1)] = Decimal(1)
    max_correlation: ExactFraction = Decimal("0.8")

    max_order_value: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(1)
    max_order_quantity: Annotated[Decimal, Field(gt=0, le=10**18)] | None = None
    price_collar: Annotated[Decimal, Field(gt=0, le=Decimal("0.5"))] = Decimal("0.05")
    min_reward_risk: Annotated[Decimal, Field(ge=0, le=20)] = Decimal(1)
    orders_per_minute: Annotated[int, Field(ge=3, le=10_000)] = 60
    orders_per_day: Annotated[int, Field(ge=3, le=1_000_000)] = 2_000
    repeated_executions: Annotated[int, Field(ge=1, le=1_000)] = 5
    repeat_window_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60

    max_drawdown: Annotated[Decimal, Field(gt=0, le=Decimal("0.9"))] = Decimal("0.1")
    daily_loss: Annotated[Decimal, Field(gt=0, le=Decimal("0.9"))] = Decimal("0.03")
    weekly_loss: Annotated[Decimal, Field(gt=0, le=Decimal("0.9"))] = Decimal("0.06")
    consecutive_losses: Annotated[int, Field(ge=1, le=1_000)] = 6
    cooldown_hours: Annotated[Decimal, Field(ge=0, le=8_760)] = Decimal(24)
    instrument_cooldown_hours: Annotated[Decimal, Field(ge=0, le=8_760)] = Decimal(1)
    max_rejections: Annotated[int, Field(ge=1, le=1_000)] = 5
    rejection_window_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60


class LearningSection(Section):
    """How the online model learns, and how its probability enters a decision; see `learning.online` and `.blend`."""

    mode: Literal["score_enhancement", "filter", "replace", "off"] = "score_enhancement"
    technical_weight: Fraction = 0.7
    minimum_score: Fraction = 0.5
    """The least blended score that may become an order."""
    minimum_labels: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    minimum_per_class: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.005
    l2: Fraction = 0.05
    threshold_mode: Literal["default", "conservative", "aggressive"] = "default"
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """A threshold of one's own; none takes the mode's."""
