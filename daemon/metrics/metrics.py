"""All metrics of one daemon, on a registry of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, disable_created_metrics

from daemon.metrics.account import AccountMetrics
from daemon.metrics.families import Families
from daemon.metrics.learning import LearningMetrics
from daemon.metrics.risk import RiskMetrics
from daemon.metrics.service import ServiceMetrics
from daemon.metrics.trading import TradingMetrics
from daemon.metrics.venue import VenueMetrics
from daemon.metrics.vocabulary import Vocabulary


class Metrics:
    """The metrics by what they watch: `trading`, `account`, `service`, `learning`, `risk`, `venue`.

    Nothing is shared with other instances or with prometheus_client's global registry. Every series exists, at 0
    (or NaN where 0 would be a made-up figure), before its first event.
    """

    def __init__(self, *, currency: str, words: Vocabulary) -> None:
        # A second series per counter with its birth time would double them; process start time says the same.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library left this one function untyped
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        make = Families(self.registry)
        self.trading = TradingMetrics(make, words)
        self.account = AccountMetrics(make, currency)
        self.service = ServiceMetrics(make, words)
        self.learning = LearningMetrics(make, words)
        self.risk = RiskMetrics(make, words)
        self.venue = VenueMetrics(make)
