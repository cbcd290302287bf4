"""What trading tells its watchers is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from daemon.metrics import Metrics, MetricsObserver, Vocabulary
from domain.decisions import ExitCause, Outcome, OutcomeKind, SampleSource
from domain.holds import Effect, HoldCause, new_hold
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
from domain.records import EquityPoint, Incident, Scan
from trading.observer import Observers

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def watched() -> tuple[Metrics, MetricsObserver]:
    metrics = Metrics(currency="USD", words=Vocabulary(incidents=("late_appearance",)))
    return metrics, MetricsObserver(metrics)


def stop_order(state: OrderState) -> Order:
    approval = Approval(
        instrument="EUR_USD",
        side=Side.SELL,
        quantity=Decimal(100),
        reduce_only=True,
        granted_at=NOW,
        expires_at=NOW + timedelta(minutes=1),
        rules=("size",),
        limits_digest="d",
    )
    intent = Intent(
        client_order_id="c1",
        account="paper",
        instrument="EUR_USD",
        action=Action.PLACE,
        cause_kind=CauseKind.POSITION,
        cause_id="p1",
        leg=Leg.STOP,
        attempt=1,
        side=Side.SELL,
        kind=OrderKind.STOP,
        quantity=Decimal(100),
        created_at=NOW,
        approval=approval,
        position_id="p1",
        stop_price=Decimal("1.10"),
        reduce_only=True,
    )
    return Order(intent=intent, state=state, updated_at=NOW)


def stop_fill(price: str) -> Fill:
    return Fill(
        venue="paper",
        trade_id="t1",
        client_order_id="c1",
        instrument="EUR_USD",
        side=Side.SELL,
        quantity=Decimal(100),
        price=Decimal(price),
        fee=Decimal(0),
        fx_rate=Decimal(1),
        at=NOW,
    )


def real_outcome(kind: OutcomeKind) -> Outcome:
    return Outcome(
        outcome_id="o1",
        decision_id="d1",
        kind=kind,
        instrument="EUR_USD",
        timeframe=Timeframe.H1,
        side=Side.BUY,
        opened_at=NOW,
        closed_at=NOW + timedelta(hours=2),
        entry_price=1.1,
        exit_price=1.09,
        quantity=Decimal(100),
        r_net=-1.0,
        return_net=-0.01,
        mfe_r=0.2,
        mae_r=-1.0,
        bars_held=2,
        exit_cause=ExitCause.STOP,
        costs_r=0.05,
        profit=None,
        strategies=("trend",),
        sentiment_state="none",
        model="none",
    )


def test_a_stop_filled_below_its_price_counts_as_slippage_of_that_share() -> None:
    metrics, watcher = watched()
    watcher.order_moved(stop_order(OrderState.FILLED))
    watcher.filled(stop_fill("1.089"), stop_order(OrderState.FILLED))
    read = metrics.registry.get_sample_value
    assert read("ratchet_fills_total") == 1
    assert read("ratchet_orders_total", {"outcome": "filled"}) == 1
    assert read("ratchet_slippage_ratio_count") == 1
    total = read("ratchet_slippage_ratio_sum")
    assert total is not None
    assert abs(total - 0.01) < 1e-12


def test_a_real_outcome_is_a_closed_trade_and_a_shadow_is_not() -> None:
    metrics, watcher = watched()
    watcher.resolved(real_outcome(OutcomeKind.SHADOW))
    watcher.resolved(real_outcome(OutcomeKind.REAL))
    read = metrics.registry.get_sample_value
    assert read("ratchet_outcomes_total", {"kind": "shadow"}) == 1
    assert read("ratchet_outcomes_total", {"kind": "real"}) == 1
    assert read("ratchet_trades_closed_total", {"exit": "stop"}) == 1
    assert read("ratchet_samples_total", {"source": SampleSource.REAL}) == 0


def test_holds_come_and_go() -> None:
    metrics, watcher = watched()
    hold = new_hold(HoldCause.DRAWDOWN, Effect.NO_ENTRIES, since=NOW, detail="10%", latched=True)
    read = metrics.registry.get_sample_value
    watcher.held(hold)
    watcher.held(hold)
    assert read("ratchet_holds", {"cause": "drawdown", "effect": "no_entries"}) == 1
    assert read("ratchet_mode", {"mode": "no_entries"}) == 1
    watcher.released(hold)
    watcher.released(hold)
    assert read("ratchet_mode", {"mode": "free"}) == 1


def test_scans_valuations_incidents_and_commits_are_shown() -> None:
    metrics, watcher = watched()
    watcher.scanned(Scan(at=NOW, timeframe=Timeframe.H1, bars=6, decisions=1, reasons={}), 0.01)
    watcher.marked(
        EquityPoint(
            at=NOW,
            balance=Decimal(9000),
            floating=Decimal(0),
            equity=Decimal(9000),
            peak=Decimal(10000),
            drawdown=0.1,
            exposure=Decimal(900),
            open_positions=1,
        )
    )
    watcher.incident(Incident(incident_id="i", at=NOW, kind="late_appearance", instrument=None, detail=""))
    watcher.committed(0.004)
    read = metrics.registry.get_sample_value
    assert read("ratchet_last_scan_timestamp_seconds") == NOW.timestamp()
    assert read("ratchet_bars_total") == 6
    assert read("ratchet_exposure_ratio") == 0.1
    assert read("ratchet_incidents_total", {"kind": "late_appearance"}) == 1
    assert read("ratchet_journal_commit_seconds_bucket", {"le": "0.005"}) == 1


def test_live_candles_that_were_not_believed_are_counted_by_instrument_and_reason() -> None:
    words = Vocabulary(instruments=("BTCUSDT", "ETHUSDT"), candle_rejections=("spike", "missing"))
    metrics = Metrics(currency="USDT", words=words)
    watching = Observers(MetricsObserver(metrics))
    watching.candles_rejected("BTCUSDT", "spike", 2)
    watching.candles_rejected("BTCUSDT", "spike", 1)
    watching.candles_rejected("ETHUSDT", "missing", 4)

    def counted(instrument: str, kind: str) -> float | None:
        labels = {"instrument": instrument, "kind": kind}
        return metrics.registry.get_sample_value("ratchet_candles_rejected_total", labels)

    assert [counted("BTCUSDT", "spike"), counted("BTCUSDT", "missing")] == [3, 0]
    assert [counted("ETHUSDT", "spike"), counted("ETHUSDT", "missing")] == [0, 4]
