"""Valid records that tests change in one place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.decisions import (
    Decision,
    DecisionStatus,
    ExitCause,
    FeatureVector,
    MlClass,
    MlView,
    Outcome,
    OutcomeKind,
    Sample,
    SampleSource,
    SentimentView,
    Signal,
    Vote,
)
from domain.instruments import AssetClass, Instrument, Timeframe
from domain.orders import (
    Action,
    Approval,
    CauseKind,
    Fill,
    Intent,
    Leg,
    Order,
    OrderKind,
    OrderState,
    Side,
)

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
NAIVE = NOW.replace(tzinfo=None)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def an_instrument(**changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "symbol": "EURUSD",
        "asset_class": AssetClass.FOREX,
        "base": "EUR",
        "quote": "USD",
        "tick": Decimal("0.00001"),
        "lot": Decimal(1000),
        "pip": Decimal("0.0001"),
        "min_quantity": Decimal(1000),
        "min_notional": Decimal(0),
        "calendar": "FX",
        "spread_bps": Decimal(1),
        "max_spread_pips": Decimal(15),
        "fee_rate": Decimal(0),
    }
    return Instrument(**(values | changes))


def an_approval(**changes: Any) -> Approval:
    values: dict[str, Any] = {
        "instrument": "EURUSD",
        "side": Side.BUY,
        "quantity": Decimal(10),
        "reduce_only": False,
        "granted_at": NOW,
        "expires_at": NOW + MINUTE,
        "rules": ("staleness",),
        "limits_digest": "limits",
    }
    return Approval(**(values | changes))


def an_intent(**changes: Any) -> Intent:
    values: dict[str, Any] = {
        "client_order_id": "rt1",
        "account": "paper",
        "instrument": "EURUSD",
        "action": Action.PLACE,
        "cause_kind": CauseKind.DECISION,
        "cause_id": "d1",
        "leg": Leg.ENTRY,
        "attempt": 1,
        "side": Side.BUY,
        "kind": OrderKind.MARKET,
        "quantity": Decimal(10),
        "created_at": NOW,
        "approval": an_approval(),
        "position_id": "d1",
    }
    return Intent(**(values | changes))


def an_order(state: OrderState = OrderState.PENDING, **changes: Any) -> Order:
    return Order(intent=an_intent(**changes), state=state, updated_at=NOW)


def a_fill(**changes: Any) -> Fill:
    values: dict[str, Any] = {
        "venue": "paper",
        "trade_id": "t1",
        "client_order_id": "rt1",
        "instrument": "EURUSD",
        "side": Side.BUY,
        "quantity": Decimal(4),
        "price": Decimal("1.1"),
        "fee": Decimal("0.01"),
        "fx_rate": Decimal(1),
        "at": NOW,
    }
    return Fill(**(values | changes))


def a_signal(**changes: Any) -> Signal:
    values: dict[str, Any] = {
        "instrument": "EURUSD",
        "timeframe": Timeframe.H1,
        "bar_opened_at": NOW - HOUR,
        "side": Side.BUY,
        "technical_score": 0.7,
        "agreement": 0.8,
        "votes": (Vote(strategy="trend", side=Side.BUY, confidence=0.7, reason="up"),),
        "entry_price": 1.10,
        "stop_price": 1.09,
        "target_price": 1.13,
        "atr": 0.005,
        "bars_since_signal": 0,
    }
    return Signal(**(values | changes))


def an_ml_view(**changes: Any) -> MlView:
    values: dict[str, Any] = {
        "verdict": MlClass.PROFITABLE,
        "probability": 0.6,
        "confidence": 0.2,
        "threshold": 0.5,
        "model": "online-logistic-100",
        "seen": 120,
        "forecast": 0.6,
        "base_rate": 0.4,
    }
    return MlView(**(values | changes))


def a_sentiment(**changes: Any) -> SentimentView:
    values: dict[str, Any] = {"score": 0.2, "confidence": 0.5, "count": 3, "age_s": 60.0}
    return SentimentView(**(values | changes))


def a_feature_vector(**values: float | None) -> FeatureVector:
    return FeatureVector(schema="s1", values=values or {"rsi": 55.0, "adx": None})


def a_decision(**changes: Any) -> Decision:
    values: dict[str, Any] = {
        "decision_id": "d1",
        "account": "paper",
        "instrument": "EURUSD",
        "timeframe": Timeframe.H1,
        "bar_opened_at": NOW - HOUR,
        "decided_at": NOW,
        "signal": a_signal(),
        "features": a_feature_vector(),
        "sentiment": None,
        "ml": an_ml_view(),
        "score": 0.65,
        "status": DecisionStatus.ORDERED,
        "reason": "approved",
        "quantity": Decimal(10),
        "risk_amount": Decimal("0.1"),
        "strategy_hash": "h",
    }
    return Decision(**(values | changes))


def an_outcome(**changes: Any) -> Outcome:
    values: dict[str, Any] = {
        "outcome_id": "o1",
        "decision_id": "d1",
        "kind": OutcomeKind.SHADOW,
        "instrument": "EURUSD",
        "timeframe": Timeframe.H1,
        "side": Side.BUY,
        "opened_at": NOW,
        "closed_at": NOW + HOUR,
        "entry_price": 1.1,
        "exit_price": 1.13,
        "quantity": Decimal(1000),
        "r_net": 2.9,
        "return_net": 0.026,
        "mfe_r": 3.0,
        "mae_r": -0.2,
        "bars_held": 1,
        "exit_cause": ExitCause.TARGET,
        "costs_r": 0.1,
        "profit": None,
        "strategies": ("trend",),
        "sentiment_state": "none",
        "model": "online-logistic-100",
    }
    return Outcome(**(values | changes))


def a_sample(**changes: Any) -> Sample:
    values: dict[str, Any] = {
        "decision_id": "d1",
        "decided_at": NOW,
        "resolved_at": NOW + HOUR,
        "instrument": "EURUSD",
        "side": Side.BUY,
        "strategy": "trend",
        "features": a_feature_vector(),
        "r_net": 2.9,
        "label": 1,
        "weight": 1.0,
        "source": SampleSource.SHADOW,
    }
    return Sample(**(values | changes))
