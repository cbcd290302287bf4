"""What one decision costs, measured in a running replay: the whole scan first, then its parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

from bench.figures import Figure, in_unit
from bench.in_process import Label, command, timed_calls
from bench.request import Request

BARS = "2500"
"""Of each instrument: enough that the model speaks and several positions are open at a time."""


def run(request: Request) -> Iterator[Figure]:
    """Every call of the run is one measurement, cold caches and other processes included: read the medians."""
    import trading.scan
    from domain.decisions import Decision
    from journal.batch import Batch
    from journal.journal import Journal
    from learning.online import OnlineFilter
    from risk.gate import Gate
    from trading.news import News
    from trading.view import MarketView

    runs = count()
    whole = {"scan": (trading.scan.Scanner, "scan", _scanned), "commit": (Journal, "commit", _named("commit"))}
    yield from _figures(_measured(request, next(runs), whole))
    parts: dict[str, tuple[Any, str, Label]] = {
        "combine": (trading.scan, "combine", lambda _given, told: None if isinstance(told, str) else "combine"),
        "silent": (trading.scan, "combine", lambda _given, told: "no_signal" if isinstance(told, str) else None),
        "sentiment": (News, "view", _named("sentiment_view")),
        "inputs": (MarketView, "inputs", _named("feature_inputs")),
        "features": (trading.scan, "build", _named("features")),
        "predict": (OnlineFilter, "predict", _named("predict")),
        "size": (trading.scan, "size", _named("size")),
        "correlations": (MarketView, "correlations", _named("correlations")),
        "gate": (Gate, "judge", lambda _given, told: "gate_approves" if _approved(told) else "gate_denies"),
        "record": (Batch, "add", lambda given, _told: "record" if isinstance(given[1], Decision) else None),
    }
    yield from _figures(_measured(request, next(runs), parts))


def _measured(request: Request, number: int, watched: dict[str, tuple[Any, str, Label]]) -> dict[str, list[float]]:
    """Seconds of every call, by label, over one replay."""
    with ExitStack() as watching:
        found = [watching.enter_context(timed_calls(*each)) for each in watched.values()]
        command(request.replay_arguments(f"decision-{number}", "--max-bars", BARS))
    return {label: seconds for each in found for label, seconds in each.items()}


def _figures(found: dict[str, list[float]]) -> Iterator[Figure]:
    for label, seconds in found.items():
        yield Figure(name=f"decision.{label}", what=_TOLD[label], unit="us", values=in_unit(seconds, "us"))


_TOLD = {
    "scan_without": "a scan of all instruments in which nothing is proposed",
    "scan_ordered": "a scan of all instruments with one decision that becomes an order: signal to intent",
    "scan_denied": "a scan of all instruments with one decision that sizing or the gate denies",
    "scan_filtered": "a scan of all instruments with one decision that the score filters",
    "commit": "one commit of the journal (NORMAL) with what waited for it",
    "combine": "votes to signal",
    "no_signal": "votes that come to nothing, one bar",
    "sentiment_view": "sentiment of one instrument at one moment",
    "feature_inputs": "gathering the inputs of the features",
    "features": "the feature vector",
    "predict": "the online model's opinion",
    "size": "the quantity",
    "correlations": "correlations with everything that is open",
    "gate_approves": "the pre-trade rules, all passed",
    "gate_denies": "the pre-trade rules up to the one that denies",
    "record": "the decision as a row of the journal",
}


def _scanned(_given: tuple[Any, ...], told: Any) -> str | None:
    if not told.decisions:
        return "scan_without"
    return f"scan_{told.decisions[0][0].status}" if len(told.decisions) == 1 else None


def _named(label: str) -> Label:
    return lambda _given, _told: label


def _approved(told: object) -> bool:
    from domain.orders import Approval

    return isinstance(told, Approval)
