"""Metrics of the loop: scans, decisions, orders, fills, outcomes."""

from __future__ import annotations

from typing import Final

from daemon.metrics.families import HOURS_IN_SECONDS, LONG_SECONDS, Families
from daemon.metrics.vocabulary import OTHER, Vocabulary
from domain.decisions import DecisionStatus, ExitCause, OutcomeKind, SampleSource
from domain.orders import OrderState

DENIED: Final = "denied"
SLIPPAGE_BUCKETS: Final = (0.0, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)


class TradingMetrics:
    """What the trading loop did. Times are seconds since 1970 on the daemon's clock; 0 means never."""

    def __init__(self, make: Families, words: Vocabulary) -> None:
        self._scans(make, words)
        self._orders(make)
        self._results(make)
        decisions = make.counters("decisions", "Decisions by what became of them and why.", ("outcome", "reason"))
        self._decisions = {
            (status.value, reason): decisions.labels(status.value, reason)
            for status in DecisionStatus
            for reason in (*words.reasons, OTHER)
        }

    def _scans(self, make: Families, words: Vocabulary) -> None:
        self._scans_total = make.counter("scans", "Passes over the instruments whose bar had just closed.")
        self._scan_seconds = make.histogram(
            "scan_duration_seconds", "How long one scan took.", (*LONG_SECONDS, *HOURS_IN_SECONDS)
        )
        self._scan_interval = make.gauge("scan_interval_seconds", "Time between two scans by the schedule.")
        self._last_scan = make.gauge("last_scan_timestamp_seconds", "When a scan last succeeded; 0 means never.")
        self._bars = make.counter("bars", "Closed bars that were looked at.")
        self._last_bar = make.gauged(
            "last_bar_timestamp_seconds",
            "Close time of the newest bar; 0 means none yet.",
            "instrument",
            words.own_instruments,
        )

    def _orders(self, make: Families) -> None:
        self._order_states = make.counted(
            "orders",
            "Orders that reached a state; denied ones were refused by our own rules, pending ones were sent.",
            "outcome",
            (DENIED, *OrderState),
        )
        self._open_orders = make.gauge("open_orders", "Orders that are not in a final state.")
        self._unknown = make.gauge("orders_unknown", "Orders of which the venue has not said whether it has them.")
        self._oldest_unknown = make.gauge(
            "oldest_unknown_order_timestamp_seconds", "Since when the oldest unknown order is unknown; 0 means none."
        )
        self._unprotected = make.gauge("unprotected_positions", "Open positions without a full stop at the venue.")
        self._fills = make.counter("fills", "Executions.")
        self._slippage = make.histogram(
            "slippage_ratio",
            "How much worse than expected a fill was, as a share of the price; a better one counts as 0.",
            SLIPPAGE_BUCKETS,
        )

    def _results(self, make: Families) -> None:
        self._trades = make.counted("trades_closed", "Positions that closed, by why.", "exit", ExitCause)
        self._outcomes = make.counted("outcomes", "Decisions that came to their end.", "kind", OutcomeKind)
        self._samples = make.counted("samples", "Labelled samples written.", "source", SampleSource)

    def scan_every(self, seconds: float) -> None:
        """Tell the time between two scans; alerts measure staleness by it."""
        self._scan_interval.set(seconds)

    def scanned(self, *, seconds: float, at: float, bars: int) -> None:
        """A scan succeeded: what it took, when it was, how many closed bars it looked at."""
        self._scans_total.inc()
        self._scan_seconds.observe(seconds)
        self._last_scan.set(at)
        self._bars.inc(bars)

    def bar_closed(self, instrument: str, closed_at: float) -> None:
        self._last_bar.put(instrument, closed_at)

    def decided(self, status: DecisionStatus, reason: str) -> None:
        """`reason` is a word of the vocabulary; any other is counted under `other`."""
        child = self._decisions.get((status.value, reason))
        if child is None:
            child = self._decisions[(status.value, OTHER)]
        child.inc()

    def order_denied(self) -> None:
        self._order_states.add(DENIED)

    def order_moved(self, state: OrderState) -> None:
        """An order reached `state`; tell each move once."""
        self._order_states.add(state)

    def orders_now(self, *, open_: int, unknown: int, oldest_unknown_at: float | None) -> None:
        """How many orders are open and unknown now, and since when the oldest unknown one is (None: none is)."""
        self._open_orders.set(open_)
        self._unknown.set(unknown)
        self._oldest_unknown.set(0.0 if oldest_unknown_at is None else oldest_unknown_at)

    def unprotected(self, positions: int) -> None:
        self._unprotected.set(positions)

    def filled(self) -> None:
        self._fills.inc()

    def slipped(self, ratio: float) -> None:
        """`ratio` is the adverse move between expected and paid price over the expected one."""
        self._slippage.observe(max(0.0, ratio))

    def trade_closed(self, cause: ExitCause) -> None:
        self._trades.add(cause)

    def resolved(self, kind: OutcomeKind) -> None:
        self._outcomes.add(kind)

    def sampled(self, source: SampleSource) -> None:
        self._samples.add(source)
