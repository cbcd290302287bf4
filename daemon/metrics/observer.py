"""Metrics as a watcher of trading."""

from __future__ import annotations

from daemon.metrics.metrics import Metrics
from domain.clock import EPOCH
from domain.decisions import Decision, DecisionStatus, Outcome, OutcomeKind, Sample
from domain.holds import Hold
from domain.learning import DriftEvent
from domain.orders import Fill, Order
from domain.records import EquityPoint, Incident, Scan
from trading.observer import Observer


class MetricsObserver(Observer):
    """Counts what trading tells. What only snapshots know (open orders, unknown orders, unprotected positions)
    is told to `Metrics` by whoever takes the snapshot."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._holds: dict[str, Hold] = {}

    def scanned(self, scan: Scan, seconds: float) -> None:
        at = (scan.at - EPOCH).total_seconds()
        self._metrics.trading.scanned(seconds=seconds, at=at, bars=scan.bars)

    def marked(self, point: EquityPoint) -> None:
        self._metrics.account.valued(
            equity=float(point.equity),
            peak=float(point.peak),
            drawdown=point.drawdown,
            exposure=float(point.exposure),
            positions=point.open_positions,
        )

    def decided(self, decision: Decision) -> None:
        self._metrics.trading.decided(decision.status, decision.reason)
        if decision.status is DecisionStatus.DENIED:
            self._metrics.trading.order_denied()

    def order_moved(self, order: Order) -> None:
        self._metrics.trading.order_moved(order.state)

    def filled(self, fill: Fill, order: Order) -> None:
        self._metrics.trading.filled()
        expected = order.intent.stop_price if order.intent.stop_price is not None else order.intent.limit_price
        if expected is not None:
            self._metrics.trading.slipped(float((fill.price - expected) / expected) * fill.side.sign)

    def resolved(self, outcome: Outcome) -> None:
        self._metrics.trading.resolved(outcome.kind)
        if outcome.kind is OutcomeKind.REAL:
            self._metrics.trading.trade_closed(outcome.exit_cause)

    def learned(self, sample: Sample, updated: bool) -> None:
        self._metrics.trading.sampled(sample.source)
        if updated:
            self._metrics.learning.updated()

    def drifted(self, event: DriftEvent) -> None:
        self._metrics.learning.drifted(event.detector)

    def held(self, hold: Hold) -> None:
        self._holds[hold.hold_id] = hold
        self._metrics.account.holds_now(self._holds.values())

    def released(self, hold: Hold) -> None:
        self._holds.pop(hold.hold_id, None)
        self._metrics.account.holds_now(self._holds.values())

    def incident(self, incident: Incident) -> None:
        self._metrics.service.incident(incident.kind)

    def candles_rejected(self, instrument: str, kind: str, count: int) -> None:
        self._metrics.service.candles_rejected(instrument, kind, count)

    def committed(self, seconds: float) -> None:
        self._metrics.service.committed(seconds)
