"""Valid instruments, snapshots, proposals and sizing inputs, of which a test names only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.instruments import AssetClass, Instrument
from domain.orders import Approval, Side
from risk.gate import Denial, Gate
from risk.limits import Limits
from risk.sizing import SizingInputs
from risk.snapshot import Exposure, Proposal, Snapshot
from risk.state import RiskState

D = Decimal
NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)  # a Wednesday
EXPIRY = NOON + timedelta(hours=1)


def pair(base: str = "EUR", quote: str = "USD", **changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "symbol": base + quote,
        "asset_class": AssetClass.FOREX,
        "base": base,
        "quote": quote,
        "tick": D("0.00001"),
        "lot": D(1000),
        "pip": D("0.01") if quote == "JPY" else D("0.0001"),
        "min_quantity": D(1000),
        "min_notional": D(0),
        "calendar": "forex",
        "spread_bps": D(1),
        "max_spread_pips": D(15),
        "fee_rate": D(0),
        "max_leverage": D(30),
    }
    return Instrument(**{**values, **changes})


def share(symbol: str = "TCS", quote: str = "INR", **changes: Any) -> Instrument:
    values = {"asset_class": AssetClass.EQUITY, "lot": D(1), "min_quantity": D(1), "max_leverage": D(1)}
    return pair(symbol, quote, **{**values, "symbol": symbol, **changes})


def exposure(instrument: Instrument | None = None, **changes: Any) -> Exposure:
    values: dict[str, Any] = {
        "instrument": instrument or pair("GBP"),
        "side": Side.BUY,
        "quantity": D(10000),
        "price": D("1.25"),
        "fx_rate": D(1),
        "risk": D(100),
    }
    return Exposure(**{**values, **changes})


def snapshot(*exposures: Exposure, **changes: Any) -> Snapshot:
    equity = changes.get("equity", D(100000))
    values: dict[str, Any] = {
        "now": NOON,
        "currency": "USD",
        "equity": equity,
        "balance": equity,
        "exposures": exposures,
        "holds": (),
        "state": RiskState.starting(D(100000), NOON),
        "limits": Limits(),
    }
    return Snapshot(**{**values, **changes})


def proposal(**changes: Any) -> Proposal:
    """Buy 40,000 EURUSD at 1.10, stop 1.09, target 1.13: 44,000 of value, 400 to lose."""
    values: dict[str, Any] = {
        "decision_id": "decision-1",
        "instrument": pair(),
        "side": Side.BUY,
        "entry_price": D("1.10"),
        "stop_price": D("1.09"),
        "mid": D("1.10"),
        "half_spread": D("0.00005"),
        "quote_age_s": 0.0,
        "stale_after_s": 7200.0,
        "market_open": True,
        "fx_rate": D(1),
        "quantity": D(40000),
        "risk_amount": D(420),
        "correlations": {"GBPUSD": 0.3},
        "target_price": D("1.13"),
    }
    values |= changes
    return Proposal(**{"recent_mids": (values["entry_price"],) * 3, **values})


def sizing_inputs(**changes: Any) -> SizingInputs:
    """100,000 of equity, EURUSD at 1.10 with the stop at 1.09, free of costs and opinions."""
    values: dict[str, Any] = {
        "equity": D(100000),
        "instrument": pair(),
        "side": Side.BUY,
        "entry_price": 1.10,
        "stop_price": 1.09,
        "half_spread": 0.0,
        "slippage": 0.0,
        "fx_rate": D(1),
        "probability": None,
        "break_even": 0.5,
        "social_score": None,
        "volatility_ratio": None,
        "drawdown": 0.0,
        "hold_scale": D(1),
        "open_risk": D(0),
        "limits": Limits(),
    }
    return SizingInputs(**{**values, **changes})


def judged(wanted: Proposal, at: Snapshot) -> Approval | Denial:
    return Gate().judge(wanted, at, expires_at=at.now + timedelta(hours=1))


def denied(wanted: Proposal, at: Snapshot) -> Denial:
    verdict = judged(wanted, at)
    assert isinstance(verdict, Denial), "the gate approved what it must deny"
    return verdict
