"""Every number the risk rules hold to, in one frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import NamedTuple

from domain.errors import InvalidRecord
from domain.identity import digest


class _Allowed(NamedTuple):
    """What values a limit may have; `greater_is_looser` says which way it loosens."""

    low: Decimal
    high: Decimal
    greater_is_looser: bool
    low_itself: bool = True


def _between(low: str, high: str, *, greater_is_looser: bool = True) -> _Allowed:
    return _Allowed(Decimal(low), Decimal(high), greater_is_looser)


def _above_zero(high: str, *, greater_is_looser: bool = True) -> _Allowed:
    return _Allowed(Decimal(0), Decimal(high), greater_is_looser, low_itself=False)


ALLOWED: dict[str, _Allowed] = {
    "risk_per_trade": _above_zero("0.05"),
    "risk_per_trade_min": _between("0", "0.05"),
    "risk_per_trade_max": _above_zero("0.05"),
    "bet_scale_min": _above_zero("1"),
    "bet_scale_max": _above_zero("3"),
    "bet_full_edge": _above_zero("1", greater_is_looser=False),
    "social_cut": _between("0", "1", greater_is_looser=False),
    "volatility_floor": _above_zero("1"),
    "portfolio_scale_min": _above_zero("1"),
    "portfolio_scale_max": _between("1", "3"),
    "safe_scale": _above_zero("1"),
    "drift_scale": _above_zero("1"),
    "drawdown_floor": _between("0", "1"),
    "max_open_risk": _above_zero("0.5"),
    "max_positions": _between("1", "1000"),
    "max_gross_exposure": _above_zero("100"),
    "max_per_currency_exposure": _above_zero("100"),
    "max_margin_use": _above_zero("1"),
    "max_correlation": _between("0", "1"),
    "max_order_value": _above_zero("100"),
    "max_order_quantity": _above_zero("1e18"),
    "price_collar": _above_zero("0.5"),
    "price_collar_over_time": _above_zero("1"),
    "min_reward_risk": _between("0", "20", greater_is_looser=False),
    "orders_per_minute": _between("3", "10000"),
    "orders_per_day": _between("3", "1000000"),
    "repeated_executions": _between("1", "1000"),
    "repeat_window_minutes": _between("1", "1440", greater_is_looser=False),
    "max_drawdown": _above_zero("0.9"),
    "emergency_drawdown": _above_zero("0.9"),
    "daily_loss": _above_zero("0.9"),
    "weekly_loss": _above_zero("0.9"),
    "consecutive_losses": _between("1", "1000"),
    "cooldown_hours": _between("0", "8760", greater_is_looser=False),
    "instrument_cooldown_hours": _between("0", "8760", greater_is_looser=False),
    "max_rejections": _between("1", "1000"),
    "rejection_window_minutes": _between("1", "1440", greater_is_looser=False),
    "max_reject_rate": _above_zero("1"),
    "reject_rate_orders": _between("1", "1000"),
    "max_excess_slippage_bps": _above_zero("1000"),
    "slippage_fills": _between("1", "1000"),
}
"""Allowed values by field; a test keeps it complete."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What may be risked. "of equity" and "x equity" are multiples of the account's equity at the moment.

    Sizing. `risk_per_trade` of equity, cut to [`risk_per_trade_min`, `risk_per_trade_max`], then multiplied by
    scales. A probability scales by [`bet_scale_min`, `bet_scale_max`] and reaches the upper end at a bet size of
    `bet_full_edge` (see `risk.sizing`); opposed social sentiment takes off up to `social_cut`; a high volatility
    forecast shrinks down to `volatility_floor`; a portfolio weight over that of equal risk scales within
    [`portfolio_scale_min`, `portfolio_scale_max`]; a SAFE hold scales by `safe_scale`, by `drift_scale` when its
    cause is the model; drawdown shrinks down to `drawdown_floor`.

    Portfolio. `max_open_risk` of equity lost if every stop is hit; `max_gross_exposure` and
    `max_per_currency_exposure` x equity in notional; `max_margin_use` of equity bound as margin.

    Orders. `max_order_value` x equity; `max_order_quantity` in base units, None for no such limit;
    `price_collar` as a fraction of the mid price; `price_collar_over_time` as a fraction of the median of the mids
    before it; `min_reward_risk` net of costs. `orders_per_minute` and `orders_per_day` (UTC) count every message;
    after `repeated_executions` entries of one instrument and side within `repeat_window_minutes` a person must
    resume.

    Breakers. `max_drawdown` below the equity peak latches; `emergency_drawdown` latches too and closes everything;
    `daily_loss` and `weekly_loss` below the equity at the start of the UTC day and week; `consecutive_losses` rest
    `cooldown_hours`; a loss rests its instrument for `instrument_cooldown_hours`; `max_rejections` by the venue
    within `rejection_window_minutes` do so too. The account rests `cooldown_hours` when a share of
    `max_reject_rate` of at least `reject_rate_orders` entries within that window was rejected, or when the last
    `slippage_fills` fills were on average `max_excess_slippage_bps` basis points worse than modelled.
    """

    risk_per_trade: Decimal = Decimal("0.005")
    risk_per_trade_min: Decimal = Decimal("0.002")
    risk_per_trade_max: Decimal = Decimal("0.01")
    bet_scale_min: Decimal = Decimal("0.5")
    bet_scale_max: Decimal = Decimal("1.5")
    bet_full_edge: Decimal = Decimal("0.2")
    social_cut: Decimal = Decimal("0.5")
    volatility_floor: Decimal = Decimal("0.5")
    portfolio_scale_min: Decimal = Decimal("0.5")
    portfolio_scale_max: Decimal = Decimal("1.5")
    safe_scale: Decimal = Decimal("0.5")
    drift_scale: Decimal = Decimal("0.5")
    drawdown_floor: Decimal = Decimal("0.1")

    max_open_risk: Decimal = Decimal("0.02")
    max_positions: int = 8
    max_gross_exposure: Decimal = Decimal(3)
    max_per_currency_exposure: Decimal = Decimal(2)
    max_margin_use: Decimal = Decimal(1)
    max_correlation: Decimal = Decimal("0.8")

    max_order_value: Decimal = Decimal(1)
    max_order_quantity: Decimal | None = None
    price_collar: Decimal = Decimal("0.05")
    price_collar_over_time: Decimal = Decimal("0.25")
    min_reward_risk: Decimal = Decimal(1)
    orders_per_minute: int = 60
    orders_per_day: int = 2000
    repeated_executions: int = 5
    repeat_window_minutes: int = 60

    max_drawdown: Decimal = Decimal("0.1")
    emergency_drawdown: Decimal = Decimal("0.15")
    daily_loss: Decimal = Decimal("0.03")
    weekly_loss: Decimal = Decimal("0.06")
    consecutive_losses: int = 6
    cooldown_hours: Decimal = Decimal(24)
    instrument_cooldown_hours: Decimal = Decimal(1)
    max_rejections: int = 5
    rejection_window_minutes: int = 60
    max_reject_rate: Decimal = Decimal("0.5")
    reject_rate_orders: int = 10
    max_excess_slippage_bps: Decimal = Decimal(50)
    slippage_fills: int = 10

    _digest: str = field(init=False, repr=False, compare=False, default="")

    def __post_init__(self) -> None:
        faults = [fault for name in ALLOWED if (fault := self._fault(name)) is not None]
        if not faults and self.risk_per_trade_min > self.risk_per_trade_max:
            faults.append(
                f"risk_per_trade_min {self.risk_per_trade_min} is above risk_per_trade_max {self.risk_per_trade_max}"
            )
        if not faults and self.bet_scale_min > self.bet_scale_max:
            faults.append(f"bet_scale_min {self.bet_scale_min} is above bet_scale_max {self.bet_scale_max}")
        if faults:
            raise InvalidRecord("limits: " + "; ".join(faults))
        parts = (f"{name}={_canonical(getattr(self, name))}" for name in ALLOWED)
        object.__setattr__(self, "_digest", digest("limits", *parts))

    def digest(self) -> str:
        """A name for these numbers: equal limits have equal digests, however their decimals are written."""
        return self._digest

    def loosened_from(self, earlier: Limits) -> tuple[str, ...]:
        """The names of the limits that are looser here than in `earlier`: those need a person's acknowledgement."""
        return tuple(name for name in ALLOWED if _looser(name, getattr(earlier, name), getattr(self, name)))

    def _fault(self, name: str) -> str | None:
        value = getattr(self, name)
        if value is None and name == "max_order_quantity":
            return None
        wanted = int if _types()[name] == "int" else Decimal
        if type(value) is not wanted or not Decimal(value).is_finite():
            return f"{name} is {value!r}; it must be {'a whole number' if wanted is int else 'a Decimal'}"
        allowed = ALLOWED[name]
        if value > allowed.high or value < allowed.low or (value == allowed.low and not allowed.low_itself):
            opening = "[" if allowed.low_itself else "("
            return f"{name} is {value}; it must lie in {opening}{allowed.low:f}, {allowed.high:f}]"
        return None


def _types() -> dict[str, str]:
    return {declared.name: str(declared.type) for declared in fields(Limits)}


def _canonical(value: Decimal | int | None) -> str:
    return "none" if value is None else format(Decimal(value).normalize(), "f")


def _looser(name: str, earlier: Decimal | int | None, later: Decimal | int | None) -> bool:
    if earlier is None or later is None:
        return later is None and earlier is not None
    return later > earlier if ALLOWED[name].greater_is_looser else later < earlier
