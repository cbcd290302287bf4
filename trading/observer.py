"""Who watches trading from outside: metrics, progress bars, logs. Watching never changes what happens."""

from __future__ import annotations

from domain.decisions import Decision, Outcome, Sample
from domain.holds import Hold
from domain.learning import DriftEvent
from domain.orders import Fill, Order
from domain.records import EquityPoint, Incident, Scan


class Observer:
    """Does nothing at any event; watchers override what they care for."""

    def scanned(self, scan: Scan, seconds: float) -> None:
        """A scan ended; `seconds` is what it took on the monotonic clock."""

    def marked(self, point: EquityPoint) -> None:
        """The account was valued."""

    def decided(self, decision: Decision) -> None:
        """The ensemble named a side, and this became of it."""

    def order_moved(self, order: Order) -> None:
        """An order changed its state."""

    def filled(self, fill: Fill, order: Order) -> None:
        """Something was executed."""

    def resolved(self, outcome: Outcome) -> None:
        """A real trade or a shadow ended."""

    def learned(self, sample: Sample, updated: bool) -> None:
        """A labelled sample was written; `updated` says whether the online model took it."""

    def drifted(self, event: DriftEvent) -> None:
        """A detector of drift spoke."""

    def held(self, hold: Hold) -> None:
        """A hold was set."""

    def released(self, hold: Hold) -> None:
        """A hold ended."""

    def incident(self, incident: Incident) -> None:
        """Something happened that should not have."""

    def candles_rejected(self, instrument: str, kind: str, count: int) -> None:
        """So many live candles of the instrument were not believed, for the reason `kind`."""

    def committed(self, seconds: float) -> None:
        """A journal commit was made durable."""


class Observers(Observer):
    """Several watchers as one, told in order."""

    def __init__(self, *watchers: Observer) -> None:
        self._watchers = watchers

    def scanned(self, scan: Scan, seconds: float) -> None:
        for watcher in self._watchers:
            watcher.scanned(scan, seconds)

    def marked(self, point: EquityPoint) -> None:
        for watcher in self._watchers:
            watcher.marked(point)

    def decided(self, decision: Decision) -> None:
        for watcher in self._watchers:
            watcher.decided(decision)

    def order_moved(self, order: Order) -> None:
        for watcher in self._watchers:
            watcher.order_moved(order)

    def filled(self, fill: Fill, order: Order) -> None:
        for watcher in self._watchers:
            watcher.filled(fill, order)

    def resolved(self, outcome: Outcome) -> None:
        for watcher in self._watchers:
            watcher.resolved(outcome)

    def learned(self, sample: Sample, updated: bool) -> None:
        for watcher in self._watchers:
            watcher.learned(sample, updated)

    def drifted(self, event: DriftEvent) -> None:
        for watcher in self._watchers:
            watcher.drifted(event)

    def held(self, hold: Hold) -> None:
        for watcher in self._watchers:
            watcher.held(hold)

    def released(self, hold: Hold) -> None:
        for watcher in self._watchers:
            watcher.released(hold)

    def incident(self, incident: Incident) -> None:
        for watcher in self._watchers:
            watcher.incident(incident)

    def candles_rejected(self, instrument: str, kind: str, count: int) -> None:
        for watcher in self._watchers:
            watcher.candles_rejected(instrument, kind, count)

    def committed(self, seconds: float) -> None:
        for watcher in self._watchers:
            watcher.committed(seconds)
