"""A small lawful life of an account, told in batches: what trading commits, in the order in which it commits it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

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
from domain.identity import client_order_id, digest
from domain.instruments import Timeframe
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
from domain.positions import Position, opened_by, realized_by
from domain.records import CashEvent, CashKind, EquityPoint, Scan
from journal.batch import Batch

ACCOUNT = "paper-1"
START = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEPOSIT = Decimal(10_000)


def decision_at(
    opened: datetime, instrument: str = "BTC-USD", *, status: DecisionStatus = DecisionStatus.ORDERED
) -> Decision:
    """A decision on the hour that opened at `opened`, with sixty features."""
    ordered = status is DecisionStatus.ORDERED
    return Decision(
        decision_id=digest("decision", ACCOUNT, instrument, opened.isoformat()),
        account=ACCOUNT,
        instrument=instrument,
        timeframe=Timeframe.H1,
        bar_opened_at=opened,
        decided_at=opened + HOUR,
        signal=Signal(
            instrument=instrument,
            timeframe=Timeframe.H1,
            bar_opened_at=opened,
            side=Side.BUY,
            technical_score=0.71,
            agreement=0.6,
            votes=(
                Vote(strategy="trend", side=Side.BUY, confidence=0.8, reason="fast above slow"),
                Vote(strategy="momentum", side=Side.SELL, confidence=0.25, reason="overbought"),
            ),
            entry_price=100.0,
            stop_price=95.0,
            target_price=110.0,
            atr=2.5,
            bars_since_signal=1,
        ),
        features=FeatureVector(
            schema="features-1",
            values={f"feature_{index:02}": index / 7 if index % 9 else None for index in range(59, -1, -1)},
        ),
        sentiment=SentimentView(score=-0.25, confidence=0.5, count=3, age_s=60.5, event_score=0.125),
        ml=MlView(
            forecast=0.41,
            base_rate=0.39,
            verdict=MlClass.PROFITABLE,
            probability=0.625,
            confidence=0.25,
            threshold=0.5,
            model="online-1",
            seen=40,
        ),
        score=0.68,
        status=status,
        reason="ordered" if ordered else "max_positions",
        quantity=Decimal("1.50") if ordered else Decimal(0),
        risk_amount=Decimal("7.5") if ordered else Decimal(0),
        strategy_hash="abc123",
        numbers={"open_risk": "0.02", "cap": "0.06"},
    )


def intent_for(
    decision: Decision, leg: Leg, *, kind: OrderKind = OrderKind.MARKET, price: Decimal | None = None, attempt: int = 1
) -> Intent:
    """A placing intent of one leg of the decision's trade."""
    side = Side.BUY if leg is Leg.ENTRY else Side.SELL
    cause = CauseKind.DECISION if leg is Leg.ENTRY else CauseKind.POSITION
    created = decision.decided_at
    return Intent(
        client_order_id=client_order_id(ACCOUNT, cause, decision.decision_id, leg, attempt),
        account=ACCOUNT,
        instrument=decision.instrument,
        action=Action.PLACE,
        cause_kind=cause,
        cause_id=decision.decision_id,
        leg=leg,
        attempt=attempt,
        side=side,
        kind=kind,
        quantity=decision.quantity,
        created_at=created,
        approval=Approval(
            instrument=decision.instrument,
            side=side,
            quantity=decision.quantity,
            reduce_only=leg is not Leg.ENTRY,
            granted_at=created,
            expires_at=created + timedelta(seconds=30),
            rules=("max_value", "collar"),
            limits_digest="limits-1",
        ),
        position_id=decision.decision_id,
        limit_price=price if kind is OrderKind.LIMIT else None,
        stop_price=price if kind is OrderKind.STOP else None,
        reduce_only=leg is not Leg.ENTRY,
        oco_group=None if leg is Leg.ENTRY else decision.decision_id,
        reason=leg.value,
    )


def fill_for(order: Order, at: datetime, price: Decimal, quantity: Decimal | None = None, number: int = 1) -> Fill:
    """One execution of an order, with a fee of a thousandth."""
    filled = order.intent.quantity if quantity is None else quantity
    return Fill(
        venue="paper",
        trade_id=digest("trade", order.client_order_id, number),
        client_order_id=order.client_order_id,
        instrument=order.intent.instrument,
        side=order.intent.side,
        quantity=filled,
        price=price,
        fee=filled * price / 1000,
        fx_rate=Decimal(1),
        at=at,
    )


@dataclass
class Account:
    """The money side, folded as trading folds it."""

    balance: Decimal = Decimal(0)
    peak: Decimal = Decimal(0)
    batches: list[Batch] = field(default_factory=list)

    def book(self, batch: Batch, event: CashEvent) -> None:
        self.balance += event.amount
        batch.add(event)

    def point(self, at: datetime, floating: Decimal = Decimal(0)) -> EquityPoint:
        equity = self.balance + floating
        self.peak = max(self.peak, equity)
        return EquityPoint(
            at=at,
            balance=self.balance,
            floating=floating,
            equity=equity,
            peak=self.peak,
            drawdown=float(1 - equity / self.peak),
            exposure=Decimal(0),
            open_positions=int(bool(floating)),
        )


def story(trades: int = 3, instrument: str = "BTC-USD") -> list[Batch]:
    """A deposit, then trades one after the other: each denied once, then entered in two fills and stopped out."""
    account = Account()
    opening = Batch()
    deposit = CashEvent(event_id="deposit-1", kind=CashKind.DEPOSIT, at=START, amount=DEPOSIT)
    account.book(opening, deposit)
    opening.add(account.point(START))
    account.batches.append(opening)
    for number in range(trades):
        _tell_trade(account, START + number * 8 * HOUR, instrument, won=number % 2 == 0)
    return account.batches


def _tell_trade(account: Account, at: datetime, instrument: str, *, won: bool) -> None:
    denied = decision_at(at, instrument, status=DecisionStatus.DENIED)
    decision = decision_at(at + HOUR, instrument)
    entry = Order(intent=intent_for(decision, Leg.ENTRY), state=OrderState.PENDING, updated_at=decision.decided_at)
    asking = Batch()
    for opened in (denied, decision):
        reasons = {"no_signal": 4, "spread": 1}
        asking.add(Scan(at=opened.decided_at, timeframe=Timeframe.H1, bars=6, decisions=1, reasons=reasons))
        asking.add(opened)
    asking.add(account.point(decision.decided_at))
    asking.add(entry.intent)
    asking.add(entry)
    asking.put_state("risk", '{"losses":0}')
    account.batches.append(asking)
    position, stop = _tell_entry(account, decision, entry)
    _tell_exit(account, decision, position, stop, won=won)
    _tell_outcomes(account, denied, decision)


def _tell_entry(account: Account, decision: Decision, entry: Order) -> tuple[Position, Order]:
    batch = Batch()
    at = decision.decided_at + timedelta(seconds=1)
    first = fill_for(entry, at, Decimal("100.10"), Decimal("0.5"), 1)
    second = fill_for(entry, at, Decimal("100.40"), Decimal("1.0"), 2)
    position = opened_by(first, position_id=decision.decision_id, account=ACCOUNT)
    entry = entry.moved(OrderState.ACCEPTED, at, venue_order_id="v-1")
    batch.add(entry)
    for fill in (first, second):
        entry = entry.with_fill(fill)
        position = position if fill is first else position.after(fill)
        batch.add(fill)
        batch.add(entry)
        batch.add(position)
        fee = CashEvent(
            event_id=f"fee-{fill.trade_id}",
            kind=CashKind.FEE,
            at=at,
            amount=-fill.fee,
            instrument=decision.instrument,
        )
        account.book(batch, fee)
    intent = intent_for(decision, Leg.STOP, kind=OrderKind.STOP, price=Decimal(95))
    stop = Order(intent=intent, state=OrderState.PENDING, updated_at=at)
    batch.add(intent)
    batch.add(stop)
    batch.add(account.point(at, floating=Decimal("-0.25")))
    moved = replace(
        intent,
        client_order_id=client_order_id(ACCOUNT, CauseKind.POSITION, decision.decision_id, Leg.STOP, 2),
        action=Action.REPLACE,
        target_id=intent.client_order_id,
        attempt=2,
        stop_price=Decimal("96.00"),
    )
    batch.add(moved)
    stop = stop.moved(OrderState.ACCEPTED, at).amended(moved, at)
    batch.add(replace(stop, version=stop.version - 1, intent=intent))
    batch.add(stop)
    account.batches.append(batch)
    return position, stop


def _tell_exit(account: Account, decision: Decision, position: Position, stop: Order, *, won: bool) -> None:
    batch = Batch()
    at = decision.decided_at + 2 * HOUR
    fill = fill_for(stop, at, Decimal("103.7") if won else Decimal("95.9"))
    realized = realized_by(position, fill)
    batch.add(fill)
    batch.add(stop.with_fill(fill))
    batch.add(position.after(fill))
    for kind, amount in ((CashKind.REALIZED, realized), (CashKind.FEE, -fill.fee)):
        event_id = f"{kind}-{fill.trade_id}"
        event = CashEvent(event_id=event_id, kind=kind, at=at, amount=amount, instrument=decision.instrument)
        account.book(batch, event)
    account.book(
        batch,
        CashEvent(
            event_id=f"swap-{decision.decision_id}",
            kind=CashKind.SWAP,
            at=at,
            amount=Decimal("-0.015"),
            instrument=decision.instrument,
        ),
    )
    batch.add(account.point(at))
    account.batches.append(batch)


def _tell_outcomes(account: Account, denied: Decision, decision: Decision) -> None:
    batch = Batch()
    for each, kind in (
        (denied, OutcomeKind.SHADOW),
        (decision, OutcomeKind.REAL),
        (decision, OutcomeKind.SHADOW),
    ):
        outcome = outcome_of_decision(each, kind)
        batch.add(outcome)
    batch.add(sample_of_decision(denied, SampleSource.SHADOW))
    batch.add(sample_of_decision(decision, SampleSource.REAL))
    batch.put_state("online_model", '{"seen":2}')
    account.batches.append(batch)


def outcome_of_decision(decision: Decision, kind: OutcomeKind) -> Outcome:
    real = kind is OutcomeKind.REAL
    return Outcome(
        outcome_id=digest("outcome", decision.decision_id, kind),
        decision_id=decision.decision_id,
        kind=kind,
        instrument=decision.instrument,
        timeframe=decision.timeframe,
        side=decision.signal.side,
        opened_at=decision.decided_at,
        closed_at=decision.decided_at + 2 * HOUR,
        entry_price=100.3,
        exit_price=95.9,
        quantity=decision.quantity if real else Decimal(1),
        r_net=-0.93 if real else 0.4,
        return_net=-0.046,
        mfe_r=0.3,
        mae_r=-1.0,
        bars_held=2,
        exit_cause=ExitCause.STOP,
        costs_r=0.04,
        profit=Decimal("-6.9") if real else None,
        strategies=("trend",),
        sentiment_state="negative",
        model="online-1",
    )


def sample_of_decision(decision: Decision, source: SampleSource) -> Sample:
    r_net = -0.93 if source is SampleSource.REAL else 0.4
    return Sample(
        decision_id=decision.decision_id,
        decided_at=decision.decided_at,
        resolved_at=decision.decided_at + 2 * HOUR,
        instrument=decision.instrument,
        side=decision.signal.side,
        strategy="trend",
        features=decision.features,
        r_net=r_net,
        label=int(r_net > 0),
        weight=1.0,
        source=source,
    )
