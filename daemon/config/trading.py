"""The tables that shape what is traded: signals and risk. Ranges are what the product promises to stay in."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field

from daemon.config.fields import FilePath, Fraction, Section

LEAST_RISK: Final = Decimal("0.002")
MOST_RISK: Final = Decimal("0.01")
ExactFraction = Annotated[Decimal, Field(ge=0, le=1)]


class SignalsSection(Section):
    """Strategies, their ensemble, exits and volatility.

    Lengths are bars, clearances fractions of the price, volatilities per bar.
    """

    agreement: Fraction = 0.6
    """The least share of the speaking weight that the winning side needs."""
    min_votes: Annotated[int, Field(ge=1, le=50)] = 2
    """The least number of strategies on the winning side."""
    min_confidence: Fraction = 0.65
    """The least technical score at which something is proposed."""
    higher_weight_limit: Fraction = 0.5
    """The most that the higher timeframe may weigh in the technical score."""
    atr_stop: Annotated[float, Field(ge=0.5, le=10)] = 2.0
    """Distance of the stop from the entry, in ATR."""
    reward_risk: Annotated[float, Field(ge=2.5, le=4)] = 3.0
    """Distance of the target from the entry, in distances of the stop."""
    trend_ma: Literal[20, 50, 100] = 50
    """The moving average that decides which side of trend and breakout is eligible."""
    fast_clearance: Annotated[float, Field(ge=0, le=0.02)] = 0.0
    """How far beyond the 20-bar channel a close must lie to break it, as a fraction of the price."""
    slow_clearance: Annotated[float, Field(ge=0.005, le=0.025)] = 0.005
    """How far beyond the 55-bar channel a close must lie to break it, as a fraction of the price."""
    adx_trend: Annotated[float, Field(ge=5, le=60)] = 20.0
    """ADX from which a market counts as trending."""
    rsi_oversold: Annotated[float, Field(ge=5, le=45)] = 30.0
    """RSI below which a market counts as oversold."""
    rsi_overbought: Annotated[float, Field(ge=55, le=95)] = 70.0
    """RSI above which a market counts as overbought."""
    signal_valid_bars: Annotated[int, Field(ge=1, le=50)] = 3
    """How many bars a signal counts, the one it fired on included."""
    confidence_decay: Annotated[float, Field(ge=0.1, le=1)] = 0.9
    """What a signal's confidence is multiplied by for every bar of its age."""
    warmup_bars: Annotated[int, Field(ge=0, le=100_000)] = 150
    """Bars an instrument needs before anything is proposed; never fewer than the slowest indicator needs."""
    chandelier_bars: Annotated[int, Field(ge=2, le=500)] = 22
    """Bars whose extreme the trailing stop hangs from."""
    chandelier_atr: Annotated[float, Field(ge=0.5, le=20)] = 3.0
    """Distance of the trailing stop from that extreme, in ATR."""
    trailing_activation_r: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Profit at which trailing begins, in multiples of the initial risk."""
    trailing_step_atr: Annotated[float, Field(ge=0, le=10)] = 0.25
    """The least move of the trailing stop, in ATR."""
    exit_ma: Literal[20, 50] | None = None
    """Leave when the close crosses this moving average against the position; none never does."""
    time_exit_bars: Annotated[int, Field(ge=1, le=1_000_000)] | None = 240
    """Leave after so many bars; none leaves that to `max_holding_days`."""
    reversal_confidence: Fraction = 0.15
    """The least confidence of a trend reversal that closes a position."""
    reversal_volatility_bound: Fraction = 0.003
    """Forecast volatility of a 15-minute bar at which reversal exits are suppressed; for other bars it is scaled by the
    square root of their length."""
    ewma_decay: Annotated[float, Field(ge=0.5, le=0.999)] = 0.94
    """Weight of the past in the EWMA volatility forecast."""
    garch_window_bars: Annotated[int, Field(ge=200, le=20_000)] = 1000
    """Bars that GARCH(1,1) is fitted on."""
    garch_refit_bars: Annotated[int, Field(ge=50, le=100_000)] = 1000
    """Bars after which it is fitted again."""
    max_holding_days: Annotated[float, Field(gt=0, le=3_650)] = 30.0
    """A trade is stale and left after so many days, whatever `time_exit_bars` says."""
    flat_weekends: bool = False
    """Close positions before their market closes for a weekend."""
    weights: dict[str, Annotated[float, Field(ge=0, le=100)]] = {}
    """Fixed weights of strategies by name, 0 silences one; the others have what their own records give them."""
    strategies: FilePath | None = None
    """A folder of strategies of one's own, one in each `*.py` file; they vote beside the shipped ones. Its code runs
    with the daemon's rights."""


class RiskSection(Section):
    """Limits. Fractions are of equity unless the key says otherwise.

    The base risk of a trade stays within 0.2 and 1 percent of equity, whatever else is set.
    """

    risk_per_trade: Annotated[Decimal, Field(ge=LEAST_RISK, le=MOST_RISK)] = Decimal("0.005")
    """What one trade may lose at its stop, before the scales below."""
    risk_per_trade_min: Annotated[Decimal, Field(ge=LEAST_RISK, le=MOST_RISK)] = LEAST_RISK
    """The least that the base may be."""
    risk_per_trade_max: Annotated[Decimal, Field(ge=LEAST_RISK, le=MOST_RISK)] = MOST_RISK
    """The most that the base and the scaled risk may be."""
    bet_scale_min: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    """Scale of the risk where the model's probability lies at or below break-even."""
    bet_scale_max: Annotated[Decimal, Field(gt=0, le=3)] = Decimal("1.5")
    """Scale of the risk where the bet size reaches `bet_full_edge`."""
    bet_full_edge: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.2")
    """The bet size, of 1, that earns the full scale."""
    social_cut: ExactFraction = Decimal("0.5")
    """The most that opposed social sentiment takes off the risk, as a share of it."""
    volatility_floor: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    """The least scale that high volatility leaves."""
    portfolio_scale_min: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    """The least scale that a small portfolio weight leaves."""
    portfolio_scale_max: Annotated[Decimal, Field(ge=1, le=3)] = Decimal("1.5")
    """The most scale that a large portfolio weight gives."""
    safe_scale: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    """Scale of the risk while a hold of effect safe is in force."""
    drift_scale: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    """The same for a hold whose cause is the model; nothing sets such a hold yet."""
    drawdown_floor: ExactFraction = Decimal("0.1")
    """The least scale that drawdown leaves."""

    max_open_risk: Annotated[Decimal, Field(gt=0, le=Decimal("0.5"))] = Decimal("0.02")
    """What may be lost if every stop is hit at once."""
    max_positions: Annotated[int, Field(ge=1, le=1_000)] = 8
    """Instruments that may be open at once."""
    max_gross_exposure: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(3)
    """All notionals added up, in multiples of equity."""
    max_per_currency_exposure: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(2)
    """The net bet on or against one currency, in multiples of equity."""
    max_margin_use: Annotated[Decimal, Field(gt=0, le=1)] = Decimal(1)
    """The share of equity that may be bound as margin."""
    max_correlation: ExactFraction = Decimal("0.8")
    """The highest correlation with an open position in the same direction."""

    max_order_value: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(1)
    """Notional of one order, in multiples of equity."""
    max_order_quantity: Annotated[Decimal, Field(gt=0, le=10**18)] | None = None
    """Quantity of one order in base units; none sets no such limit."""
    price_collar: Annotated[Decimal, Field(gt=0, le=Decimal("0.5"))] = Decimal("0.05")
    """The largest distance of an entry from the mid price, as a fraction of it."""
    price_collar_over_time: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.25")
    """The largest distance of an entry from the median of the mids before it, as a fraction of it."""
    min_reward_risk: Annotated[Decimal, Field(ge=0, le=20)] = Decimal(1)
    """The least reward over risk, both after costs."""
    orders_per_minute: Annotated[int, Field(ge=3, le=10_000)] = 60
    """Messages to the venue within a minute; exits are counted but never refused."""
    orders_per_day: Annotated[int, Field(ge=3, le=1_000_000)] = 2_000
    """Messages within a day, UTC."""
    repeated_executions: Annotated[int, Field(ge=1, le=1_000)] = 5
    """Entries of one instrument and side within the window below, after which a person must resume."""
    repeat_window_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60
    """The window of `repeated_executions`."""

    max_drawdown: Annotated[Decimal, Field(gt=0, le=Decimal("0.9"))] = Decimal("0.1")
    """Drawdown from the equity peak at which a latched hold stops entries."""
    emergency_drawdown: Annotated[Decimal, Field(gt=0, le=Decimal("0.9"))] = Decimal("0.15")
    """Drawdown from the equity peak at which everything is closed at the market, and a person must resume."""
    daily_loss: Annotated[Decimal, Field(gt=0, le=Decimal("0.9"))] = Decimal("0.03")
    """Loss since the start of the day, UTC, that holds entries until the next."""
    weekly_loss: Annotated[Decimal, Field(gt=0, le=Decimal("0.9"))] = Decimal("0.06")
    """Loss since Monday, UTC, that holds entries until the next Monday."""
    consecutive_losses: Annotated[int, Field(ge=1, le=1_000)] = 6
    """Losing trades in a row that hold entries for `cooldown_hours`."""
    cooldown_hours: Annotated[Decimal, Field(ge=0, le=8_760)] = Decimal(24)
    """The rest after them."""
    instrument_cooldown_hours: Annotated[Decimal, Field(ge=0, le=8_760)] = Decimal(1)
    """How long an instrument rests after a loss in it."""
    max_rejections: Annotated[int, Field(ge=1, le=1_000)] = 5
    """Orders of one instrument refused by the venue within the window below that rest the instrument."""
    rejection_window_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60
    """The window of `max_rejections`."""
    max_reject_rate: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")
    """The share of entries within that window that, rejected, rests the account for `cooldown_hours`."""
    reject_rate_orders: Annotated[int, Field(ge=1, le=1_000)] = 10
    """The least number of entries within that window from which a share is taken."""
    max_excess_slippage_bps: Annotated[Decimal, Field(gt=0, le=1_000)] = Decimal(50)
    """How much worse than modelled the last fills may be on average, in basis points, before the account rests for
    `cooldown_hours`."""
    slippage_fills: Annotated[int, Field(ge=1, le=1_000)] = 10
    """How many fills that average is taken of."""


class PortfolioSection(Section):
    """How the risk of one trade is divided among the instruments, refreshed at `schedule.portfolio_weights_at`."""

    method: Literal["max_sharpe", "min_variance", "risk_parity", "hrp", "inverse_volatility", "equal"] = "risk_parity"
    """What weights are computed by; equal gives every instrument the same. docs/portfolio.md says why this one."""
    lookback_bars: Annotated[int, Field(ge=20, le=20_000)] = 500
    """The most returns that weights are computed from."""
    fewest_bars: Annotated[int, Field(ge=10, le=20_000)] = 120
    """The least number of bars that all instruments must have in common; until then all weigh the same."""
    no_trade_band: Fraction = 0.03
    """Weights stay as they are while none would change by more."""
    turnover_cost: Annotated[float, Field(ge=0, le=0.1)] = 0.0
    """What moving a weight by 1 costs, as a fraction; the methods with an objective allow for it."""
