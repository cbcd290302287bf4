"""The configuration as the settings of each part: one function a part, nothing built here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from brokers.paper.settings import PaperSettings
from daemon.config import Config
from domain.costs import CostModel
from domain.errors import ConfigurationRefused, InvalidInput
from domain.instruments import Instrument, Timeframe
from learning.blend import Mode
from learning.online import OnlineSettings, ThresholdMode
from risk.accounts import AccountRules, Holding, rules_of
from risk.limits import Limits
from risk.portfolio import Method
from sentiment.blackout import BlackoutSettings
from signals.settings import SignalSettings
from signals.strategies import STRATEGIES, Strategy, load_strategies
from trading.portfolio import PortfolioSettings
from trading.scan import ScanSettings, entry_validity

_DAY_S = 86_400


def limits_of(config: Config) -> Limits:
    """The risk limits the configuration asks for."""
    return Limits(**config.risk.model_dump())


def account_rules_of(config: Config) -> AccountRules:
    """The rules the account lives under; a jurisdiction's own can only be added to."""
    account = config.account
    stricter: dict[str, Any] = {"forbidden_instruments": frozenset(account.forbidden)}
    if account.permitted:
        stricter["permitted_instruments"] = frozenset(account.permitted)
    stricter.update({name: True for name in ("fifo", "no_hedge") if getattr(account, name)})
    if account.hedging:
        stricter["holding"] = Holding.HEDGING
    return rules_of(account.jurisdiction, **stricter)


def signals_of(config: Config, timeframe: Timeframe) -> SignalSettings:
    """The signal settings the configuration asks for; fixed strategy weights are not among them.

    No trade outlasts `max_holding_days`: whatever the length of a bar, the time exit comes by then.

    The volatility bound of the reversal exit is configured for 15-minute bars and grows with the square root of
    the bar's length, as volatility does; else no daily bar would ever be calm enough for a reversal exit.
    """
    values = config.signals.model_dump(exclude={"weights", "flat_weekends", "strategies", "max_holding_days"})
    longest = max(1, int(config.signals.max_holding_days * _DAY_S / timeframe.seconds))
    values["time_exit_bars"] = min(longest, values["time_exit_bars"] or longest)
    scale = math.sqrt(timeframe.seconds / Timeframe.M15.seconds)
    values["reversal_volatility_bound"] = min(1.0, values["reversal_volatility_bound"] * scale)
    return SignalSettings(**values)


def strategies_of(config: Config) -> tuple[Strategy, ...]:
    """The shipped strategies, and the user's own where a folder of them is configured.

    Raises `ConfigurationRefused` for a folder or a file in it that cannot be used.
    """
    folder = config.signals.strategies
    if folder is None:
        return STRATEGIES
    try:
        return load_strategies(folder)
    except InvalidInput as fault:
        raise ConfigurationRefused(f"signals.strategies: {fault}") from fault


def online_settings_of(config: Config) -> OnlineSettings:
    """How the online model learns."""
    section = config.learning
    return OnlineSettings(
        learner=section.learner,
        minimum_labels=section.minimum_labels,
        minimum_per_class=section.minimum_per_class,
        learning_rate=section.learning_rate,
        l2=section.l2,
        threshold_mode=ThresholdMode(section.threshold_mode),
        threshold=section.threshold,
    )


def paper_settings_of(config: Config, timeframe: Timeframe) -> PaperSettings:
    """How imperfect the paper broker's world is.

    An order that is sent within the scan's delay after a bar's open still takes part in that bar: live, a bar is
    only seen that much after it closed. Never more than a quarter of the bar.
    """
    grace_s = min(config.schedule.scan_delay_s + 5.0, timeframe.seconds / 4)
    section = config.broker
    return PaperSettings(
        seed=config.feed.seed,
        slippage_bps=section.slippage_bps,
        latency_s=section.latency_s,
        grace_s=grace_s,
        max_participation=section.max_participation,
        reject_rate=section.reject_rate,
        starting_cash=config.account.starting_cash,
    )


def scan_settings_of(config: Config, timeframe: Timeframe) -> ScanSettings:
    """How proposals become orders."""
    span = timeframe.span
    return ScanSettings(
        mode=Mode(config.learning.mode),
        technical_weight=config.learning.technical_weight,
        minimum_score=config.learning.minimum_score,
        entry_valid=entry_validity(span),
        stale_after=2 * span,
    )


def portfolio_settings_of(config: Config) -> PortfolioSettings:
    """How risk is divided among the instruments."""
    section = config.portfolio
    return PortfolioSettings(
        method=Method(section.method),
        lookback=section.lookback_bars,
        fewest=section.fewest_bars,
        no_trade_band=section.no_trade_band,
        turnover_cost=section.turnover_cost,
    )


def blackout_of(config: Config, *, complete: bool) -> BlackoutSettings:
    """How long before and after an event nothing is entered; a calendar with gaps also holds where it has one."""
    section = config.sentiment
    return BlackoutSettings(
        before_min=section.blackout_before_minutes,
        after_min=section.blackout_after_minutes,
        hold_when_stale=not complete,
    )


def costs_of(config: Config, instruments: Mapping[str, Instrument]) -> Mapping[str, CostModel]:
    """Expected costs of each instrument: its own fee, and the slippage that the broker is expected to add."""
    slippage = config.broker.slippage_bps / 10_000
    return {
        symbol: CostModel(fee_rate=float(instrument.fee_rate), slippage=slippage)
        for symbol, instrument in instruments.items()
    }
