"""What the gate judges: a proposal, and the account as it stands at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.clock import require_utc
from domain.errors import InvalidRecord
from domain.holds import Hold
from domain.instruments import Instrument
from domain.numbers import ZERO
from domain.orders import Side
from risk.accounts import AccountRules
from risk.limits import Limits
from risk.state import RiskState


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """An open position, or an entry order that may become one (`in_flight`: sent, or about to be; `unknown`: the
    venue may or may not have it). `quantity` above 0 in base units, `price` in quote currency, `fx_rate` units of
    account currency for one of quote currency, `risk` the account currency lost when its stop is hit."""

    instrument: Instrument
    side: Side
    quantity: Decimal
    price: Decimal
    fx_rate: Decimal
    risk: Decimal
    unknown: bool = False
    in_flight: bool = False

    def __post_init__(self) -> None:
        for name in ("quantity", "price", "fx_rate"):
            _require_above_zero(self.instrument, name, getattr(self, name))
        _require_not_negative(self.instrument, "risk", self.risk)

    @property
    def notional(self) -> Decimal:
        """Its value in account currency."""
        return self.quantity * self.price * self.fx_rate

    @property
    def certain(self) -> bool:
        """A position that is there, not an order that may or may not become one."""
        return not (self.unknown or self.in_flight)


NO_RULES = AccountRules()


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The account at `now`; money in account `currency`. `exposures` are all open positions and all entry orders
    that are in flight or unknown; `holds` all that are in force; `account_can_short` what the venue allows;
    `account` the rules it lives under beside the limits; `unknown_orders` the symbols with an order of any leg, a stop
    of a position that closed too, of which nobody knows whether the venue has it."""

    now: datetime
    currency: str
    equity: Decimal
    balance: Decimal
    exposures: tuple[Exposure, ...]
    holds: tuple[Hold, ...]
    state: RiskState
    limits: Limits
    account_can_short: bool = True
    account: AccountRules = NO_RULES
    unknown_orders: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        require_utc(self.now, "now")
        if not (self.equity.is_finite() and self.balance.is_finite()):
            raise InvalidRecord(f"an account with equity {self.equity} and balance {self.balance} is not one")

    @property
    def open_risk(self) -> Decimal:
        """Account currency lost if every stop is hit, orders that may still fill included."""
        return sum((exposure.risk for exposure in self.exposures), ZERO)

    @property
    def equity_without_profit(self) -> Decimal:
        """The equity that the risk of what is open is taken from: that risk is counted from the entry, and a stop that
        is hit gives back what floats above it."""
        return min(self.equity, self.balance)

    @property
    def gross_exposure(self) -> Decimal:
        """Notional of all exposures in account currency, long and short added up."""
        return sum((exposure.notional for exposure in self.exposures), ZERO)

    def margin_of(self, exposure: Exposure) -> Decimal:
        """Account currency that one exposure binds, at the most leverage that instrument and account allow."""
        return exposure.notional / self.account.leverage_of(exposure.instrument)

    @property
    def margin_used(self) -> Decimal:
        """Account currency bound as margin by all exposures."""
        return sum((self.margin_of(exposure) for exposure in self.exposures), ZERO)

    @property
    def open_instruments(self) -> frozenset[str]:
        """Symbols with a position or an order that may become one."""
        return frozenset(exposure.instrument.symbol for exposure in self.exposures)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """An entry that wants to be sent. Prices are quote currency; `mid` and `half_spread` are the newest quote's.

    `quote_age_s` and `stale_after_s` are seconds; `market_open` None means that nobody knows. `risk_amount` is the
    account currency lost at the stop with costs, as sizing said. `correlations` has one entry for every other
    instrument in `Snapshot.exposures`; None there means fewer common returns than `risk.correlation` needs, or a
    price that never moved. `target_price` None is an entry whose exit trails: it has no reward to compare.
    `recent_mids` are the mids of the time before, in any order; without enough of them nothing is entered.
    """

    decision_id: str
    instrument: Instrument
    side: Side
    entry_price: Decimal
    stop_price: Decimal
    mid: Decimal
    half_spread: Decimal
    quote_age_s: float
    stale_after_s: float
    market_open: bool | None
    fx_rate: Decimal
    quantity: Decimal
    risk_amount: Decimal
    correlations: Mapping[str, float | None]
    recent_mids: tuple[Decimal, ...]
    target_price: Decimal | None = None

    def __post_init__(self) -> None:
        if not self.decision_id:
            raise InvalidRecord(f"{self.instrument.symbol}: a proposal needs the id of its decision")
        for name in ("entry_price", "stop_price", "mid", "fx_rate", "quantity"):
            _require_above_zero(self.instrument, name, getattr(self, name))
        for name in ("half_spread", "risk_amount"):
            _require_not_negative(self.instrument, name, getattr(self, name))
        if self.target_price is not None:
            _require_above_zero(self.instrument, "target_price", self.target_price)
        for mid in self.recent_mids:
            _require_above_zero(self.instrument, "a recent mid", mid)

    @property
    def notional(self) -> Decimal:
        """The order's value in account currency."""
        return self.quantity * self.entry_price * self.fx_rate

    @property
    def price_risk(self) -> Decimal:
        """Account currency between entry and stop, without costs; negative when the stop is on the wrong side."""
        return self.side.sign * (self.entry_price - self.stop_price) * self.quantity * self.fx_rate


def _require_above_zero(instrument: Instrument, name: str, value: Decimal) -> None:
    if not (value.is_finite() and value > 0):
        raise InvalidRecord(f"{instrument.symbol}: {name} is {value}; it must be a finite amount above 0")


def _require_not_negative(instrument: Instrument, name: str, value: Decimal) -> None:
    if not (value.is_finite() and value >= 0):
        raise InvalidRecord(f"{instrument.symbol}: {name} is {value}; it must be a finite amount of at least 0")
