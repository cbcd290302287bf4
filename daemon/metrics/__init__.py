"""What Prometheus may read of the daemon: its own registry, its own endpoint, every series made before its event."""

from daemon.metrics.endpoint import Endpoint, serve
from daemon.metrics.metrics import Metrics
from daemon.metrics.observer import MetricsObserver
from daemon.metrics.venue import VenueCounts
from daemon.metrics.vocabulary import OTHER, Vocabulary

__all__ = ["OTHER", "Endpoint", "Metrics", "MetricsObserver", "VenueCounts", "Vocabulary", "serve"]
