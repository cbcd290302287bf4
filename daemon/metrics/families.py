"""Metric families on one registry, with every child made, and cached, before its first event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from daemon.metrics.vocabulary import OTHER

PREFIX: Final = "ratchet"
NOT_MEASURED: Final = float("nan")
"""What a figure shows before it was first measured: a missing value is missing, not 0."""

SHORT_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LONG_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
HOURS_IN_SECONDS: Final = (60.0, 300.0, 900.0, 3600.0, 14400.0)


class Counted:
    """The counters of one family by word; a word that was not announced counts as `other`."""

    __slots__ = ("_children", "_other")

    def __init__(self, family: Counter, words: Iterable[str]) -> None:
        self._children = {word: family.labels(word) for word in words}
        self._other = family.labels(OTHER)

    def add(self, word: str, count: float = 1) -> None:
        self._children.get(word, self._other).inc(count)


class Gauged:
    """The gauges of one family by word; words that were not announced share `other`."""

    __slots__ = ("_children", "_other")

    def __init__(self, family: Gauge, words: Iterable[str], start: float) -> None:
        self._children = {word: family.labels(word) for word in words}
        self._other = family.labels(OTHER)
        for child in (*self._children.values(), self._other):
            child.set(start)

    def put(self, word: str, value: float) -> None:
        self._children.get(word, self._other).set(value)


Labelled = tuple[tuple[str, ...], float]
"""Values of the labels, in the family's order, and what was counted under them."""


class CountedElsewhere(Collector):
    """One family of counters that others keep; they are read on the scraper's thread."""

    def __init__(self, name: str, text: str, labels: Sequence[str], read: Callable[[], Iterable[Labelled]]) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in self._read():
            family.add_metric(labels, value)
        yield family


class Families:
    """Makes families whose names begin with the product's prefix, on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, namespace=PREFIX, registry=self._registry)

    def counted(self, name: str, text: str, label: str, words: Iterable[str]) -> Counted:
        return Counted(Counter(name, text, (label,), namespace=PREFIX, registry=self._registry), words)

    def counters(self, name: str, text: str, labels: Sequence[str]) -> Counter:
        """A family whose children the caller makes."""
        return Counter(name, text, labels, namespace=PREFIX, registry=self._registry)

    def counted_elsewhere(
        self, name: str, text: str, labels: Sequence[str], read: Callable[[], Iterable[Labelled]]
    ) -> None:
        """A family of counters that others keep: `read` gives them at each scrape; they may only grow."""
        self._registry.register(CountedElsewhere(f"{PREFIX}_{name}", text, labels, read))

    def gauge(self, name: str, text: str, start: float = 0.0) -> Gauge:
        gauge = Gauge(name, text, namespace=PREFIX, registry=self._registry)
        gauge.set(start)
        return gauge

    def measured(self, name: str, text: str, measure: Callable[[], float]) -> Gauge:
        """A gauge that is measured whenever it is scraped, on the scraper's thread."""
        gauge = Gauge(name, text, namespace=PREFIX, registry=self._registry)
        gauge.set_function(measure)
        return gauge

    def gauged(self, name: str, text: str, label: str, words: Iterable[str], start: float = 0.0) -> Gauged:
        return Gauged(Gauge(name, text, (label,), namespace=PREFIX, registry=self._registry), words, start)

    def gauges(self, name: str, text: str, labels: Sequence[str]) -> Gauge:
        """A family whose children the caller makes."""
        return Gauge(name, text, labels, namespace=PREFIX, registry=self._registry)

    def histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, text, namespace=PREFIX, registry=self._registry, buckets=buckets)
