"""How an open position is managed, decided on a closed bar: move the stop, close, or leave it.

Pure and cheap: real positions and the shadow of every decision run through the same step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from domain.decisions import ExitCause
from domain.orders import Side
from signals.settings import SignalSettings
from signals.table import SignalTable

FULL_TREND_ADX = 50.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ExitPolicy:
    """The exits' parameters; see `SignalSettings` for their meaning and units."""

    trailing_activation_r: float
    trailing_step_atr: float
    exit_ma: int | None
    time_exit_bars: int | None
    reversal_confidence: float
    reversal_volatility_bound: float

    @classmethod
    def from_settings(cls, settings: SignalSettings) -> ExitPolicy:
        return cls(
            trailing_activation_r=settings.trailing_activation_r,
            trailing_step_atr=settings.trailing_step_atr,
            exit_ma=settings.exit_ma,
            time_exit_bars=settings.time_exit_bars,
            reversal_confidence=settings.reversal_confidence,
            reversal_volatility_bound=settings.reversal_volatility_bound,
        )


@dataclass(frozen=True, slots=True)
class ExitView:
    """One position as its exits see it; prices in quote currency.

    `stop` is the stop in force, `initial_stop` the one at entry; `bars_held` counts closed bars since entry;
    `best_price` is the highest high (for a short the lowest low) since entry. `target` may be missing.
    """

    side: Side
    entry_price: float
    initial_stop: float
    stop: float
    target: float | None
    bars_held: int
    best_price: float


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave the position and its orders as they are."""


@dataclass(frozen=True, slots=True)
class MoveStop:
    """Move the protective stop to `price`: always nearer to the market than the stop in force."""

    price: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the position at the market, and name why."""

    cause: ExitCause


ExitAction = Keep | MoveStop | Close
KEEP = Keep()


def exit_step(
    view: ExitView,
    table: SignalTable,
    index: int,
    policy: ExitPolicy,
    *,
    weekend_ahead: bool = False,
    news_against: bool = False,
) -> ExitAction:
    """What to do with the position after the closed bar `index`. The flags are the caller's knowledge: the market
    closes for the weekend before the next bar does; news goes against the position.

    In this order: news, weekend, time, reversal, moving average, trailing stop. A missing column decides nothing.
    """
    if news_against:
        return Close(ExitCause.NEWS)
    if weekend_ahead:
        return Close(ExitCause.WEEKEND)
    if policy.time_exit_bars is not None and view.bars_held >= policy.time_exit_bars:
        return Close(ExitCause.TIME)
    if _reversed(view, table, index, policy):
        return Close(ExitCause.REVERSAL)
    if policy.exit_ma is not None and _crossed_average(view, table, index, policy.exit_ma):
        return Close(ExitCause.MOVING_AVERAGE)
    return _trail(view, table, index, policy)


def _reversed(view: ExitView, table: SignalTable, index: int, policy: ExitPolicy) -> bool:
    """Whether on this bar both timeframes came to stand against the position, convincingly.

    This timeframe speaks by SuperTrend; the larger one by the higher timeframe's side, without one by the trend
    regime. Confidence = min(ADX/50, 1) x (1 - forecast/bound): a high volatility forecast lowers it and at the
    bound suppresses the exit. A position taken against both is not closed for that: only the turn counts.
    """
    columns = table.columns
    sign = view.side.sign
    direction = columns["supertrend_direction"]
    if not direction.item(index) * sign < 0 or index == 0 or view.bars_held < 1:
        return False
    larger = columns["higher_side"]
    if math.isnan(larger.item(index)):
        larger = columns["regime_trend"]
    if not larger.item(index) * sign < 0:
        return False
    if direction.item(index - 1) * sign < 0 and larger.item(index - 1) * sign < 0:
        return False
    adx, forecast = columns["adx"].item(index), columns["volatility_forecast"].item(index)
    confidence = min(adx / FULL_TREND_ADX, 1.0)
    if forecast > 0:
        if forecast >= policy.reversal_volatility_bound:
            return False
        confidence *= 1 - forecast / policy.reversal_volatility_bound
    return confidence >= policy.reversal_confidence


def _crossed_average(view: ExitView, table: SignalTable, index: int, bars: int) -> bool:
    """Whether the close crossed its moving average against the position on this bar."""
    if index == 0 or view.bars_held < 1:
        return False
    close, average = table.columns["close"], table.columns[f"ma_{bars}"]
    sign = view.side.sign
    now = (close.item(index) - average.item(index)) * sign
    before = (close.item(index - 1) - average.item(index - 1)) * sign
    return now < 0 <= before


def _trail(view: ExitView, table: SignalTable, index: int, policy: ExitPolicy) -> ExitAction:
    """The chandelier: once the best price was `trailing_activation_r` R in profit, follow the line, only tightening
    and only by `trailing_step_atr` ATR at once. A close beyond a line that would tighten the stop ends the trade."""
    sign = view.side.sign
    risk = (view.entry_price - view.initial_stop) * sign
    # A fill that gapped beyond the initial stop has no risk to measure by: its stop is about to close it.
    if risk <= 0 or (view.best_price - view.entry_price) * sign < policy.trailing_activation_r * risk:
        return KEEP
    columns = table.columns
    line = columns["chandelier_long" if sign > 0 else "chandelier_short"].item(index)
    if not (line > 0 and (line - view.stop) * sign > 0):
        return KEEP
    if (columns["close"].item(index) - line) * sign <= 0:
        return Close(ExitCause.TRAILING_STOP)
    if (line - view.stop) * sign < policy.trailing_step_atr * columns["atr"].item(index):
        return KEEP
    return MoveStop(line)
