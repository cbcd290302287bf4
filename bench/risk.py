"""Sizing one entry and judging it before five open positions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bench.figures import Figure, in_unit
from bench.request import Request
from bench.timing import per_call
from domain.instruments import Instrument
from domain.orders import Approval, Side
from market.registry import Registry
from risk.breakers import EquityMarked, step
from risk.gate import Gate
from risk.limits import Limits
from risk.room import room
from risk.sizing import SizingInputs, size
from risk.snapshot import Exposure, Proposal, Snapshot
from risk.state import RiskState

NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)
EQUITY = Decimal(1_000_000)
OPEN = ("AUDUSD", "NZDUSD", "USDCAD", "USDCHF", "EURGBP")


def run(request: Request) -> Iterator[Figure]:
    """The pure functions of a scan's second half; an order that passes every rule is the dearest."""
    registry, limits = Registry.shipped(), Limits()
    exposures = tuple(_exposure(registry.resolve(symbol)) for symbol in OPEN)
    account = Snapshot(
        now=NOON,
        currency="USD",
        equity=EQUITY,
        balance=EQUITY,
        exposures=exposures,
        holds=(),
        state=RiskState.starting(EQUITY, NOON),
        limits=limits,
    )
    instrument, gate = registry.resolve("EURUSD"), Gate()
    proposal, expires_at = _proposal(instrument), NOON + timedelta(minutes=1)
    verdict = gate.judge(proposal, account, expires_at=expires_at)
    if not isinstance(verdict, Approval):
        raise RuntimeError(f"the proposal that is timed is denied: {verdict}")

    def us(name: str, what: str, seconds: tuple[float, ...]) -> Figure:
        return Figure(name=f"risk.{name}", what=what, unit="us", values=in_unit(seconds, "us"))

    inputs = _inputs(instrument, account)
    yield us("size", "the quantity of one entry", per_call(lambda: size(inputs), request.repeat))
    judged = per_call(lambda: gate.judge(proposal, account, expires_at=expires_at), request.repeat)
    yield us("gate", "every pre-trade rule, before five open positions", judged)
    state, mark = account.state, EquityMarked(at=NOON, equity=EQUITY - 100, previous=EQUITY)
    yield us(
        "mark", "one equity mark through the breakers", per_call(lambda: step(state, mark, limits), request.repeat)
    )


def _exposure(instrument: Instrument) -> Exposure:
    return Exposure(
        instrument=instrument,
        side=Side.BUY,
        quantity=Decimal(1_000),
        price=Decimal("1.1"),
        fx_rate=Decimal(1),
        risk=Decimal(10),
    )


def _proposal(instrument: Instrument) -> Proposal:
    return Proposal(
        decision_id="decision-1",
        instrument=instrument,
        side=Side.BUY,
        entry_price=Decimal("1.10"),
        stop_price=Decimal("1.09"),
        mid=Decimal("1.10"),
        half_spread=Decimal("0.00005"),
        quote_age_s=0.0,
        stale_after_s=7_200.0,
        market_open=True,
        fx_rate=Decimal(1),
        quantity=Decimal(40_000),
        risk_amount=Decimal(420),
        correlations=dict.fromkeys(OPEN, 0.3),
        target_price=Decimal("1.13"),
        recent_mids=(Decimal("1.10"),) * 3,
    )


def _inputs(instrument: Instrument, account: Snapshot) -> SizingInputs:
    return SizingInputs(
        equity=account.equity,
        instrument=instrument,
        side=Side.BUY,
        entry_price=1.10,
        stop_price=1.09,
        half_spread=0.00005,
        slippage=0.0001,
        fx_rate=Decimal(1),
        probability=0.4,
        break_even=0.3,
        social_score=0.1,
        volatility_ratio=1.2,
        drawdown=0.02,
        hold_scale=Decimal(1),
        open_risk=account.open_risk,
        limits=account.limits,
        room=room(account, instrument, Side.BUY),
    )
